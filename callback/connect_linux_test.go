package callback

import (
	"fmt"
	"net"
	"syscall"
	"testing"
)

func TestConnectTimeout(t *testing.T) {
	addr := fullListener(t)
	s := newSender(t, Settings{Policy: sandbox, ConnectTimeout: short})
	if result := send(t, s, "http://"+addr); result.Error != "no connection within 50ms" {
		t.Errorf("%+v", result)
	}
}

// fullListener returns an address where nobody accepts and the queue is full,
// so that a connection neither succeeds nor is refused.
func fullListener(t *testing.T) string {
	t.Helper()
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { syscall.Close(fd) })
	if err := syscall.Bind(fd, &syscall.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Listen(fd, 0); err != nil {
		t.Fatal(err)
	}
	name, err := syscall.Getsockname(fd)
	if err != nil {
		t.Fatal(err)
	}
	addr := fmt.Sprintf("127.0.0.1:%d", name.(*syscall.SockaddrInet4).Port)
	for range 8 {
		conn, err := net.DialTimeout("tcp", addr, short)
		if err != nil {
			return addr
		}
		t.Cleanup(func() { conn.Close() })
	}
	t.Skip("this system's queue of connections does not fill")
	return ""
}
