package gateway

import "time"

// A stopwatch measures how long ago something was, whatever becomes of the clock that
// Gateway.Now tells.
type stopwatch struct{ began time.Time }

func startStopwatch() *stopwatch { return &stopwatch{time.Now()} }

func (s *stopwatch) took() time.Duration { return time.Since(s.began) }
