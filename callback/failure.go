package callback

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"syscall"
)

// failures gives plain errors of a connection their words.
var failures = []struct {
	is   error
	text string
}{
	{syscall.ECONNREFUSED, "connection refused"},
	{syscall.ECONNRESET, "connection reset by the receiver"},
	{syscall.EPIPE, "connection closed by the receiver"},
	{syscall.EHOSTUNREACH, "host unreachable"},
	{syscall.ENETUNREACH, "network unreachable"},
	{io.EOF, "connection closed without a reply"},
	{io.ErrUnexpectedEOF, "connection closed without a reply"},
}

// failure says in our own words why no reply came. The words of net/http are
// not passed on: they may quote the URL, or a reply that quotes it.
func (s *Sender) failure(ctx, limited context.Context, err error) string {
	if address := (*addressError)(nil); errors.As(err, &address) {
		return address.Error()
	}
	if errors.Is(ctx.Err(), context.Canceled) {
		return "interrupted by the gateway"
	}
	if ctx.Err() != nil {
		return "no reply in time" // the caller's own deadline
	}
	if limited.Err() != nil {
		return fmt.Sprintf("no reply within %v", s.settings.TotalTimeout)
	}
	if text := tlsFailure(err); text != "" {
		return text
	}
	if lookup := (*net.DNSError)(nil); errors.As(err, &lookup) {
		if lookup.IsNotFound {
			return "host name not found"
		}
		return "host name could not be looked up"
	}
	for _, f := range failures {
		if errors.Is(err, f.is) {
			return f.text
		}
	}
	if timeout := net.Error(nil); errors.As(err, &timeout) && timeout.Timeout() {
		return fmt.Sprintf("no connection within %v", s.settings.ConnectTimeout)
	}
	return "reply is not HTTP, or has too large a header"
}

// tlsFailure says what went wrong with TLS; empty if nothing did.
func tlsFailure(err error) string {
	var (
		name    x509.HostnameError
		invalid x509.CertificateInvalidError
		cert    *tls.CertificateVerificationError
		record  tls.RecordHeaderError
	)
	switch {
	case errors.As(err, &name):
		return "TLS certificate is for another host"
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		return "TLS certificate has expired or is not valid yet"
	case errors.As(err, &cert):
		return "TLS certificate is not trusted"
	case errors.As(err, &record):
		return "receiver does not speak TLS on this port"
	}
	// crypto/tls has no type for the rest, its own doubts and the other side's alerts.
	text := err.Error()
	if strings.HasPrefix(text, "tls: ") || strings.HasPrefix(text, "remote error: tls: ") {
		return "TLS handshake failed"
	}
	return ""
}
