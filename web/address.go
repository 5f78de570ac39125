package web

import (
	"net"
	"net/http"
	"net/netip"
	"strings"
)

// RemoteAddress is the browser's address without the port: behind a proxy the
// last one that its header names, which the proxy itself has written. The header
// is empty when there is no proxy.
func RemoteAddress(r *http.Request, header string) string {
	if values := r.Header.Values(header); header != "" && len(values) > 0 {
		last := values[len(values)-1]
		if addr, err := netip.ParseAddr(strings.TrimSpace(last[strings.LastIndexByte(last, ',')+1:])); err == nil {
			return addr.WithZone("").String()
		}
	}
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return r.RemoteAddr
	}
	return host
}
