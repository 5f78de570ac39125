//go:build unix

package main

import (
	"context"
	"flag"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
)

var withPatroni = flag.Bool("patroni", false, "run TestPatroniFailsOver, which needs Debian's packages patroni, etcd-server and python3-etcd")

// A Patroni that is stopped while its server is down must not lose its key, and
// one that stands by must not take it: that would be a failover, not a restart.
func TestRestartIsShorterThanPatroniWaits(t *testing.T) {
	const patience = ttl * time.Second
	if least := (loopWait + 2*retryTimeout) * time.Second; patience < least {
		t.Errorf("Patroni waits for %s, and it must be %s", patience, least)
	}
	for _, k := range []kind{restart, killStandby} {
		if most := lengths[k].most + 2*loopWait*time.Second; most >= patience {
			t.Errorf("%s: up to %s, and Patroni waits for %s", k, most, patience)
		}
	}
}

func TestMissingPatroniNamesItsPackage(t *testing.T) {
	folder := t.TempDir()
	t.Setenv("PATH", folder)
	for _, needed := range []struct{ program, debian string }{{"patroni", "package patroni"}, {"etcd", "package etcd-server"}} {
		if err := findPatroni(); err == nil || !strings.Contains(err.Error(), needed.debian) {
			t.Errorf("without %s: %v", needed.program, err)
		}
		check(t, os.WriteFile(filepath.Join(folder, needed.program), nil, 0o700))
	}
	check(t, findPatroni())
}

// A machine ends, and Patroni promotes the standby and makes a standby of what
// comes back. Meanwhile, and while the standby is away, the primary commits nothing by
// itself; and nothing that was acknowledged is lost.
func TestPatroniFailsOver(t *testing.T) {
	p := startPatroni(t)
	acknowledged := writeSteadily(t, p)

	first := primaryOf(t, p)
	began := time.Now()
	check(t, p.failOver(t.Context(), 0))
	t.Logf("the pair is whole again after %s", time.Since(began))
	second := primaryOf(t, p)
	if second == first {
		t.Error("the primary is the same")
	}
	check(t, p.restart(t.Context(), second, time.Second))
	primary := primaryOf(t, p)
	if primary != second {
		t.Error("a restart has become a failover")
	}

	p.keepers[1-primary].end(syscall.SIGKILL)
	check(t, p.kill(t.Context(), 1-primary))
	var names string // of the standbys that a commit waits for: any, once Patroni has seen that its own is away
	for n := 0; n < 2*ttl && names != "*"; n++ {
		check(t, wait(t.Context(), time.Second))
		var err error
		names, err = p.query(t.Context(), primary, "SHOW synchronous_standby_names")
		check(t, err)
		if names == "" {
			t.Fatal("the primary commits without its standby")
		}
	}
	if names != "*" {
		t.Errorf("the standby is away, and commits wait for %q", names)
	}
	check(t, p.keep(1-primary))

	last := primaryOf(t, p)
	all := acknowledged()
	kept, err := p.query(t.Context(), last, `\connect `+databaseName, "SELECT n FROM kept")
	check(t, err)
	numbers := strings.Fields(kept)
	if len(all) < 100 {
		t.Errorf("only %d writes were acknowledged", len(all))
	}
	for _, n := range all {
		if !slices.Contains(numbers, n) {
			t.Errorf("%s was acknowledged and is lost", n)
		}
	}
}

// startPatroni starts a pair, or skips the test where it cannot be done.
func startPatroni(t *testing.T) *patroni {
	t.Helper()
	if !*withPatroni {
		t.Skip("it takes half a minute: run it by -patroni")
	}
	bin, err := findPostgres("")
	if err != nil {
		t.Skip(err)
	}
	if err := findPatroni(); err != nil {
		t.Skip(err)
	}
	folder, err := os.MkdirTemp("", "payouttorture-")
	check(t, err)
	check(t, os.Chmod(folder, 0o711)) // PostgreSQL may be another user
	made, err := newPair(byPatroni, bin, folder)
	check(t, err)
	p := made.(*patroni)
	t.Cleanup(func() {
		if err := p.stop(); err != nil {
			t.Error(err)
		}
		if t.Failed() {
			t.Logf("logs and databases are in %s", folder)
		} else if err := os.RemoveAll(folder); err != nil {
			t.Error(err)
		}
	})
	check(t, p.setUp(t.Context()))
	return p
}

func primaryOf(t *testing.T, p pair) int {
	t.Helper()
	server, err := p.primary(t.Context())
	check(t, err)
	return server
}

// writeSteadily inserts numbers into a table, until the function that it returns
// is called: that lists those that were acknowledged.
func writeSteadily(t *testing.T, p pair) func() []string {
	t.Helper()
	pool, err := pgxpool.New(t.Context(), databaseURL(p.address(0), p.address(1), 2*time.Second)+"&synchronous_commit=on")
	check(t, err)
	_, err = pool.Exec(t.Context(), "CREATE TABLE kept (n int)")
	check(t, err)
	ctx, stop := context.WithCancel(t.Context())
	var writer sync.WaitGroup
	var acknowledged []string
	writer.Go(func() {
		defer pool.Close()
		for n := 0; wait(ctx, 20*time.Millisecond) == nil; n++ {
			brief, cancel := context.WithTimeout(ctx, 2*time.Second)
			if _, err := pool.Exec(brief, "INSERT INTO kept VALUES ($1)", n); err == nil {
				acknowledged = append(acknowledged, strconv.Itoa(n))
			}
			cancel()
		}
	})
	end := func() []string {
		stop()
		writer.Wait()
		return acknowledged
	}
	t.Cleanup(func() { end() })
	return end
}
