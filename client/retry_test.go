package client_test

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"payout"
	"payout/client"
	"payout/sign"
	"payout/spec"
)

// The answers of gateways. What is refused in form encoding has HTTP 200.
const (
	accepted   = "type=async-response\n&serial-number=1\n&merchant-order-id=a\n&paynet-order-id=2\n"
	validation = "type=validation-error\n&serial-number=00000000-0000-0000-0000-000002231f99\n&merchant-order-id=2121\n" +
		"&error-message=Parameter+credit_card_number+is+required\n&error-code=1\n" // recorded: wire-facts 1
	refusedText = "type=error\n&error-message=Endpoint+is+disabled\n&error-code=302\n"
	withOrder   = "type=error\n&paynet-order-id=5\n&error-message=failed\n&error-code=8876\n"
	busy        = "type=error\n&error-message=The+gateway+cannot+take+the+request+right+now\n&error-code=398\n"
	internal    = "type=error\n&error-message=Internal+error\n&error-code=399\n"
	deniedPage  = "<!DOCTYPE html><html><title>403</title><body><p>Access is denied</p></body></html>"
	proxyPage   = "<html><h1>Service Unavailable</h1></html>"
)

// A kind of result that callers must tell apart.
const (
	isReply   = "reply"
	isRefusal = "refusal"
	isDenied  = "refusal, denied"
	isLost    = "lost"
	isUnsent  = "unsent"
)

func kindOf(err error) string {
	refusal, isError := errors.AsType[*client.Error](err)
	lost, isLostError := errors.AsType[*client.LostError](err)
	switch {
	case err == nil:
		return isReply
	case isError && isLostError:
		return "a refusal in a lost answer, or the other way round"
	case isLostError && lost.Err != nil && lost.Attempts > 0:
		return isLost
	case isError && errors.Is(err, client.ErrDenied):
		return isDenied
	case isError && refusal.HTTPStatus != 0:
		return isRefusal
	}
	return isUnsent
}

// A gate is a transport that answers by a list; the last answer is for all later
// requests. An answer without a status is an error of the transport.
type gate struct {
	answers []reaction
	bodies  []string
	nonces  map[string]bool
	times   []time.Time
}

type reaction struct {
	status int
	body   string
	err    error
	header http.Header
}

func (g *gate) RoundTrip(r *http.Request) (*http.Response, error) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	g.times = append(g.times, time.Now())
	g.bodies = append(g.bodies, string(body))
	if o, err := sign.ParseAuthorization(r.Header.Get("Authorization")); err == nil {
		if g.nonces == nil {
			g.nonces = map[string]bool{}
		}
		g.nonces[o.Nonce] = true
	}
	a := g.answers[min(len(g.bodies), len(g.answers))-1]
	if a.status == 0 {
		return nil, a.err
	}
	response := answer(a.status, a.body)
	if a.header != nil {
		response.Header = a.header
	}
	return response, nil
}

func (g *gate) client(t *testing.T) *client.Client {
	return &client.Client{BaseURL: "https://gate.example.com/paynet", Login: "Merchant", Key: need(t).key, ControlKey: "k",
		HTTP: &http.Client{Transport: g}}
}

// dialled is what comes of a refused connection.
var dialled = &net.OpError{Op: "dial", Net: "tcp", Err: errors.New("connection refused")}

// A repeatCase is a list of answers, and what becomes of a command.
type repeatCase struct {
	name    string
	command *spec.Command
	replays bool
	answers []reaction
	sent    int
	want    string
}

var pays, reads, acts = spec.Payout, spec.StatusV4, spec.CreateCardRefV4

var repeatCases = []repeatCase{
	{"an answer", pays, true, []reaction{{200, accepted, nil, nil}}, 1, isReply},
	{"a refusal of a parameter", pays, true, []reaction{{200, validation, nil, nil}}, 1, isRefusal},
	{"a refusal", pays, true, []reaction{{200, refusedText, nil, nil}}, 1, isRefusal},
	{"a refusal in JSON", pays, true, []reaction{{404, `{"type":"error","error-code":301,"error-message":"Endpoint not found"}`, nil, nil}}, 1, isRefusal},
	{"a refusal in JSON without a type", pays, true, []reaction{{400, `{"error-message":"no"}`, nil, nil}}, 1, isRefusal},
	{"denied", pays, true, []reaction{{403, deniedPage, nil, nil}}, 1, isDenied},
	{"a page that is not there", pays, true, []reaction{{404, "<html>", nil, nil}}, 1, isRefusal},
	{"a redirect", pays, true, []reaction{{307, "", nil, http.Header{"Location": {"https://other.example.com/"}}}}, 1, isRefusal},

	{"the connection breaks", pays, false, []reaction{{0, "", io.ErrUnexpectedEOF, nil}, {200, accepted, nil, nil}}, 1, isLost},
	{"the connection breaks, the gateway replays", pays, true, []reaction{{0, "", io.ErrUnexpectedEOF, nil}, {200, accepted, nil, nil}}, 2, isReply},
	{"the connection breaks for a question", reads, false, []reaction{{0, "", io.ErrUnexpectedEOF, nil}, {200, accepted, nil, nil}}, 2, isReply},
	{"the connection breaks for what acts each time", acts, true, []reaction{{0, "", io.ErrUnexpectedEOF, nil}, {200, accepted, nil, nil}}, 1, isLost},
	{"a connection that broke while it was read", pays, false, []reaction{{0, "", &net.OpError{Op: "read", Err: io.EOF}, nil}}, 1, isLost},
	{"the connection always breaks", pays, true, []reaction{{0, "", io.ErrUnexpectedEOF, nil}}, 3, isLost},

	{"internal error", pays, false, []reaction{{500, internal, nil, nil}, {200, accepted, nil, nil}}, 1, isLost},
	{"internal error, the gateway replays", pays, true, []reaction{{500, internal, nil, nil}, {200, accepted, nil, nil}}, 2, isReply},
	{"bad gateway", pays, false, []reaction{{502, proxyPage, nil, nil}}, 1, isLost},
	{"a proxy's 503", pays, false, []reaction{{503, proxyPage, nil, nil}}, 1, isLost},
	{"busy", pays, false, []reaction{{503, busy, nil, nil}, {200, accepted, nil, nil}}, 2, isReply},
	{"busy, for what acts each time", acts, false, []reaction{{503, busy, nil, nil}, {200, accepted, nil, nil}}, 2, isReply},
	{"always busy", pays, false, []reaction{{503, busy, nil, nil}}, 3, isRefusal},
	{"busy for long", pays, false, []reaction{{503, busy, nil, http.Header{"Retry-After": {"31"}}}}, 1, isRefusal},
	{"busy, but with HTTP 200", pays, false, []reaction{{200, busy, nil, nil}}, 1, isRefusal},
	{"too many requests", pays, false, []reaction{{429, "slow down", nil, nil}, {200, accepted, nil, nil}}, 2, isReply},
	{"busy, but with HTTP 500", pays, false, []reaction{{500, busy, nil, nil}}, 1, isLost},
	{"accepted, but with HTTP 500", pays, false, []reaction{{500, accepted, nil, nil}}, 1, isLost},
	{"another code with 503", pays, false, []reaction{{503, internal, nil, nil}}, 1, isLost},

	{"no connection", pays, false, []reaction{{0, "", dialled, nil}, {200, accepted, nil, nil}}, 2, isReply},
	{"never a connection", pays, false, []reaction{{0, "", dialled, nil}}, 3, isUnsent},
	{"a name that nobody knows", pays, false, []reaction{{0, "", &net.DNSError{Err: "no such host"}, nil}}, 3, isUnsent},
	{"a wrong certificate", pays, false, []reaction{{0, "", &tls.CertificateVerificationError{Err: errors.New("expired")}, nil}, {200, accepted, nil, nil}}, 1, isUnsent},

	{"an empty page", pays, false, []reaction{{200, "", nil, nil}}, 1, isLost},
	{"a page of HTML", pays, false, []reaction{{200, "<html>Welcome</html>", nil, nil}}, 1, isLost},
	{"JSON that is cut off", pays, false, []reaction{{200, `{"type":"async-response"`, nil, nil}}, 1, isLost},
	{"a refusal that names an order", pays, false, []reaction{{200, withOrder, nil, nil}}, 1, isLost},
	{"a refused question that names an order", reads, false, []reaction{{200, withOrder, nil, nil}}, 1, isRefusal},

	// What refuses the second attempt says nothing about the first.
	{"lost, then refused", pays, true, []reaction{{0, "", io.ErrUnexpectedEOF, nil}, {200, refusedText, nil, nil}}, 2, isLost},
	{"lost, then denied", pays, true, []reaction{{500, internal, nil, nil}, {403, deniedPage, nil, nil}}, 2, isLost},
	{"lost, then no connection", pays, true, []reaction{{500, internal, nil, nil}, {0, "", dialled, nil}}, 3, isLost},
	{"a question lost, then refused", reads, false, []reaction{{500, internal, nil, nil}, {200, refusedText, nil, nil}}, 2, isRefusal},
}

// TestWhatIsSentAgain: who sends a paying command again after it may have been
// carried out pays twice; who does not tell so lets others do it.
func TestWhatIsSentAgain(t *testing.T) {
	for _, c := range repeatCases {
		t.Run(c.name, func(t *testing.T) {
			key := need(t).key // outside of the bubble
			synctest.Test(t, func(t *testing.T) {
				g := &gate{answers: c.answers}
				caller := &client.Client{BaseURL: "https://gate.example.com/paynet", Login: "Merchant", Key: key,
					HTTP: &http.Client{Transport: g}, Replays: c.replays}
				_, err := caller.Do(t.Context(), c.command, endpoint, c.command.Example())
				if got := kindOf(err); got != c.want || len(g.bodies) != c.sent {
					t.Errorf("%s after %d requests, want %s after %d: %v", got, len(g.bodies), c.want, c.sent, err)
				}
				if len(g.nonces) != len(g.bodies) {
					t.Errorf("%d nonces for %d requests", len(g.nonces), len(g.bodies))
				}
				for _, body := range g.bodies {
					if body != g.bodies[0] {
						t.Errorf("sent again as another request:\n%s\n%s", g.bodies[0], body)
					}
				}
			})
		})
	}
}

func TestAttemptsAreBounded(t *testing.T) {
	need(t)
	for attempts, want := range map[int]int{0: 3, 1: 1, 2: 2, 7: 7} {
		synctest.Test(t, func(t *testing.T) {
			g := &gate{answers: []reaction{{503, busy, nil, nil}}}
			c := g.client(t)
			c.Attempts = attempts
			if _, err := c.Do(t.Context(), spec.Payout, endpoint, nil); kindOf(err) != isRefusal || len(g.bodies) != want {
				t.Errorf("Attempts %d: %d requests, %v", attempts, len(g.bodies), err)
			}
		})
	}
}

func TestPausesGrowAndAreAsLongAsTheGatewayAsks(t *testing.T) {
	need(t)
	synctest.Test(t, func(t *testing.T) {
		g := &gate{answers: []reaction{{503, busy, nil, http.Header{"Retry-After": {"7"}}}, {503, busy, nil, nil}, {200, accepted, nil, nil}}}
		if _, err := g.client(t).Do(t.Context(), spec.Payout, endpoint, nil); err != nil {
			t.Fatal(err)
		}
		first, second := g.times[1].Sub(g.times[0]), g.times[2].Sub(g.times[1])
		if first < 7*time.Second || first > 7500*time.Millisecond || second <= 0 || second > time.Second {
			t.Errorf("pauses %v and %v", first, second)
		}
	})
}

func TestAContextThatEndsDuringAPauseEndsTheAttempts(t *testing.T) {
	need(t)
	synctest.Test(t, func(t *testing.T) {
		g := &gate{answers: []reaction{{503, busy, nil, http.Header{"Retry-After": {"20"}}}}}
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		if _, err := g.client(t).Do(ctx, spec.Payout, endpoint, nil); kindOf(err) != isRefusal || len(g.bodies) != 1 {
			t.Errorf("%d requests: %v", len(g.bodies), err)
		}
	})
}

// A listener answers connections by hand.
func listen(t *testing.T, serve func(net.Conn)) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			serve(conn)
			conn.Close()
		}
	}()
	t.Cleanup(func() { l.Close(); <-done })
	return "http://" + l.Addr().String() + "/paynet"
}

// On real connections: what the standard transport reports is enough to tell a
// request that may have been read from one that never left.
func TestRealConnectionsThatBreak(t *testing.T) {
	s := need(t)
	once := func(base string, ctx context.Context) error {
		c := s.client()
		c.BaseURL, c.Attempts = base, 1
		_, err := c.Do(ctx, spec.Payout, endpoint, spec.Payout.Example())
		return err
	}
	var read atomic.Int64
	swallow := func(conn net.Conn) {
		n, _ := conn.Read(make([]byte, 64<<10))
		read.Add(int64(n))
	}
	if err := once(listen(t, swallow), t.Context()); kindOf(err) != isLost || read.Load() == 0 {
		t.Errorf("read and closed: %v", err)
	}
	if err := once(listen(t, func(net.Conn) {}), t.Context()); kindOf(err) != isLost {
		t.Errorf("closed at once, which a client cannot tell from read and closed: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	if err := once(listen(t, func(conn net.Conn) { swallow(conn); cancel(); _, _ = conn.Read(make([]byte, 1)) }), ctx); kindOf(err) != isLost || !errors.Is(err, context.Canceled) {
		t.Errorf("the caller went away: %v", err)
	}
	if err := once(listen(t, swallow), ctx); kindOf(err) != isUnsent || !errors.Is(err, context.Canceled) {
		t.Errorf("the caller had gone before: %v", err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l.Close()
	if err := once("http://"+l.Addr().String()+"/paynet", t.Context()); kindOf(err) != isUnsent {
		t.Errorf("nobody listens: %v", err)
	}
	tlsServer := httptest.NewUnstartedServer(http.NotFoundHandler())
	tlsServer.Config.ErrorLog = log.New(io.Discard, "", 0)
	tlsServer.StartTLS()
	defer tlsServer.Close()
	if err := once(tlsServer.URL+"/paynet", t.Context()); kindOf(err) != isUnsent {
		t.Errorf("a certificate that nobody knows: %v", err)
	}
}

func TestRedirectsAreNotFollowed(t *testing.T) {
	var followed atomic.Bool
	other := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { followed.Store(true) }))
	defer other.Close()
	for _, status := range []int{301, 302, 303, 307, 308} {
		server := httptest.NewServer(http.RedirectHandler(other.URL, status))
		c := need(t).client()
		c.BaseURL, c.HTTP = server.URL, &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return nil }}
		_, err := c.Do(t.Context(), spec.Sale, endpoint, spec.Sale.Example())
		if kindOf(err) != isRefusal || !strings.Contains(err.Error(), "BaseURL") {
			t.Errorf("%d: %v", status, err)
		}
		server.Close()
	}
	if followed.Load() {
		t.Error("card data went to another server")
	}
}

// lossy passes requests on to the gateway, and loses the first answers.
func lossy(answers int) (*http.Client, *atomic.Int64) {
	sent := new(atomic.Int64)
	return &http.Client{Transport: roundTrip(func(r *http.Request) (*http.Response, error) {
		response, err := http.DefaultTransport.RoundTrip(r)
		if n := sent.Add(1); err == nil && n <= int64(answers) {
			response.Body.Close()
			return nil, io.ErrUnexpectedEOF
		}
		return response, err
	})}, sent
}

func TestALostAnswerOfARealGateway(t *testing.T) {
	request := func() client.PayoutRequest {
		return client.PayoutRequest{ClientOrderID: newOrderID(), Amount: "10.42", Currency: "USD", AccountNumber: approvedAccount}
	}
	t.Run("is told, and the status finds the order", func(t *testing.T) {
		c, r := need(t).client(), request()
		var sent *atomic.Int64
		c.HTTP, sent = lossy(1)
		_, err := c.Payout(t.Context(), endpoint, r)
		lost, ok := errors.AsType[*client.LostError](err)
		if !ok || lost.ClientOrderID != r.ClientOrderID || sent.Load() != 1 {
			t.Fatalf("%v after %d requests", err, sent.Load())
		}
		final, err := c.WaitFinal(t.Context(), endpoint, r.ClientOrderID, "")
		if err != nil || !final.Approved() {
			t.Errorf("%v: %v", err, final)
		}
	})
	t.Run("is asked for again where the gateway replays, and makes one order", func(t *testing.T) {
		c, r := need(t).client(), request()
		c.Replays = true
		var sent *atomic.Int64
		c.HTTP, sent = lossy(2)
		made, err := c.Payout(t.Context(), endpoint, r)
		if err != nil || sent.Load() != 3 {
			t.Fatalf("%v after %d requests", err, sent.Load())
		}
		// By client_orderid alone: two orders would be refused as not unique (304).
		final, err := c.WaitFinal(t.Context(), endpoint, r.ClientOrderID, "")
		if err != nil || final.PaynetOrderID != made.PaynetOrderID {
			t.Errorf("%v: %v", err, final)
		}
	})
}

func TestRefusalsOfARealGateway(t *testing.T) {
	s := need(t)
	for _, inJSON := range []bool{false, true} {
		c := s.client()
		c.JSON = inJSON
		_, err := c.Payout(t.Context(), endpoint, client.PayoutRequest{ClientOrderID: "x", Currency: "USD", AccountNumber: "1"})
		refusal, ok := errors.AsType[*client.Error](err)
		if !ok || refusal.Code != int(payout.CodeRequired) || refusal.Param != "amount" || refusal.Type != "validation-error" || refusal.Serial == "" ||
			refusal.Command != "v4/payout" {
			t.Errorf("JSON %v: %+v", inJSON, err)
		}
		_, err = c.StatusV2(t.Context(), endpoint, client.StatusV2Request{ClientOrderID: newOrderID()})
		if refusal, ok := errors.AsType[*client.Error](err); !ok || refusal.Code != int(payout.CodeOrderUnknown) {
			t.Errorf("JSON %v: %v", inJSON, err)
		}
		c.ControlKey = "wrong"
		_, err = c.StatusV2(t.Context(), endpoint, client.StatusV2Request{ClientOrderID: "x"})
		if refusal, ok := errors.AsType[*client.Error](err); !ok || refusal.Code != int(payout.CodeControl) {
			t.Errorf("JSON %v: %v", inJSON, err)
		}
		c.Login = "Nobody"
		if _, err = c.Payout(t.Context(), endpoint, client.PayoutRequest{ClientOrderID: "x"}); !errors.Is(err, client.ErrDenied) || strings.Contains(err.Error(), "clocks") {
			t.Errorf("JSON %v: %v", inJSON, err)
		}
	}
	c := s.client()
	c.Now = func() time.Time { return time.Now().Add(-10 * time.Minute) }
	_, err := c.Status(t.Context(), endpoint, client.StatusRequest{ClientOrderID: "x"})
	if !errors.Is(err, client.ErrDenied) || !strings.Contains(err.Error(), "The clocks differ") {
		t.Errorf("a clock that is late: %v", err)
	}
}

func TestTheParameterOfEveryMessage(t *testing.T) {
	need(t)
	for _, row := range payout.ErrCodes() {
		if row.Kind == payout.KindOutcome {
			continue
		}
		message := (&payout.Error{Code: row.Code, Param: "order_desc", Detail: "at most 64 characters"}).Error()
		want := ""
		if strings.Contains(row.Text, "{param}") {
			want = "order_desc"
		}
		g := &gate{answers: []reaction{{200, fmt.Sprintf("type=error\n&error-code=%d\n&error-message=%s\n", row.Code, strings.ReplaceAll(message, " ", "+")), nil, nil}}}
		_, err := g.client(t).Do(t.Context(), spec.Payout, endpoint, nil)
		refusal, ok := errors.AsType[*client.Error](err)
		if !ok || refusal.Param != want || refusal.Code != int(row.Code) || refusal.Message != message {
			t.Errorf("%q: parameter %q, want %q (%v)", message, refusal.Param, want, err)
		}
	}
}

func TestWhatCannotBeSentIsNotSent(t *testing.T) {
	s := need(t)
	for name, c := range map[string]*client.Client{
		"no key":         {BaseURL: "http://h/paynet", Login: "m"},
		"no login":       {BaseURL: "http://h/paynet", Key: s.key},
		"no address":     {Login: "m", Key: s.key},
		"a query":        {BaseURL: "http://h/paynet?x=1", Login: "m", Key: s.key},
		"another scheme": {BaseURL: "ftp://h/paynet", Login: "m", Key: s.key},
		"a password":     {BaseURL: "http://u:secret@h/paynet", Login: "m", Key: s.key},
	} {
		g := &gate{answers: []reaction{{200, accepted, nil, nil}}}
		c.HTTP = &http.Client{Transport: g}
		_, err := c.Do(t.Context(), spec.Payout, endpoint, nil)
		if kindOf(err) != isUnsent || len(g.bodies) != 0 || strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: %d requests, %v", name, len(g.bodies), err)
		}
	}
	g := &gate{answers: []reaction{{200, accepted, nil, nil}}}
	c := g.client(t)
	c.ControlKey = ""
	if _, err := c.Do(t.Context(), spec.Sale, endpoint, nil); kindOf(err) != isUnsent || len(g.bodies) != 0 {
		t.Errorf("no control key: %v", err)
	}
	if _, err := c.Do(t.Context(), spec.Payout, client.Terminal{}, nil); kindOf(err) != isUnsent || len(g.bodies) != 0 {
		t.Errorf("no terminal: %v", err)
	}
}
