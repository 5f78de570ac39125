package server

import (
	"os"
	"runtime"
	"syscall"
	"time"
)

const (
	timerSlack = time.Millisecond
	calmed     = "PAYOUTD_CALMED" // in the environment of a program that was started again
)

// Calm starts the program again, as the same process with the same arguments, unless it
// was already, with a timer slack of a millisecond (prctl(2), PR_SET_TIMERSLACK): a sleep
// may last that much longer. A program calls it before it opens anything, when its
// database is PostgreSQL; for SQLite's commits, which wait a millisecond for each other,
// it would be too much.
//
// Go's runtime has a thread that looks after the others. It sleeps 20 us as long as it finds
// threads that stay in system calls, which on processors that are shared with PostgreSQL and other
// nodes it always does: two of three switches between threads were its own. The slack is inherited
// from before, also by that thread, which is why the program is started again (DECISIONS.md).
//
// It returns when there was nothing to do, or when it could not be done; then the program goes on.
func Calm() {
	if os.Getenv(calmed) != "" {
		return
	}
	program, err := os.Executable()
	if err != nil {
		return
	}
	runtime.LockOSThread() // the slack is the thread's, and that of the thread that executes a program stays
	defer runtime.UnlockOSThread()
	if slack, _, errno := syscall.RawSyscall(syscall.SYS_PRCTL, syscall.PR_GET_TIMERSLACK, 0, 0); errno != 0 || time.Duration(slack) >= timerSlack {
		return
	}
	if _, _, errno := syscall.RawSyscall(syscall.SYS_PRCTL, syscall.PR_SET_TIMERSLACK, uintptr(timerSlack), 0); errno != 0 {
		return
	}
	_ = syscall.Exec(program, os.Args, append(os.Environ(), calmed+"=1"))            // it returns only when it has failed
	_, _, _ = syscall.RawSyscall(syscall.SYS_PRCTL, syscall.PR_SET_TIMERSLACK, 0, 0) // back to the default
}
