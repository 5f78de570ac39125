package callback

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"payout/sign"
)

// A Policy says where callbacks may go. The zero value is production's.
type Policy struct {
	// AllowLoopback is the sandbox's setting: a receiver may run on the
	// gateway's own machine and on any port. Other non-public addresses stay
	// refused.
	AllowLoopback bool
}

// A scheme is a way to reach a receiver, with the ports that the reference
// allows (api-facts 9).
type scheme struct {
	name  string
	ports []string // the default first
}

var schemes = []scheme{
	{"http", []string{"80", "8080"}},
	{"https", []string{"443", "8443"}},
}

// The longest domain name and label (RFC 1035 2.3.4).
const (
	hostMax  = 253 // characters
	labelMax = 63  // characters
)

var (
	errCharacters = errors.New("must be written in visible ASCII characters, with all others percent-encoded")
	errAbsolute   = errors.New("must be an absolute http or https URL")
	errUserInfo   = errors.New("must have no user name or password")
	errHost       = errors.New("must have a host: a domain name in ASCII, or a public IP address")
	errLiteral    = errors.New("must not have a non-public IP address as its host")
)

// Check tells whether callbacks may be sent to a URL, and to which receiver
// they go: lower-case host and port, the port always written. The error states
// the broken rule for the client's eyes, and holds nothing of the URL. The
// length is the parameter's and is checked there. A name is not resolved here:
// Sender looks at the address that it connects to.
func Check(rawURL string, p Policy) (receiver string, err error) {
	if !visibleASCII(rawURL) {
		return "", errCharacters
	}
	u, err := url.Parse(rawURL)
	if err != nil {
		return "", errAbsolute // not wrapped: url.Error holds the URL
	}
	i := slices.IndexFunc(schemes, func(s scheme) bool { return s.name == u.Scheme })
	if i < 0 || u.Opaque != "" {
		return "", errAbsolute
	}
	if u.User != nil {
		return "", errUserInfo
	}
	host, err := parseHost(u.Hostname(), p)
	if err != nil {
		return "", err
	}
	port, err := schemes[i].port(u.Port(), p)
	if err != nil {
		return "", err
	}
	return net.JoinHostPort(host, port), nil
}

// port returns the port to use for the one written in the URL, if any.
func (s scheme) port(written string, p Policy) (string, error) {
	if written == "" {
		return s.ports[0], nil
	}
	if slices.Contains(s.ports, written) {
		return written, nil
	}
	n, err := strconv.ParseUint(written, 10, 16)
	if p.AllowLoopback && err == nil && n > 0 {
		return strconv.FormatUint(n, 10), nil
	}
	return "", fmt.Errorf("must use port %s with %s", strings.Join(s.ports, " or "), s.name)
}

// parseHost returns the host in the one form that stands for its receiver.
func parseHost(host string, p Policy) (string, error) {
	addr, err := netip.ParseAddr(host)
	if err == nil {
		if checkAddr(addr, p) != nil {
			return "", errLiteral
		}
		return addr.Unmap().String(), nil
	}
	name := strings.ToLower(strings.TrimSuffix(host, "."))
	if !domainName(name) {
		return "", errHost
	}
	return name, nil
}

// domainName reports whether s, in lower case, is a domain name. A name whose
// last label is a number is none: resolvers read 127.1, 0x7f.1 and 2130706433
// as addresses (the "ends in a number" rule of the WHATWG URL standard).
func domainName(s string) bool {
	if s == "" || len(s) > hostMax {
		return false
	}
	last := ""
	for label := range strings.SplitSeq(s, ".") {
		if label == "" || len(label) > labelMax || strings.Trim(label, labelCharacters) != "" {
			return false
		}
		last = label
	}
	_, err := strconv.ParseUint(last, 0, 64)
	return err != nil && strings.Trim(last, "0123456789") != ""
}

// labelCharacters are those of host names and '_', which live names have.
const labelCharacters = "abcdefghijklmnopqrstuvwxyz0123456789-_"

func visibleASCII(s string) bool {
	for i := range len(s) {
		if s[i] <= ' ' || s[i] > '~' {
			return false
		}
	}
	return true
}

// Append returns the URL with the parameters after the merchant's own query,
// which stays as it was written. A fragment is dropped: it is never sent.
func Append(rawURL string, params []sign.Pair) string {
	base, _, _ := strings.Cut(rawURL, "#")
	if len(params) == 0 {
		return base
	}
	separator := "?"
	if _, query, has := strings.Cut(base, "?"); has {
		separator = "&"
		if query == "" || strings.HasSuffix(query, "&") {
			separator = ""
		}
	}
	return base + separator + sign.EncodeForm(params)
}
