//go:build unix

package main

import (
	"fmt"
	"net"
	"os"
	"testing"
)

// A port stays a server's own until it starts, and while it is down: it was once
// found by listening on port 0, and another test got it before the server did.
func TestPortsAreNobodyElses(t *testing.T) {
	first := endPort // of those that the kernel gives away by itself
	if text, err := os.ReadFile("/proc/sys/net/ipv4/ip_local_port_range"); err == nil {
		var last int
		_, err := fmt.Sscan(string(text), &first, &last)
		check(t, err)
	}
	seen := make(map[int]bool)
	for range 200 {
		port, err := freePort()
		check(t, err)
		if seen[port] {
			t.Errorf("port %d was found twice", port)
		}
		seen[port] = true
		if port < leastPort || port >= endPort || port >= first {
			t.Errorf("port %d, and the kernel gives away those from %d", port, first)
		}
		l, err := net.Listen("tcp", loopback(port))
		check(t, err)
		check(t, l.Close())
	}
}
