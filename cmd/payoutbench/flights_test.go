package main

import (
	"context"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"
)

// call calls a receiver as the gateway does.
func call(t *testing.T, address string) (int, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		t.Fatal(err)
	}
	transport := &http.Transport{DisableKeepAlives: true}
	reply, err := transport.RoundTrip(request)
	if err != nil {
		return 0, err
	}
	defer reply.Body.Close()
	_, err = io.Copy(io.Discard, reply.Body)
	return reply.StatusCode, err
}

func TestAFlightEndsWithItsCallback(t *testing.T) {
	f, err := newFlights(&invoices{}, 1, 2, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer f.receivers.close()
	next := f.next(always)
	s, ok := next(t.Context())
	if !ok {
		t.Fatal("there was no place for the first order")
	}
	s.id = 7
	f.start(s, time.Now())
	full, cancel := context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	if _, ok := next(full); ok {
		t.Error("a second order took a place, and there is one")
	}
	if code, err := call(t, f.receivers.url(7)+"?status=approved&orderid=1000007"); err != nil || code != 200 {
		t.Fatalf("the receiver answered %d, %v", code, err)
	}
	if left := f.drain(t.Context(), 10*time.Second); left != 0 {
		t.Errorf("%d flights are left", left)
	}
	accepted, ended, flying, waits := f.sample()
	if accepted != 1 || ended != 1 || flying != 0 || waits.count() != 1 || f.wrong != 0 {
		t.Errorf("accepted %d, ended %d, flying %d, %d waits, %d wrong", accepted, ended, flying, waits.count(), f.wrong)
	}
	if _, _, _, waits := f.sample(); waits.count() != 0 {
		t.Error("a wait is in two samples")
	}
	if _, ok := next(t.Context()); !ok {
		t.Error("the place was not given back")
	}
}

func TestCallbacksThatTellSomethingElseAreErrors(t *testing.T) {
	f, err := newFlights(&invoices{}, 0, 1, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer f.receivers.close()
	f.start(shot{id: 1}, time.Now())
	f.start(shot{id: 2}, time.Now())
	for _, query := range []string{"1?status=declined", "1?status=approved", "3?status=approved"} {
		id, query, _ := strings.Cut(query, "?")
		n, err := strconv.Atoi(id)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := call(t, f.receivers.url(n)+"?"+query); err != nil {
			t.Fatal(err)
		}
	}
	if left := f.drain(t.Context(), time.Millisecond); left != 1 {
		t.Errorf("%d flights are left, want the second", left)
	}
	if f.wrong != 3 || f.first == nil { // declined, twice, unasked
		t.Errorf("%d wrong, %v", f.wrong, f.first)
	}
}

func TestARequestThatFailedGivesItsPlaceBack(t *testing.T) {
	f, err := newFlights(&invoices{}, 1, 1, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer f.receivers.close()
	next := f.next(always)
	s, _ := next(t.Context())
	f.start(s, time.Now())
	f.failed(s)
	if _, ok := next(t.Context()); !ok {
		t.Error("the place was not given back")
	}
	if accepted, _, flying, _ := f.sample(); accepted != 0 || flying != 0 {
		t.Errorf("accepted %d, flying %d", accepted, flying)
	}
}

func TestAReceiverThatHangsTakesCallbacksAndNeverAnswers(t *testing.T) {
	came := make(chan callbackTold, 1)
	r, err := newReceivers(1, true, func(c callbackTold) { came <- c })
	if err != nil {
		t.Fatal(err)
	}
	address, err := url.Parse(r.url(1) + "?status=approved")
	if err != nil {
		t.Fatal(err)
	}
	answered := make(chan error, 1)
	go func() {
		_, err := (&http.Transport{DisableKeepAlives: true}).RoundTrip(&http.Request{Method: http.MethodGet, URL: address, Header: http.Header{}})
		answered <- err
	}()
	select {
	case c := <-came:
		if c.id != 1 || c.status != "approved" {
			t.Errorf("the callback told %+v", c)
		}
	case err := <-answered:
		t.Fatalf("it answered: %v", err)
	}
	if err := r.close(); err != nil {
		t.Fatal(err)
	}
	if err := <-answered; err == nil {
		t.Error("it answered")
	}
}
