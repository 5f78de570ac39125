package storage

import (
	"errors"
	"sync"
	"testing"
	"time"
)

// A request whose commit does not begin in time is told so, and is surely not
// stored afterwards; one whose commit has begun waits for its end.
func TestWhatIsToldBusyIsNeverStored(t *testing.T) {
	db, sick := openSick(t)
	metric := measured(t, db)
	hangs := make(chan struct{})
	sick.set(func(e *sickEngine) { e.hangs = hangs })
	db.LimitWait(20 * time.Millisecond)
	begun := make(chan error)
	go func() {
		_, err := db.Accept(sickNonce(1))
		begun <- err
	}()
	for begins := 0; begins == 0; {
		sick.set(func(e *sickEngine) { begins = e.begins })
	}
	if _, err := db.Accept(sickNonce(2)); !errors.Is(err, ErrBusy) {
		t.Errorf("who waits is told %v", err)
	}
	select {
	case err := <-begun:
		t.Errorf("whose commit has begun is told %v before its end", err)
	default:
	}
	if n := metric("payoutd_writes_refused_total", "late"); n != 1 {
		t.Errorf("%g are counted", n)
	}
	close(hangs)
	if err := <-begun; err != nil {
		t.Errorf("whose commit has begun is told %v", err)
	}
	db.LimitWait(time.Minute)
	for nonce, used := range map[byte]bool{1: true, 2: false} {
		if got, err := db.Accept(sickNonce(nonce)); err != nil || got.NonceUsed != used {
			t.Errorf("nonce %d then: %+v, %v, want used: %t", nonce, got, err, used)
		}
	}
}

// A commit that hangs is not waited for without end, and who was in it is never told
// that it is not stored: it is, as soon as the database goes on.
func TestCommitThatHangsIsUnknownAtLast(t *testing.T) {
	db, sick := openSick(t)
	hangs := make(chan struct{})
	sick.set(func(e *sickEngine) { e.hangs = hangs })
	db.LimitWait(time.Millisecond)
	LimitEnd(db, time.Millisecond)
	err := ErrBusy
	for errors.Is(err, ErrBusy) { // its commit had not begun
		_, err = db.Accept(sickNonce(1))
	}
	if !errors.Is(err, ErrUnknown) {
		t.Errorf("who is in it is told %v", err)
	}
	close(hangs)
	db.LimitWait(time.Minute)
	LimitEnd(db, time.Minute)
	if got, err := db.Accept(sickNonce(1)); err != nil || !got.NonceUsed {
		t.Errorf("when it has gone on: %+v, %v", got, err)
	}
}

// What a worker records is not withdrawn: it must be stored.
func TestWhatWorkersRecordWaitsForItsCommit(t *testing.T) {
	db, sick := openSick(t)
	hangs := make(chan struct{})
	sick.set(func(e *sickEngine) { e.hangs = hangs })
	db.LimitWait(time.Nanosecond)
	claimed := make(chan error)
	go func() {
		_, err := db.ClaimOrders(nil, 1, AllDue, time.Now(), time.Minute, 1)
		claimed <- err
	}()
	go func() {
		_, err := db.ClaimOrders(nil, 1, AllDue, time.Now(), time.Minute, 1)
		claimed <- err
	}()
	close(hangs)
	for range 2 {
		if err := <-claimed; err != nil {
			t.Error(err)
		}
	}
}

// Withdrawing and taking race: whoever was told busy is not stored, whoever was
// told that it is stored is.
func TestNobodyIsToldBusyAndStored(t *testing.T) {
	db, _ := openSick(t)
	db.LimitWait(300 * time.Microsecond)
	var (
		asking       sync.WaitGroup
		mu           sync.Mutex
		busy, stored []byte
	)
	for i := range byte(200) {
		asking.Go(func() {
			_, err := db.Accept(sickNonce(i))
			mu.Lock()
			defer mu.Unlock()
			switch {
			case err == nil:
				stored = append(stored, i)
			case errors.Is(err, ErrBusy):
				busy = append(busy, i)
			default:
				t.Errorf("nonce %d: %v", i, err)
			}
		})
	}
	asking.Wait()
	t.Logf("%d stored, %d told busy", len(stored), len(busy))
	db.LimitWait(time.Minute)
	for _, of := range []struct {
		nonces []byte
		used   bool
	}{{busy, false}, {stored, true}} {
		for _, nonce := range of.nonces {
			if got, err := db.Accept(sickNonce(nonce)); err != nil || got.NonceUsed != of.used {
				t.Errorf("nonce %d: %+v, %v, want used: %t", nonce, got, err, of.used)
			}
		}
	}
}
