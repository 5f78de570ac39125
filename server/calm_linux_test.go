package server_test

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"syscall"
	"testing"

	"payout/server"
)

// A program that is to be calm is started again once, as the same process with its arguments, and then
// its threads have the slack, also those that it does not know of. One that has as much already is not.
func TestCalmStartsTheProgramAgainWithSlack(t *testing.T) {
	const helper = "PAYOUTD_TEST_CALM"
	if os.Getenv(helper) != "" {
		fmt.Printf("begun %d\n", os.Getpid())
		server.Calm()
		slack := make(chan uintptr)
		go func() {
			runtime.LockOSThread() // and no unlock: a thread for this alone
			slack <- timerSlack(t)
		}()
		fmt.Printf("calm %d %d %s\n", os.Getpid(), <-slack, os.Args[len(os.Args)-1])
		return
	}
	runtime.LockOSThread() // a program inherits from the thread that starts it
	defer runtime.UnlockOSThread()
	defer setTimerSlack(t, timerSlack(t))
	for slack, want := range map[uintptr]string{
		50_000:    "begun PID begun PID calm PID 1000000 last",
		999_999:   "begun PID begun PID calm PID 1000000 last",
		1_000_000: "begun PID calm PID 1000000 last",
		2_000_000: "begun PID calm PID 2000000 last",
	} {
		setTimerSlack(t, slack)
		var out bytes.Buffer
		command := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestCalmStartsTheProgramAgainWithSlack$", "last")
		command.Env, command.Stdout, command.Stderr = append(os.Environ(), helper+"=1"), &out, os.Stderr
		if err := command.Run(); err != nil {
			t.Fatal(err)
		}
		said, _, _ := strings.Cut(strings.ReplaceAll(out.String(), fmt.Sprint(command.Process.Pid), "PID"), "PASS")
		if got := strings.Join(strings.Fields(said), " "); got != want {
			t.Errorf("slack of %d ns: %q, want %q", slack, got, want)
		}
	}
}

func timerSlack(t *testing.T) uintptr {
	slack, _, errno := syscall.RawSyscall(syscall.SYS_PRCTL, syscall.PR_GET_TIMERSLACK, 0, 0)
	if errno != 0 {
		t.Error(errno)
	}
	return slack
}

func setTimerSlack(t *testing.T, slack uintptr) {
	if _, _, errno := syscall.RawSyscall(syscall.SYS_PRCTL, syscall.PR_SET_TIMERSLACK, slack, 0); errno != 0 {
		t.Error(errno)
	}
}
