package main

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// A fakeServer answers after a time of its own for each request, in the order of
// their arrival; its zero value answers at once.
type fakeServer struct {
	mu    sync.Mutex
	seen  int
	takes func(i int) time.Duration
	err   error
}

func (s *fakeServer) dial(int) (connection, error) { return s, nil }
func (s *fakeServer) close()                       {}
func (s *fakeServer) exchange(shot) (bool, error) {
	s.mu.Lock()
	i := s.seen
	s.seen++
	s.mu.Unlock()
	if s.takes != nil {
		time.Sleep(s.takes(i)) // in the bubble's time
	}
	return false, s.err
}

func always(context.Context) (shot, bool) { return shot{}, true }

func TestAnOpenLoopSendsByItsScheduleWhateverTheAnswers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &fakeServer{takes: func(int) time.Duration { return 5 * time.Millisecond }}
		began := time.Now()
		var at []time.Duration
		var mu sync.Mutex
		m := loop{connections: 10, duration: time.Second, rate: 100}.run(t.Context(), target{dial: s.dial, next: always, began: func(_ shot, t time.Time) {
			mu.Lock()
			defer mu.Unlock()
			at = append(at, t.Sub(began))
		}})
		if m.done != 100 || m.failures() != 0 {
			t.Errorf("%d done, %d failed; want 100, 0", m.done, m.failures())
		}
		for i, got := range at {
			if want := time.Duration(i) * 10 * time.Millisecond; got != want {
				t.Fatalf("request %d was to be sent after %s, want %s", i, got, want)
			}
		}
		if got := m.waits.at(99); got.Round(10*time.Microsecond) != 5*time.Millisecond {
			t.Errorf("p99 is %s, want the server's 5ms", got)
		}
	})
}

func TestAnOpenLoopCountsTheWaitForAConnection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		// The first request hangs for half a second, and there is one connection:
		// those that arrive meanwhile wait, although each is answered at once.
		s := &fakeServer{takes: func(i int) time.Duration {
			if i == 0 {
				return 500 * time.Millisecond
			}
			return 0
		}}
		open := loop{connections: 1, duration: time.Second, rate: 100}.run(t.Context(), target{dial: s.dial, next: always})
		if got := open.waits.at(50); got < 1*time.Microsecond || open.waits.at(30) > time.Millisecond || open.waits.at(75) < 240*time.Millisecond {
			t.Errorf("p30 is %s, p50 %s, p75 %s; half of the requests must have waited up to 500ms", open.waits.at(30), got, open.waits.at(75))
		}
		if got := open.waits.most(); got.Round(time.Millisecond) != 500*time.Millisecond {
			t.Errorf("the longest wait is %s, want 500ms", got)
		}
	})
}

func TestArrivalsThatNobodyCouldTakeAreCounted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &fakeServer{takes: func(int) time.Duration { return 110 * time.Millisecond }}
		m := loop{connections: 1, duration: time.Second, rate: 100}.run(t.Context(), target{dial: s.dial, next: always})
		if m.done != 19 || m.unsent != 81 { // the last is sent before twice the duration has passed
			t.Errorf("%d done, %d unsent; want 19, 81", m.done, m.unsent)
		}
	})
}

func TestAClosedLoopSendsWhenItWasAnswered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &fakeServer{takes: func(int) time.Duration { return 100 * time.Millisecond }}
		m := loop{connections: 3, duration: time.Second}.run(t.Context(), target{dial: s.dial, next: always})
		if m.done != 30 || m.took != time.Second {
			t.Errorf("%d done in %s; want 30 in 1s", m.done, m.took)
		}
	})
}

func TestErrorsAreCountedAndTheFirstIsKept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		refused := errors.New("HTTP 503")
		s := &fakeServer{takes: func(int) time.Duration { return time.Millisecond }, err: refused}
		m := loop{connections: 1, duration: 10 * time.Millisecond}.run(t.Context(), target{dial: s.dial, next: always})
		if m.done != 0 || m.errors != 10 || !errors.Is(m.first, refused) {
			t.Errorf("%d done, %d errors, first %v", m.done, m.errors, m.first)
		}
	})
}

func TestPercentilesAreThoseOfTheWaits(t *testing.T) {
	var l latencies
	if l.at(50) != 0 || l.most() != 0 || l.curve() != nil {
		t.Error("nothing has waits")
	}
	for i := 1; i <= 1000; i++ {
		l.add(time.Duration(i) * time.Millisecond)
	}
	for p, want := range map[float64]time.Duration{50: 500 * time.Millisecond, 90: 900 * time.Millisecond, 99: 990 * time.Millisecond, 99.9: 999 * time.Millisecond, 100: time.Second} {
		if got := l.at(p); (got - want).Abs() > want/1000 {
			t.Errorf("p%g is %s, want %s", p, got, want)
		}
	}
	if got := l.most(); (got - time.Second).Abs() > time.Millisecond {
		t.Errorf("the longest is %s", got)
	}
	var both latencies
	both.merge(&l)
	both.merge(&l)
	both.merge(new(latencies))
	if both.count() != 2000 || both.at(50) != l.at(50) {
		t.Errorf("merged with itself: %d waits, p50 %s", both.count(), both.at(50))
	}
	if curve := l.curve(); curve[len(curve)-1][0] != 99.9 {
		t.Errorf("1000 waits tell of p%g", curve[len(curve)-1][0])
	}
}

func TestWaitsOutsideTheRangeCountAsItsEnds(t *testing.T) {
	var l latencies
	l.add(-time.Second)
	l.add(24 * time.Hour)
	if l.count() != 2 || l.at(1) != time.Microsecond || l.most() < 599*time.Second {
		t.Errorf("%d waits from %s to %s", l.count(), l.at(1), l.most())
	}
}

func TestTheIntendedTimesOfALoop(t *testing.T) {
	for _, c := range []struct {
		rate     float64
		duration time.Duration
		n        int
		last     string
	}{{1, time.Second, 1, "0s"}, {0.5, time.Second, 0, ""}, {3, time.Second, 3, "666.666666ms"}, {1000, 90 * time.Minute, 5400000, "1h29m59.999s"}} {
		l := loop{rate: c.rate, duration: c.duration}
		if l.arrivals() != c.n {
			t.Errorf("%g a second for %s: %d arrivals, want %d", c.rate, c.duration, l.arrivals(), c.n)
		}
		if c.n > 0 && fmt.Sprint(l.intended(c.n-1)) != c.last {
			t.Errorf("%g a second for %s: the last arrives after %s, want %s", c.rate, c.duration, l.intended(c.n-1), c.last)
		}
	}
}
