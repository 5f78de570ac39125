package gateway

import (
	"testing"
	"testing/synctest"
	"time"

	"payout/storage"
)

// What is insisted on is tried again soon, but after a try that has kept others waiting
// not before they had some time without it.
func TestATryThatTookLongIsNotRepeatedAtOnce(t *testing.T) {
	for took, want := range map[time.Duration]time.Duration{
		0:                 insistFirst,
		insistFirst:       insistFirst,
		insistFirst + 1:   insistFirst + 1,
		3 * time.Second:   3 * time.Second,
		3*time.Second + 1: 3 * time.Second,
		20 * time.Second:  3 * time.Second,
	} {
		synctest.Test(t, func(t *testing.T) {
			g := &Gateway{Random: func() float64 { return 0.5 }}
			var ended, waited time.Duration
			watch, tries := startStopwatch(), 0
			err := g.insist(func(error) {}, func() error {
				if tries++; tries == 2 {
					waited = watch.took() - ended
					return nil
				}
				time.Sleep(took)
				ended = watch.took()
				return storage.ErrUnavailable
			})
			if err != nil || waited != want {
				t.Errorf("after a try of %s the next one came %s later, want %s (%v)", took, waited, want, err)
			}
		})
	}
}
