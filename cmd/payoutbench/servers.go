package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"runtime/pprof"
	"strconv"
	"strings"
	"time"

	"payout"
	"payout/api"
	"payout/gateway"
	"payout/server"
	"payout/spec"
	"payout/storage"
	"payout/vault"
)

// Both servers are processes of their own, like a gateway in production, and
// print their address as their first line.

type serveGatewayCmd struct {
	Database        string        `required:""`
	Dir             string        `required:"" help:"Folder of the key file and the simulator's book."`
	Log             string        `required:"" help:"File for the log."`
	Profile         string        `help:"File for a CPU profile of the whole run."`
	CallbackTimeout time.Duration `help:"Longest delivery of one callback."`
}

// Run serves the gateway until the process is told to stop.
func (c serveGatewayCmd) Run(ctx context.Context) error {
	if storage.IsPostgres(c.Database) {
		server.Calm()
	}
	server.Tune()
	ctx, cancel := untilOrphaned(ctx)
	defer cancel()
	logFile, err := os.Create(c.Log)
	if err != nil {
		return err
	}
	defer logFile.Close()
	if c.Profile != "" {
		profile, err := os.Create(c.Profile)
		if err != nil {
			return err
		}
		defer profile.Close()
		if err := pprof.StartCPUProfile(profile); err != nil {
			return err
		}
		defer pprof.StopCPUProfile()
	}
	return server.Run(ctx, server.Config{Listen: "127.0.0.1:0", Database: c.Database, KeyFile: c.Dir + "/master.key",
		SimulatorBook: c.Dir + "/simulator.db", Sandbox: true, NoDocs: true, CallbackTimeout: c.CallbackTimeout, Grace: stopGrace}, slog.New(slog.NewJSONHandler(logFile, nil)),
		func(a server.Addresses) { fmt.Println(a.API) })
}

// stopGrace is how long a gateway sees through what is under way when it is told to
// stop: what it leaves is of no use to anybody.
const stopGrace = 2 * time.Second

// untilOrphaned is a context that also ends when the process that started this one
// is gone: it holds the other end of the standard input.
func untilOrphaned(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(ctx)
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin) // how it ends does not matter
		cancel()
	}()
	return ctx, cancel
}

type serveCeilingCmd struct {
	Database string `required:"" help:"Set-up of its own, like the gateway's."`
	Dir      string `required:"" help:"Folder of the key file."`
}

// Run serves the ceiling until the process is told to stop: the gateway's own
// door with its limits, signature check, parsing, reply and log, and behind it
// nothing that stores or reads.
func (c serveCeilingCmd) Run(ctx context.Context) error {
	server.Tune()
	ctx, cancel := untilOrphaned(ctx)
	defer cancel()
	logFile, err := os.Create(c.Dir + "/ceiling.log")
	if err != nil {
		return err
	}
	defer logFile.Close()
	log := slog.New(slog.NewJSONHandler(logFile, nil))
	v, err := vault.Open(c.Dir + "/master.key")
	if err != nil {
		return err
	}
	db, err := storage.Open(ctx, c.Database, v)
	if err != nil {
		return err
	}
	defer db.Close()
	g := &gateway.Gateway{DB: db, Vault: v, Now: time.Now, Random: rand.Float64, Log: log}
	if err := g.Reload(ctx); err != nil {
		return err
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	fmt.Println(listener.Addr())
	door := server.Door(&api.Handler{Gateway: g, ContextPath: "/paynet", TimestampWindow: 5 * time.Minute, Log: log, Pay: payNothing, Stand: standing(g)}, log)
	context.AfterFunc(ctx, func() { _ = door.Close() })
	if err := door.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// payNothing answers like the gateway, and forgets.
func payNothing(_ context.Context, c *gateway.Call, r *spec.Request) (*payout.Order, error) {
	return &payout.Order{ID: 1, EndpointID: c.EndpointID, ClientOrderID: r.Text(spec.ClientOrderID)}, nil
}

// standing answers every question alike, by an order that nobody has stored.
func standing(g *gateway.Gateway) func(context.Context, *gateway.Call, *spec.Request) (gateway.Standing, error) {
	return func(_ context.Context, c *gateway.Call, r *spec.Request) (gateway.Standing, error) {
		order := &payout.Order{ID: 1, PartyID: c.Party.ID, EndpointID: c.EndpointID, Type: payout.TypePayout, ClientOrderID: r.Text(spec.ClientOrderID),
			Amount: payout.Amount{Currency: "USD", Minor: 1042}, Stage: payout.Starting, CreatedAt: c.Now}
		return gateway.Standing{Order: order, Receipt: "00000000-0000-0000-0000-000000000000"}, nil
	}
}

// A process is one of the servers, running.
type process struct {
	command *exec.Cmd
	stdin   io.Closer
	address string
}

// start runs this program again as a server and waits for its address.
func start(args ...string) (*process, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	p := &process{command: exec.Command(self, args...)}
	p.command.Stderr = os.Stderr
	out, err := p.command.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if p.stdin, err = p.command.StdinPipe(); err != nil {
		return nil, err
	}
	if err := p.command.Start(); err != nil {
		return nil, err
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		return nil, errors.Join(fmt.Errorf("the server did not start: %w", err), p.stop())
	}
	p.address = strings.TrimSpace(line)
	return p, nil
}

// stopMost is how long a server may take to stop before it is killed.
const stopMost = 15 * time.Second

// stop tells the server to stop and waits for its end.
func (p *process) stop() error {
	if err := p.stdin.Close(); err != nil {
		return err
	}
	timer := time.AfterFunc(stopMost, func() { _ = p.command.Process.Kill() }) // it may have ended just now
	defer timer.Stop()
	return p.command.Wait()
}

// memory is a size that /proc tells of the process, in MiB: VmRSS is what it has,
// VmHWM the most that it has had.
func (p *process) memory(name string) (float64, error) {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.command.Process.Pid))
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(status)) {
		if rest, ok := strings.CutPrefix(line, name+":"); ok {
			kib, err := strconv.Atoi(strings.TrimSuffix(strings.TrimSpace(rest), " kB"))
			return float64(kib) / 1024, err
		}
	}
	return 0, errors.New("no " + name + " in /proc")
}

// cpu is the processor time that the process has used.
func (p *process) cpu() (time.Duration, error) { return cpuTime(strconv.Itoa(p.command.Process.Pid)) }

// ownCPU is the processor time that payoutbench itself has used.
func ownCPU() (time.Duration, error) { return cpuTime("self") }

// cpuTime is the processor time that a process has used, as proc(5) has it.
func cpuTime(process string) (time.Duration, error) {
	const utime, stime, perSecond = 11, 12, 100 // fields after the name, and their unit
	stat, err := os.ReadFile("/proc/" + process + "/stat")
	if err != nil {
		return 0, err
	}
	fields := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:]))
	if len(fields) <= stime {
		return 0, errors.New("no times in /proc")
	}
	user, err1 := strconv.Atoi(fields[utime])
	system, err2 := strconv.Atoi(fields[stime])
	return time.Duration(user+system) * (time.Second / perSecond), errors.Join(err1, err2)
}

// cpuOf is the processor time that processes have used.
func cpuOf(processes []*process) (sum time.Duration, err error) {
	for _, p := range processes {
		used, err := p.cpu()
		if err != nil {
			return 0, err
		}
		sum += used
	}
	return sum, nil
}

// measure sends a load to some servers, and tells the processor time that these
// used for it.
func measure(ctx context.Context, l loop, processes []*process, t target) (measurement, error) {
	before, err := cpuOf(processes)
	if err != nil {
		return measurement{}, err
	}
	m := l.run(ctx, t)
	after, err := cpuOf(processes)
	m.cpu = after - before
	return m, err
}
