package main

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// A loop is the way in which requests arrive.
//
// Closed: each connection sends its next request when the last one was answered,
// as a client does that has so many hands. A slow answer delays the requests after
// it, and nobody sees their wait: so this measures rates.
//
// Open: requests arrive at a fixed rate whatever becomes of those before, as people
// do. A request's wait begins when it was to arrive, also if no connection was free
// to send it then: so this measures waits.
type loop struct {
	connections int
	duration    time.Duration
	rate        float64 // arrivals a second; 0: closed
}

// arrivals is how many requests arrive in the whole time of an open loop.
func (l loop) arrivals() int { return int(l.rate * l.duration.Seconds()) }

// intended is when the i-th request of an open loop arrives, from the beginning.
func (l loop) intended(i int) time.Duration {
	return time.Duration(float64(i) / l.rate * float64(time.Second))
}

// A connection sends a request and reads its answer; an error says what was wrong
// with the answer. After a broken one nothing more can be sent.
type connection interface {
	exchange(shot) (broken bool, err error)
	close()
}

// A supply gives the next request. It may wait; false says that there is none.
type supply func(context.Context) (shot, bool)

// A target is what a load is sent to.
type target struct {
	dial  func(n int) (connection, error) // the n-th connection
	next  supply
	began func(shot, time.Time) // when a request was sent or, in an open loop, was to be; may be nil
	// failed is told of a request that was not answered as it should be; may be nil.
	failed func(shot)
}

// A measurement is what one load run found.
type measurement struct {
	done   int           // requests that were answered as they should be
	errors int           // others
	unsent int           // arrivals of an open loop that no connection could take in time
	first  error         // the first error
	took   time.Duration // until the last answer
	waits  *latencies
	cpu    time.Duration // that the servers used
}

func (m measurement) perSecond() float64 {
	if m.took <= 0 {
		return 0
	}
	return float64(m.done) / m.took.Seconds()
}

// cpuEach is the servers' processor time for each request.
func (m measurement) cpuEach() time.Duration { return m.cpu / time.Duration(max(m.done, 1)) }

// failures are all requests that did not end well.
func (m measurement) failures() int { return m.errors + m.unsent }

// graceTimes is how many times its duration an open loop may take to send what has
// arrived.
const graceTimes = 2

// limit is the time after which nothing more is sent.
func (l loop) limit() time.Duration {
	if l.rate > 0 {
		return graceTimes * l.duration
	}
	return l.duration
}

// run sends requests until the time is up or there are none.
func (l loop) run(ctx context.Context, t target) measurement {
	all := measurement{waits: new(latencies)}
	var mu sync.Mutex
	count := func(change func()) {
		mu.Lock()
		defer mu.Unlock()
		change()
	}
	fail := func(err error) {
		count(func() {
			all.errors++
			if all.first == nil {
				all.first = err
			}
		})
	}
	began := time.Now()
	ctx, cancel := context.WithDeadline(ctx, began.Add(l.limit()))
	defer cancel()
	turns := l.turns(began)
	var wait sync.WaitGroup
	for n := range l.connections {
		wait.Go(func() {
			c, err := t.dial(n)
			if err != nil {
				fail(err)
				return
			}
			defer c.close()
			for {
				at, ok := turns(ctx)
				if !ok {
					return
				}
				s, ok := t.next(ctx)
				if !ok {
					return
				}
				if at.IsZero() {
					at = time.Now()
				}
				if t.began != nil {
					t.began(s, at)
				}
				broken, err := c.exchange(s)
				if err != nil {
					fail(err)
					if t.failed != nil {
						t.failed(s)
					}
				} else {
					took := time.Since(at)
					count(func() { all.done++; all.waits.add(took) })
				}
				if broken {
					return
				}
			}
		})
	}
	wait.Wait()
	all.took = time.Since(began)
	if l.rate > 0 {
		all.unsent = max(0, l.arrivals()-all.done-all.errors)
	}
	return all
}

// turns gives connections their turns: each call waits for the next one and tells
// when it was to be, zero for now; false when there are no more.
func (l loop) turns(began time.Time) func(context.Context) (time.Time, bool) {
	if l.rate <= 0 {
		return func(ctx context.Context) (time.Time, bool) {
			return time.Time{}, ctx.Err() == nil && time.Since(began) < l.limit()
		}
	}
	var mu sync.Mutex
	next := 0
	return func(ctx context.Context) (time.Time, bool) {
		mu.Lock()
		i := next
		next++
		mu.Unlock()
		if i >= l.arrivals() || ctx.Err() != nil || time.Since(began) >= l.limit() {
			return time.Time{}, false
		}
		at := began.Add(l.intended(i))
		if early := time.Until(at); early > 0 {
			timer := time.NewTimer(early)
			defer timer.Stop()
			select {
			case <-timer.C:
			case <-ctx.Done():
				return time.Time{}, false
			}
		}
		return at, true
	}
}

// The range of a wait that is told apart from others, with three digits.
const (
	waitLeast = 1           // microseconds
	waitMost  = 600_000_000 // microseconds
)

// latencies counts waits in an HdrHistogram. The zero value is empty.
type latencies struct{ h *hdrhistogram.Histogram }

func (l *latencies) histogram() *hdrhistogram.Histogram {
	if l.h == nil {
		l.h = hdrhistogram.New(waitLeast, waitMost, 3)
	}
	return l.h
}

func (l *latencies) add(wait time.Duration) {
	us := min(max(wait.Microseconds(), waitLeast), waitMost)
	if err := l.histogram().RecordValue(us); err != nil {
		panic(fmt.Sprintf("record a wait of %d us: %v", us, err)) // it is in the range
	}
}

// merge adds the waits of others.
func (l *latencies) merge(others *latencies) {
	if others != nil && others.h != nil {
		l.histogram().Merge(others.h)
	}
}

func (l *latencies) count() int64 { return l.histogram().TotalCount() }

// at is the wait that p percent of all did not exceed, with three digits.
func (l *latencies) at(p float64) time.Duration {
	if l.count() == 0 {
		return 0
	}
	return time.Duration(min(l.histogram().ValueAtPercentile(p), l.histogram().Max())) * time.Microsecond
}

func (l *latencies) most() time.Duration {
	if l.count() == 0 {
		return 0
	}
	return time.Duration(l.histogram().Max()) * time.Microsecond
}

// curve is the wait in milliseconds by percentile, for a plot.
func (l *latencies) curve() [][2]float64 {
	var points [][2]float64
	if l.count() == 0 {
		return nil
	}
	for _, p := range curvePercentiles {
		if p > 0 && float64(l.count())*(100-p)/100 < 0.5 {
			break // fewer requests than the percentile needs
		}
		points = append(points, [2]float64{p, float64(l.at(p)) / float64(time.Millisecond)})
	}
	return points
}

// curvePercentiles are even steps of the number of nines.
var curvePercentiles = []float64{1, 10, 20, 30, 40, 50, 60, 70, 80, 85, 90, 92.5, 95, 97, 98, 99, 99.25, 99.5, 99.7, 99.8, 99.9, 99.95, 99.97, 99.98, 99.99}
