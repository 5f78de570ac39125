package server

import (
	"os"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"time"
)

// Tune sets the Go runtime up for this program; the usual variables GOGC and
// GOMAXPROCS have precedence. A program calls it once, before Run.
//
// The heap is small and its garbage young, so collecting it less often costs
// little memory; what lives longer, such as SQLite's nonces, must not be multiplied by
// that. And writers of SQLite spend much of their time in system
// calls: two more processors than cores, or than a container may use, let them go on as soon as the disk has
// answered, instead of queueing behind signature checks.
func Tune() {
	const moreProcs = 2
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(gcPercentMost)
		go boundGarbage()
	}
	if os.Getenv("GOMAXPROCS") == "" {
		runtime.GOMAXPROCS(runtime.GOMAXPROCS(0) + moreProcs) // of those that a container may use
	}
}

const (
	gcPercentLeast, gcPercentMost = 100, 800
	garbageMost                   = 128 << 20 // bytes, unless more than that lives
)

// gcPercent is how much garbage, in percent of what lives, is collected together.
func gcPercent(live uint64) int {
	return int(min(max(garbageMost*100/max(live, 1), gcPercentLeast), gcPercentMost))
}

// boundGarbage follows what lives, as long as the process does.
func boundGarbage() {
	live := []metrics.Sample{{Name: "/gc/heap/live:bytes"}}
	last := gcPercentMost
	for range time.Tick(5 * time.Second) {
		metrics.Read(live)
		if percent := gcPercent(live[0].Value.Uint64()); percent != last {
			debug.SetGCPercent(percent)
			last = percent
		}
	}
}
