package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/exec"
	"runtime/pprof"
	"strconv"
	"strings"
	"syscall"
	"time"

	"crypto/rsa"

	"payout"
	"payout/server"
	"payout/sign"
	"payout/spec"
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
	PublicKey string `required:"" help:"Key file of the only party."`
}

// Run serves the ceiling until the process is told to stop.
func (c serveCeilingCmd) Run(ctx context.Context) error {
	pem, err := os.ReadFile(c.PublicKey)
	if err != nil {
		return err
	}
	key, err := sign.ParsePublicKey(pem)
	if err != nil {
		return err
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	fmt.Println(listener.Addr())
	logFile, err := os.Create(c.PublicKey + ".log")
	if err != nil {
		return err
	}
	defer logFile.Close()
	handler := ceiling{[]*rsa.PublicKey{key}, slog.New(slog.NewJSONHandler(logFile, nil))}
	door := &http.Server{Handler: handler, ReadHeaderTimeout: 10 * time.Second}
	context.AfterFunc(ctx, func() { _ = door.Close() })
	if err := door.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// ceiling does everything of a payout request but storing it: HTTP, reading,
// the signature, parsing, the reply with its headers, the line in the log.
type ceiling struct {
	keys []*rsa.PublicKey
	log  *slog.Logger
}

func (c ceiling) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	began := time.Now()
	reply, err := c.serve(r)
	if err != nil {
		http.Error(w, err.Error(), http.StatusForbidden)
		return
	}
	for name, value := range map[string]string{"Server": "server", "Vary": "Accept-Encoding", "X-XSS-Protection": "1", "X-Content-Type-Options": "nosniff",
		"Strict-Transport-Security": "max-age=31536000", "Content-Language": "en-US", "Content-Type": "text/html;charset=utf-8",
		"Content-Length": strconv.Itoa(len(reply))} {
		w.Header().Set(name, value)
	}
	_, _ = w.Write(reply)
	c.log.LogAttrs(r.Context(), slog.LevelInfo, "request", slog.String("serial", payout.SerialNumber(1).String()), slog.String("verdict", "ok"),
		slog.Int("http_status", http.StatusOK), slog.Duration("took", time.Since(began)), slog.String("remote", r.RemoteAddr),
		slog.String("command", spec.Payout.Path()), slog.Int64("endpoint", 1), slog.String("login", benchLogin))
}

func (c ceiling) serve(r *http.Request) ([]byte, error) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	form, err := sign.ParseForm(string(body))
	if err != nil {
		return nil, err
	}
	oauth, err := sign.ParseAuthorization(r.Header.Get("Authorization"))
	if err != nil {
		return nil, err
	}
	if err := sign.Verify(sign.Request{Method: r.Method, URL: "http://" + r.Host + r.URL.EscapedPath(), Form: form}, oauth, c.keys); err != nil {
		return nil, err
	}
	request, err := spec.Payout.Parse(form)
	if err != nil {
		return nil, err
	}
	return spec.AsyncReply.New().Set(spec.FieldSerial, payout.SerialNumber(1).String()).
		Set(spec.FieldMerchantOrder, request.Text(spec.ClientOrderID)).Set(spec.FieldPaynetOrder, "1").
		Set(spec.FieldEndpoint, "1").Form()
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
