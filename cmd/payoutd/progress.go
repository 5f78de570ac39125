package main

import (
	"fmt"
	"io"
	"os"
	"strings"
	"time"
)

// A progress shows how far long work is: a bar that moves on a terminal, a line
// now and then elsewhere.
type progress struct {
	out   io.Writer
	what  string // is done with each part, such as "sealed again"
	live  bool
	now   func() time.Time
	began time.Time // of the bar; zero: there is none
	shown time.Time // when it was shown last
	open  bool      // the bar's line is not ended
}

// How often progress is shown.
const (
	liveEvery = 100 * time.Millisecond
	lineEvery = 5 * time.Second
)

// newProgress shows the progress of what is done with each part, such as "copied".
func newProgress(out io.Writer, what string) *progress {
	return &progress{out: out, what: what, live: isTerminal(out), now: time.Now}
}

// show shows how many parts of all are done.
func (p *progress) show(done, total int64) {
	now, every := p.now(), lineEvery
	if p.live {
		every = liveEvery
	}
	if p.began.IsZero() {
		p.began, p.shown = now, now
	}
	if total == 0 || now.Sub(p.shown) < every && !(p.live && (done == 0 || done == total)) {
		return
	}
	p.shown = now
	text := fmt.Sprintf("%d of %d %s, %.0f a second", done, total, p.what, float64(done)/max(now.Sub(p.began).Seconds(), 0.001))
	if !p.live {
		fmt.Fprintln(p.out, text)
		return
	}
	const width = 30 // characters
	full := int(done * width / total)
	fmt.Fprintf(p.out, "\r[%s%s] %s ", strings.Repeat("#", full), strings.Repeat(".", width-full), text)
	p.open = true
}

// showOf is show of one kind of parts after another.
func (p *progress) showOf(what string, done, total int64) {
	if what != p.what {
		p.end()
		p.what = what
	}
	p.show(done, total)
}

// say prints a line, below the bar if there is one.
func (p *progress) say(line string) {
	p.end()
	fmt.Fprintln(p.out, line)
}

// end ends the bar's line; the next bar is a new one.
func (p *progress) end() {
	if p.open {
		fmt.Fprintln(p.out)
	}
	p.open, p.began = false, time.Time{}
}

// isTerminal reports whether somebody looks at what is written.
func isTerminal(w io.Writer) bool {
	file, ok := w.(*os.File)
	if !ok {
		return false
	}
	info, err := file.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}
