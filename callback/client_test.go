package callback

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"payout/sign"
)

// secret stands in URL and parameters; no Result may hold it.
const secret = "s3cr3t"

// short ends a Send that must end by its limit; generous is for those that must not.
const (
	short    = 50 * time.Millisecond
	generous = 20 * time.Second
)

var sandbox = Policy{AllowLoopback: true}

var testParams = []sign.Pair{{Name: "status", Value: "approved"}, {Name: "token", Value: secret}}

func newSender(t *testing.T, s Settings) *Sender {
	t.Helper()
	if s.TotalTimeout == 0 {
		s.TotalTimeout = generous
	}
	if s.ConnectTimeout == 0 {
		s.ConnectTimeout = generous
	}
	sender := NewSender(s)
	t.Cleanup(sender.Close)
	return sender
}

func newReceiver(t *testing.T, h http.HandlerFunc) *httptest.Server {
	t.Helper()
	server := httptest.NewServer(h)
	t.Cleanup(server.Close)
	return server
}

// newRawReceiver answers every connection by hand; serve's connection is closed after it.
func newRawReceiver(t *testing.T, serve func(net.Conn)) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			serve(conn)
			conn.Close()
		}
	}()
	t.Cleanup(func() { listener.Close(); <-done })
	return listener.Addr().String()
}

func send(t *testing.T, s *Sender, rawURL string) Result {
	t.Helper()
	result := s.Send(t.Context(), rawURL, testParams)
	if strings.Contains(result.Error, secret) || strings.Contains(result.Error, "status=") {
		t.Errorf("the error tells of the URL: %s", result.Error)
	}
	if result.Delivered != (result.Error == "") {
		t.Errorf("delivered is %v with error %q", result.Delivered, result.Error)
	}
	return result
}

func TestSendIsAPlainGet(t *testing.T) {
	type seen struct {
		Method, URI, Host, Body string
		Header                  http.Header
	}
	got := make(chan seen, 1)
	server := newReceiver(t, func(_ http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		got <- seen{r.Method, r.RequestURI, r.Host, string(body), r.Header}
	})
	t.Setenv("HTTP_PROXY", "http://127.0.0.1:1") // must not be asked
	ticks := time.Unix(0, 0)
	now := func() time.Time { ticks = ticks.Add(time.Second); return ticks }
	s := newSender(t, Settings{Policy: sandbox, Now: now})
	result := send(t, s, server.URL+"/x?shop=7#part")
	if want := (Result{Delivered: true, HTTPStatus: 200, Duration: time.Second}); result != want {
		t.Errorf("got %+v, want %+v", result, want)
	}
	want := seen{"GET", "/x?shop=7&status=approved&token=" + secret, strings.TrimPrefix(server.URL, "http://"), "",
		http.Header{"User-Agent": {"payoutd"}}}
	if diff := cmp.Diff(want, <-got); diff != "" {
		t.Error(diff)
	}
}

func TestOnly200Delivers(t *testing.T) {
	for _, status := range []int{200, 201, 202, 204, 299, 301, 302, 304, 307, 400, 404, 414, 500, 503, 599} {
		server := newReceiver(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(status) })
		result := send(t, newSender(t, Settings{Policy: sandbox}), server.URL)
		if result.Delivered != (status == 200) || result.HTTPStatus != status {
			t.Errorf("%d: %+v", status, result)
		}
		if want := fmt.Sprintf("receiver answered %d, not 200", status); status != 200 && result.Error != want {
			t.Errorf("%d: %q", status, result.Error)
		}
	}
}

func TestRedirectIsNotFollowed(t *testing.T) {
	var followed atomic.Bool
	other := newReceiver(t, func(http.ResponseWriter, *http.Request) { followed.Store(true) })
	for _, target := range []string{other.URL, "http://10.0.0.1/", "http://169.254.169.254/latest/meta-data", "/again"} {
		var calls atomic.Int32
		server := newReceiver(t, func(w http.ResponseWriter, r *http.Request) {
			calls.Add(1)
			http.Redirect(w, r, target, http.StatusFound)
		})
		result := send(t, newSender(t, Settings{Policy: sandbox}), server.URL)
		if result.HTTPStatus != http.StatusFound || result.Delivered || calls.Load() != 1 {
			t.Errorf("%s: %+v after %d calls", target, result, calls.Load())
		}
	}
	if followed.Load() {
		t.Error("a redirect was followed")
	}
}

// reused tells whether a second callback took the first one's connection.
func reused(t *testing.T, h http.HandlerFunc) bool {
	t.Helper()
	remotes := make(chan string, 2)
	server := newReceiver(t, func(w http.ResponseWriter, r *http.Request) {
		remotes <- r.RemoteAddr
		h(w, r)
	})
	s := newSender(t, Settings{Policy: sandbox})
	for range 2 {
		if result := send(t, s, server.URL); !result.Delivered {
			t.Fatalf("%+v", result)
		}
	}
	first, second := <-remotes, <-remotes
	return first == second
}

func TestBodyIsReadToItsLimit(t *testing.T) {
	var read int
	reply := &http.Response{StatusCode: 200, Body: io.NopCloser(readerFunc(func(p []byte) (int, error) {
		read += len(p)
		return len(p), nil
	}))}
	discard(reply)
	if read != bodyMax {
		t.Errorf("%d bytes of an endless body were read", read)
	}
	full := strings.Repeat("x", bodyMax)
	if !reused(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", fmt.Sprint(bodyMax))
		io.WriteString(w, full)
	}) {
		t.Error("a body of 64 KiB was not read to its end")
	}
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }

func TestEndlessBodyIsCut(t *testing.T) {
	ended := make(chan struct{})
	server := newReceiver(t, func(w http.ResponseWriter, _ *http.Request) {
		defer close(ended)
		for chunk := make([]byte, 32<<10); ; {
			if _, err := w.Write(chunk); err != nil {
				return
			}
		}
	})
	result := send(t, newSender(t, Settings{Policy: sandbox}), server.URL)
	if !result.Delivered {
		t.Errorf("%+v", result)
	}
	<-ended
}

func TestSlowBodyIsDelivered(t *testing.T) {
	server := newReceiver(t, func(w http.ResponseWriter, r *http.Request) {
		http.NewResponseController(w).Flush()
		<-r.Context().Done()
	})
	if result := send(t, newSender(t, Settings{Policy: sandbox, TotalTimeout: short}), server.URL); !result.Delivered {
		t.Errorf("%+v", result)
	}
}

func TestCutBodyIsDelivered(t *testing.T) {
	addr := newRawReceiver(t, func(c net.Conn) {
		readRequest(c)
		io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nOK")
	})
	if result := send(t, newSender(t, Settings{Policy: sandbox}), "http://"+addr); !result.Delivered {
		t.Errorf("%+v", result)
	}
}

func readRequest(c net.Conn) {
	var text []byte
	for buf := make([]byte, 4<<10); !strings.Contains(string(text), "\r\n\r\n"); {
		n, err := c.Read(buf)
		if err != nil {
			return
		}
		text = append(text, buf[:n]...)
	}
}

// A 101 hands the bare connection over, which no deadline of ours would end.
func TestSwitchingProtocolsDoesNotHang(t *testing.T) {
	closed := make(chan error, 1)
	addr := newRawReceiver(t, func(c net.Conn) {
		readRequest(c)
		io.WriteString(c, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n")
		_, err := c.Read(make([]byte, 1))
		closed <- err
	})
	result := send(t, newSender(t, Settings{Policy: sandbox}), "http://"+addr)
	if result.HTTPStatus != 101 || result.Delivered {
		t.Errorf("%+v", result)
	}
	if err := <-closed; err == nil {
		t.Error("the connection was used further")
	}
}

func TestSlowHeaderEndsByTotalTimeout(t *testing.T) {
	gone := make(chan struct{})
	server := newReceiver(t, func(_ http.ResponseWriter, r *http.Request) {
		<-r.Context().Done()
		close(gone)
	})
	result := send(t, newSender(t, Settings{Policy: sandbox, TotalTimeout: short}), server.URL)
	if want := (Result{Error: "no reply within 50ms"}); result != want {
		t.Errorf("got %+v, want %+v", result, want)
	}
	<-gone
}

func TestDrippingHeaderEndsByTotalTimeout(t *testing.T) {
	addr := newRawReceiver(t, func(c net.Conn) {
		readRequest(c)
		io.WriteString(c, "HTTP/1.1 200 OK\r\nX-Half: ")
		c.Read(make([]byte, 1)) // until the sender closes
	})
	result := send(t, newSender(t, Settings{Policy: sandbox, TotalTimeout: short}), "http://"+addr)
	if result.Delivered || result.Error != "no reply within 50ms" {
		t.Errorf("%+v", result)
	}
}

func TestTLSHandshakeHasTheConnectTimeout(t *testing.T) {
	addr := newRawReceiver(t, func(c net.Conn) { io.Copy(io.Discard, c) })
	s := newSender(t, Settings{Policy: sandbox, ConnectTimeout: short})
	if result := send(t, s, "https://"+addr); result.Error != "no connection within 50ms" {
		t.Errorf("%+v", result)
	}
}

func TestInterruptedSend(t *testing.T) {
	arrived := make(chan struct{})
	server := newReceiver(t, func(_ http.ResponseWriter, r *http.Request) {
		close(arrived)
		<-r.Context().Done()
	})
	ctx, cancel := context.WithCancel(t.Context())
	go func() { <-arrived; cancel() }()
	s := newSender(t, Settings{Policy: sandbox})
	if result := s.Send(ctx, server.URL, nil); result.Delivered || result.Error != "interrupted by the gateway" {
		t.Errorf("%+v", result)
	}
}

func TestCallersDeadlineCountsToo(t *testing.T) {
	server := newReceiver(t, func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
	ctx, cancel := context.WithTimeout(t.Context(), short)
	defer cancel()
	s := newSender(t, Settings{Policy: sandbox})
	if result := s.Send(ctx, server.URL, nil); result.Delivered || result.Error != "no reply in time" {
		t.Errorf("%+v", result)
	}
}

func TestAddressIsCheckedWhenConnecting(t *testing.T) {
	var called atomic.Bool
	server := newReceiver(t, func(http.ResponseWriter, *http.Request) { called.Store(true) })
	port := server.Listener.Addr().(*net.TCPAddr).Port

	// A name passes Check and is refused by the address that it has.
	result := send(t, newSender(t, Settings{}), "http://localhost:8080/")
	if !strings.HasPrefix(result.Error, "address is not public: loopback (RFC ") {
		t.Errorf("localhost: %+v", result)
	}

	// The same with a real server behind the name, past the rule for ports.
	s := newSender(t, Settings{})
	_, err := s.transport.DialContext(t.Context(), "tcp", fmt.Sprintf("localhost:%d", port))
	if err == nil || !strings.Contains(err.Error(), "address is not public: loopback") {
		t.Errorf("dial: %v", err)
	}
	if called.Load() {
		t.Error("the server was called")
	}

	s = newSender(t, Settings{Policy: sandbox})
	if result := send(t, s, fmt.Sprintf("http://localhost:%d/", port)); !result.Delivered || !called.Load() {
		t.Errorf("localhost in the sandbox: %+v", result)
	}
}

func TestControlHookReadsEveryKindOfAddress(t *testing.T) {
	for address, open := range map[string]bool{
		"8.8.8.8:80": true, "[2a00:1450::1]:443": true, "[::ffff:8.8.8.8]:80": true,
		"127.0.0.1:80": false, "[::1]:80": false, "[::ffff:10.0.0.1]:80": false, "[fe80::1%eth0]:80": false,
		"[64:ff9b::a00:1]:80": false, "[::]:80": false, "/run/socket": false, "": false,
	} {
		if err := (Policy{}).control("tcp", address, nil); (err == nil) != open {
			t.Errorf("%s: %v", address, err)
		}
	}
}

func TestURLIsCheckedAgainBeforeSending(t *testing.T) {
	s := newSender(t, Settings{})
	for _, rawURL := range []string{
		"http://example.com:81/" + secret, "http://" + secret + ":x@example.com/", "http://127.0.0.1/" + secret,
		"gopher://" + secret, "http://[::1]:8080/", "\x00" + secret,
	} {
		if result := send(t, s, rawURL); !strings.HasPrefix(result.Error, "URL refused: must ") || result.HTTPStatus != 0 {
			t.Errorf("%q: %+v", rawURL, result)
		}
	}
	if result := send(t, newSender(t, Settings{Policy: sandbox}), "http://user:"+secret+"@127.0.0.1:1/"); result.Error != "URL refused: "+errUserInfo.Error() {
		t.Errorf("%+v", result)
	}
}

func TestTLSIsVerified(t *testing.T) {
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	server.Config.ErrorLog = quiet
	server.StartTLS()
	t.Cleanup(server.Close)
	roots := x509.NewCertPool()
	roots.AddCert(server.Certificate())

	if result := send(t, newSender(t, Settings{Policy: sandbox, RootCAs: roots}), server.URL); !result.Delivered {
		t.Errorf("trusted: %+v", result)
	}
	if result := send(t, newSender(t, Settings{Policy: sandbox}), server.URL); result.Error != "TLS certificate is not trusted" {
		t.Errorf("not trusted: %+v", result)
	}
	localhost := strings.Replace(server.URL, "127.0.0.1", "localhost", 1)
	if result := send(t, newSender(t, Settings{Policy: sandbox, RootCAs: roots}), localhost); result.Error != "TLS certificate is for another host" {
		t.Errorf("another name: %+v", result)
	}
	plain := newReceiver(t, func(http.ResponseWriter, *http.Request) {})
	if result := send(t, newSender(t, Settings{Policy: sandbox}), strings.Replace(plain.URL, "http:", "https:", 1)); result.Error != "receiver does not speak TLS on this port" {
		t.Errorf("no TLS: %+v", result)
	}
	old := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	old.Config.ErrorLog = quiet
	old.TLS = &tls.Config{MaxVersion: tls.VersionTLS11, MinVersion: tls.VersionTLS10}
	old.StartTLS()
	t.Cleanup(old.Close)
	if result := send(t, newSender(t, Settings{Policy: sandbox, RootCAs: roots}), old.URL); result.Error != "TLS handshake failed" {
		t.Errorf("TLS 1.1: %+v", result)
	}
}

// quiet is for servers whose clients fail on purpose.
var quiet = log.New(io.Discard, "", 0)

func TestBrokenRepliesAreToldInOurWords(t *testing.T) {
	for _, c := range []struct{ reply, want string }{
		{"", "connection closed without a reply"},
		{"HTTP/1.1 20", "reply is not HTTP, or has too large a header"},
		{"HTTP/1.1 200 OK\r\nX: y\r\n", "connection closed without a reply"},
		{"SSH-2.0-" + secret + "\r\n\r\n", "reply is not HTTP, or has too large a header"},
		{"HTTP/1.1 abc " + secret + "\r\n\r\n", "reply is not HTTP, or has too large a header"},
		{"HTTP/1.1 200 OK\r\nX: " + strings.Repeat("x", 2*headerMax) + "\r\n\r\n", "reply is not HTTP, or has too large a header"},
	} {
		addr := newRawReceiver(t, func(con net.Conn) {
			readRequest(con)
			io.WriteString(con, c.reply)
			con.(*net.TCPConn).CloseWrite()
			io.Copy(io.Discard, con) // a close with unread bytes would be a reset
		})
		if result := send(t, newSender(t, Settings{Policy: sandbox}), "http://"+addr); result.Error != c.want || result.HTTPStatus != 0 {
			t.Errorf("%.20q: %+v", c.reply, result)
		}
	}
}

func TestRefusedAndResetConnections(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	listener.Close()
	if result := send(t, newSender(t, Settings{Policy: sandbox}), "http://"+listener.Addr().String()); result.Error != "connection refused" {
		t.Errorf("%+v", result)
	}
	addr := newRawReceiver(t, func(c net.Conn) {
		readRequest(c)
		c.(*net.TCPConn).SetLinger(0)
	})
	if result := send(t, newSender(t, Settings{Policy: sandbox}), "http://"+addr); result.Error != "connection reset by the receiver" {
		t.Errorf("%+v", result)
	}
}

func TestUnknownHost(t *testing.T) {
	result := send(t, newSender(t, Settings{TotalTimeout: 2 * time.Second}), "http://no-such-host.invalid/"+secret)
	if result.Delivered || result.HTTPStatus != 0 || strings.Contains(result.Error, "invalid") {
		t.Errorf("%+v", result)
	}
}

func TestDefaults(t *testing.T) {
	s := NewSender(Settings{})
	defer s.Close()
	if s.settings.ConnectTimeout != 5*time.Second || s.settings.TotalTimeout != 30*time.Second || s.transport.Proxy != nil {
		t.Errorf("%+v", s.settings)
	}
}

func TestManyAtOnce(t *testing.T) {
	var calls atomic.Int32
	server := newReceiver(t, func(http.ResponseWriter, *http.Request) { calls.Add(1) })
	s := newSender(t, Settings{Policy: sandbox})
	const n = 32
	results := make(chan Result)
	for range n {
		go func() { results <- s.Send(t.Context(), server.URL, testParams) }()
	}
	for range n {
		if result := <-results; !result.Delivered {
			t.Errorf("%+v", result)
		}
	}
	if calls.Load() != n {
		t.Errorf("%d calls", calls.Load())
	}
}
