package gateway_test

import (
	"errors"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"payout"
	"payout/gateway"
	"payout/sign"
	"payout/spec"
	"payout/storage"
	"payout/storage/storagetest"
)

// call makes the caller of a command and its request.
func (h *house) call(command *spec.Command, form ...sign.Pair) (*gateway.Call, *spec.Request) {
	h.t.Helper()
	serial, err := h.db.NextSerial()
	if err != nil {
		h.t.Fatal(err)
	}
	r, err := command.Parse(form)
	if err != nil {
		h.t.Fatal(err)
	}
	return &gateway.Call{Command: command, Serial: serial, Party: h.Directory().PartyByLogin("TestMerchant"), EndpointID: 39915, Now: h.Now()}, r
}

// archive archives what ended before a moment.
func (h *house) archive(folder string, before time.Time) gateway.Archived {
	h.t.Helper()
	a := gateway.Archiving{DB: h.db, Vault: storagetest.Vault(h.t, h.db), Folder: folder, Before: before, Now: time.Now, Progress: func(done, total int64) {
		if done < 0 || done > total {
			h.t.Errorf("the progress is %d of %d", done, total)
		}
	}}
	done, err := a.Run(h.t.Context())
	if err != nil {
		h.t.Fatal(err)
	}
	return done
}

// A client that asks about an archived order is told how it ended, and one that
// asks for it again is refused in words that nobody takes for "not paid".
func TestArchivedOrderIsToldAndNeverMadeAgain(t *testing.T) {
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		h := newHouse(t, db, &railFunc{pay: approve}, gateway.Settings{})
		id := h.check()
		h.moveOn(id, payout.Confirm)
		name := sign.Pair{Name: "client_orderid", Value: "check"}
		pay, payRequest := h.call(spec.PayoutPay, sign.Pair{Name: "login", Value: "TestMerchant"}, name, sign.Pair{Name: "orderid", Value: id.String()})
		if _, err := h.PayoutPay(t.Context(), pay, payRequest); err != nil {
			t.Fatal(err)
		}
		if _, err := h.WorkDue(t.Context()); err != nil {
			t.Fatal(err)
		}
		ask := func(more ...sign.Pair) (gateway.Standing, error) {
			c, r := h.call(spec.StatusV2, append([]sign.Pair{{Name: "login", Value: "TestMerchant"}, name, {Name: "control", Value: strings.Repeat("0", 40)}}, more...)...)
			return h.Status(t.Context(), c, r)
		}
		before, err := ask()
		if err != nil || before.Order.Stage != payout.Approved {
			t.Fatal(before, err)
		}
		folder := filepath.Join(t.TempDir(), "archives")
		if done := h.archive(folder, before.Order.CreatedAt); done.Orders != 0 {
			t.Errorf("what is not older than the border was archived: %+v", done)
		}
		if done := h.archive(folder, before.Order.FinalAt); done.Orders != 0 || done.Recent != 1 || done.First != id {
			t.Errorf("what ended at the border was archived: %+v", done)
		}
		if done := h.archive(folder, before.Order.FinalAt.Add(time.Microsecond)); done.Orders != 1 || done.Files[gateway.ArchiveName(before.Order.CreatedAt)] != 1 {
			t.Errorf("archived are %+v", done)
		}

		told, err := ask()
		if err != nil || told.Order.Stage != payout.Approved || told.Order.ID != id || told.Order.Amount != before.Order.Amount || !told.Order.Archived {
			t.Errorf("the status is %+v, %v", told, err)
		}
		refused := func(what string, err error) {
			t.Helper()
			var refusal *payout.Error
			if !errors.As(err, &refusal) || refusal.Code != payout.CodeOrderArchived {
				t.Errorf("%s: %v", what, err)
			}
		}
		_, err = ask(sign.Pair{Name: "by-request-sn", Value: pay.Serial.String()})
		refused("the status by the serial-number of payout-pay", err)
		pay, payRequest = h.call(spec.PayoutPay, sign.Pair{Name: "login", Value: "TestMerchant"}, name, sign.Pair{Name: "orderid", Value: id.String()})
		_, err = h.PayoutPay(t.Context(), pay, payRequest)
		refused("payout-pay again", err)
		order := []sign.Pair{name, {Name: "amount", Value: "1.00"}, {Name: "currency", Value: "USD"}, {Name: "account_number", Value: "1234567890"}}
		again, againRequest := h.call(spec.PayoutCheck, order...)
		_, err = h.Payout(t.Context(), again, againRequest)
		refused("payout-check again", err)
		again, againRequest = h.call(spec.Payout, order...)
		_, err = h.Payout(t.Context(), again, againRequest)
		refused("payout with the same client_orderid", err)
		if done := h.archive(folder, time.Now().Add(time.Hour)); done.Orders != 0 || done.First != 0 {
			t.Errorf("archived again: %+v", done)
		}
	})
}

func TestArchiveAndRotationDoNotRunTogether(t *testing.T) {
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		release, err := db.RotateAlone(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		a := gateway.Archiving{DB: db, Vault: storagetest.Vault(t, db), Folder: t.TempDir(), Now: time.Now, Progress: func(_, _ int64) {}}
		if _, err := a.Run(t.Context()); err == nil {
			t.Error("an archive ran beside a rotation")
		}
		if err := release(); err != nil {
			t.Fatal(err)
		}
		if _, err := a.Run(t.Context()); err != nil {
			t.Error(err)
		}
	})
}

// Ids follow the time but roughly: a node may use an old block for long.
func TestArchiveFindsOldOrdersBetweenYoungOnes(t *testing.T) {
	db := storagetest.Open(t, storagetest.SQLite(t))
	h := newHouse(t, db, &railFunc{pay: approve}, gateway.Settings{})
	folder, border := t.TempDir(), time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC)
	old := make(map[payout.OrderID]bool)
	for i := range 10 {
		now := border.Add(-time.Hour)
		if i%3 == 1 || i > 7 {
			now = border
		}
		h.Now = func() time.Time { return now }
		c, r := h.call(spec.Payout, sign.Pair{Name: "client_orderid", Value: strconv.Itoa(i)}, sign.Pair{Name: "amount", Value: "1.00"},
			sign.Pair{Name: "currency", Value: "USD"}, sign.Pair{Name: "account_number", Value: "1234567890"})
		o, err := h.Payout(t.Context(), c, r)
		if err != nil {
			t.Fatal(err)
		}
		if n, err := h.WorkDue(t.Context()); n != 1 || err != nil {
			t.Fatal(n, err)
		}
		old[o.ID] = now.Before(border)
	}
	if done := h.archive(folder, border); done.Orders != 5 || done.Files["orders-2019-12.db"] != 5 {
		t.Errorf("archived are %+v", done)
	}
	for id, want := range old {
		if o, err := db.Order(t.Context(), id); err != nil || o.Archived != want {
			t.Errorf("order %s, old %t: %+v, %v", id, want, o, err)
		}
	}
}

// A node that makes few orders holds a block of ids for long: its next order may have an
// id below those that were archived months ago.
func TestArchiveMovesAnOrderWhoseIDWasPassedBy(t *testing.T) {
	for name, open := range map[string]func(testing.TB) string{"SQLite": storagetest.SQLite, "PostgreSQL": storagetest.Postgres} {
		t.Run(name, func(t *testing.T) {
			database := open(t)
			busy := newHouse(t, storagetest.Open(t, database), &railFunc{pay: approve}, gateway.Settings{})
			quiet := moveIn(t, storagetest.Beside(t, busy.db, database), &railFunc{pay: approve}, gateway.Settings{})
			folder, month := t.TempDir(), time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC)
			calls := 0
			order := func(h *house) payout.OrderID {
				t.Helper()
				calls++
				h.calls, h.Now = calls, func() time.Time { return month }
				id := h.pay("1234567890", "")
				h.workAll()
				return id
			}
			order(quiet) // of the first block
			for range 3 {
				order(busy) // of the second one
			}
			month = month.AddDate(0, 1, 0)
			if done := busy.archive(folder, month); done.Orders != 4 {
				t.Fatalf("archived are %+v", done)
			}
			late := order(quiet)
			last := order(busy)
			if late >= last {
				t.Fatalf("the late order %s is not below %s", late, last)
			}
			if done := busy.archive(folder, month); done.Orders != 0 || done.First != 0 {
				t.Errorf("archived before their time: %+v", done)
			}
			month = month.AddDate(0, 1, 0)
			if done := busy.archive(folder, month); done.Orders != 2 || done.Files["orders-2020-02.db"] != 2 {
				t.Errorf("archived are %+v", done)
			}
			if o, err := busy.db.Order(t.Context(), late); err != nil || !o.Archived {
				t.Errorf("the late order is %+v, %v", o, err)
			}
		})
	}
}
