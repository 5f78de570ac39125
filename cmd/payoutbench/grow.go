package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"payout"
	"payout/sign"
	"payout/spec"
	"payout/storage"
	"payout/vault"
)

type growCmd struct {
	common
	Orders    []int         `default:"10000,1000000" help:"Numbers of stored orders, the smallest first (default: ${default})."`
	Duration  time.Duration `default:"2s" help:"Length of each measurement (default: ${default})."`
	Rounds    int           `default:"5" help:"Measurements of everything, in turn; medians are printed (default: ${default})."`
	Parties   int           `default:"50" help:"Connecting Parties that the orders belong to, and that send (default: ${default})."`
	Due       int           `default:"2000" help:"Orders that are due, for the claims (default: ${default})."`
	PerSecond int           `default:"17000" help:"Requests to sign beforehand for each second (default: ${default})."`
}

// Help tells what is kept.
func (growCmd) Help() string {
	return `Every database is read once before it is measured, as that of a gateway that has been up for long is in memory where there is memory for it.

The databases are filled in bulk with orders that were paid (COPY on PostgreSQL, large transactions on SQLite; see Fill in package storage), and stay in --dir for the next run, with the PostgreSQL cluster; one that runs have added more than a tenth to is made anew. Without --dir nothing stays. With --database the databases are made beside that one, and dropped at the end.`
}

const (
	claimOrders = 64 // orders in one claim, as the gateway's workers have it
	claimLease  = time.Second
)

// Validate is called when the flags have been read.
func (c growCmd) Validate() error {
	for _, n := range c.Orders {
		if n < 100 || n > 100_000_000 {
			return errors.New("--orders must be from 100 to 100000000")
		}
	}
	switch {
	case !slices.IsSorted(c.Orders):
		return errors.New("--orders must begin with the smallest number")
	case c.Parties < 1 || c.Parties > 1000:
		return errors.New("--parties must be from 1 to 1000")
	case c.Due < claimOrders || c.Due > 1_000_000:
		return fmt.Errorf("--due must be from %d to 1000000", claimOrders)
	}
	return errors.Join(checkRounds(c.Rounds, c.Duration), c.common.Validate())
}

// Run measures.
func (c growCmd) Run(ctx context.Context, t terminal) (err error) {
	l, err := c.open(ctx, t, "grow: the same with few and with many stored orders", []int{2048}, c.Parties)
	defer func() { err = l.finish(err) }()
	if err != nil {
		return err
	}
	if l.cluster != nil {
		l.cluster.keep = l.cluster.keep || c.Dir != ""
		if err := l.cluster.enlarge(ctx); err != nil {
			return err
		}
	}
	l.describe(c.Duration, c.Rounds)
	var entries []entry
	var dones []func() error
	for _, engine := range l.engines() {
		found, done, err := c.engine(ctx, l, engine)
		dones = append(dones, done)
		if err != nil {
			return errors.Join(err, all(dones))
		}
		entries = append(entries, found...)
	}
	_, err = l.contest(ctx, "Accept, status and claim", "fewest", c.Rounds, entries)
	if err = errors.Join(err, all(dones)); err != nil {
		return err
	}
	return l.memory()
}

func all(fns []func() error) (err error) {
	for _, fn := range fns {
		err = errors.Join(err, fn())
	}
	return err
}

// A grown is a database with many orders, which stays. It is told in a file beside it.
type grown struct {
	Orders  int // that it was filled with
	Parties int
	Added   int // by runs, about
	Due     int // that can be claimed
	file    string
	house   *house
	asked   []pastOrder
}

// engine makes the databases of an engine ready and gives what is measured on
// them: of each kind first the smallest one. The last result tells the files of the
// databases what was added.
func (c growCmd) engine(ctx context.Context, l *lab, engine string) ([]entry, func() error, error) {
	var grounds []*grown
	done := func() error {
		for _, g := range grounds {
			if err := g.save(); err != nil {
				return err
			}
		}
		return nil
	}
	dir := filepath.Join(l.Dir, "grow", engine)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, done, err
	}
	for _, n := range c.Orders {
		g, err := c.ready(ctx, l, engine, dir, n)
		if err != nil {
			return nil, done, fmt.Errorf("%s with %d orders: %w", engineNames[engine], n, err)
		}
		grounds = append(grounds, g)
		l.houses = append(l.houses, g.house)
	}
	for _, g := range grounds { // when all are filled, which takes memory from each other
		if err := g.house.warm(ctx); err != nil {
			fmt.Fprintf(l.report.out, "  %s was not read beforehand: %v\n", g.house.name, err)
		}
		if err := l.start(g.house, 1); err != nil {
			return nil, done, err
		}
	}
	var entries []entry
	for _, make1 := range []func(context.Context, *lab, *grown) (entry, error){c.accept, c.status, c.claim} {
		for i, g := range grounds {
			e, err := make1(ctx, l, g)
			if err != nil {
				return nil, done, err
			}
			if i > 0 {
				e.ceiling = entries[len(entries)-i].label
			}
			entries = append(entries, e)
		}
	}
	return entries, done, nil
}

// ready makes a database with n orders, or takes the one of an earlier run.
func (c growCmd) ready(ctx context.Context, l *lab, engine, dir string, n int) (*grown, error) {
	g := &grown{file: filepath.Join(dir, fmt.Sprintf("orders-%d.json", n)),
		house: &house{name: fmt.Sprintf("%s, %s orders", engineNames[engine], grouped(n)), engine: engine, dir: dir}}
	name := fmt.Sprintf("payoutbench_grow_%d", n)
	if engine == "postgres" && l.Database != "" {
		u, err := url.Parse(l.Database)
		if err != nil {
			return nil, errors.New("--database is not a URL")
		}
		name = fmt.Sprintf("%s_grow_%d", strings.TrimPrefix(u.Path, "/"), n)
		l.later(func() error { return l.cluster.drop(name) })
	}
	there, err := g.find(ctx, l, name)
	if err != nil {
		return nil, err
	}
	if there && g.Orders == n && g.Parties == c.Parties && g.Added <= n/10 {
		err = g.adopt(ctx, l.merchants)
	} else {
		g.Orders, g.Parties, g.Added, g.Due = n, c.Parties, 0, 0
		err = g.fill(ctx, l, name)
	}
	if err != nil {
		return nil, err
	}
	if err := g.makeDue(ctx, l, c.Due); err != nil {
		return nil, err
	}
	g.asked, err = g.house.pastOrders(ctx, l.merchants, n, askedMost)
	return g, errors.Join(err, g.save())
}

// find reports whether the database of an earlier run is there, and names it.
func (g *grown) find(ctx context.Context, l *lab, name string) (bool, error) {
	text, err := os.ReadFile(g.file)
	told := err == nil && json.Unmarshal(text, g) == nil // what cannot be read is made anew
	if g.house.engine == "postgres" {
		g.house.database = l.cluster.database(name)
		there, err := l.cluster.has(ctx, name)
		return told && there, err
	}
	g.house.database = filepath.Join(g.house.dir, name+".db")
	_, err = os.Stat(g.house.database)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return false, err
	}
	return told && err == nil, nil
}

func (g *grown) save() error {
	text, err := json.Marshal(g)
	if err != nil {
		return err
	}
	return os.WriteFile(g.file, text, 0o644)
}

// fill makes the database anew.
func (g *grown) fill(ctx context.Context, l *lab, name string) error {
	if err := os.RemoveAll(g.file); err != nil {
		return err
	}
	if g.house.engine == "postgres" {
		if _, err := l.cluster.create(ctx, name); err != nil {
			return err
		}
	} else {
		for _, suffix := range []string{"", "-wal", "-shm", "-rotation"} {
			if err := os.RemoveAll(g.house.database + suffix); err != nil {
				return err
			}
		}
	}
	if err := setUp(ctx, g.house.dir, g.house.database, l.merchants); err != nil {
		return err
	}
	if err := g.house.fillPast(ctx, l.merchants, g.Orders, l.progress); err != nil {
		return err
	}
	if g.house.engine != "postgres" {
		return nil
	}
	// What autovacuum would do in its own time, so that it does not do it meanwhile.
	return withConnection(ctx, g.house.database, func(conn *pgx.Conn) error {
		_, err := conn.Exec(ctx, "VACUUM ANALYZE")
		return err
	})
}

// warm reads the whole database, into the server's own memory on PostgreSQL
// (pg_prewarm, which Debian's package has), into the system's on SQLite.
func (h *house) warm(ctx context.Context) error {
	if h.engine != "postgres" {
		file, err := os.Open(h.database)
		if err != nil {
			return err
		}
		_, err = io.Copy(io.Discard, file)
		return errors.Join(err, file.Close())
	}
	return withConnection(ctx, h.database, func(conn *pgx.Conn) error {
		if _, err := conn.Exec(ctx, "CREATE EXTENSION IF NOT EXISTS pg_prewarm"); err != nil {
			return err
		}
		_, err := conn.Exec(ctx, "SELECT pg_prewarm(oid::regclass) FROM pg_class WHERE relkind IN ('r', 'i') AND relnamespace = 'public'::regnamespace")
		return err
	})
}

// adopt gives the merchants of an earlier run the keys of this one.
func (g *grown) adopt(ctx context.Context, merchants []*merchant) error {
	return g.house.with(ctx, func(db *storage.DB, _ *vault.Vault) error {
		d, err := db.Directory(ctx)
		if err != nil {
			return err
		}
		return db.Transact(ctx, time.Now(), func(tx *storage.Tx) error {
			for _, m := range merchants {
				party := d.Parties[m.id]
				if party == nil {
					return fmt.Errorf("party %d is not there", m.id)
				}
				for _, k := range party.Keys {
					if err := tx.SwitchKey(m.id, k.Fingerprint, false); err != nil {
						return err
					}
				}
				if err := tx.AddPartyKey(m.id, payout.PartyKey{Fingerprint: sign.Fingerprint(m.key.public), Public: m.key.public, Enabled: true}); err != nil {
					return err
				}
			}
			return nil
		})
	})
}

// makeDue makes sure that so many orders are due at the gate of the claims.
func (g *grown) makeDue(ctx context.Context, l *lab, wanted int) error {
	if g.Due >= wanted {
		return nil
	}
	gateway, err := l.quietGateway(g.house)
	if err != nil {
		return err
	}
	var m magazine
	if err := m.fill(ctx, wanted-g.Due, l.payouts(spec.Payout, l.merchants, gateClaims)); err != nil {
		return errors.Join(err, gateway.stop())
	}
	got := loop{connections: 16, duration: time.Hour}.run(ctx, target{dial: dialer([]string{gateway.address}, asyncAnswer), next: m.take}) // ends with the requests
	g.Due += got.done
	return errors.Join(got.first, ctx.Err(), gateway.stop())
}

// quietGateway starts a gateway on a house for a while.
func (l *lab) quietGateway(h *house) (*process, error) {
	return start("serve-gateway", "--database", h.database, "--dir", h.dir, "--log", l.logFile())
}

func (c growCmd) accept(_ context.Context, l *lab, g *grown) (entry, error) {
	return c.requests(l, g, "accept", asyncAnswer, l.payouts(spec.Payout, l.merchants, gateWaiting), func(m measurement) { g.Added += m.done }), nil
}

// status asks by client_orderid alone: by its id a final order would be remembered,
// however many are stored.
func (c growCmd) status(_ context.Context, l *lab, g *grown) (entry, error) {
	return c.requests(l, g, "status", statusAnswer, statuses(spec.StatusV4, withoutIDs(g.asked)), func(measurement) {}), nil
}

// requests measures one command on one database.
func (c growCmd) requests(_ *lab, g *grown, what string, want []byte, make1 func(int) (shot, error), done func(measurement)) entry {
	m := new(magazine)
	wanted := int(float64(c.PerSecond)*c.Duration.Seconds()) + c.Connections
	if c.Rate > 0 {
		wanted = c.loop(c.Duration).arrivals()
	}
	return entry{label: g.house.name + ": " + what, group: what,
		ready: func(ctx context.Context) error { return m.fill(ctx, wanted, make1) },
		measure: func(ctx context.Context) (measurement, error) {
			got, err := measure(ctx, c.loop(c.Duration), g.house.nodes, target{dial: dialer(addresses(g.house.nodes), want), next: m.take})
			done(got)
			return got, err
		}}
}

// claim measures claims like those of a gate's worker, one after the other: rates
// are orders a second, waits are of claims.
func (c growCmd) claim(ctx context.Context, l *lab, g *grown) (entry, error) {
	var gate payout.GateID
	err := g.house.with(ctx, func(db *storage.DB, _ *vault.Vault) (err error) {
		gate, err = gateNamed(ctx, db, gateClaims)
		return err
	})
	return entry{label: g.house.name + ": claim", group: "claim", measure: func(ctx context.Context) (m measurement, err error) {
		err = g.house.with(ctx, func(db *storage.DB, _ *vault.Vault) error {
			m, err = claims(ctx, db, gate, c.Duration, g.Due)
			return err
		})
		return m, err
	}}, err
}

// claims looks for due orders and claims them, again and again. Its clock runs so fast
// that what was claimed is due again when all others have been claimed, and so looks from
// the beginning come more often than a worker's, which runs by the true clock.
func claims(ctx context.Context, db *storage.DB, gate payout.GateID, duration time.Duration, due int) (measurement, error) {
	m := measurement{waits: new(latencies)}
	next, err := db.NextDue(ctx, gate, storage.AllDue)
	if err != nil {
		return m, err
	}
	now := time.Now()
	if next.After(now) {
		now = next.Add(claimLease) // an earlier measurement was ahead of the clock
	}
	var lookout storage.Lookout
	step := claimLease * claimOrders / time.Duration(due) * 11 / 10
	began := time.Now()
	for time.Since(began) < duration && ctx.Err() == nil {
		asked := time.Now()
		if _, err := db.LookForOrders(ctx, &lookout, gate, storage.AllDue, now); err != nil {
			return m, err
		}
		orders, err := db.ClaimOrders(&lookout, gate, storage.AllDue, now, claimLease, claimOrders)
		if err != nil {
			return m, err
		}
		if len(orders) == 0 {
			m.errors++
			m.first = errors.New("a claim found nothing that is due")
		}
		m.waits.add(time.Since(asked))
		m.done += len(orders)
		now = now.Add(step)
	}
	m.took = time.Since(began)
	return m, nil
}

// grouped writes a number with its thousands apart.
func grouped(n int) string {
	text := fmt.Sprint(n)
	for i := len(text) - 3; i > 0; i -= 3 {
		text = text[:i] + " " + text[i:]
	}
	return text
}
