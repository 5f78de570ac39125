package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"sync"
	"time"
)

// receivers are the receivers of callbacks: each has a port of its own, and answers
// at once or never. The path of a callback's URL is the number of its order.
type receivers struct {
	listeners []net.Listener
	hang      bool               // never answer
	told      func(callbackTold) // of each callback, when it was answered, if it is; nil if it hangs: nobody
	mu        sync.Mutex
	conns     map[net.Conn]bool
	closed    bool
	wait      sync.WaitGroup
}

// A callbackTold is a callback that came.
type callbackTold struct {
	id      int // of the URL
	at      time.Time
	status  string // of the order
	orderID string
}

const receiverAnswer = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nOK"

// newReceivers opens so many receivers.
func newReceivers(n int, hang bool, told func(callbackTold)) (*receivers, error) {
	r := &receivers{hang: hang, told: told, conns: make(map[net.Conn]bool)}
	for range n {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return nil, errors.Join(err, r.close())
		}
		r.listeners = append(r.listeners, l)
		r.wait.Go(func() { r.accept(l) })
	}
	return r, nil
}

// url is where the callback of an order goes.
func (r *receivers) url(id int) string {
	return fmt.Sprintf("http://%s/%d", r.listeners[id%len(r.listeners)].Addr(), id)
}

func (r *receivers) accept(l net.Listener) {
	for {
		conn, err := l.Accept()
		if err != nil {
			return // it was closed
		}
		r.mu.Lock()
		if r.closed {
			r.mu.Unlock()
			_ = conn.Close() // nothing was sent
			return
		}
		r.conns[conn] = true
		r.mu.Unlock()
		r.wait.Go(func() {
			defer func() {
				_ = conn.Close() // its end is all that matters
				r.mu.Lock()
				delete(r.conns, conn)
				r.mu.Unlock()
			}()
			r.serve(conn)
		})
	}
}

// serve answers one connection's callbacks, plainly: the receiver shares the
// machine with the gateway.
func (r *receivers) serve(conn net.Conn) {
	in := bufio.NewReader(conn)
	for {
		told, err := readCallback(in)
		if err != nil {
			return
		}
		told.at = time.Now()
		if r.hang {
			if r.told != nil {
				r.told(told)
			}
			_, _ = io.Copy(io.Discard, conn) // until the gateway gives up
			return
		}
		if _, err := io.WriteString(conn, receiverAnswer); err != nil {
			return
		}
		r.told(told)
	}
}

// readCallback reads one GET without a body.
func readCallback(in *bufio.Reader) (t callbackTold, err error) {
	for first := true; ; first = false {
		line, err := in.ReadString('\n')
		if err != nil {
			return t, err
		}
		switch line = strings.TrimRight(line, "\r\n"); {
		case line == "":
			return t, nil
		case first:
			rest, ok := strings.CutPrefix(line, "GET /")
			path, query, _ := strings.Cut(strings.TrimSuffix(rest, " HTTP/1.1"), "?")
			if t.id, err = strconv.Atoi(path); err != nil || !ok {
				return t, fmt.Errorf("no callback of ours: %.100q", line)
			}
			for pair := range strings.SplitSeq(query, "&") {
				switch name, value, _ := strings.Cut(pair, "="); name {
				case "status":
					t.status = value
				case "orderid":
					t.orderID = value
				}
			}
		}
	}
}

// close ends all receivers and their connections.
func (r *receivers) close() error {
	var err error
	r.mu.Lock()
	r.closed = true
	for _, l := range r.listeners {
		err = errors.Join(err, l.Close())
	}
	for conn := range r.conns {
		_ = conn.Close() // who reads from it sees the end
	}
	r.mu.Unlock()
	r.wait.Wait()
	return err
}
