package web

import (
	"fmt"
	"net/http"
	"testing"
	"time"
)

func TestNameMayDoSoMuchPerMinuteAndNoMore(t *testing.T) {
	var l Limits
	at := time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)
	for n := range 4 {
		if got := l.Allow("a", 3, at); got != (n < 3) {
			t.Errorf("attempt %d: %v", n+1, got)
		}
	}
	if !l.Allow("b", 3, at) {
		t.Error("another name is not counted apart")
	}
	if at = at.Add(20*time.Second - time.Millisecond); l.Allow("a", 3, at) {
		t.Error("allowed before a third of a minute")
	}
	if at = at.Add(time.Millisecond); !l.Allow("a", 3, at) {
		t.Error("not allowed after a third of a minute")
	}
}

// Strangers cannot make Limits grow, nor make them forget who was there just before.
func TestLimitsForgetTheOldestOnly(t *testing.T) {
	var l Limits
	at := time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)
	l.Allow("a", 1, at)
	for i := range limitsRemembered/2 - 1 {
		l.Allow(fmt.Sprint(i), 1, at)
	}
	if l.Allow("a", 1, at) {
		t.Error("one that was there just before is forgotten")
	}
	for i := range 10 * limitsRemembered {
		l.Allow(fmt.Sprint("x", i), 1, at)
	}
	if n := len(l.now) + len(l.before); n > limitsRemembered {
		t.Errorf("%d names are remembered", n)
	}
}

func TestRemoteAddressBehindAProxyAndWithout(t *testing.T) {
	for _, test := range []struct {
		remote, header string
		values         []string
		want           string
	}{
		{"192.0.2.1:50000", "", nil, "192.0.2.1"},
		{"[2001:db8::1]:50000", "", nil, "2001:db8::1"},
		{"nonsense", "", nil, "nonsense"},
		{"192.0.2.1:50000", "", []string{"198.51.100.7"}, "192.0.2.1"}, // nobody vouches for it
		{"192.0.2.1:50000", "X-Forwarded-For", []string{"198.51.100.7"}, "198.51.100.7"},
		{"192.0.2.1:50000", "X-Forwarded-For", []string{"10.0.0.1, 198.51.100.7"}, "198.51.100.7"},
		{"192.0.2.1:50000", "X-Forwarded-For", []string{"10.0.0.1", "198.51.100.7"}, "198.51.100.7"},
		{"192.0.2.1:50000", "X-Forwarded-For", []string{"fe80::1%eth0"}, "fe80::1"},
		{"192.0.2.1:50000", "X-Forwarded-For", []string{"nonsense"}, "192.0.2.1"},
		{"192.0.2.1:50000", "X-Forwarded-For", nil, "192.0.2.1"},
	} {
		r := &http.Request{RemoteAddr: test.remote, Header: http.Header{"X-Forwarded-For": test.values}}
		if got := RemoteAddress(r, test.header); got != test.want {
			t.Errorf("%+v: %q", test, got)
		}
	}
}
