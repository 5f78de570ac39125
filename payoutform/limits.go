package payoutform

import (
	"time"

	"payout/web"
)

// How often a form may be sent, and how many wrong addresses may be tried, per
// minute. People mend a typing error a few times; an office shares an address.
const (
	submitsPerToken   = 10
	submitsPerAddress = 120
	missesPerAddress  = 30
)

// limits count attempts by token and by address. The zero value is ready.
type limits struct{ web.Limits }

// submitsLeft counts a sent form and tells whether it may be looked at.
func (l *limits) submitsLeft(token, address string, at time.Time) bool {
	byToken := l.Allow("token "+token, submitsPerToken, at)
	byAddress := l.Allow("sent "+address, submitsPerAddress, at)
	return byToken && byAddress
}

// missesLeft counts an address of a page that does not exist and tells whether
// that may be said.
func (l *limits) missesLeft(address string, at time.Time) bool {
	return l.Allow("missed "+address, missesPerAddress, at)
}
