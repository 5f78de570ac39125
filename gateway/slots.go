package gateway

import "sync"

// slots are the goroutines of one worker: counted, limited, and waited for at the end.
type slots struct {
	freed   chan struct{} // signalled when one has ended
	running sync.WaitGroup
	mu      sync.Mutex
	n       int
	closed  bool
}

func newSlots() *slots { return &slots{freed: make(chan struct{}, 1)} }

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
	want = max(0, min(want, most-s.n))
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

// use runs a goroutine in a slot that was taken.
func (s *slots) use(fn func()) {
	go func() {
		defer s.release()
		fn()
	}()
}

// release gives back a slot that was used, and tells who waits for one.
func (s *slots) release() {
	s.giveBack(1)
	select {
	case s.freed <- struct{}{}:
	default: // it has been signalled already
	}
}

// close waits until every slot is free; none can be taken any more.
func (s *slots) close() {
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	s.running.Wait()
}
