package server

import (
	"os"
	"runtime"
	"runtime/debug"
)

// Tune sets the Go runtime up for this program; the usual variables GOGC and
// GOMAXPROCS have precedence. A program calls it once, before Run.
//
// The heap is small and its garbage young, so collecting it less often costs
// little memory. And writers of SQLite spend much of their time in system
// calls: two more processors than cores let them go on as soon as the disk has
// answered, instead of queueing behind signature checks.
func Tune() {
	const gcPercent, moreProcs = 800, 2
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(gcPercent)
	}
	if os.Getenv("GOMAXPROCS") == "" {
		runtime.GOMAXPROCS(runtime.NumCPU() + moreProcs)
	}
}
