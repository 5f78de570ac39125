package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"sync"
	"time"
)

// A wire is one connection to a server, with the beginning of a good answer.
type wire struct {
	conn net.Conn
	in   *bufio.Reader
	want []byte
}

// The beginnings of good answers.
var (
	asyncAnswer  = []byte("type=async-response\n")
	statusAnswer = []byte("type=status-response\n")
)

// dialer connects to addresses in turn.
func dialer(addresses []string, want []byte) func(n int) (connection, error) {
	return func(n int) (connection, error) {
		conn, err := net.Dial("tcp", addresses[n%len(addresses)])
		if err != nil {
			return nil, err
		}
		return &wire{conn, bufio.NewReader(conn), want}, nil
	}
}

func (w *wire) close() { _ = w.conn.Close() } // nothing is lost: all answers have been read

func (w *wire) exchange(s shot) (broken bool, err error) {
	if _, err := w.conn.Write(s.bytes); err != nil {
		return true, err
	}
	status, body, err := readResponse(w.in)
	if err != nil {
		return true, err
	}
	if status != 200 || !bytes.HasPrefix(body, w.want) {
		return false, fmt.Errorf("HTTP %d: %.200s", status, body)
	}
	return false, nil
}

// readResponse reads one HTTP/1.1 response with a Content-Length. The load
// generator shares the machine with the server, so it is kept this plain.
func readResponse(in *bufio.Reader) (status int, body []byte, err error) {
	length := -1
	for first := true; ; first = false {
		line, err := in.ReadString('\n')
		if err != nil {
			return 0, nil, err
		}
		line = strings.TrimRight(line, "\r\n")
		switch name, value, _ := strings.Cut(line, ":"); {
		case first:
			if len(line) < 12 {
				return 0, nil, errors.New("no HTTP response")
			}
			if status, err = strconv.Atoi(line[9:12]); err != nil {
				return 0, nil, err
			}
		case line == "":
			if length < 0 {
				return 0, nil, errors.New("response without Content-Length")
			}
			body = make([]byte, length)
			_, err = io.ReadFull(in, body)
			return status, body, err
		case strings.EqualFold(name, "Content-Length"):
			if length, err = strconv.Atoi(strings.TrimSpace(value)); err != nil {
				return 0, nil, err
			}
		}
	}
}

// A magazine is prepared requests that are sent once each, or again and again.
type magazine struct {
	mu    sync.Mutex
	shots []shot
	next  int
	again bool
	made  time.Time // when the oldest of them was
}

// freshFor is how long a prepared request may wait: the gateway takes an
// oauth_timestamp of the last five minutes.
const freshFor = 2 * time.Minute

func (m *magazine) take(context.Context) (shot, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.next == len(m.shots) {
		if !m.again || m.next == 0 {
			return shot{}, false
		}
		m.next = 0
	}
	m.next++
	return m.shots[m.next-1], true
}

// left is how many requests have not been taken.
func (m *magazine) left() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.shots) - m.next
}

// fill adds requests until n are left that have not been taken, and throws away
// what has become old.
func (m *magazine) fill(ctx context.Context, n int, make1 func(i int) (shot, error)) error {
	if m.left() == 0 || time.Since(m.made) > freshFor {
		m.mu.Lock()
		m.shots, m.next, m.made = nil, 0, time.Now()
		m.mu.Unlock()
	}
	missing := n - m.left()
	if missing <= 0 {
		return nil
	}
	more, err := prepare(ctx, missing, make1)
	if err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.shots = append(m.shots[m.next:], more...)
	m.next = 0
	return nil
}
