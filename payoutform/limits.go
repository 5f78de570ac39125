package payoutform

import (
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// How often a form may be sent, and how many wrong addresses may be tried, per
// minute. People mend a typing error a few times; an office shares an address.
const (
	submitsPerToken   = 10
	submitsPerAddress = 120
	missesPerAddress  = 30

	remembered = 10_000 // tokens and addresses; the oldest half is forgotten then
)

// limits count attempts by token and by address. The zero value is ready.
type limits struct {
	mu     sync.Mutex
	now    map[string]*rate.Limiter
	before map[string]*rate.Limiter // the older half
}

// of returns the limiter of a name, made when it is new. The caller holds mu.
func (l *limits) of(name string, perMinute int) *rate.Limiter {
	if limiter := l.now[name]; limiter != nil {
		return limiter
	}
	limiter := l.before[name]
	if limiter == nil {
		limiter = rate.NewLimiter(rate.Every(time.Minute/time.Duration(perMinute)), perMinute)
	}
	if l.now == nil || len(l.now) >= remembered/2 {
		l.before, l.now = l.now, make(map[string]*rate.Limiter)
	}
	l.now[name] = limiter
	return limiter
}

// submitsLeft counts a sent form and tells whether it may be looked at.
func (l *limits) submitsLeft(token, address string, at time.Time) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	byToken := l.of("token "+token, submitsPerToken).AllowN(at, 1)
	byAddress := l.of("sent "+address, submitsPerAddress).AllowN(at, 1)
	return byToken && byAddress
}

// missesLeft counts an address of a page that does not exist and tells whether
// that may be said.
func (l *limits) missesLeft(address string, at time.Time) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.of("missed "+address, missesPerAddress).AllowN(at, 1)
}
