package main

import (
	"fmt"
	"io"
	"os"
	"strings"
	"time"
)

// A progress shows how far a run is: a bar that moves on a terminal, a line now and
// then elsewhere.
type progress struct {
	out   io.Writer
	live  bool
	now   func() time.Time
	shown time.Time
	open  bool // the bar's line is not ended
}

// How often progress is shown.
const (
	liveEvery = 100 * time.Millisecond
	lineEvery = 10 * time.Second
	barWidth  = 30 // characters
)

func newProgress(out io.Writer) *progress {
	return &progress{out: out, live: isTerminal(out), now: time.Now, shown: time.Now()}
}

// show shows what is being done and how far it is.
func (p *progress) show(what string, done, total int) {
	now, every := p.now(), lineEvery
	if p.live {
		every = liveEvery
	}
	if total <= 0 || now.Sub(p.shown) < every {
		return
	}
	p.shown = now
	if !p.live {
		fmt.Fprintf(p.out, "%s: %d of %d\n", what, done, total)
		return
	}
	full := min(done, total) * barWidth / total
	fmt.Fprintf(p.out, "\r[%s%s] %s: %d of %d\x1b[K", strings.Repeat("#", full), strings.Repeat(".", barWidth-full), what, done, total)
	p.open = true
}

// clear takes the bar away, so that something else can be printed.
func (p *progress) clear() {
	if p.open {
		fmt.Fprint(p.out, "\r\x1b[K")
	}
	p.open = false
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
