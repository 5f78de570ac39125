package server

import (
	"testing"
	"time"

	"payout/gateway"
)

func TestRailTimeoutIsAtMostWhatOtherNodesReckonWith(t *testing.T) {
	for timeout, fine := range map[time.Duration]bool{0: true, gateway.RailTimeoutMost: true, gateway.RailTimeoutMost + 1: false} {
		if _, err := (Config{RailTimeout: timeout}).withDefaults(); fine != (err == nil) {
			t.Errorf("%s: %v", timeout, err)
		}
	}
}
