package callback

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"

	"payout/sign"
)

// The limits of a callback.
const (
	connectTimeout = 5 * time.Second  // default of Settings.ConnectTimeout
	totalTimeout   = 30 * time.Second // default of Settings.TotalTimeout
	bodyMax        = 64 << 10         // bytes of a reply's body
	headerMax      = 64 << 10         // bytes of a reply's header
	idleMax        = 512              // kept connections to all receivers
	idleHostMax    = 32               // kept connections to one receiver
	idleTimeout    = 10 * time.Second // a kept connection's life without use
)

// Settings are a Sender's. The zero value is production's.
type Settings struct {
	Policy         Policy
	ConnectTimeout time.Duration    // for looking the name up and connecting, and again for TLS; 0: 5 s
	TotalTimeout   time.Duration    // for all of one callback; 0: 30 s
	RootCAs        *x509.CertPool   // whose certificates are trusted; nil: the system's
	Now            func() time.Time // measures Result.Duration; nil: it stays 0
}

// A Sender sends callbacks. Many goroutines may use it at once. It knows
// neither proxies nor cookies, and follows no redirect.
type Sender struct {
	settings  Settings
	transport *http.Transport
}

// NewSender returns a Sender. Its owner calls Close at the end.
func NewSender(s Settings) *Sender {
	if s.ConnectTimeout == 0 {
		s.ConnectTimeout = connectTimeout
	}
	if s.TotalTimeout == 0 {
		s.TotalTimeout = totalTimeout
	}
	dialer := &net.Dialer{Timeout: s.ConnectTimeout, Control: s.Policy.control}
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true)
	return &Sender{settings: s, transport: &http.Transport{
		Proxy:                  nil, // a proxy would connect for us, past the check of the address
		DialContext:            dialer.DialContext,
		TLSClientConfig:        &tls.Config{RootCAs: s.RootCAs},
		TLSHandshakeTimeout:    s.ConnectTimeout,
		Protocols:              protocols,
		DisableCompression:     true,
		MaxResponseHeaderBytes: headerMax,
		MaxIdleConns:           idleMax,
		MaxIdleConnsPerHost:    idleHostMax,
		IdleConnTimeout:        idleTimeout,
	}}
}

// Close drops the kept connections. It does not wait for a running Send.
func (s *Sender) Close() { s.transport.CloseIdleConnections() }

// A Result is what became of one attempt.
type Result struct {
	Delivered  bool // the receiver answered 200: nothing more is owed
	HTTPStatus int  // 0 when no reply came
	Duration   time.Duration
	Error      string // why it did not count, for operators, or empty; nothing of the URL
}

// Send makes one attempt: a GET of the URL with the parameters appended. Only a
// reply of exactly 200 delivers it; what the reply says besides is read to a
// limit and thrown away. The URL is checked again, because the policy may have
// changed since it was accepted. When ctx ends first, the attempt says nothing
// about the receiver; ctx.Err tells the caller so.
func (s *Sender) Send(ctx context.Context, rawURL string, params []sign.Pair) Result {
	start := s.now()
	result := s.send(ctx, rawURL, params)
	result.Duration = s.now().Sub(start)
	return result
}

func (s *Sender) now() time.Time {
	if s.settings.Now == nil {
		return time.Time{}
	}
	return s.settings.Now()
}

func (s *Sender) send(ctx context.Context, rawURL string, params []sign.Pair) Result {
	_, err := Check(rawURL, s.settings.Policy)
	if err != nil {
		return Result{Error: "URL refused: " + err.Error()}
	}
	limited, cancel := context.WithTimeout(ctx, s.settings.TotalTimeout)
	defer cancel()
	request, err := http.NewRequestWithContext(limited, http.MethodGet, Append(rawURL, params), nil)
	if err != nil {
		return Result{Error: "URL refused: " + errAbsolute.Error()}
	}
	request.Header.Set("User-Agent", "payoutd")

	// The transport itself and not an http.Client: it follows no redirects.
	reply, err := s.transport.RoundTrip(request)
	if err != nil {
		return Result{Error: s.failure(ctx, limited, err)}
	}
	discard(reply)
	if reply.StatusCode != http.StatusOK {
		return Result{HTTPStatus: reply.StatusCode, Error: fmt.Sprintf("receiver answered %d, not 200", reply.StatusCode)}
	}
	return Result{Delivered: true, HTTPStatus: reply.StatusCode}
}

// discard reads a reply's body, to its limit, so that the connection can be
// used again. A body that is cut or late changes nothing: the status has come,
// so its errors are not looked at. The body of a 101 is the bare connection,
// which no context ends; it is only closed.
func discard(reply *http.Response) {
	defer reply.Body.Close()
	if reply.StatusCode == http.StatusSwitchingProtocols {
		return
	}
	_, _ = io.CopyN(io.Discard, reply.Body, bodyMax)
}
