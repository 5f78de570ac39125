package gateway

import (
	"math"
	"sync"
)

// slots are the goroutines of one worker: counted, limited, and waited for at the end.
type slots struct {
	freed   chan struct{} // signalled when one has ended
	next    chan func()   // to goroutines that have done what they had to
	running sync.WaitGroup
	mu      sync.Mutex
	n       int
	most    int // in use, whatever its takers allow; more may be, from before it was lowered
	closed  bool
}

func newSlots() *slots {
	return &slots{freed: make(chan struct{}, 1), next: make(chan func()), most: math.MaxInt}
}

// lower lets at most so many slots be in use from now on, or as many as are, and tells
// how many that is, how many are in use, and whether more can be.
func (s *slots) lower(most int) (keeps, inUse int, closed bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.most = max(s.n, min(s.most, most))
	return s.most, s.n, s.closed
}

// limit is how many slots may be in use.
func (s *slots) limit() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.most
}

// allow lets so many slots be in use, and tells who waits for one.
func (s *slots) allow(most int) {
	s.mu.Lock()
	more := most > s.most
	s.most = most
	s.mu.Unlock()
	if more {
		s.tell()
	}
}

func (s *slots) inUse() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.n
}

// take takes up to want slots, so that at most so many are in use, and tells how many
// it took. Each must be used or given back.
func (s *slots) take(want, most int) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return 0
	}
	want = max(0, min(want, most-s.n, s.most-s.n))
	s.n += want
	s.running.Add(want)
	return want
}

// giveBack gives back slots that were not needed.
func (s *slots) giveBack(n int) {
	s.mu.Lock()
	s.n -= n
	s.mu.Unlock()
	s.running.Add(-n)
}

// use runs fn in a slot that was taken: on a goroutine that has nothing to do, if there
// is one, because a new one would have to make room on its stack again.
func (s *slots) use(fn func()) {
	select {
	case s.next <- fn:
	default:
		go s.work(fn)
	}
}

// work runs what it is given until close.
func (s *slots) work(fn func()) {
	for more := true; more; fn, more = <-s.next {
		s.run(fn)
	}
}

func (s *slots) run(fn func()) {
	defer s.release()
	fn()
}

// release gives back a slot that was used, and tells who waits for one.
func (s *slots) release() {
	s.giveBack(1)
	s.tell()
}

func (s *slots) tell() {
	select {
	case s.freed <- struct{}{}:
	default: // it has been signalled already
	}
}

// close waits until every slot is free; none can be taken any more. It is called once.
func (s *slots) close() {
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	s.running.Wait()
	close(s.next)
}
