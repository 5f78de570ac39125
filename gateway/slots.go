package gateway

import "sync"

// slots are the goroutines of one worker: counted, and waited for at the end.
type slots struct {
	freed   chan struct{} // signalled when one has ended
	running sync.WaitGroup
	mu      sync.Mutex
	n       int
}

func newSlots() *slots { return &slots{freed: make(chan struct{}, 1)} }

func (s *slots) inUse() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.n
}

// run starts a goroutine in a slot.
func (s *slots) run(fn func()) {
	s.mu.Lock()
	s.n++
	s.mu.Unlock()
	s.running.Go(func() {
		defer s.end()
		fn()
	})
}

func (s *slots) end() {
	s.mu.Lock()
	s.n--
	s.mu.Unlock()
	select {
	case s.freed <- struct{}{}:
	default: // it has been signalled already
	}
}

// wait waits until every slot is free.
func (s *slots) wait() { s.running.Wait() }
