//go:build linux || darwin

package storage

import (
	"net"
	"syscall"
)

// quiet reports whether nothing has come on a connection that nobody waits for: not its
// end, and not what a server says before it. It does not wait, and reads nothing away.
func quiet(c net.Conn) bool {
	if encrypted, ok := c.(interface{ NetConn() net.Conn }); ok {
		c = encrypted.NetConn()
	}
	socket, ok := c.(syscall.Conn)
	if !ok {
		return true // it cannot be asked
	}
	raw, err := socket.SyscallConn()
	if err != nil {
		return false
	}
	var came error
	err = raw.Control(func(fd uintptr) {
		_, _, came = syscall.Recvfrom(int(fd), make([]byte, 1), syscall.MSG_PEEK|syscall.MSG_DONTWAIT)
	})
	return err == nil && came == syscall.EAGAIN
}
