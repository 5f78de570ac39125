//go:build unix

// Command payouttorture runs several payoutd processes on a PostgreSQL primary
// with a synchronous standby, breaks everything that can break, chosen by a seed,
// and compares the books of clients, gateway, rail and receivers of callbacks
// afterwards: see payouttorture --help.
//
// plan.go says what is broken and when, torture.go carries it out, plain.go and
// patroni.go fail the primary over, books.go compares.
package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"github.com/alecthomas/kong"
)

type cli struct {
	Duration time.Duration `default:"30m" help:"How long faults are made; setting up, coming to rest and comparing take a few minutes more (default: ${default})."`
	Nodes    int           `default:"3" help:"Processes of payoutd serve (default: ${default})."`
	Clients  int           `default:"16" help:"Clients that send orders at once (default: ${default})."`
	Rate     float64       `default:"40" help:"Orders that all clients together begin each second, at most (default: ${default})."`
	Seed     uint64        `help:"Makes the same plan of faults and orders again; 0 picks one."`
	Keep     bool          `help:"Keep the folder with logs, journals and databases; it is always kept when something was found."`
	Payoutd  string        `placeholder:"FILE" help:"Program of the nodes (default: payoutd beside this program)."`
	Postgres string        `placeholder:"FOLDER" help:"Folder of PostgreSQL's programs (default: the newest in /usr/lib/postgresql, else by PATH)."`
	Failover string        `enum:"plain,patroni" default:"plain" help:"Who promotes the standby: plain is this program, by pg_ctl; patroni is Patroni with etcd, Debian's packages patroni, etcd-server and python3-etcd (default: ${default})."`
	Plan     bool          `help:"Print the plan of the seed and do nothing."`
	Verbose  bool          `short:"v" help:"Print each fault when it is made."`
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal ends the program at once
	var c cli
	parsed := kong.Parse(&c, kong.Name("payouttorture"), kong.BindTo(ctx, (*context.Context)(nil)),
		kong.Description("Runs payoutd on several nodes and a PostgreSQL pair while nodes are killed and stopped, connections cut, held and slowed down, "+
			"the primary is killed and its standby promoted, rails give no answer and receivers of callbacks hang. Then it compares all books: "+
			"what was acknowledged must be final, as the rail has it, paid at most once, and told.\n\n"+
			"The same --seed makes the same faults in the same order, with the same lengths, and the same orders; what happens between them is up to the machine. "+
			"The exit code is 1 when something was found."))
	err := parsed.Run()
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "payouttorture:", err)
		os.Exit(1)
	}
}

// errFound ends the program after the findings have been printed.
var errFound = errors.New("the books do not agree")

// Run tortures.
func (c *cli) Run(ctx context.Context) error {
	switch {
	case c.Nodes < 1 || c.Nodes > 16:
		return errors.New("--nodes must be 1 to 16")
	case c.Clients < 1 || c.Clients > 256:
		return errors.New("--clients must be 1 to 256")
	case c.Duration < time.Second || c.Duration > 24*time.Hour:
		return errors.New("--duration must be 1s to 24h")
	case c.Rate <= 0:
		return errors.New("--rate must be above 0")
	}
	if c.Seed == 0 {
		c.Seed = rand.Uint64N(1 << 32)
	}
	plan := planOf(c.Seed, c.Duration, c.Nodes)
	if c.Plan {
		printPlan(os.Stdout, plan)
		return nil
	}
	if c.Payoutd == "" {
		self, err := os.Executable()
		if err != nil {
			return err
		}
		c.Payoutd = filepath.Join(filepath.Dir(self), "payoutd")
	}
	if _, err := os.Stat(c.Payoutd); err != nil {
		return fmt.Errorf("the program of the nodes is missing: %w", err)
	}
	bin, err := findPostgres(c.Postgres)
	if err != nil {
		return err
	}
	if c.Failover == byPatroni {
		if err := findPatroni(); err != nil {
			return err
		}
	}
	fmt.Printf("seed %d: %d nodes, %d clients, faults for %s, failover %s\n", c.Seed, c.Nodes, c.Clients, c.Duration, c.Failover)
	t := &torture{seed: c.Seed, duration: c.Duration, nodeCount: c.Nodes, clientCount: c.Clients, rate: c.Rate, program: c.Payoutd, postgres: bin,
		failover: c.Failover, restMost: restDefault, patient: isLong(c.Duration), plan: plan, show: newShow(os.Stdout, c.Verbose)}
	report, err := t.run(ctx)
	if report != nil {
		report.print(os.Stdout)
	}
	interrupted := err != nil && ctx.Err() != nil && t.ended
	found := len(t.findings) > 0 || err != nil && !interrupted
	if c.Keep || found {
		fmt.Printf("logs, journals and databases are in %s\n", t.dir)
	} else if err := os.RemoveAll(t.dir); err != nil {
		return err
	}
	if interrupted && !found {
		return errors.New("interrupted before the books were compared")
	}
	if err == nil && found {
		err = errFound
	}
	if err != nil {
		return fmt.Errorf("%w; again: payouttorture --seed %d --duration %s --nodes %d --clients %d --rate %g --failover %s", err, c.Seed, c.Duration, c.Nodes, c.Clients, c.Rate, c.Failover)
	}
	return nil
}
