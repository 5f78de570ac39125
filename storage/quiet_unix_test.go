//go:build linux || darwin

package storage

import (
	"crypto/tls"
	"io"
	"net"
	"net/http/httptest"
	"testing"
)

// A connection is quiet until something comes on it, be it the end; asking reads
// nothing away, and does not wait.
func TestQuietConnection(t *testing.T) {
	secure := httptest.NewUnstartedServer(nil)
	secure.StartTLS()
	secure.Close()
	for name, wrap := range map[string]func(here, there net.Conn) (net.Conn, net.Conn){
		"plain": func(here, there net.Conn) (net.Conn, net.Conn) { return here, there },
		"TLS": func(here, there net.Conn) (net.Conn, net.Conn) {
			server := tls.Server(there, &tls.Config{Certificates: secure.TLS.Certificates, SessionTicketsDisabled: true})
			go func() { _ = server.Handshake() }() // the client sees what became of it
			client := tls.Client(here, &tls.Config{InsecureSkipVerify: true})
			if err := client.Handshake(); err != nil {
				t.Fatal(err)
			}
			return client, server
		},
	} {
		t.Run(name, func(t *testing.T) {
			listener, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			defer listener.Close()
			dialled, err := net.Dial("tcp", listener.Addr().String())
			if err != nil {
				t.Fatal(err)
			}
			defer dialled.Close()
			accepted, err := listener.Accept()
			if err != nil {
				t.Fatal(err)
			}
			here, there := wrap(dialled, accepted)
			comes := func() {
				for n := 0; n < 1_000_000 && quiet(here); n++ { // until the kernel has brought it
				}
			}
			if !quiet(here) {
				t.Fatal("nothing has come, and it is not quiet")
			}
			if _, err := there.Write([]byte("x")); err != nil {
				t.Fatal(err)
			}
			comes()
			if quiet(here) {
				t.Error("it was read away")
			}
			if _, err := io.ReadFull(here, make([]byte, 1)); err != nil || !quiet(here) {
				t.Errorf("all has been read, and it is not quiet: %v", err)
			}
			if err := accepted.Close(); err != nil {
				t.Fatal(err)
			}
			comes()
			if quiet(here) {
				t.Error("the end was read away")
			}
			if err := here.Close(); err != nil && name == "plain" {
				t.Error(err)
			}
			if quiet(here) {
				t.Error("it is closed, and quiet")
			}
		})
	}
}
