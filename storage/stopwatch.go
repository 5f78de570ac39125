package storage

import "time"

// A stopwatch measures how long something takes. What time it is, storage is told.
type stopwatch struct{ began time.Time }

func startStopwatch() stopwatch { return stopwatch{time.Now()} }

func (s stopwatch) took() time.Duration { return time.Since(s.began) }
