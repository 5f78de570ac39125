package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"
	"time"

	"payout"
	"payout/server"
	"payout/spec"
	"payout/storage"
	"payout/vault"
)

// serving runs the site's gateway until the test ends.
func (s site) serving() {
	s.t.Helper()
	ctx, stop := context.WithCancel(context.Background())
	ended, ready := make(chan error, 1), make(chan server.Addresses, 1)
	go func() {
		ended <- server.Run(ctx, server.Config{Listen: "127.0.0.1:0", Database: s.database(), KeyFile: s.keyFile(), SimulatorBook: s.book(), Sandbox: true},
			slog.New(slog.NewTextHandler(io.Discard, nil)), func(a server.Addresses) { ready <- a })
	}()
	select {
	case err := <-ended:
		stop()
		s.t.Fatal(err)
	case <-ready:
	}
	s.t.Cleanup(func() { stop(); check(s.t, <-ended) })
}

// waiting adds an order that waits for a gate that is switched off.
func (s site) waiting(callbackURL string) (id payout.OrderID) {
	s.t.Helper()
	s.merchant()
	s.ok("gate", "add", "Bank")
	s.ok("endpoint", "add", testLogin, "--project", "Main", "--gate", "Bank", "--id", "39915")
	s.ok("gate", "disable", "1")
	s.with(func(db *storage.DB, _ *vault.Vault) error {
		var err error
		if id, err = db.NextOrderID(); err != nil {
			return err
		}
		now := time.Now()
		_, err = db.Accept(storage.Acceptance{Now: now, DueAt: now, Unique: true, Order: &payout.Order{ID: id, PartyID: 1, EndpointID: 39915,
			Command: spec.Payout.Path(), Type: payout.TypePayout, ClientOrderID: "a", Amount: payout.Amount{Minor: 1042, Currency: "USD"},
			Params:       map[string]string{"account_number": "1234567890", "server_callback_url": callbackURL},
			ReceiverMask: "******7890", ReceiverHash: []byte{1}, Stage: payout.Starting, GateID: 1, CreatedAt: now}})
		return err
	})
	return id
}

func TestOrderIsDeclinedWhileTheGatewayServes(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	callbacks := make(chan url.Values, 1)
	receiver := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		select {
		case callbacks <- r.URL.Query():
		default: // told twice
		}
		fmt.Fprintln(w, "OK")
	}))
	t.Cleanup(receiver.Close)
	id := s.waiting(receiver.URL + "/callback").String()
	s.serving()

	s.has(s.ok("order", "decline", id, "--reason", "the bank has closed the account"), "order "+id+" is declined")
	s.has(s.ok("order", "show", id), "payout_declined", "error 1004: the bank has closed the account",
		`starting -> declined by decline \(declined by the operator\)`)
	select {
	case got := <-callbacks:
		if got.Get("status") != "declined" || got.Get("orderid") != id || got.Get("error_message") != "the bank has closed the account" {
			t.Errorf("the callback says %v", got)
		}
	case <-time.After(30 * time.Second):
		t.Error("waited 30 seconds for the callback")
	}
	s.fails(1, "it has ended already: declined", "order", "decline", id)
}
