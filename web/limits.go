package web

import (
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// limitsRemembered is how many names Limits know; the oldest half is forgotten then.
const limitsRemembered = 10_000

// Limits count attempts by name, such as an address or a token. The zero value is
// ready.
type Limits struct {
	mu     sync.Mutex
	now    map[string]*rate.Limiter
	before map[string]*rate.Limiter // the older half
}

// Allow counts an attempt and tells whether it is one of those that a name may
// make per minute; all of them may come at once. A name is always asked for with
// the same number.
func (l *Limits) Allow(name string, perMinute int, at time.Time) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.of(name, perMinute).AllowN(at, 1)
}

// of returns the limiter of a name, made when it is new. The caller holds mu.
func (l *Limits) of(name string, perMinute int) *rate.Limiter {
	if limiter := l.now[name]; limiter != nil {
		return limiter
	}
	limiter := l.before[name]
	if limiter == nil {
		limiter = rate.NewLimiter(rate.Every(time.Minute/time.Duration(perMinute)), perMinute)
	}
	if l.now == nil || len(l.now) >= limitsRemembered/2 {
		l.before, l.now = l.now, make(map[string]*rate.Limiter)
	}
	l.now[name] = limiter
	return limiter
}
