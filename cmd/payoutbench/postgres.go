package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
)

// A cluster is a PostgreSQL server: one that was started here, or the one that a
// URL leads to.
type cluster struct {
	url    string   // of a database in it
	folder string   // of our own; empty: somebody else's
	socket string   // folder of our own's socket
	asUser []string // command in front of PostgreSQL's programs, which root must not run
	bin    string   // folder of PostgreSQL's programs
	keep   bool     // the folder stays when the server stops
}

// socketMost is the longest path of a socket's folder: the whole path must be less
// than 108 bytes (unix(7)).
const socketMost = 107 - len("/.s.PGSQL.5432")

// startCluster makes a PostgreSQL cluster in a folder of dir, unless there is one
// from an earlier run, and starts it on a unix socket. It commits like PostgreSQL
// as it is installed: fsync and synchronous_commit are on.
func startCluster(ctx context.Context, dir string) (c *cluster, err error) {
	c = &cluster{folder: filepath.Join(dir, "postgres")}
	if c.bin, err = postgresPrograms(); err != nil {
		return nil, err
	}
	if os.Getuid() == 0 {
		c.asUser = []string{"runuser", "-u", "postgres", "--"}
	}
	_, err = os.Stat(filepath.Join(c.folder, "PG_VERSION"))
	fresh := errors.Is(err, fs.ErrNotExist)
	c.keep = !fresh // who made it wants it
	if err := c.makeFolders(dir); err != nil {
		return nil, err
	}
	if fresh {
		if err := c.run(ctx, "initdb", "-D", c.folder, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C"); err != nil {
			return nil, errors.Join(fmt.Errorf("make a PostgreSQL cluster: %w", err), os.RemoveAll(c.folder))
		}
	}
	if err := c.start(ctx, "start", ""); err != nil {
		return nil, errors.Join(err, c.stop())
	}
	c.url = "postgres:///postgres?" + url.Values{"host": {c.socket}, "user": {"postgres"}}.Encode()
	return c, nil
}

// start starts our own server, or restarts it.
func (c *cluster) start(ctx context.Context, how, more string) error {
	options := "-c listen_addresses='' -c unix_socket_directories='" + c.socket + "' -c max_connections=300" + more
	if err := c.run(ctx, "pg_ctl", "-D", c.folder, "-l", filepath.Join(c.folder, "log"), "-m", "fast", "-w", "-t", "60", "-o", options, how); err != nil {
		return fmt.Errorf("%s PostgreSQL: %w", how, err)
	}
	return nil
}

// enlarge gives our own server the memory that one with many orders would be given.
func (c *cluster) enlarge(ctx context.Context) error {
	if c.folder == "" {
		return nil
	}
	return c.start(ctx, "restart", sharedBuffers())
}

// sharedBuffers is the server's option for a quarter of the machine's memory, what
// PostgreSQL's documentation begins with (shared_buffers, section 20.4.1 of version 15). As
// it is installed it has 128 MB, whatever the machine has: nothing where that is not known.
func sharedBuffers() string {
	text, err := os.ReadFile("/proc/meminfo")
	if err != nil {
		return ""
	}
	var kib int64
	if _, err := fmt.Sscanf(string(text), "MemTotal: %d kB", &kib); err != nil {
		return ""
	}
	return fmt.Sprintf(" -c shared_buffers=%dMB", kib>>12)
}

// makeFolders makes the cluster's folder, and one for its socket, and lets
// PostgreSQL's user in.
func (c *cluster) makeFolders(dir string) (err error) {
	if dir, err = filepath.Abs(dir); err != nil {
		return err
	}
	c.folder = filepath.Join(dir, filepath.Base(c.folder))
	parent := dir
	if len(dir)+len("/pg-1234567890") > socketMost {
		parent = "/tmp"
	}
	if c.socket, err = os.MkdirTemp(parent, "pg-"); err != nil {
		return err
	}
	if c.asUser == nil {
		return nil
	}
	info, err := os.Stat(dir)
	if err != nil {
		return err
	}
	if err := os.Chmod(dir, info.Mode().Perm()|0o011); err != nil { // through, not in
		return err
	}
	if err := os.MkdirAll(c.folder, 0o700); err != nil {
		return err
	}
	if out, err := exec.Command("chown", "postgres", c.folder, c.socket).CombinedOutput(); err != nil {
		return fmt.Errorf("give %s to PostgreSQL's user: %s", c.folder, out)
	}
	return nil
}

// postgresPrograms finds the folder of initdb and pg_ctl.
func postgresPrograms() (string, error) {
	found, err := filepath.Glob("/usr/lib/postgresql/*/bin/initdb")
	if err != nil {
		return "", err
	}
	version := func(path string) int {
		n, _ := strconv.Atoi(filepath.Base(filepath.Dir(filepath.Dir(path)))) // not a number: the oldest
		return n
	}
	slices.SortFunc(found, func(a, b string) int { return version(b) - version(a) })
	if len(found) > 0 {
		return filepath.Dir(found[0]), nil
	}
	path, err := exec.LookPath("initdb")
	if err != nil {
		return "", errors.New("PostgreSQL is not installed: install Debian's package postgresql, or give --database URL")
	}
	return filepath.Dir(path), nil
}

// run runs one of PostgreSQL's programs and tells what it said if it failed.
func (c *cluster) run(ctx context.Context, program string, args ...string) error {
	line := slices.Concat(c.asUser, []string{filepath.Join(c.bin, program)}, args)
	command := exec.CommandContext(ctx, line[0], line[1:]...)
	command.Dir = "/"
	said, err := os.CreateTemp("", "payoutbench-said-") // not a pipe: the server would keep it open
	if err != nil {
		return err
	}
	defer os.Remove(said.Name())
	defer said.Close()
	command.Stdout, command.Stderr = said, said
	if err := command.Run(); err != nil {
		text, readErr := os.ReadFile(said.Name())
		return errors.Join(fmt.Errorf("%s: %w: %.500s", program, err, strings.TrimSpace(string(text))), readErr)
	}
	return nil
}

// stop stops our own server, and removes its cluster unless it is to be kept.
func (c *cluster) stop() error {
	if c.folder == "" {
		return nil
	}
	var err error
	if _, statErr := os.Stat(filepath.Join(c.folder, "postmaster.pid")); statErr == nil {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		err = c.run(ctx, "pg_ctl", "-D", c.folder, "-m", "fast", "-w", "stop")
	}
	err = errors.Join(err, os.RemoveAll(c.socket))
	if !c.keep {
		err = errors.Join(err, os.RemoveAll(c.folder))
	}
	return err
}

// database is the URL of a database in the cluster.
func (c *cluster) database(name string) string {
	before, query, _ := strings.Cut(c.url, "?")
	return before[:strings.LastIndexByte(before, '/')+1] + name + "?" + query
}

// has tells whether the cluster has a database.
func (c *cluster) has(ctx context.Context, name string) (has bool, err error) {
	err = c.with(ctx, func(conn *pgx.Conn) error {
		return conn.QueryRow(ctx, "SELECT EXISTS (SELECT 1 FROM pg_database WHERE datname = $1)", name).Scan(&has)
	})
	return has, err
}

// create makes an empty database, in place of one of that name.
func (c *cluster) create(ctx context.Context, name string) (string, error) {
	err := c.with(ctx, func(conn *pgx.Conn) error {
		if _, err := conn.Exec(ctx, "DROP DATABASE IF EXISTS "+pgx.Identifier{name}.Sanitize()+" WITH (FORCE)"); err != nil {
			return err
		}
		_, err := conn.Exec(ctx, "CREATE DATABASE "+pgx.Identifier{name}.Sanitize())
		return err
	})
	return c.database(name), err
}

// drop removes a database.
func (c *cluster) drop(name string) error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	return c.with(ctx, func(conn *pgx.Conn) error {
		_, err := conn.Exec(ctx, "DROP DATABASE IF EXISTS "+pgx.Identifier{name}.Sanitize()+" WITH (FORCE)")
		return err
	})
}

func (c *cluster) with(ctx context.Context, fn func(*pgx.Conn) error) error {
	return withConnection(ctx, c.url, fn)
}

// withConnection connects to a PostgreSQL database for a function.
func withConnection(ctx context.Context, database string, fn func(*pgx.Conn) error) error {
	conn, err := pgx.Connect(ctx, plainURL(database))
	if err != nil {
		return fmt.Errorf("connect to PostgreSQL: %w", err)
	}
	return errors.Join(fn(conn), conn.Close(context.WithoutCancel(ctx)))
}

var poolSetting = regexp.MustCompile(`pool_[a-z_]+=[^&]*&?`)

// plainURL is a URL without the settings of a pool, which only payoutd knows.
func plainURL(database string) string {
	return strings.TrimRight(poolSetting.ReplaceAllString(database, ""), "?&")
}

// The storage ceiling: one row like a payout's, inserted by one transaction, as
// fast as PostgreSQL's own pgbench can, with the same durability in the same
// cluster. It has no index but its primary key, so that nothing can be faster.
const (
	ceilingTable  = "payoutbench_ceiling"
	ceilingSchema = `CREATE TABLE IF NOT EXISTS ` + ceilingTable + ` (id BIGSERIAL PRIMARY KEY, party_id BIGINT NOT NULL, endpoint_id BIGINT NOT NULL,
		client_orderid TEXT NOT NULL, currency TEXT NOT NULL, amount_minor BIGINT NOT NULL, params_sealed BYTEA NOT NULL,
		receiver_mask TEXT NOT NULL, stage TEXT NOT NULL, created_us BIGINT NOT NULL)`
	ceilingScript = `\set n random(1, 1000000000)
INSERT INTO ` + ceilingTable + ` (party_id, endpoint_id, client_orderid, currency, amount_minor, params_sealed, receiver_mask, stage, created_us)
VALUES (:n % 50, :n % 50, 'INV-' || :n, 'USD', 1042, decode(repeat('5a', 200), 'hex'), '******7890', 'starting', :n);
`
)

var pgbenchRate = regexp.MustCompile(`tps = ([0-9.]+) `)

// pgbench measures the storage ceiling, in transactions a second.
func pgbench(ctx context.Context, dir, database string, clients int, duration time.Duration) (float64, error) {
	program, err := exec.LookPath("pgbench")
	if bin, binErr := postgresPrograms(); err != nil && binErr == nil {
		program, err = filepath.Join(bin, "pgbench"), nil
	}
	if err != nil {
		return 0, errors.New("pgbench is not installed: install Debian's package postgresql-contrib or postgresql")
	}
	err = withConnection(ctx, database, func(conn *pgx.Conn) error {
		_, err := conn.Exec(ctx, ceilingSchema)
		return err
	})
	if err != nil {
		return 0, err
	}
	script := filepath.Join(dir, "pgbench.sql")
	if err := os.WriteFile(script, []byte(ceilingScript), 0o600); err != nil {
		return 0, err
	}
	seconds := max(1, int(duration.Round(time.Second).Seconds()))
	out, err := exec.CommandContext(ctx, program, "-n", "-M", "prepared", "-c", strconv.Itoa(clients), "-j", "2", "-T", strconv.Itoa(seconds),
		"-f", script, plainURL(database)).CombinedOutput()
	if err != nil {
		return 0, fmt.Errorf("pgbench: %w: %.500s", err, strings.TrimSpace(string(out)))
	}
	return parsePgbench(string(out))
}

// parsePgbench reads transactions a second from what pgbench has printed.
func parsePgbench(said string) (float64, error) {
	found := pgbenchRate.FindStringSubmatch(said)
	if found == nil {
		return 0, fmt.Errorf("pgbench told no rate: %.200s", said)
	}
	return strconv.ParseFloat(found[1], 64)
}
