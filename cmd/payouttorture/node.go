//go:build unix

package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync"
	"syscall"
	"time"
)

// The nodes' time limits are short, so that leases end within a run. A claimed
// order is leased for the rail's limit and 15 seconds more.
const (
	railTimeout     = time.Second
	callbackTimeout = time.Second
	leaseMost       = railTimeout + 15*time.Second // of orders
	graceMost       = 5 * time.Second
)

// A node is one payoutd serve, started again whenever it has ended.
type node struct {
	number   int // from 1
	program  string
	args     []string
	dir      string
	listen   string // host:port
	database [2]*proxy
	clients  *proxy

	mu      sync.Mutex
	command *exec.Cmd     // that runs, or nil
	after   time.Duration // wait before the next start
	stopped bool          // it is to end for good

	starts, ended int // ended: by itself, without being told
	quit          chan struct{}
	done          chan struct{}
}

// newNode makes a node with its proxies, and starts it.
func newNode(number int, program, dir string, p pair) (*node, error) {
	port, err := freePort()
	if err != nil {
		return nil, err
	}
	n := &node{number: number, program: program, dir: dir, listen: loopback(port), quit: make(chan struct{}), done: make(chan struct{})}
	for server := range n.database {
		if n.database[server], err = newProxy(p.address(server)); err != nil {
			return nil, err
		}
	}
	if n.clients, err = newProxy(n.listen); err != nil {
		return nil, err
	}
	n.args = []string{"serve", "--sandbox", "--no-docs", "--listen", n.listen, "--rail-timeout", railTimeout.String(), "--callback-timeout", callbackTimeout.String(),
		"--grace", graceMost.String(), "--database", databaseURL(n.database[0].address(), n.database[1].address(), 2*time.Second),
		"--key-file", filepath.Join(dir, "master.key"), "--simulator-book", filepath.Join(dir, "rail.db")}
	go n.run()
	return n, nil
}

// databaseURL is how both servers are named to payoutd: it finds the primary. A
// server that has not let it in for as long as most is passed over; whole seconds.
func databaseURL(first, second string, most time.Duration) string {
	return "postgres://postgres@" + first + "," + second + "/" + databaseName + "?sslmode=disable&target_session_attrs=read-write&pool_max_conns=8&connect_timeout=" +
		strconv.Itoa(int(most.Seconds()))
}

func (n *node) logFile() string { return filepath.Join(n.dir, fmt.Sprintf("node-%d.log", n.number)) }

// run keeps the program running until quit.
func (n *node) run() {
	defer close(n.done)
	log, err := os.OpenFile(n.logFile(), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return // waitReady tells
	}
	defer log.Close()
	for {
		n.mu.Lock()
		if n.stopped {
			n.mu.Unlock()
			return
		}
		command := exec.Command(n.program, n.args...)
		command.Env = []string{"HOME=" + n.dir}
		command.Stdout, command.Stderr = log, log
		command.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // Ctrl-C is not for the nodes
		err := command.Start()
		if err == nil {
			n.command = command
			n.starts++
		}
		n.mu.Unlock()
		if err == nil {
			err = command.Wait()
		}
		n.mu.Lock()
		n.command = nil
		pause := n.after
		if n.after = 0; pause == 0 { // nobody told it to end
			n.ended++
			pause = 500 * time.Millisecond
		}
		n.mu.Unlock()
		fmt.Fprintf(log, "{\"msg\":\"the node has ended\",\"how\":%q}\n", fmt.Sprint(err))
		select {
		case <-time.After(pause):
		case <-n.quit:
		}
	}
}

// signal sends a signal to the program; false when it does not run. after is the
// wait until it is started again when it ends of it, or 0 if it should not end.
func (n *node) signal(s os.Signal, after time.Duration) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.command == nil {
		return false
	}
	if err := n.command.Process.Signal(s); err != nil {
		return false
	}
	n.after = max(after, n.after)
	return true
}

// ready reports whether the node takes requests now.
func (n *node) ready(ctx context.Context) bool {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+n.listen+"/readyz", nil)
	if err != nil {
		return false
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return false
	}
	return errors.Join(response.Body.Close()) == nil && response.StatusCode == http.StatusOK
}

func (n *node) waitReady(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	for !n.ready(ctx) {
		if wait(ctx, 100*time.Millisecond) != nil {
			return fmt.Errorf("node %d is not ready within a minute: see %s", n.number, n.logFile())
		}
	}
	return nil
}

// comesBack waits until the node takes requests again, so that not all of its
// time is spent starting; but not for long, because other faults may keep it.
func (n *node) comesBack(ctx context.Context) error {
	few, cancel := context.WithTimeout(ctx, 8*time.Second)
	defer cancel()
	for wait(few, 200*time.Millisecond) == nil && !n.ready(few) {
		continue
	}
	return ctx.Err()
}

// stop ends the node: gently, and then not.
func (n *node) stop() {
	n.mu.Lock()
	n.stopped = true
	n.mu.Unlock()
	close(n.quit)
	n.signal(syscall.SIGCONT, 0)
	n.signal(syscall.SIGTERM, time.Millisecond)
	select {
	case <-n.done:
	case <-time.After(2 * graceMost):
		n.signal(syscall.SIGKILL, time.Millisecond)
		<-n.done
	}
	n.clients.close()
	for _, p := range n.database {
		p.close()
	}
}
