package api_test

import (
	"errors"
	"fmt"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"payout"
	"payout/storage"
	"payout/storage/storagetest"
)

// When the queue of writes is full, a request is sent away at once, in the wire's own
// words; nothing of it is stored, and when the disk goes on, it is taken.
func TestFullQueueSendsRequestsAwayAtOnce(t *testing.T) {
	disk := storagetest.NewDisk(t)
	s := newSandboxOn(t, storagetest.Open(t, disk.Database()))
	db := s.Gateway.DB
	s.wantAccepted("before", goodPayout("before"))
	db.LimitWait(time.Hour) // who is answered earlier was sent away, and did not wait
	hangs, goOn := make(chan struct{}), make(chan struct{})
	hang := sync.OnceFunc(func() { close(hangs) })
	disk.Fail(func(c storagetest.DiskCall) int32 {
		if c.InLog() && c.Sync {
			hang()
			<-goOn
		}
		return storagetest.DiskFine
	})
	var waiting sync.WaitGroup
	write := func(i int) error {
		_, err := db.Accept(storage.Acceptance{Now: s.now, Nonce: &storage.Nonce{PartyID: 1, Timestamp: int64(i), Hash: []byte("filler"), Expires: s.now}})
		return err
	}
	waiting.Go(func() { _ = write(-1) })
	<-hangs // with its commit: the others fill the queue, and nobody makes room
	var full atomic.Bool
	for i := 1; !full.Load(); i++ {
		waiting.Go(func() {
			if errors.Is(write(i), storage.ErrBusy) {
				full.Store(true)
			}
		})
		runtime.Gosched()
	}
	if err := write(0); !errors.Is(err, storage.ErrBusy) {
		t.Errorf("who finds no place is told: %v", err)
	}
	form, jsonMode := goodPayout("form"), goodPayout("json")
	form.nonce, jsonMode.nonce = "of form", "of json"
	jsonMode.header = http.Header{"Accept": {"application/vnd.pay+json"}}
	status := goodPayout("before")
	status.path, status.body, status.nonce = "/paynet/api/v4/status/39915", "client_orderid=before&login=TestMerchant", "of status"
	for _, m := range []message{form, jsonMode, status} {
		reply := s.send(m)
		body := read(t, reply)
		if reply.StatusCode != http.StatusServiceUnavailable || reply.Header.Get("Retry-After") != "1" || !strings.Contains(body, fmt.Sprint(int(payout.CodeBusy))) {
			t.Errorf("%s: answered %d, Retry-After %q: %s", m.body, reply.StatusCode, reply.Header.Get("Retry-After"), body)
		}
		if m.header == nil && (field(body, "error-code") != fmt.Sprint(int(payout.CodeBusy)) || field(body, "serial-number") == "") {
			t.Errorf("%s: answered %s", m.body, body)
		}
	}
	close(goOn)
	waiting.Wait()
	for _, id := range []string{"form", "json"} {
		orders, err := db.OrdersByClientID(t.Context(), 1, id, 2)
		if err != nil || len(orders) != 0 {
			t.Errorf("%s was sent away and has %d orders, %v", id, len(orders), err)
		}
	}
	// Not even its nonce is stored: the very same request is taken.
	for _, m := range []message{form, status} {
		if reply := s.send(m); reply.StatusCode != http.StatusOK {
			t.Errorf("%s: answered %d %s when the disk has gone on", m.body, reply.StatusCode, read(t, reply))
		}
	}
	if orders, err := db.OrdersByClientID(t.Context(), 1, "form", 2); err != nil || len(orders) != 1 {
		t.Errorf("then there are %d orders, %v", len(orders), err)
	}
}
