package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"sync"
	"time"

	"payout"
	"payout/sign"
)

type listenCmd struct {
	Listen string        `default:"127.0.0.1:9090" env:"PAYOUTD_CALLBACK_LISTEN" placeholder:"ADDRESS" help:"Address to listen on; port 0 picks a free one (default: ${default}; env $$${env})."`
	Answer int           `default:"200" placeholder:"CODE" help:"HTTP status to answer; anything but 200 makes the gateway try again (default: ${default})."`
	Slow   time.Duration `placeholder:"TIME" help:"Wait so long before each answer, such as 10s."`
	Count  int           `placeholder:"N" help:"Exit after so many messages (default: go on until Ctrl-C)."`
	printed
	merchantControl
}

// Help tells the exit codes and the shape of the JSON.
func (listenCmd) Help() string {
	return "It prints all that comes in, names and phones too: it is for the terminal of who may read them. " +
		"A gateway calls a receiver on the same machine only when it runs with --sandbox, as payoutd demo does.\n\n" +
		"Exit code 0: every message had the right control sum. 1: one had not.\n\n" +
		"With --json each message is one line.\n\n" + shapeOf[messageView]()
}

// A messageView is one callback or final redirect as it came in.
type messageView struct {
	At       time.Time `json:"at"`
	Kind     string    `json:"kind" doc:"callback (GET) or redirect (POST)"`
	Path     string    `json:"path"`
	Fields   fields    `json:"fields"`
	Valid    bool      `json:"valid" doc:"whether the control is right"`
	Reason   string    `json:"reason,omitempty" doc:"why it is not"`
	Answered int       `json:"answered" doc:"HTTP status"`
}

// Run listens until it has enough messages, or is told to stop.
func (c listenCmd) Run(ctx context.Context, t terminal) error {
	if c.Answer < 200 || c.Answer > 599 {
		return wrongUsage("--answer %d: give a status from 200 to 599", c.Answer)
	}
	if c.Count < 0 || c.Slow < 0 {
		return wrongUsage("--count and --slow must not be negative")
	}
	key, err := c.readControlKey()
	if err != nil {
		return err
	}
	listener, err := net.Listen("tcp", c.Listen)
	if err != nil {
		return fmt.Errorf("--listen: %w", err)
	}
	r := &receiver{listenCmd: c, t: t, key: key, enough: make(chan struct{})}
	r.welcome(listener.Addr())
	web := &http.Server{Handler: r, ReadHeaderTimeout: 10 * time.Second}
	ended := make(chan error, 1)
	go func() { ended <- web.Serve(listener) }()
	select {
	case err := <-ended:
		return err
	case <-r.enough:
	case <-ctx.Done():
	}
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), c.Slow+5*time.Second)
	defer cancel()
	if ctx.Err() != nil {
		err = web.Close() // who stops it does not wait for slow answers
	} else {
		err = web.Shutdown(last)
	}
	if serveErr := <-ended; !errors.Is(serveErr, http.ErrServerClosed) {
		err = errors.Join(err, serveErr)
	}
	if err == nil && r.wrong > 0 {
		return errQuiet
	}
	return err
}

// A receiver is the Connecting Party's side of callbacks and final redirects.
type receiver struct {
	listenCmd
	t      terminal
	key    payout.Secret
	enough chan struct{} // closed when Count messages have come

	mu          sync.Mutex
	came, wrong int
}

// welcome tells which addresses to name in requests; with --json beside the stream.
func (r *receiver) welcome(address net.Addr) {
	out := r.t.out
	if r.JSON {
		out = r.t.err
	}
	base := "http://" + reachable(address)
	fmt.Fprintf(out, "server_callback_url=%s/callback\nredirect_url=%s/done\n", base, base)
}

// reachable is an address under which this machine finds the listener.
func reachable(address net.Addr) string {
	at, err := netip.ParseAddrPort(address.String())
	if err != nil || !at.Addr().IsUnspecified() {
		return address.String()
	}
	return netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 0, 1}), at.Port()).String()
}

func (r *receiver) ServeHTTP(w http.ResponseWriter, request *http.Request) {
	message, err := messageOf(w, request)
	if err != nil || len(message) == 0 {
		http.Error(w, "no message", http.StatusNotFound) // a browser's favicon, say
		return
	}
	kind := "callback"
	if request.Method == http.MethodPost {
		kind = "redirect"
	}
	r.tell(kind, request.URL.Path, message)
	select {
	case <-time.After(r.Slow):
	case <-request.Context().Done():
		return
	}
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.WriteHeader(r.Answer)
	fmt.Fprintln(w, http.StatusText(r.Answer))
}

// messageOf reads the parameters of the query and of the body.
func messageOf(w http.ResponseWriter, request *http.Request) ([]sign.Pair, error) {
	message, err := sign.ParseForm(request.URL.RawQuery)
	if err != nil || request.Method != http.MethodPost {
		return message, err
	}
	body, err := readForm(http.MaxBytesReader(w, request.Body, 1<<20))
	if err != nil {
		return nil, err
	}
	return append(message, body...), nil
}

// tell prints one message.
func (r *receiver) tell(kind, path string, message []sign.Pair) {
	checked := checkControl(message, r.key)
	view := messageView{time.Now().UTC(), kind, path, message, checked.Valid, checked.Reason, r.Answer}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.Count > 0 && r.came == r.Count {
		return // one more while the last one is answered
	}
	if r.came++; !view.Valid {
		r.wrong++
	}
	if r.JSON {
		_ = r.t.jsonLine(view) // a closed pipe ends the program by its signal
	} else {
		r.t.printf("\n%s  %s to %s, answered %d\n", view.At.Format(time.RFC3339), kind, path, r.Answer)
		view.Fields.print(r.t)
		r.t.printf("  control: %s\n", checked.verdict())
	}
	if r.came == r.Count {
		close(r.enough)
	}
}
