package storage_test

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"payout"
	"payout/storage"
	"payout/storage/storagetest"
)

// everything reads all that is known of an order.
func everything(t *testing.T, db *storage.DB, id payout.OrderID) []any {
	t.Helper()
	ctx := t.Context()
	o, err := db.Order(ctx, id)
	if err != nil {
		t.Fatal(err)
	}
	requests, err1 := db.Requests(ctx, id)
	moves, err2 := db.History(ctx, id)
	transactions, err3 := db.Transactions(ctx, id)
	callbacks, attempts, err4 := db.Callbacks(ctx, id)
	resends, err5 := db.Resends(ctx, id)
	late, err6 := db.LateOutcomes(ctx, id)
	for _, err := range []error{err1, err2, err3, err4, err5, err6} {
		if err != nil {
			t.Fatal(err)
		}
	}
	return []any{o, requests, moves, transactions, callbacks, attempts, resends, late}
}

// old finds an order as one that may be archived.
func old(t *testing.T, db *storage.DB, id payout.OrderID) []storage.OldOrder {
	t.Helper()
	found, err := db.OldOrders(t.Context(), id-1, 1)
	if err != nil || len(found) != 1 || found[0].ID != id {
		t.Fatal(found, err)
	}
	found[0].Form, found[0].Receipt = []byte("0123456789abcdef"), "receipt"
	return found
}

// full stores an order with rows in every table of orders.
func full(t *testing.T, db *storage.DB) payout.OrderID {
	t.Helper()
	id := books(t, db)
	accept(t, db, storage.Acceptance{Request: request(t, db, &payout.Order{ID: id, PartyID: 1, EndpointID: 39915, ClientOrderID: "a"})})
	callbacks, _, err := db.Callbacks(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	err = db.Transact(t.Context(), noon.Add(time.Hour), func(tx *storage.Tx) error {
		if _, err := tx.ResendCallback(1, callbacks[0].ID, "somebody", noon.Add(time.Hour), noon.Add(2*time.Hour)); err != nil {
			return err
		}
		return tx.AddLateOutcome(payout.LateOutcome{OrderID: id, Attempt: 1, SeenStage: payout.Sending, Result: "approved"})
	})
	if err != nil {
		t.Fatal(err)
	}
	return id
}

func deliver(t *testing.T, db *storage.DB, id payout.OrderID) {
	t.Helper()
	callbacks, _, err := db.Callbacks(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	err = db.RecordAttempt(payout.CallbackAttempt{CallbackID: callbacks[0].ID, Attempt: callbacks[0].Attempts + 1, At: noon, HTTPStatus: 200}, payout.CallbackDelivered, time.Time{})
	if err != nil {
		t.Fatal(err)
	}
}

func openArchive(t *testing.T, db *storage.DB) *storage.DB {
	t.Helper()
	file := filepath.Join(t.TempDir(), "orders.db")
	archive, err := db.OpenArchive(t.Context(), file)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := archive.Close(); err != nil {
			t.Error(err)
		}
	})
	return archive
}

// archived archives an order, or says that it may not be.
func archived(t *testing.T, db, archive *storage.DB, id payout.OrderID, keep bool) bool {
	t.Helper()
	done, err := db.Archive(t.Context(), archive, old(t, db, id), keep)
	if err != nil {
		t.Fatal(err)
	}
	return done[id]
}

func TestArchivedOrderIsWholeInTheArchiveAndStillGuardsItsClientOrderID(t *testing.T) {
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		id := full(t, db)
		archive := openArchive(t, db)
		if archived(t, db, archive, id, false) {
			t.Fatal("an order was archived whose callback is due")
		}
		deliver(t, db, id)
		before := everything(t, db, id)
		if !archived(t, db, archive, id, true) {
			t.Fatal("the order was not copied")
		}
		if diff := cmp.Diff(before, everything(t, db, id)); diff != "" {
			t.Errorf("an order that is kept has changed: %s", diff)
		}
		if !archived(t, db, archive, id, false) { // in the place of the copy that is there
			t.Fatal("the order was not archived")
		}
		if diff := cmp.Diff(before, everything(t, archive, id)); diff != "" {
			t.Error(diff)
		}
		for _, books := range []*storage.DB{db, archive} {
			if broken := findings(t, books); broken != nil {
				t.Errorf("broken are %q", broken)
			}
		}
		if _, err := archive.OrderOfForm(t.Context(), []byte("0123456789abcdef")); err != nil {
			t.Errorf("the form's row is not in the archive: %v", err)
		}
		if _, err := archive.OrderOfReceipt(t.Context(), "receipt"); err != nil {
			t.Errorf("the receipt's row is not in the archive: %v", err)
		}

		o, err := db.Order(t.Context(), id)
		if err != nil {
			t.Fatal(err)
		}
		whole := before[0].(*payout.Order)
		want := *whole
		want.Archived, want.Params, want.ReceiverMask, want.ReceiverHash = true, nil, "", nil
		if diff := cmp.Diff(&want, o); diff != "" {
			t.Error(diff)
		}
		left := everything(t, db, id)
		for i, part := range left[2:] {
			if !strings.Contains(cmp.Diff(before[i+2], part), "-") {
				t.Errorf("left behind: %v", part)
			}
		}
		again := order(t, db, "a")
		if got := accept(t, db, storage.Acceptance{Order: again, DueAt: noon, Unique: true}); !got.OrderExists {
			t.Error("the client_orderid of an archived order made a second one")
		}
		if archived(t, db, archive, id, false) {
			t.Error("an archived order was archived again")
		}
		if diff := cmp.Diff(before, everything(t, archive, id)); diff != "" {
			t.Errorf("the archive has changed: %s", diff)
		}
	})
}

// A copy that was written, and then the order changed: the order wins.
func TestOrderThatChangesWhileItIsCopiedIsNotEmptied(t *testing.T) {
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		id := full(t, db)
		deliver(t, db, id)
		archive := openArchive(t, db)
		changes := []string{
			"UPDATE orders SET note = 'changed'",
			"INSERT INTO requests (order_id, serial, party_id, endpoint_id, group_id, command, client_orderid, error_code, error_message, note, remote_address, at_us) SELECT id, 999, 1, 1, 0, 'v4/payout', 'a', 0, '', '', '', 1 FROM orders",
			"DELETE FROM moves WHERE version = 1",
			"UPDATE receipts SET order_id = 7",
			"UPDATE callbacks SET state = 'due', due_us = 1",
		}
		for _, change := range changes {
			restore := storage.AfterCopy(db, archive, func() {
				if err := storage.Exec(db, change); err != nil {
					t.Error(err)
				}
			})
			if archived(t, db, archive, id, false) {
				t.Errorf("%s: the order was emptied", change)
			}
			restore()
			if o, err := db.Order(t.Context(), id); err != nil || o.Archived {
				t.Errorf("%s: %+v, %v", change, o, err)
			}
		}
	})
}

// Somebody asks for a callback to be sent again, and their transaction has not
// ended when the order is to be emptied: they are waited for, and it is sent.
func TestCallbackAskedForWhileItsOrderIsArchivedIsStillSent(t *testing.T) {
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		id := full(t, db)
		deliver(t, db, id)
		archive := openArchive(t, db)
		callbacks, _, err := db.Callbacks(t.Context(), id)
		if err != nil {
			t.Fatal(err)
		}
		asked, copied, ended := make(chan error), make(chan bool), make(chan error)
		go func() {
			ended <- storagetest.Again(t, db).Transact(t.Context(), noon.Add(2*time.Hour), func(tx *storage.Tx) error {
				_, err := tx.ResendCallback(1, callbacks[0].ID, "somebody", noon.Add(2*time.Hour), noon.Add(3*time.Hour))
				asked <- err
				<-copied
				return err
			})
		}()
		if err := <-asked; err != nil {
			t.Fatal(err)
		}
		defer storage.AfterCopy(db, archive, func() { close(copied) })()
		if archived(t, db, archive, id, false) {
			t.Error("the order was emptied")
		}
		if err := <-ended; err != nil {
			t.Error(err)
		}
		if due, err := db.NextCallbackDue(t.Context()); err != nil || due.IsZero() {
			t.Errorf("the callback is due %s, %v", due, err)
		}
	})
}

func TestArchiveOfAnotherDatabaseIsLeftAlone(t *testing.T) {
	db, other := storagetest.Open(t, storagetest.SQLite(t)), storagetest.Open(t, storagetest.SQLite(t))
	archive := openArchive(t, db)
	id := full(t, db)
	deliver(t, db, id)
	before := everything(t, db, id)
	if !archived(t, db, archive, id, false) {
		t.Fatal("the order was not archived")
	}
	foreign := full(t, other)
	deliver(t, other, foreign)
	if err := storage.Exec(other, "UPDATE orders SET client_orderid = 'other'"); err != nil || foreign != id {
		t.Fatal(foreign, id, err)
	}
	if _, err := other.Archive(t.Context(), archive, old(t, other, id), false); err == nil || !strings.Contains(err.Error(), "another database") {
		t.Errorf("the archive of another database took an order: %v", err)
	}
	if diff := cmp.Diff(before, everything(t, archive, id)); diff != "" {
		t.Error(diff)
	}
}

func TestRefusedRequestsAreArchivedOnce(t *testing.T) {
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		archive := openArchive(t, db)
		var want []payout.Request
		for i := range 3 {
			serial, err := db.NextSerial()
			if err != nil {
				t.Fatal(err)
			}
			r := payout.Request{Serial: serial, PartyID: 1, EndpointID: 1, Command: "v4/payout", ClientOrderID: "a", ErrorCode: 302, ErrorMessage: "no", At: noon.Add(time.Duration(i))}
			accept(t, db, storage.Acceptance{Request: &r})
			want = append(want, r)
		}
		found, err := db.RefusedRequests(t.Context(), 0)
		if err != nil || len(found) != 3 {
			t.Fatal(found, err)
		}
		outer := []storage.OldRequest{found[0], found[2]} // the one in between is younger
		for _, keep := range []bool{true, false} {
			if err := db.ArchiveRefused(t.Context(), archive, outer, keep); err != nil {
				t.Fatal(err)
			}
			left, err := db.RefusedRequests(t.Context(), 0)
			if keeps := len(left) == 3; err != nil || keeps != keep {
				t.Errorf("kept %t: left are %v, %v", keep, left, err)
			}
		}
		for i, r := range want {
			_, err1 := db.RequestBySerial(t.Context(), 1, r.Serial)
			_, err2 := archive.RequestBySerial(t.Context(), 1, r.Serial)
			if (err1 == nil) != (i == 1) || (err2 == nil) != (i != 1) {
				t.Errorf("request %d: %v, in the archive %v", i, err1, err2)
			}
		}
		if err := storage.Exec(archive, "UPDATE requests SET note = 'of another database'"); err != nil {
			t.Fatal(err)
		}
		again := want[0]
		accept(t, db, storage.Acceptance{Request: &again})
		if err := db.ArchiveRefused(t.Context(), archive, found[:1], false); err == nil {
			t.Error("an archive that has another request was taken")
		}
		if left, err := db.RefusedRequests(t.Context(), 0); err != nil || len(left) != 2 {
			t.Errorf("left are %v, %v", left, err)
		}
	})
}

// What a migration adds must be archived too.
func TestArchiveHasEveryColumnOfEveryTableOfOrders(t *testing.T) {
	// These stay: they are forgotten in their own time, or are no order's.
	stay := append([]string{"nonces", "nonce_batches", "card_refs", "journal"}, smallTables...)
	db := storagetest.Open(t, storagetest.SQLite(t))
	tables, err := storage.TableNames(t.Context(), db)
	if err != nil {
		t.Fatal(err)
	}
	known := storage.ArchivedColumns()
	for _, table := range tables {
		columns := known[table]
		if columns == nil && slices.Contains(stay, table) {
			continue
		}
		want, err := storage.Columns(t.Context(), db, table)
		if err != nil {
			t.Fatal(err)
		}
		slices.Sort(want)
		slices.Sort(columns)
		if diff := cmp.Diff(want, columns); diff != "" {
			t.Errorf("table %s: %s", table, diff)
		}
	}
}
