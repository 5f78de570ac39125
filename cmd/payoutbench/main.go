// Command payoutbench measures how fast the gateway accepts payouts, and in the
// same run how fast it could at best: see payoutbench --help.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/alecthomas/kong"
)

type cli struct {
	Accept acceptCmd `cmd:"" help:"Send signed requests on many connections; prints accepted/s, p50, p99, errors, the ceiling and the ratio."`

	ServeGateway serveGatewayCmd `cmd:"" hidden:"" help:"The gateway under test, as a process of its own."`
	ServeCeiling serveCeilingCmd `cmd:"" hidden:"" help:"The ceiling: the same HTTP, signature check and parsing, nothing stored."`
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	var c cli
	parsed := kong.Parse(&c, kong.Name("payoutbench"), kong.BindTo(ctx, (*context.Context)(nil)),
		kong.Description("Measures payoutd. Speeds are printed as ratios to a ceiling that is measured in the same run, because machines are noisy."))
	if err := parsed.Run(); err != nil {
		fmt.Fprintln(os.Stderr, "payoutbench:", err)
		stop()
		os.Exit(1)
	}
}
