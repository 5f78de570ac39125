// Command payoutbench measures the gateway, and in the same run what the machine
// could reach at best: see payoutbench --help and docs/performance.md.
//
// Gateways, ceiling and PostgreSQL are processes of their own (servers.go,
// postgres.go); payoutbench itself signs and sends requests (merchant.go, loop.go,
// load.go), receives callbacks (receiver.go) and reports (report.go, html.go).
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/alecthomas/kong"
)

type cli struct {
	Accept acceptCmd `cmd:"" help:"How many payouts a second are accepted, beside a door that stores nothing and pgbench."`

	Status    statusCmd    `cmd:"" help:"How many questions a second are answered, beside a door that reads nothing; and what they cost the accepts."`
	E2E       e2eCmd       `cmd:"" name:"e2e" help:"How many orders a second come to their end: accepted, paid, callback answered."`
	Callbacks callbacksCmd `cmd:"" help:"What a receiver that hangs, with many callbacks, costs the callbacks of others."`
	Soak      soakCmd      `cmd:"" help:"The same as e2e for long: rate, waits, memory, queues and ages over time."`
	Grow      growCmd      `cmd:"" help:"Accepts, questions and claims with few and with many stored orders."`

	ServeGateway serveGatewayCmd `cmd:"" hidden:"" help:"The gateway under test, as a process of its own."`
	ServeCeiling serveCeilingCmd `cmd:"" hidden:"" help:"The ceiling: the same HTTP, signature check and parsing, nothing stored or read."`
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	err := run(ctx, terminal{os.Stdout, os.Stderr}, os.Args[1:])
	if ctx.Err() != nil && errors.Is(err, context.Canceled) {
		err = errors.New("interrupted; what it started is stopped and removed")
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "payoutbench:", err)
		stop()
		os.Exit(1)
	}
}

// run runs a command line.
func run(ctx context.Context, t terminal, args []string) error {
	var c cli
	parser, err := kong.New(&c, kong.Name("payoutbench"), kong.BindTo(ctx, (*context.Context)(nil)), kong.Bind(t),
		kong.Description("Measures payoutd. Speeds are printed as ratios to a ceiling that is measured in the same run, because machines are noisy."))
	if err != nil {
		return err
	}
	parsed, err := parser.Parse(args)
	if err != nil {
		return err
	}
	return parsed.Run()
}
