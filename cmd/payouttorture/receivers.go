//go:build unix

package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"payout/client"
)

// A mood is how a receiver of callbacks answers.
type mood string

// The moods.
const (
	answers mood = "answers"   // 200
	hangs   mood = "hangs"     // no answer
	resets  mood = "resets"    // the connection is reset, before or after the callback was noted
	fails   mood = "fails"     // 500
	slow    mood = "slow"      // 200, after a while
	never   mood = "never 200" // also when everything is healed
)

const moodLasts = 3 * time.Second // of a receiver

// A delivery is what a receiver was told of an order.
type delivery struct {
	Status, ClientOrderID, Amount string
	Times, Answered               int // Answered: with 200
	Differs                       bool
}

// A receiver receives callbacks on an address of its own, in changing moods.
type receiver struct {
	url     string
	never   bool
	healed  atomic.Bool
	moods   []mood // one after the other, each for moodLasts
	began   time.Time
	server  *http.Server
	control string
	found   func(rule, what string)

	mu    sync.Mutex
	book  map[string]*delivery // by orderid
	count map[mood]int
}

// newReceiver makes a receiver; the first one is always well, the last one never.
func newReceiver(number, of int, seed uint64, duration time.Duration, control string, found func(rule, what string)) (*receiver, error) {
	r := &receiver{never: number == of-1, began: time.Now(), control: control, found: found, book: make(map[string]*delivery), count: make(map[mood]int)}
	random := rand.New(rand.NewPCG(seed, uint64(2000+number)))
	moods := []mood{answers, hangs, resets, fails, slow}
	for range int(duration/moodLasts) + 1 {
		next := moods[random.IntN(len(moods))]
		if number == 0 {
			next = answers
		}
		r.moods = append(r.moods, next)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	r.url = "http://" + listener.Addr().String() + "/callback"
	r.server = &http.Server{Handler: r, ReadHeaderTimeout: 5 * time.Second}
	go func() {
		if err := r.server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			found("the tool works", err.Error())
		}
	}()
	return r, nil
}

func (r *receiver) close() error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	return errors.Join(r.server.Shutdown(ctx), r.server.Close())
}

// mood is how the receiver is now.
func (r *receiver) mood() mood {
	switch {
	case r.never:
		return never
	case r.healed.Load():
		return answers
	}
	return r.moods[min(int(time.Since(r.began)/moodLasts), len(r.moods)-1)]
}

// ServeHTTP receives one callback.
func (r *receiver) ServeHTTP(w http.ResponseWriter, request *http.Request) {
	told, err := client.VerifyCallback(r.control, request.URL.RawQuery)
	if err != nil {
		r.found("a callback is signed", err.Error())
	}
	mood := r.mood()
	r.note(told, mood, mood == answers || mood == slow)
	switch mood {
	case hangs:
		select {
		case <-request.Context().Done():
		case <-time.After(10 * callbackTimeout):
		}
		panic(http.ErrAbortHandler) // without it the server would answer 200
	case resets:
		if conn, _, err := http.NewResponseController(w).Hijack(); err == nil {
			if tcp, ok := conn.(*net.TCPConn); ok {
				_ = tcp.SetLinger(0) // it is gone already
			}
			conn.Close()
			return
		}
		panic(http.ErrAbortHandler)
	case fails, never:
		http.Error(w, "no", http.StatusInternalServerError)
	case slow:
		_ = wait(request.Context(), callbackTimeout/2) // whoever has gone is not answered
	}
}

// note keeps what was told.
func (r *receiver) note(told client.Callback, mood mood, answered bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.count[mood]++
	d := r.book[told.OrderID]
	if d == nil {
		d = &delivery{Status: told.Status, ClientOrderID: told.ClientOrderID, Amount: told.Amount}
		r.book[told.OrderID] = d
	}
	d.Differs = d.Differs || d.Status != told.Status || d.ClientOrderID != told.ClientOrderID || d.Amount != told.Amount
	d.Times++
	if answered {
		d.Answered++
	}
	if d.Differs {
		r.found("all callbacks of an order tell the same", fmt.Sprintf("order %s", told.OrderID))
	}
}

// deliveriesOf joins the books of all receivers, by orderid.
func deliveriesOf(receivers []*receiver) map[string]delivery {
	all := make(map[string]delivery)
	for _, r := range receivers {
		r.mu.Lock()
		for id, d := range r.book {
			all[id] = *d
		}
		r.mu.Unlock()
	}
	return all
}
