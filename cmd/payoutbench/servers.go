package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"runtime/pprof"
	"strconv"
	"strings"
	"syscall"
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
	Database string `required:""`
	Dir      string `required:"" help:"Folder of the key file and the simulator's book."`
	Profile  string `help:"File for a CPU profile of the whole run."`
}

// Run serves the gateway until the process is told to stop.
func (c serveGatewayCmd) Run(ctx context.Context) error {
	server.Tune()
	logFile, err := os.Create(c.Dir + "/payoutd.log")
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
		SimulatorBook: c.Dir + "/simulator.db", Sandbox: true}, slog.New(slog.NewJSONHandler(logFile, nil)),
		func(a server.Addresses) { fmt.Println(a.API) })
}

type serveCeilingCmd struct {
	Database string `required:"" help:"Set-up of its own, like the gateway's."`
	Dir      string `required:"" help:"Folder of the key file."`
}

// Run serves the ceiling until the process is told to stop: the gateway's own
// door with its limits, signature check, parsing, reply and log, and behind it
// nothing that stores.
func (c serveCeilingCmd) Run(ctx context.Context) error {
	server.Tune()
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
	door := server.Door(&api.Handler{Gateway: g, ContextPath: "/paynet", TimestampWindow: 5 * time.Minute, Log: log, Pay: payNothing}, log)
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

// A process is one of the two servers, running.
type process struct {
	command *exec.Cmd
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

func (p *process) stop() error {
	if err := p.command.Process.Signal(syscall.SIGTERM); err != nil {
		return err
	}
	return p.command.Wait()
}

// peakMemory is the most resident memory that the process has had, in MiB.
func (p *process) peakMemory() (int, error) {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.command.Process.Pid))
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(status)) {
		if rest, ok := strings.CutPrefix(line, "VmHWM:"); ok {
			kib, err := strconv.Atoi(strings.TrimSuffix(strings.TrimSpace(rest), " kB"))
			return kib / 1024, err
		}
	}
	return 0, errors.New("no VmHWM in /proc")
}

// cpu is the processor time that the process has used, as proc(5) has it.
func (p *process) cpu() (time.Duration, error) {
	const utime, stime, perSecond = 11, 12, 100 // fields after the name, and their unit
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", p.command.Process.Pid))
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

// load sends requests to the process: see the function of that name.
func (p *process) load(requests [][]byte, again bool, connections int, duration time.Duration) (measurement, error) {
	before, err := p.cpu()
	if err != nil {
		return measurement{}, err
	}
	m := load(p.address, requests, again, connections, duration)
	after, err := p.cpu()
	m.cpu = after - before
	return m, err
}
