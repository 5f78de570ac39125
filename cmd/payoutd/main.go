// Command payoutd is a self-hosted payout gateway: see payoutd --help.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime"
	"syscall"

	"github.com/alecthomas/kong"

	"payout"
	"payout/server"
	"payout/spec"
	"payout/storage"
	"payout/vault"
)

// cli is the whole command line.
type cli struct {
	Serve    serveCmd    `cmd:"" group:"run" help:"Run the gateway."`
	Demo     demoCmd     `cmd:"" group:"call" help:"Run a sandbox, send a payout through it and show every exchange."`
	Migrate  migrateCmd  `cmd:"" group:"run" help:"Bring the database's tables up to date (serve does it too)."`
	Backup   backupCmd   `cmd:"" group:"run" help:"Copy the SQLite database while the gateway serves."`
	Check    checkCmd    `cmd:"" group:"run" help:"Look whether the books are in order, of this database or of a backup."`
	Restored restoredCmd `cmd:"" group:"run" help:"Make a restored backup safe to serve on: run once before the first serve."`
	Archive  archiveCmd  `cmd:"" group:"run" help:"Move what belongs to old orders into files, while the gateway serves."`
	Keygen   keygenCmd   `cmd:"" group:"call" help:"Make an RSA key pair for signing requests."`

	Party    partyCmd    `cmd:"" group:"run" help:"Connecting Parties: who may call, and with which keys."`
	Project  projectCmd  `cmd:"" group:"run" help:"Projects: sets of endpoints under one name."`
	Gate     gateCmd     `cmd:"" group:"run" help:"Gates: accounts at payment rails."`
	Endpoint endpointCmd `cmd:"" group:"run" help:"Endpoints: the terminals that requests name in their URL."`
	Group    groupCmd    `cmd:"" group:"run" help:"Endpoint groups: endpoints of several currencies under one id."`

	Card    cardCmd    `cmd:"" group:"run" help:"Card references: registered cards of a party."`
	Order   orderCmd   `cmd:"" group:"run" help:"Orders and their whole history."`
	Vault   vaultCmd   `cmd:"" group:"run" help:"The master key: its keys, and their rotation."`
	OAuth   oauthCmd   `cmd:"" group:"call" name:"oauth" help:"Sign and verify requests (OAuth 1.0a RSA-SHA256)."`
	Control controlCmd `cmd:"" group:"call" help:"Compute SHA-1 control sums."`

	Send           sendCmd           `cmd:"" group:"call" help:"Sign and send any command of the API, and print the reply."`
	Status         statusCmd         `cmd:"" group:"call" help:"Ask where an order stands."`
	Listen         listenCmd         `cmd:"" group:"call" help:"Receive callbacks and final redirects, verify and print them."`
	VerifyCallback verifyCallbackCmd `cmd:"" group:"call" help:"Verify the control sum of a callback or final redirect."`
	Scenarios      scenariosCmd      `cmd:"" group:"call" help:"List the simulator's test accounts, phones and cards."`

	Completion completionCmd `cmd:"" help:"Print a script that completes command lines in a shell."`
	Complete   completeCmd   `cmd:"" hidden:"" help:"Complete a command line, for the script of payoutd completion."`
	Version    versionCmd    `cmd:"" help:"Print the version."`
}

// A terminal is where a command reads and writes.
type terminal struct {
	in       io.Reader
	out, err io.Writer
	calm     func() // server.Calm, where a command is the whole process
}

func (t terminal) printf(format string, args ...any) { fmt.Fprintf(t.out, format, args...) }

// The exit codes.
const (
	exitDone     = 0
	exitFailed   = 1 // also: refused, declined
	exitUsage    = 2 // a wrong command line
	exitNotFinal = 3 // an order has not ended in time
)

// An exitError ends a command with an exit code of its own.
type exitError struct {
	code int
	err  error // nil: the command has said why itself
}

func (e exitError) Error() string {
	if e.err == nil {
		return fmt.Sprintf("exit code %d", e.code)
	}
	return e.err.Error()
}

func (e exitError) Unwrap() error { return e.err }

// errQuiet ends a command with exit code 1 after it has said why itself.
var errQuiet error = exitError{code: exitFailed}

// wrongUsage ends a command because its command line is wrong.
func wrongUsage(format string, args ...any) error {
	return exitError{exitUsage, fmt.Errorf(format, args...)}
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal ends the program at once
	code := run(ctx, os.Args[1:], terminal{in: os.Stdin, out: os.Stdout, err: os.Stderr, calm: server.Calm})
	stop()
	os.Exit(code)
}

// run parses and runs one command line and returns the exit code.
func run(ctx context.Context, args []string, t terminal) (code int) {
	return runAPI(ctx, args, t, spec.Commands)
}

// An api is the commands that the integrator's commands know.
type api []*spec.Command

// runAPI is run with the commands of the API given.
func runAPI(ctx context.Context, args []string, t terminal, commands api) (code int) {
	var c cli
	exit := -1
	parser, err := kong.New(&c, kong.Name("payoutd"),
		kong.Description("A self-hosted payout gateway for the public paynet v2/v4 wire format.\n\n"+
			"Where the help of a flag says env, it can also be set in the environment."),
		kong.Writers(t.out, t.err), kong.Exit(func(code int) { exit = code }), kong.ConfigureHelp(kong.HelpOptions{Compact: true}),
		kong.ExplicitGroups([]kong.Group{{Key: "run", Title: "To run a gateway:"}, {Key: "call", Title: "To call a gateway:"}}),
		kong.BindTo(ctx, (*context.Context)(nil)), kong.Bind(t, commands))
	if err != nil {
		fmt.Fprintln(t.err, "payoutd:", err)
		return exitUsage
	}
	if len(args) == 0 {
		args = []string{"--help"}
	}
	parsed, err := parser.Parse(args)
	if exit >= 0 { // --help has been printed
		return exit
	}
	if err != nil {
		fmt.Fprintf(t.err, "payoutd: %s\nRun \"payoutd --help\" for help.\n", err)
		return exitUsage
	}
	err = parsed.Run()
	if err == nil {
		return exitDone
	}
	coded := exitError{exitFailed, err}
	errors.As(err, &coded)
	if coded.err != nil {
		fmt.Fprintln(t.err, "payoutd:", err)
	}
	return coded.code
}

// stored are the flags of commands that open the database.
type stored struct {
	Database   string        `default:"data/payoutd.db" env:"PAYOUTD_DATABASE" placeholder:"FILE|URL" help:"SQLite file or postgres:// URL (default: ${default}; env $$${env})."`
	KeyFile    string        `default:"data/master.key" env:"PAYOUTD_KEY_FILE" placeholder:"FILE" help:"Master key file, made when missing; not used when the environment has the key itself in $$PAYOUTD_MASTER_KEY (default: ${default}; env $$${env})."`
	KeyCommand string        `env:"PAYOUTD_KEY_COMMAND" placeholder:"COMMAND" help:"Prints the master key, instead of a file: run once at the start, by the shell (env $$${env})."`
	MasterKey  payout.Secret `env:"PAYOUTD_MASTER_KEY" hidden:""` // not for the command line, where others see it
}

// key is where the master key comes from.
func (s stored) key() vault.Source {
	return vault.Source{File: s.KeyFile, Text: s.MasterKey, Command: s.KeyCommand}
}

// open opens the database, a new one with its tables; the caller closes it. Older tables
// are not migrated by the way: nodes of the former build may be serving.
func (s stored) open(ctx context.Context) (*storage.DB, *vault.Vault, error) {
	db, v, err := storage.OpenWithKey(ctx, s.Database, s.key())
	if err != nil {
		return nil, nil, err
	}
	tables, err := db.Tables(ctx)
	switch {
	case err == nil && tables == storage.TablesMissing:
		_, err = db.Migrate(ctx)
	case err == nil && tables == storage.TablesOlder:
		err = errOlder
	}
	if err != nil {
		return nil, nil, errors.Join(err, db.Close())
	}
	return db, v, nil
}

var errOlder = errors.New("the database is of an older payoutd: run payoutd migrate first, when all nodes are stopped; for a backup or an archive, on a copy of it")

// with runs a function with the database open.
func (s stored) with(ctx context.Context, fn func(*storage.DB, *vault.Vault) error) error {
	db, v, err := s.open(ctx)
	if err != nil {
		return err
	}
	return errors.Join(fn(db, v), db.Close())
}

// version is set when a release is built.
var version = "development"

type versionCmd struct{ printed }

// A versionView is what version --json prints.
type versionView struct {
	Version string `json:"version"`
	Go      string `json:"go" doc:"the Go release that it was built with"`
}

// Help tells the shape of the JSON.
func (versionCmd) Help() string { return shapeOf[versionView]() }

// Run prints the version.
func (c versionCmd) Run(t terminal) error {
	if c.JSON {
		return t.json(versionView{version, runtime.Version()})
	}
	t.printf("payoutd %s\n", version)
	return nil
}
