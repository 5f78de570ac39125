package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// A measurement is what one load run found.
type measurement struct {
	accepted int
	errors   int
	first    error // the first error
	took     time.Duration
	waits    []time.Duration // of accepted requests, sorted
	cpu      time.Duration   // that the server used
}

func (m measurement) perSecond() float64 { return float64(m.accepted) / m.took.Seconds() }

// cpuEach is the server's processor time for each accepted request.
func (m measurement) cpuEach() time.Duration { return m.cpu / time.Duration(max(m.accepted, 1)) }

// percentile returns the wait that p percent of the requests did not exceed.
func (m measurement) percentile(p float64) time.Duration {
	if len(m.waits) == 0 {
		return 0
	}
	return m.waits[min(int(float64(len(m.waits))*p/100), len(m.waits)-1)]
}

// load sends prepared requests on some connections until the time is up or none
// is left. Each is sent once, unless they are to be sent again and again.
func load(address string, requests [][]byte, again bool, connections int, duration time.Duration) measurement {
	var (
		all   measurement
		mu    sync.Mutex
		next  int
		wait  sync.WaitGroup
		began = time.Now()
	)
	take := func() []byte {
		mu.Lock()
		defer mu.Unlock()
		if !again && next == len(requests) || time.Since(began) >= duration {
			return nil
		}
		next++
		return requests[(next-1)%len(requests)]
	}
	for range connections {
		wait.Go(func() {
			one := sendAll(address, take)
			mu.Lock()
			defer mu.Unlock()
			all.accepted += one.accepted
			all.errors += one.errors
			all.waits = append(all.waits, one.waits...)
			if all.first == nil {
				all.first = one.first
			}
		})
	}
	wait.Wait()
	all.took = time.Since(began)
	slices.Sort(all.waits)
	return all
}

// sendAll is one connection: a request, its answer, the next request.
func sendAll(address string, take func() []byte) (m measurement) {
	fail := func(err error) {
		m.errors++
		if m.first == nil {
			m.first = err
		}
	}
	conn, err := net.Dial("tcp", address)
	if err != nil {
		fail(err)
		return m
	}
	defer conn.Close()
	in := bufio.NewReader(conn)
	for request := take(); request != nil; request = take() {
		sent := time.Now()
		if _, err := conn.Write(request); err != nil {
			fail(err)
			return m
		}
		status, body, err := readResponse(in)
		if err != nil {
			fail(err)
			return m
		}
		if status != 200 || !bytes.HasPrefix(body, []byte("type=async-response\n")) {
			fail(fmt.Errorf("HTTP %d: %.200s", status, body))
			continue
		}
		m.accepted++
		m.waits = append(m.waits, time.Since(sent))
	}
	return m
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
