package api_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"payout"
	"payout/gateway"
	"payout/spec"
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

// Questions gather at a database that hangs up to a number, and one more is sent away at once,
// whatever it is, before anybody looks at who sends it. When one has been answered, there is
// room for another.
func TestRequestBeyondThoseAtOnceIsSentAwayUnread(t *testing.T) {
	const most = 3
	s := newSandbox(t)
	s.AtOnce = most
	registry := prometheus.NewRegistry()
	s.Measure(registry)
	underWay := func(want float64) {
		t.Helper()
		families, err := registry.Gather()
		check(t, err)
		if len(families) != 1 || families[0].GetName() != "payoutd_requests_under_way" || families[0].GetMetric()[0].GetGauge().GetValue() != want {
			t.Errorf("the metrics are %v, want %g under way", families, want)
		}
	}
	asking, goOn := make(chan struct{}), make(chan struct{})
	s.Stand = func(context.Context, *gateway.Call, *spec.Request) (gateway.Standing, error) {
		asking <- struct{}{}
		<-goOn
		return gateway.Standing{}, storage.ErrUnavailable
	}
	question := func(nonce string) message {
		m := goodPayout("q")
		m.path, m.body, m.nonce = "/paynet/api/v4/status/39915", "client_orderid=q&login=TestMerchant", nonce
		return m
	}
	answers := make(chan int)
	ask := func(nonce string) {
		m := question(nonce)
		go func() { answers <- s.send(m).StatusCode }()
		select {
		case <-asking:
		case status := <-answers:
			t.Fatalf("question %s does not reach the database: %d", nonce, status)
		}
	}
	for i := range most {
		underWay(float64(i))
		ask(fmt.Sprint(i))
	}
	underWay(most)
	stranger, jsonMode := goodPayout("stranger"), goodPayout("json")
	stranger.header = http.Header{"Authorization": {"OAuth nobody"}}
	jsonMode.header = http.Header{"Accept": {"application/vnd.pay+json"}}
	for _, m := range []message{question("beyond"), goodPayout("order"), stranger, jsonMode} {
		reply := s.send(m)
		if body := read(t, reply); reply.StatusCode != http.StatusServiceUnavailable || reply.Header.Get("Retry-After") != "1" || !strings.Contains(body, fmt.Sprint(int(payout.CodeBusy))) {
			t.Errorf("%s: answered %d, Retry-After %q: %s", m.body, reply.StatusCode, reply.Header.Get("Retry-After"), body)
		}
	}
	if n := s.orders(); n != 0 {
		t.Errorf("%d orders were made", n)
	}
	goOn <- struct{}{}
	<-answers
	underWay(most - 1)
	ask("when one is answered")
	close(goOn)
	for range most {
		<-answers
	}
	underWay(0)
	s.wantAccepted("order", goodPayout("order"))
}
