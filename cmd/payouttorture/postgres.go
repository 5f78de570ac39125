//go:build unix

package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
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

// A pair is two PostgreSQL servers: a primary, and a standby without which it
// commits nothing.
type pair struct {
	bin   string // folder of PostgreSQL's programs
	dir   string // folder of the servers, owned by who runs them
	as    *syscall.Credential
	ports [2]int

	primary atomic.Int32 // which of the two
}

const (
	databaseName = "payoutd"
	standbyName  = "standby" // cluster_name of both: a standby tells it to its primary

	serverStarts  = 60 * time.Second // longest start or promotion of a server, on a busy machine
	standbyCatchs = 90 * time.Second // longest time for a standby to come up with its primary
)

// config is added to postgresql.conf of both servers. No sockets: everything
// comes by TCP. What is committed without waiting for the disk stays in memory for
// long, so that a gateway that does not wait is found out.
const config = `
listen_addresses = '127.0.0.1'
unix_socket_directories = ''
cluster_name = '` + standbyName + `'
synchronous_standby_names = '` + standbyName + `'
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

// newPair makes and starts both servers in a folder of their own below dir.
func newPair(ctx context.Context, bin, dir string) (*pair, error) {
	p := &pair{bin: bin, dir: filepath.Join(dir, "postgres")}
	if err := os.Mkdir(p.dir, 0o700); err != nil {
		return nil, err
	}
	if os.Getuid() == 0 { // PostgreSQL refuses root
		if err := p.asPostgres(); err != nil {
			return nil, err
		}
	}
	for i := range p.ports {
		port, err := freePort()
		if err != nil {
			return nil, err
		}
		p.ports[i] = port
	}
	if err := p.command(ctx, "initdb", "-D", p.data(0), "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C"); err != nil {
		return nil, err
	}
	file, err := os.OpenFile(filepath.Join(p.data(0), "postgresql.conf"), os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		return nil, err
	}
	_, err = file.WriteString(config)
	if err := errors.Join(err, file.Close()); err != nil {
		return nil, err
	}
	if err := p.start(ctx, 0); err != nil {
		return nil, err
	}
	if err := p.addStandby(ctx); err != nil {
		return nil, err
	}
	_, err = p.query(ctx, "CREATE DATABASE "+databaseName)
	return p, err
}

// asPostgres has the servers run as the user postgres.
func (p *pair) asPostgres() error {
	account, err := user.Lookup("postgres")
	if err != nil {
		return fmt.Errorf("PostgreSQL does not run as root: %w", err)
	}
	uid, err1 := strconv.ParseUint(account.Uid, 10, 32)
	gid, err2 := strconv.ParseUint(account.Gid, 10, 32)
	if err := errors.Join(err1, err2); err != nil {
		return err
	}
	p.as = &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
	return os.Chown(p.dir, int(uid), int(gid))
}

// freePort finds a port of the loopback that nobody uses now.
func freePort() (int, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port, nil
}

func (p *pair) data(server int) string { return filepath.Join(p.dir, fmt.Sprintf("data%d", server+1)) }

func (p *pair) address(server int) string { return fmt.Sprintf("127.0.0.1:%d", p.ports[server]) }

// command runs one of PostgreSQL's programs.
func (p *pair) command(ctx context.Context, program string, args ...string) error {
	_, err := p.output(ctx, program, args...)
	return err
}

func (p *pair) output(ctx context.Context, program string, args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, 2*serverStarts)
	defer cancel()
	cmd := exec.CommandContext(ctx, filepath.Join(p.bin, program), args...)
	cmd.Dir, cmd.WaitDelay = p.dir, time.Second
	cmd.Env = []string{"LC_ALL=C", "PATH=" + os.Getenv("PATH"), "PGCONNECT_TIMEOUT=5"}
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: p.as, Setpgid: true} // Ctrl-C is not for the servers
	out, err := cmd.CombinedOutput()
	text := strings.TrimSpace(string(out))
	if err != nil {
		return text, fmt.Errorf("%s: %w: %s", program, err, text)
	}
	return text, nil
}

// query asks the primary.
func (p *pair) query(ctx context.Context, sql string) (string, error) {
	return p.output(ctx, "psql", "-h", "127.0.0.1", "-p", strconv.Itoa(p.ports[p.primary.Load()]), "-U", "postgres", "-XAtqc", sql)
}

func (p *pair) start(ctx context.Context, server int) error {
	return p.command(ctx, "pg_ctl", "start", "-w", "-t", strconv.Itoa(int(serverStarts.Seconds())), "-D", p.data(server),
		"-l", filepath.Join(p.dir, fmt.Sprintf("log%d", server+1)), "-o", fmt.Sprintf("-p %d", p.ports[server]))
}

// addStandby makes the other server a new copy of the primary and waits until
// the primary commits with it.
func (p *pair) addStandby(ctx context.Context) error {
	primary := int(p.primary.Load())
	standby := 1 - primary
	if err := os.RemoveAll(p.data(standby)); err != nil {
		return err
	}
	if err := p.command(ctx, "pg_basebackup", "-D", p.data(standby), "-R", "-X", "stream", "-c", "fast",
		"-h", "127.0.0.1", "-p", strconv.Itoa(p.ports[primary]), "-U", "postgres"); err != nil {
		return err
	}
	if err := p.start(ctx, standby); err != nil {
		return err
	}
	return p.inSync(ctx)
}

// inSync waits until the standby has all that the primary has committed.
func (p *pair) inSync(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, standbyCatchs)
	defer cancel()
	for {
		n, err := p.query(ctx, "SELECT count(*) FROM pg_stat_replication WHERE state = 'streaming' AND sync_state = 'sync'")
		if err == nil && n == "1" {
			return nil
		}
		if wait(ctx, 100*time.Millisecond) != nil {
			return fmt.Errorf("the standby does not come up with its primary: %w", errors.Join(ctx.Err(), err))
		}
	}
}

// failOver kills the primary and promotes the standby after a while; then it
// makes a new standby out of what is left.
func (p *pair) failOver(ctx context.Context, unnoticed time.Duration) error {
	old := int(p.primary.Load())
	if err := p.kill(ctx, old); err != nil {
		return err
	}
	if err := wait(ctx, unnoticed); err != nil {
		return err
	}
	if err := p.command(ctx, "pg_ctl", "promote", "-w", "-t", strconv.Itoa(int(serverStarts.Seconds())), "-D", p.data(1-old)); err != nil {
		return err
	}
	p.primary.Store(int32(1 - old))
	return p.addStandby(ctx)
}

// restart kills a server and starts it again on its files after a while.
func (p *pair) restart(ctx context.Context, server int, after time.Duration) error {
	if err := p.kill(ctx, server); err != nil {
		return err
	}
	if err := wait(ctx, after); err != nil {
		return err
	}
	if err := p.start(ctx, server); err != nil {
		return err
	}
	return p.inSync(ctx)
}

// kill kills a server with all its processes, as the end of its machine would,
// and returns when they are gone: after that it acknowledges nothing.
func (p *pair) kill(ctx context.Context, server int) error {
	text, err := os.ReadFile(filepath.Join(p.data(server), "postmaster.pid"))
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
	return os.Remove(filepath.Join(p.data(server), "postmaster.pid"))
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

// stop stops both servers.
func (p *pair) stop() error {
	var failed error
	for server := range p.ports {
		if _, err := os.Stat(filepath.Join(p.data(server), "postmaster.pid")); err == nil {
			failed = errors.Join(failed, p.command(context.Background(), "pg_ctl", "stop", "-m", "immediate", "-w", "-D", p.data(server)))
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
