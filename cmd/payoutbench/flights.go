package main

import (
	"context"
	"fmt"
	"sync"
	"time"

	"payout/spec"
)

// flights are orders between their request and the answer to their callback.
type flights struct {
	receivers *receivers
	invoices  *invoices
	also      func(callbackTold) // is told of each callback too; may be nil
	slots     chan struct{}      // one for each order in flight; nil: as many as come

	mu       sync.Mutex
	began    map[int]time.Time
	accepted int
	ended    int
	wrong    int   // callbacks that did not tell approved, or came unasked
	first    error // the first of them
	waits    *latencies
	recent   latencies // since the last sample
	until    time.Time // callbacks count as in time until then; zero: always
	inTime   int
	emptied  chan struct{} // closed when the last flight has ended and somebody waits
}

// newFlights opens receivers for orders in flight, at most so many; 0: as many as come.
func newFlights(v *invoices, most, receiverCount int, also func(callbackTold)) (*flights, error) {
	f := &flights{invoices: v, also: also, began: make(map[int]time.Time), waits: new(latencies)}
	if most > 0 {
		f.slots = make(chan struct{}, most)
	}
	var err error
	f.receivers, err = newReceivers(receiverCount, false, f.landed)
	return f, err
}

// payouts makes requests to pay whose callbacks come here.
func (f *flights) payouts(merchants []*merchant, gate string) func(i int) (shot, error) {
	return func(i int) (shot, error) {
		id, clientOrderID := f.invoices.next()
		bytes, err := merchants[i%len(merchants)].payoutTo(spec.Payout, gate, clientOrderID, f.receivers.url(id))
		return shot{bytes, id}, err
	}
}

// next waits for a free place before it takes a request.
func (f *flights) next(take supply) supply {
	return func(ctx context.Context) (shot, bool) {
		if f.slots != nil {
			select {
			case f.slots <- struct{}{}:
			case <-ctx.Done():
				return shot{}, false
			}
		}
		s, ok := take(ctx)
		if !ok {
			f.free()
		}
		return s, ok
	}
}

func (f *flights) free() {
	if f.slots != nil {
		<-f.slots
	}
}

// start notes the beginning of a flight.
func (f *flights) start(s shot, at time.Time) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.began[s.id] = at
	f.accepted++
}

// failed takes back a flight whose request was not accepted.
func (f *flights) failed(s shot) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if _, ok := f.began[s.id]; ok {
		delete(f.began, s.id)
		f.accepted--
		f.free()
		f.tellEmpty()
	}
}

// landed is called with each callback, after it was answered.
func (f *flights) landed(c callbackTold) {
	if f.also != nil {
		f.also(c)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	at, ok := f.began[c.id]
	if !ok || c.status != "approved" {
		f.wrong++
		if f.first == nil {
			f.first = fmt.Errorf("the callback of order %s told %q; it was expected: %t", c.orderID, c.status, ok)
		}
	}
	if !ok {
		return
	}
	delete(f.began, c.id)
	f.ended++
	f.waits.add(c.at.Sub(at))
	f.recent.add(c.at.Sub(at))
	if f.until.IsZero() || !c.at.After(f.until) {
		f.inTime++
	}
	f.free()
	f.tellEmpty()
}

func (f *flights) tellEmpty() {
	if f.emptied != nil && len(f.began) == 0 {
		close(f.emptied)
		f.emptied = nil
	}
}

// sample tells how many orders were accepted and ended so far, how many fly, and
// the waits since it was asked last.
func (f *flights) sample() (accepted, ended, flying int, waits *latencies) {
	f.mu.Lock()
	defer f.mu.Unlock()
	waits, f.recent = &latencies{f.recent.h}, latencies{}
	return f.accepted, f.ended, len(f.began), waits
}

// drain waits until all flights have ended, at most so long, and tells how many have
// not. These are forgotten.
func (f *flights) drain(ctx context.Context, most time.Duration) int {
	f.mu.Lock()
	if len(f.began) == 0 {
		f.mu.Unlock()
		return 0
	}
	emptied := make(chan struct{})
	f.emptied = emptied
	f.mu.Unlock()
	timer := time.NewTimer(most)
	defer timer.Stop()
	select {
	case <-emptied:
	case <-timer.C:
	case <-ctx.Done():
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.emptied = nil
	left := len(f.began)
	for id := range f.began {
		delete(f.began, id)
		f.free()
	}
	return left
}

// drainMost is how long the last orders may take to end.
const drainMost = 60 * time.Second

// measure sends orders and counts those that ended in the time of the loop; waits
// are of all of them, from the request to the callback.
func (f *flights) measure(ctx context.Context, l loop, nodes []*process, take supply) (measurement, error) {
	f.mu.Lock()
	f.waits, f.recent, f.inTime, f.ended, f.accepted, f.wrong, f.first = new(latencies), latencies{}, 0, 0, 0, 0, nil
	f.until = time.Now().Add(l.duration)
	f.mu.Unlock()
	sent, err := measure(ctx, l, nodes, target{dial: dialer(addresses(nodes), asyncAnswer), next: f.next(take), began: f.start, failed: f.failed})
	if err != nil {
		return measurement{}, err
	}
	left := f.drain(ctx, drainMost)
	f.mu.Lock()
	defer f.mu.Unlock()
	m := measurement{done: f.inTime, took: l.duration, waits: f.waits, cpu: sent.cpu, errors: sent.errors + left + f.wrong, unsent: sent.unsent, first: sent.first}
	if m.first == nil {
		m.first = f.first
	}
	if m.first == nil && left > 0 {
		m.first = fmt.Errorf("%d orders did not end in %s", left, drainMost)
	}
	return m, nil
}
