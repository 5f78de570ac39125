package storage_test

import (
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"payout"
	"payout/storage"
	"payout/storage/storagetest"
)

// The hash of a form's token leads to its order, and to no other; a repeated
// client_orderid makes no second form.
func TestFormLeadsToItsOrder(t *testing.T) {
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		o := order(t, db, "a")
		o.Stage, o.ExpiresAt = payout.AtForm, noon
		accept(t, db, storage.Acceptance{Order: o, DueAt: noon, Unique: true, Form: []byte("token of a")})
		again := order(t, db, "a")
		if got := accept(t, db, storage.Acceptance{Order: again, DueAt: noon, Unique: true, Form: []byte("token of again")}); !got.OrderExists {
			t.Fatalf("repeated order: %+v", got)
		}
		found, err := db.OrderOfForm(t.Context(), []byte("token of a"))
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(o, found); diff != "" {
			t.Error(diff)
		}
		for _, hash := range [][]byte{[]byte("token of again"), []byte("token of"), {}} {
			if _, err := db.OrderOfForm(t.Context(), hash); !errors.Is(err, storage.ErrNotFound) {
				t.Errorf("form %q: %v", hash, err)
			}
		}
	})
}

// What the Receiver filled in is stored with the move, sealed like all
// parameters, and only if the move comes through.
func TestReceiverIsStoredWithItsMove(t *testing.T) {
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		o := order(t, db, "a")
		o.Stage, o.ExpiresAt = payout.AtForm, noon
		accept(t, db, storage.Acceptance{Order: o, DueAt: noon, Unique: true})
		submit := func(account string) bool {
			m := move(o, payout.Submit, noon)
			m.Receiver = &storage.Receiver{Params: map[string]string{"account_number": account}, Mask: "mask " + account[:2], Hash: []byte(account)}
			moved, err := db.Move(m)
			if err != nil {
				t.Fatal(err)
			}
			return moved
		}
		if !submit("77zzqq11") || submit("88zzqq22") {
			t.Error("the form must be taken once")
		}
		got, err := db.Order(t.Context(), o.ID)
		if err != nil {
			t.Fatal(err)
		}
		if got.Stage != payout.Starting || got.Params["account_number"] != "77zzqq11" || got.ReceiverMask != "mask 77" || string(got.ReceiverHash) != "77zzqq11" {
			t.Errorf("order after its form: %+v", got)
		}
	})
}

// A receipt leads to the order that a final move named it for.
func TestReceiptLeadsToItsOrder(t *testing.T) {
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		o := stored(t, db, "a")
		m := move(o, payout.Decline, time.Time{})
		m.Receipt = "18042926-d652-331c-b5a0-3e1dbacf69b2"
		if moved, err := db.Move(m); !moved || err != nil {
			t.Fatal(moved, err)
		}
		found, err := db.OrderOfReceipt(t.Context(), m.Receipt)
		if err != nil || found.ID != o.ID {
			t.Errorf("receipt leads to %v, %v", found, err)
		}
		if _, err := db.OrderOfReceipt(t.Context(), "18042926-d652-331c-b5a0-3e1dbacf69b3"); !errors.Is(err, storage.ErrNotFound) {
			t.Errorf("unknown receipt: %v", err)
		}
	})
}

// The migration that rebuilds the table of orders keeps every order, its
// uniqueness and its place in the queue.
func TestOrdersOutliveTheMigrationToForms(t *testing.T) {
	eachWithoutTables(t, func(t *testing.T, db *storage.DB) {
		if err := storage.MigrateTo(t.Context(), db, 2); err != nil {
			t.Fatal(err)
		}
		const row = `INSERT INTO orders (id, party_id, endpoint_id, group_id, command, type, client_orderid, repeat_no, currency, amount_minor,
			params_sealed, receiver_mask, receiver_hash, stage, version, gate_position, gate_id, attempts, polls, error_code, error_message,
			serial, remote_address, note, created_us, final_us, expires_us, due_us)
			VALUES ($1, 1, 39915, 0, 'v4/payout', 'payout', $2, 0, 'USD', 1042, $3, 'm', $3, 'starting', 0, 0, 5, 0, 0, 0, '', 1, '', '', 1, 0, 0, 1)`
		for id, name := range []string{1: "a", 2: "b"} {
			if id > 0 {
				if err := storage.Exec(db, row, int64(id), name, []byte{byte(id)}); err != nil {
					t.Fatal(err)
				}
			}
		}
		if n, err := db.Migrate(t.Context()); n < 1 || err != nil {
			t.Fatal(n, err)
		}
		claimed, err := db.ClaimOrders(nil, 5, storage.AllDue, noon, 0, 10)
		if err != nil || len(claimed) != 2 {
			t.Errorf("%d orders claimed after the migration, %v", len(claimed), err)
		}
		if err := storage.Exec(db, row, int64(3), "a", []byte{3}); err == nil {
			t.Error("client_orderid may occur twice after the migration")
		}
	})
}
