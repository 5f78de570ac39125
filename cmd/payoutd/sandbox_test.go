package main

import (
	"bufio"
	"bytes"
	"context"
	"io"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"payout/gateway"
	"payout/server"
	"payout/storage"
	"payout/vault"
)

// A sandbox is a gateway that runs, as payoutd demo sets it up, and the flags of
// an integrator's commands for it.
type sandbox struct {
	site
	url, control string
}

func newSandbox(t *testing.T) sandbox {
	t.Helper()
	b := sandbox{site: newSite(t)}
	b.with(func(db *storage.DB, _ *vault.Vault) error {
		party, err := gateway.SetUpSandbox(t.Context(), db, time.Now(), &testKey().PublicKey)
		if err == nil {
			b.control = party.ControlKey.Reveal()
		}
		return err
	})
	b.privateKey("TestMerchant.key", testKey())
	b.write("TestMerchant.control", []byte(b.control+"\n"))
	ctx, stop := context.WithCancel(context.Background())
	ended, ready := make(chan error, 1), make(chan server.Addresses, 1)
	go func() {
		ended <- server.Run(ctx, server.Config{Listen: "127.0.0.1:0", Database: b.database(), KeyFile: b.keyFile(), SimulatorBook: b.book(), Sandbox: true},
			slog.New(slog.NewTextHandler(io.Discard, nil)), func(a server.Addresses) { ready <- a })
	}()
	select {
	case err := <-ended:
		stop()
		t.Fatal(err)
	case a := <-ready:
		b.url = "http://" + a.API + "/paynet"
	}
	t.Cleanup(func() { stop(); check(t, <-ended) })
	return b
}

// caller runs an integrator's command against the sandbox.
func (b sandbox) caller(args ...string) result {
	b.t.Helper()
	r := execute(b.t.Context(), "", append(args, "--url", b.url, "--private-key", b.file("TestMerchant.key"), "--control-key-file", b.file("TestMerchant.control"))...)
	if strings.Contains(r.out+r.err, b.control) || strings.Contains(r.out+r.err, "PRIVATE KEY") {
		b.t.Errorf("%q tells a key: %s%s", args, r.out, r.err)
	}
	return r
}

// A running command is one that goes on while the test does something else.
type running struct {
	t     *testing.T
	lines *bufio.Reader // of standard output
	ended chan result
	err   *lockedBuffer
}

// A lockedBuffer is written by a command while the test reads it.
type lockedBuffer struct {
	mu    sync.Mutex
	text  bytes.Buffer
	wrote chan struct{} // signalled after a write
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	defer func() {
		select {
		case b.wrote <- struct{}{}:
		default: // it is signalled already
		}
	}()
	return b.text.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}

// says waits until the command writes a line with this beginning on standard
// error, and returns the rest of it.
func (r *running) says(beginning string) string {
	for {
		for line := range strings.Lines(r.err.String()) {
			if rest, found := strings.CutPrefix(line, beginning); found && strings.HasSuffix(rest, "\n") {
				return strings.TrimSuffix(rest, "\n")
			}
		}
		select {
		case <-r.err.wrote:
		case <-r.t.Context().Done():
			return ""
		}
	}
}

// start runs a command line in the background.
func start(t *testing.T, args ...string) *running {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	out, in := io.Pipe()
	r := &running{t: t, lines: bufio.NewReader(out), ended: make(chan result, 1), err: &lockedBuffer{wrote: make(chan struct{}, 1)}}
	gone := make(chan struct{})
	go func() {
		defer close(gone)
		code := run(ctx, args, terminal{in: strings.NewReader(""), out: in, err: r.err})
		_ = in.Close() // never fails
		r.ended <- result{code: code, err: r.err.String()}
	}()
	t.Cleanup(func() {
		stop()
		_ = out.Close() // never fails; who still writes is not held up
		<-gone
	})
	return r
}

// line is the next line that the command prints.
func (r *running) line() string {
	r.t.Helper()
	line, err := r.lines.ReadString('\n')
	if err != nil {
		r.t.Fatalf("the command ended: %v %s", err, r.err)
	}
	return strings.TrimSuffix(line, "\n")
}

// rest is all that the command still prints, and how it ended.
func (r *running) rest() result {
	r.t.Helper()
	text, err := io.ReadAll(r.lines)
	check(r.t, err)
	select {
	case ended := <-r.ended:
		ended.out = string(text)
		return ended
	case <-time.After(30 * time.Second):
		r.t.Fatal("waited 30 seconds for the command's end")
		return result{}
	}
}
