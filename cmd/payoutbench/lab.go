package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"payout/storage"
	"payout/vault"
)

// common are the flags of every command.
type common struct {
	Engine      []string `enum:"sqlite,postgres" placeholder:"ENGINE,..." help:"sqlite, postgres, or both side by side (default: sqlite, or postgres with --database)."`
	Database    string   `placeholder:"URL" help:"An empty PostgreSQL database (default: one in a cluster of its own, made in --dir and removed afterwards)."`
	Dir         string   `placeholder:"FOLDER" help:"Folder for files, on the disk to measure (default: a temporary one)."`
	Connections int      `default:"64" help:"Connections at once (default: ${default})."`
	Rate        float64  `placeholder:"NUMBER" help:"Requests that arrive in a second whatever becomes of those before; waits count from then (default: each connection sends when it was answered)."`
	JSON        string   `name:"json" placeholder:"FILE" help:"Write what was found as JSON too."`
	HTML        string   `name:"html" placeholder:"FILE" help:"Write a page with plots too."`
	Profile     string   `placeholder:"FILE" help:"Write a CPU profile of the first gateway."`
}

// Validate is called when the flags have been read.
func (c common) Validate() error {
	switch {
	case c.Connections < 1 || c.Connections > 10000:
		return errors.New("--connections must be from 1 to 10000")
	case c.Rate < 0 || c.Rate > 1e6:
		return errors.New("--rate must be from 0 to 1000000")
	case c.Database != "" && len(c.Engine) > 0 && !slices.Contains(c.Engine, "postgres"):
		return errors.New("--database is a PostgreSQL database: it needs --engine postgres")
	}
	return nil
}

func (c common) engines() []string {
	switch {
	case len(c.Engine) > 0:
		return c.Engine
	case c.Database != "":
		return []string{"postgres"}
	}
	return []string{"sqlite"}
}

// checkNodes refuses numbers of gateways that cannot be.
func (c common) checkNodes(numbers []int) error {
	if len(numbers) == 0 || slices.Min(numbers) < 1 || slices.Max(numbers) > 16 {
		return errors.New("--nodes must be from 1 to 16")
	}
	if slices.Min(numbers) > 1 && !c.has("postgres") {
		return errors.New("--nodes: several gateways need PostgreSQL, --engine postgres")
	}
	return nil
}

func (c common) has(engine string) bool { return slices.Contains(c.engines(), engine) }

// engineNames are the engines as people write them.
var engineNames = map[string]string{"sqlite": "SQLite", "postgres": "PostgreSQL"}

// A lab is everything that a run needs: folders, databases and servers. Its close
// removes them.
type lab struct {
	common
	work      string // folder of this run
	merchants []*merchant
	invoices  *invoices
	cluster   *cluster // nil without PostgreSQL
	houses    []*house
	report    *report
	progress  *progress
	closers   []func() error
	logs      int // gateways' logs
}

// A house is a database with gateways on it.
type house struct {
	name     string // of its engine
	engine   string
	dir      string
	database string
	nodes    []*process
}

// A terminal is where a command writes to.
type terminal struct{ out, err io.Writer }

// open makes a lab with so many merchants for each length of keys. Whatever it
// returns must be closed.
func (c common) open(ctx context.Context, t terminal, title string, bits []int, parties int) (l *lab, err error) {
	l = &lab{common: c, report: newReport(t.out, title), progress: newProgress(t.err), invoices: &invoices{run: time.Now().Unix()}}
	if c.Dir == "" {
		if l.Dir, err = os.MkdirTemp("", "payoutbench-"); err != nil {
			return l, err
		}
		l.later(func() error { return os.RemoveAll(l.Dir) })
	} else if err := os.MkdirAll(c.Dir, 0o755); err != nil {
		return l, err
	}
	if l.work, err = os.MkdirTemp(l.Dir, "run-"); err != nil {
		return l, err
	}
	l.later(func() error { return os.RemoveAll(l.work) })
	if l.merchants, err = newMerchants(bits, parties); err != nil {
		return l, err
	}
	if c.has("postgres") {
		if c.Database != "" {
			l.cluster = &cluster{url: c.Database}
		} else if l.cluster, err = startCluster(ctx, l.Dir); err != nil {
			return l, err
		} else {
			l.later(l.cluster.stop)
		}
	}
	fmt.Fprintln(t.out, title)
	return l, nil
}

// later has something done when the lab closes, before what was asked for earlier.
func (l *lab) later(fn func() error) { l.closers = append(l.closers, fn) }

// close stops and removes everything.
func (l *lab) close() error {
	var err error
	for _, fn := range slices.Backward(l.closers) {
		err = errors.Join(err, fn())
	}
	l.closers = nil
	return err
}

// openHouses makes an empty database for each engine, with the merchants in it, and
// starts its nodes.
func (l *lab) openHouses(ctx context.Context, nodes int, flags ...string) error {
	for _, engine := range l.engines() {
		h := &house{name: engineNames[engine], engine: engine, dir: filepath.Join(l.work, engine)}
		if err := os.Mkdir(h.dir, 0o755); err != nil {
			return err
		}
		switch {
		case engine == "sqlite":
			h.database = filepath.Join(h.dir, "payoutd.db")
		case l.Database != "":
			h.database = l.Database
		default:
			var err error
			if h.database, err = l.cluster.create(ctx, "payoutbench"); err != nil {
				return err
			}
			l.later(func() error { return l.cluster.drop("payoutbench") })
		}
		if err := setUp(ctx, h.dir, h.database, l.merchants); err != nil {
			return fmt.Errorf("set up %s: %w", h.name, err)
		}
		if err := l.start(h, nodes, flags...); err != nil {
			return err
		}
		l.houses = append(l.houses, h)
	}
	return nil
}

// start starts a house's gateways; on SQLite there is one.
func (l *lab) start(h *house, nodes int, flags ...string) error {
	if h.engine == "sqlite" {
		nodes = 1
	}
	for n := range nodes {
		args := append([]string{"serve-gateway", "--database", h.database, "--dir", h.dir, "--log", l.logFile()}, flags...)
		if n == 0 && l.Profile != "" {
			args = append(args, "--profile", l.profileOf(h))
		}
		p, err := start(args...)
		if err != nil {
			return fmt.Errorf("start a gateway on %s: %w", h.name, err)
		}
		h.nodes = append(h.nodes, p)
		l.later(p.stop)
	}
	return nil
}

// logFile names the file for another gateway's log.
func (l *lab) logFile() string {
	l.logs++
	return filepath.Join(l.work, fmt.Sprintf("payoutd-%d.log", l.logs))
}

// profileOf is the file for a gateway's profile: with several engines each has its own.
func (l *lab) profileOf(h *house) string {
	if len(l.engines()) == 1 {
		return l.Profile
	}
	extension := filepath.Ext(l.Profile)
	return strings.TrimSuffix(l.Profile, extension) + "-" + h.engine + extension
}

// openCeilings starts so many servers that store and read nothing.
func (l *lab) openCeilings(ctx context.Context, count int) ([]*process, error) {
	var all []*process
	for n := range count {
		dir := filepath.Join(l.work, fmt.Sprint("ceiling", n+1))
		if err := os.Mkdir(dir, 0o755); err != nil {
			return nil, err
		}
		database := filepath.Join(dir, "payoutd.db")
		if err := setUp(ctx, dir, database, l.merchants); err != nil {
			return nil, fmt.Errorf("set up the ceiling: %w", err)
		}
		p, err := start("serve-ceiling", "--database", database, "--dir", dir)
		if err != nil {
			return nil, err
		}
		l.later(p.stop)
		all = append(all, p)
	}
	return all, nil
}

// of are the first so many merchants with keys of a length.
func (l *lab) of(bits, parties int) []*merchant {
	var found []*merchant
	for _, m := range l.merchants {
		if m.bits == bits && len(found) < parties {
			found = append(found, m)
		}
	}
	return found
}

// with opens the house's database for a function.
func (h *house) with(ctx context.Context, fn func(*storage.DB, *vault.Vault) error) error {
	return withDatabase(ctx, h.dir, h.database, fn)
}

func addresses(nodes []*process) []string {
	all := make([]string, len(nodes))
	for i, p := range nodes {
		all[i] = p.address
	}
	return all
}

// loop is how requests arrive by the flags.
func (c common) loop(duration time.Duration) loop {
	return loop{connections: c.Connections, duration: duration, rate: c.Rate}
}

// finish writes the report, and closes the lab.
func (l *lab) finish(err error) error {
	l.progress.clear()
	if err == nil {
		err = l.report.write(l.JSON, l.HTML)
	}
	return errors.Join(err, l.close())
}
