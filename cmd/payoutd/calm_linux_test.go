package main

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"payout/storage/storagetest"
)

// On PostgreSQL serve is the calm program, and still the process that was started: it ends by
// that one's signal. On SQLite, whose commits wait too short for that, it is not.
func TestServeIsCalmOnPostgreSQLOnly(t *testing.T) {
	t.Parallel()
	folder := built(t)
	for engine, c := range map[string]struct {
		database string
		calm     bool
	}{"SQLite": {filepath.Join(t.TempDir(), "payoutd.db"), false}, "PostgreSQL": {storagetest.Postgres(t), true}} {
		t.Run(engine, func(t *testing.T) {
			command := exec.CommandContext(t.Context(), filepath.Join(folder, "payoutd"), "serve", "--listen", "127.0.0.1:0", "--no-docs",
				"--database", c.database, "--key-file", filepath.Join(t.TempDir(), "master.key"), "--simulator-book", filepath.Join(t.TempDir(), "simulator.db"))
			log, err := command.StderrPipe()
			check(t, err)
			check(t, command.Start())
			serving := false
			for lines := bufio.NewScanner(log); !serving && lines.Scan(); {
				serving = strings.Contains(lines.Text(), `"msg":"payoutd serves"`)
			}
			if !serving {
				t.Fatalf("it does not serve: %v", command.Wait())
			}
			environment, err := os.ReadFile(fmt.Sprintf("/proc/%d/environ", command.Process.Pid))
			check(t, err)
			if calm := strings.Contains(string(environment), "PAYOUTD_CALMED=1"); calm != c.calm {
				t.Errorf("calm: %t, want %t", calm, c.calm)
			}
			check(t, command.Process.Signal(syscall.SIGTERM))
			check(t, command.Wait())
		})
	}
}
