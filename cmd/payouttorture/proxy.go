//go:build unix

package main

import (
	"net"
	"sync"
	"time"
)

// A proxy forwards TCP connections to one address, as badly as it is told.
type proxy struct {
	listener net.Listener
	target   string
	wait     sync.WaitGroup

	mu      sync.Mutex
	mode    mode
	changed chan struct{} // closed when the mode changes
	links   map[*link]bool
	closed  bool
}

// A mode is how a proxy forwards; the zero mode is a good network.
type mode struct {
	refuse   bool          // new connections are reset
	holdUp   bool          // nothing is forwarded to the target
	holdDown bool          // nothing is forwarded back
	delay    time.Duration // before anything is forwarded
}

// A link is a connection and its other half.
type link struct {
	near, far net.Conn
	ended     chan struct{} // closed with the connections
	once      sync.Once
}

// newProxy starts a proxy on a free port of the loopback.
func newProxy(target string) (*proxy, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	p := &proxy{listener: listener, target: target, changed: make(chan struct{}), links: make(map[*link]bool)}
	p.wait.Go(p.accept)
	return p, nil
}

func (p *proxy) address() string { return p.listener.Addr().String() }

// set changes the mode, also for the connections that are open.
func (p *proxy) set(m mode) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.mode = m
	close(p.changed)
	p.changed = make(chan struct{})
}

// cut resets all connections. What was held is lost.
func (p *proxy) cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for l := range p.links {
		l.reset()
	}
}

// close ends the proxy with its connections.
func (p *proxy) close() {
	p.mu.Lock()
	p.closed = true
	p.mu.Unlock()
	p.listener.Close()
	p.cut()
	p.wait.Wait()
}

func (p *proxy) accept() {
	for {
		near, err := p.listener.Accept()
		if err != nil {
			return // closed
		}
		p.wait.Go(func() { p.forward(near) })
	}
}

// forward serves one connection until either side ends it.
func (p *proxy) forward(near net.Conn) {
	l := &link{near: near, ended: make(chan struct{})}
	p.mu.Lock()
	refuse := p.mode.refuse
	p.mu.Unlock()
	if refuse {
		l.reset()
		return
	}
	far, err := net.DialTimeout("tcp", p.target, 5*time.Second)
	if err != nil {
		l.reset()
		return
	}
	l.far = far
	p.mu.Lock()
	if p.closed || p.mode.refuse {
		p.mu.Unlock()
		l.reset()
		return
	}
	p.links[l] = true
	p.mu.Unlock()
	var both sync.WaitGroup
	both.Go(func() { p.pump(l, far, near, func(m mode) bool { return m.holdUp }) })
	both.Go(func() { p.pump(l, near, far, func(m mode) bool { return m.holdDown }) })
	both.Wait()
	p.mu.Lock()
	delete(p.links, l)
	p.mu.Unlock()
}

// pump forwards in one direction.
func (p *proxy) pump(l *link, to, from net.Conn, held func(mode) bool) {
	defer l.end()
	buffer := make([]byte, 32<<10)
	for {
		n, err := from.Read(buffer)
		if n > 0 {
			if !p.pass(l, held) {
				return
			}
			if _, err := to.Write(buffer[:n]); err != nil {
				return
			}
		}
		if err != nil {
			p.pass(l, held) // the end is news too
			return
		}
	}
}

// pass waits until the mode lets something through; false when the link has ended.
func (p *proxy) pass(l *link, held func(mode) bool) bool {
	delayed := false
	for {
		p.mu.Lock()
		m, changed := p.mode, p.changed
		p.mu.Unlock()
		var after <-chan time.Time
		switch {
		case held(m):
		case m.delay > 0 && !delayed:
			after = time.After(m.delay)
		default:
			return true
		}
		select {
		case <-changed:
		case <-after:
			delayed = true
		case <-l.ended:
			return false
		}
	}
}

// end closes both connections.
func (l *link) end() {
	l.once.Do(func() {
		close(l.ended)
		l.near.Close()
		if l.far != nil {
			l.far.Close()
		}
	})
}

// reset closes both connections by a reset.
func (l *link) reset() {
	for _, c := range []net.Conn{l.near, l.far} {
		if tcp, ok := c.(*net.TCPConn); ok {
			_ = tcp.SetLinger(0) // it is closed already
		}
	}
	l.end()
}
