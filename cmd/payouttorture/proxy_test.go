//go:build unix

package main

import (
	"io"
	"net"
	"testing"
)

// echo is a server that tells what it receives and sends it back.
func echo(t *testing.T) (address string, received <-chan string) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	check(t, err)
	t.Cleanup(func() { listener.Close() })
	got := make(chan string, 100)
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				buffer := make([]byte, 100)
				for {
					n, err := conn.Read(buffer)
					if err != nil {
						return
					}
					got <- string(buffer[:n])
					if _, err := conn.Write(buffer[:n]); err != nil {
						return
					}
				}
			}()
		}
	}()
	return listener.Addr().String(), got
}

func through(t *testing.T) (*proxy, net.Conn, <-chan string) {
	t.Helper()
	address, received := echo(t)
	p, err := newProxy(address)
	check(t, err)
	t.Cleanup(p.close)
	return p, dial(t, p), received
}

func dial(t *testing.T, p *proxy) net.Conn {
	t.Helper()
	conn, err := net.Dial("tcp", p.address())
	check(t, err)
	t.Cleanup(func() { conn.Close() })
	return conn
}

func write(t *testing.T, conn net.Conn, text string) {
	t.Helper()
	_, err := io.WriteString(conn, text)
	check(t, err)
}

func readText(t *testing.T, conn net.Conn, want string) {
	t.Helper()
	buffer := make([]byte, len(want))
	if _, err := io.ReadFull(conn, buffer); err != nil || string(buffer) != want {
		t.Errorf("read %q (%v), want %q", buffer, err, want)
	}
}

func TestProxyForwards(t *testing.T) {
	_, conn, received := through(t)
	write(t, conn, "hello")
	if got := <-received; got != "hello" {
		t.Errorf("received %q", got)
	}
	readText(t, conn, "hello")
}

func TestHeldArrivesAfterwards(t *testing.T) {
	p, conn, received := through(t)
	p.set(mode{holdUp: true, holdDown: true})
	write(t, conn, "late")
	select {
	case got := <-received:
		t.Errorf("%q was not held", got)
	default:
	}
	p.set(mode{})
	if got := <-received; got != "late" {
		t.Errorf("received %q", got)
	}
	readText(t, conn, "late")
}

func TestLostAnswerWasAQuestionThatArrived(t *testing.T) {
	p, conn, received := through(t)
	p.set(mode{holdDown: true})
	write(t, conn, "pay")
	if got := <-received; got != "pay" {
		t.Errorf("received %q", got)
	}
	p.cut()
	if n, err := conn.Read(make([]byte, 10)); err == nil {
		t.Errorf("%d bytes of the answer came", n)
	}
}

func TestCutProxyRefusesUntilHealed(t *testing.T) {
	p, conn, received := through(t)
	write(t, conn, "1")
	<-received
	readText(t, conn, "1")
	p.set(mode{refuse: true})
	p.cut()
	if _, err := conn.Read(make([]byte, 1)); err == nil {
		t.Error("the connection is still open")
	}
	if refused, err := net.Dial("tcp", p.address()); err == nil { // or it has been reset already
		if _, err := refused.Read(make([]byte, 1)); err == nil {
			t.Error("a new connection is served")
		}
		refused.Close()
	}
	p.set(mode{})
	again := dial(t, p)
	write(t, again, "2")
	readText(t, again, "2")
}
