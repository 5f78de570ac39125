//go:build unix

package main

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"sync"
	"syscall"
)

// Ports are chosen where the kernel chooses none by itself, for listeners on
// port 0 and for outgoing connections: Linux begins at 32768 (sysctl
// net.ipv4.ip_local_port_range), others above. A port from there could be somebody
// else's before its server starts, or while its server is down between two starts.
const (
	leastPort = 20000
	endPort   = 32768 // the first that is not ours
)

var given struct {
	sync.Mutex
	ports map[int]bool
}

// freePort finds a port of the loopback that nobody uses now, and that this
// process does not find again.
func freePort() (int, error) {
	given.Lock()
	defer given.Unlock()
	for range endPort - leastPort {
		port := leastPort + rand.IntN(endPort-leastPort)
		if given.ports[port] {
			continue
		}
		l, err := net.Listen("tcp", loopback(port))
		if errors.Is(err, syscall.EADDRINUSE) {
			continue
		}
		if err != nil {
			return 0, err
		}
		if err := l.Close(); err != nil {
			return 0, err
		}
		if given.ports == nil {
			given.ports = make(map[int]bool)
		}
		given.ports[port] = true
		return port, nil
	}
	return 0, fmt.Errorf("no port from %d to %d is free", leastPort, endPort-1)
}

func loopback(port int) string { return fmt.Sprintf("127.0.0.1:%d", port) }
