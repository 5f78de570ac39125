package server

import "testing"

// What lives longer costs little more than itself.
func TestGarbageIsBounded(t *testing.T) {
	const mib = 1 << 20
	for live, want := range map[uint64]int{0: 800, 1: 800, 16 * mib: 800, 17 * mib: 752, 64 * mib: 200, 128 * mib: 100, 1 << 40: 100} {
		if got := gcPercent(live); got != want {
			t.Errorf("with %d MiB: %d percent, want %d", live/mib, got, want)
		}
	}
}
