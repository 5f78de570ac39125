//go:build unix

package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// findPostgres finds the folder of PostgreSQL's programs.
func findPostgres(folder string) (string, error) {
	folders := []string{folder}
	if folder == "" {
		found, err := filepath.Glob("/usr/lib/postgresql/*/bin")
		if err != nil {
			return "", err
		}
		slices.SortFunc(found, func(a, b string) int { return versionOf(b) - versionOf(a) })
		if initdb, err := exec.LookPath("initdb"); err == nil {
			found = append(found, filepath.Dir(initdb))
		}
		folders = found
	}
	for _, folder := range folders {
		missing := false
		for _, program := range []string{"initdb", "pg_ctl", "pg_basebackup", "psql"} {
			_, err := os.Stat(filepath.Join(folder, program))
			missing = missing || err != nil
		}
		if !missing {
			return folder, nil
		}
	}
	return "", errors.New("PostgreSQL's initdb, pg_ctl, pg_basebackup and psql were not found: install Debian's package postgresql, or name their folder by --postgres")
}

// versionOf reads the version in /usr/lib/postgresql/15/bin.
func versionOf(folder string) int {
	n, err := strconv.Atoi(filepath.Base(filepath.Dir(folder)))
	if err != nil {
		return 0
	}
	return n
}

// A pair is a PostgreSQL primary and a standby without which it commits nothing,
// together with who promotes the standby: plain.go and patroni.go. The servers are 0
// and 1; which of them is the primary changes.
type pair interface {
	// setUp makes both servers and the gateway's database. What it has started is
	// running also when it fails: stop ends it.
	setUp(ctx context.Context) error
	address(server int) string
	// primary finds the primary once the standby has all that it has committed.
	primary(ctx context.Context) (int, error)
	// failOver ends the primary as the end of its machine would, and returns when
	// the standby is the primary and has a synchronous standby in what was the
	// primary.
	failOver(ctx context.Context, lasts time.Duration) error
	// restart kills a server; after a while it is started again on the same files. It
	// returns when the pair is whole.
	restart(ctx context.Context, server int, after time.Duration) error
	// loseStandby ends the standby's machine for a while, and returns when the pair is
	// whole again. From from to to there surely was no standby.
	loseStandby(ctx context.Context, lasts time.Duration) (from, to time.Time, err error)
	stop() error
}

// Who promotes the standby.
const (
	byPlain   = "plain"   // this program
	byPatroni = "patroni" // Patroni, with etcd
)

// newPair prepares a pair in a folder of its own below dir.
func newPair(failover, bin, dir string) (pair, error) {
	s, err := newServers(bin, filepath.Join(dir, "postgres"))
	if err != nil {
		return nil, err
	}
	if failover == byPatroni {
		return newPatroni(s)
	}
	return &plain{servers: s}, nil
}

// The servers of a pair, without who promotes.
type servers struct {
	bin   string // folder of PostgreSQL's programs
	dir   string // folder of the servers, owned by who runs them
	as    *syscall.Credential
	ports [2]int
}

const (
	databaseName = "payoutd"

	serverStarts  = 60 * time.Second // longest start or promotion of a server, on a busy machine
	standbyCatchs = 90 * time.Second // longest time for a standby to come up with its primary
	programEnds   = 20 * time.Second // longest time until the children of one of its programs have ended with it
)

// config is in postgresql.conf of both servers. No sockets: everything comes by
// TCP. What is committed without waiting for the disk stays in memory for long, so
// that a gateway that does not wait is found out.
const config = `
listen_addresses = '127.0.0.1'
unix_socket_directories = ''
max_connections = 120
shared_buffers = 64MB
wal_keep_size = 256MB
wal_sender_timeout = 10s
wal_receiver_timeout = 10s
wal_retrieve_retry_interval = 200ms
dynamic_shared_memory_type = mmap
synchronous_commit = off # the gateway sets it itself
wal_writer_delay = 10s
wal_writer_flush_after = 1GB
log_min_messages = warning
`

// newServers makes the folder and finds the ports.
func newServers(bin, dir string) (servers, error) {
	s := servers{bin: bin, dir: dir}
	if err := os.Mkdir(s.dir, 0o700); err != nil {
		return s, err
	}
	if os.Getuid() == 0 { // PostgreSQL refuses root
		if err := s.asPostgres(); err != nil {
			return s, err
		}
	}
	var err error
	for i := range s.ports {
		if s.ports[i], err = freePort(); err != nil {
			return s, err
		}
	}
	return s, nil
}

// asPostgres has the servers run as the user postgres.
func (s *servers) asPostgres() error {
	account, err := user.Lookup("postgres")
	if err != nil {
		return fmt.Errorf("PostgreSQL does not run as root: %w", err)
	}
	uid, err1 := strconv.ParseUint(account.Uid, 10, 32)
	gid, err2 := strconv.ParseUint(account.Gid, 10, 32)
	if err := errors.Join(err1, err2); err != nil {
		return err
	}
	s.as = &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
	return os.Chown(s.dir, int(uid), int(gid))
}

func (s *servers) data(server int) string {
	return filepath.Join(s.dir, fmt.Sprintf("data%d", server+1))
}

func (s *servers) address(server int) string { return loopback(s.ports[server]) }

// command runs one of PostgreSQL's programs.
func (s *servers) command(ctx context.Context, program string, args ...string) error {
	_, err := s.output(ctx, program, args...)
	return err
}

func (s *servers) output(ctx context.Context, program string, args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, 2*serverStarts)
	defer cancel()
	cmd := exec.CommandContext(ctx, filepath.Join(s.bin, program), args...)
	cmd.Dir, cmd.WaitDelay = s.dir, programEnds
	cmd.Env = []string{"LC_ALL=C", "PATH=" + os.Getenv("PATH"), "PGCONNECT_TIMEOUT=5"}
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: s.as, Setpgid: true} // Ctrl-C is not for the servers
	out, err := cmd.CombinedOutput()
	text := strings.TrimSpace(string(out))
	if err != nil {
		return text, fmt.Errorf("%s: %w: %s", program, err, text)
	}
	return text, nil
}

// query asks one of the servers. Each statement is a transaction of its own.
func (s *servers) query(ctx context.Context, server int, statements ...string) (string, error) {
	args := []string{"-h", "127.0.0.1", "-p", strconv.Itoa(s.ports[server]), "-U", "postgres", "-XAtq", "-v", "ON_ERROR_STOP=1"}
	for _, sql := range statements {
		args = append(args, "-c", sql)
	}
	return s.output(ctx, "psql", args...)
}

// streams reports whether the primary commits nothing without the other one,
// and the other one has it all.
func (s *servers) streams(ctx context.Context, primary int) (bool, error) {
	n, err := s.query(ctx, primary, "SELECT count(*) FROM pg_stat_replication WHERE state = 'streaming' AND sync_state = 'sync'")
	return n == "1", err
}

// createDatabase makes the gateway's database. The standby shows it too when it
// returns: a client that is told by one server that there is no such database does not
// ask the other.
func (s *servers) createDatabase(ctx context.Context, primary int) error {
	_, err := s.query(ctx, primary, "SET synchronous_commit = remote_apply", "CREATE DATABASE "+databaseName)
	return err
}

// kill kills a server with all its processes, as the end of its machine would,
// and returns when they are gone: after that it acknowledges nothing.
func (s *servers) kill(ctx context.Context, server int) error {
	text, err := os.ReadFile(filepath.Join(s.data(server), "postmaster.pid"))
	if err != nil {
		return fmt.Errorf("kill PostgreSQL: %w", err)
	}
	lines := strings.Split(string(text), "\n")
	postmaster, err := strconv.Atoi(strings.TrimSpace(lines[0]))
	if err != nil || postmaster <= 1 {
		return fmt.Errorf("kill PostgreSQL: postmaster.pid has %q", lines[0])
	}
	// Stopped, it starts no more processes while the others are looked for.
	if err := syscall.Kill(postmaster, syscall.SIGSTOP); err != nil {
		return fmt.Errorf("kill PostgreSQL: %w", err)
	}
	own, err := family(ctx, postmaster)
	if err != nil {
		return err
	}
	for _, pid := range own {
		if err := syscall.Kill(pid, syscall.SIGKILL); err != nil && !errors.Is(err, syscall.ESRCH) {
			return fmt.Errorf("kill PostgreSQL: %w", err)
		}
	}
	for {
		living, err := alive(ctx, own)
		if err != nil {
			return err
		}
		if !living {
			break
		}
		if err := wait(ctx, 10*time.Millisecond); err != nil {
			return err
		}
	}
	if len(lines) > 6 { // the key and the id of its shared memory, which nobody else would remove
		if words := strings.Fields(lines[6]); len(words) == 2 {
			_ = exec.CommandContext(ctx, "ipcrm", "-m", words[1]).Run() // a few bytes stay
		}
	}
	// A process that nobody has waited for yet still has its number, and PostgreSQL takes it for a living one.
	return os.Remove(filepath.Join(s.data(server), "postmaster.pid"))
}

// A process is a row of ps.
type process struct {
	pid, parent int
	zombie      bool
}

func processes(ctx context.Context) ([]process, error) {
	out, err := exec.CommandContext(ctx, "ps", "-A", "-o", "pid=,ppid=,stat=").Output()
	if err != nil {
		return nil, fmt.Errorf("list processes: %w", err)
	}
	var all []process
	for line := range strings.Lines(string(out)) {
		words := strings.Fields(line)
		if len(words) != 3 {
			continue
		}
		pid, err1 := strconv.Atoi(words[0])
		parent, err2 := strconv.Atoi(words[1])
		if err := errors.Join(err1, err2); err != nil {
			return nil, fmt.Errorf("list processes: %w", err)
		}
		all = append(all, process{pid, parent, strings.HasPrefix(words[2], "Z")})
	}
	return all, nil
}

// family lists a process and its children.
func family(ctx context.Context, parent int) ([]int, error) {
	all, err := processes(ctx)
	own := []int{parent}
	for _, one := range all {
		if one.parent == parent {
			own = append(own, one.pid)
		}
	}
	return own, err
}

// alive reports whether one of the processes still runs.
func alive(ctx context.Context, pids []int) (bool, error) {
	all, err := processes(ctx)
	return slices.ContainsFunc(all, func(one process) bool { return !one.zombie && slices.Contains(pids, one.pid) }), err
}

// stopServers stops those that run.
func (s *servers) stopServers() error {
	var failed error
	for server := range s.ports {
		if _, err := os.Stat(filepath.Join(s.data(server), "postmaster.pid")); err == nil {
			failed = errors.Join(failed, s.command(context.Background(), "pg_ctl", "stop", "-m", "immediate", "-w", "-D", s.data(server)))
		}
	}
	return failed
}

// wait waits, or returns the context's error.
func wait(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return ctx.Err()
	case <-ctx.Done():
		return ctx.Err()
	}
}
