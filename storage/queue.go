package storage

import (
	"math"
	"slices"
	"sync"
	"time"
)

// A pace says how many commits run at once and what they wait for.
type pace struct {
	atOnce   int           // commits
	share    int           // of those who write at this time, in percent, that one alone waits for
	behind   bool          // who waits when a commit ends is among them, see ended
	patience time.Duration // longest wait for them, see worth
	// A commit of so many writes is large enough to wait for no more and, where several run
	// at once, to begin beside another one: nodes that have few callers each share a server
	// best by few large commits.
	large int
	// besideMost is how long one waits to become large: the other one may hang.
	besideMost time.Duration
}

// The paces of the engines. SQLite has one writer, whose commits are cheap: it is slower
// when it waits for those who were left behind. On PostgreSQL a second commit keeps the
// server busy while the first one waits for its disk.
var (
	sqlitePace   = pace{atOnce: 1, share: 75, patience: time.Millisecond, large: 32}
	postgresPace = pace{atOnce: 2, share: 100, behind: true, patience: 12 * time.Millisecond, large: 32, besideMost: 20 * time.Millisecond}
)

// A writeQueue is what waits for a commit. It wakes who begins commits only when there
// are writes enough for one: at thousands of writes a second, waking somebody for each
// would cost more than the queue.
type writeQueue struct {
	pace  pace
	begin sync.Mutex // held by the one who waits for the next commit's beginning

	mu      sync.Mutex
	room    sync.Cond // writes were taken: for callers who wait for a place
	crowd   int       // of these
	writes  []*op
	closed  bool
	running int           // commits
	under   int           // writes in them
	callers int           // who is thought to write at this time, see take and ended
	took    time.Duration // by a commit, as the last ones have shown; a longer one counts as the patience
	wanted  int           // writes to wake for

	wake chan struct{} // writes enough have come, or a commit has ended
}

// For each of those who write at this time a commit waits this part of the time that one
// takes, 1/worth, and at most as long as worthMost take. Where they are many, waiting for them
// saves commits; where they are few, who waits loses more than is won.
const worth, worthMost = 6, 2

// never is a number of writes that does not come.
const never = math.MaxInt

func newWriteQueue(p pace) *writeQueue {
	q := &writeQueue{pace: p, wanted: never, wake: make(chan struct{}, 1)}
	q.room.L = &q.mu
	return q
}

// add queues a write. It is not ok when the queue is closed or, for one that does not
// wait for a place, full.
func (q *writeQueue) add(o *op, waits bool) (ok, full bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closed {
		return false, false
	}
	for len(q.writes) >= queueMax || !waits && q.crowd > 0 { // who waits for a place has the next one
		if !waits {
			return false, true
		}
		q.crowd++
		q.room.Wait()
		q.crowd--
	}
	if q.writes = append(q.writes, o); len(q.writes) >= q.wanted {
		q.wakeUp()
	}
	return true, false
}

func (q *writeQueue) wakeUp() {
	q.wanted = never
	select {
	case q.wake <- struct{}{}:
	default:
	}
}

// close lets nothing more in. Who waits for a place still gets one.
func (q *writeQueue) close() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.closed = true
	q.wakeUp()
}

// ended says that the commit of a batch has ended, and how long it took. Those who have a
// write in a commit or in the queue at this moment all write at this time: when the next
// commit waits for fewer, it leaves the same ones behind again and again.
func (q *writeQueue) ended(batch []*op, took time.Duration) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.pace.behind {
		q.callers = min(max(q.callers, q.under+len(q.writes)), q.callersMost())
	}
	q.running--
	q.under -= len(batch)
	q.took = (3*q.took + min(took, q.pace.patience)) / 4
	q.wakeUp()
}

// waiting is how many writes wait for their commit to begin.
func (q *writeQueue) waiting() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return len(q.writes)
}

// A wait is what a commit waits for: beside how many others, and whether for more writes
// or for the first one.
type wait struct {
	running int
	more    bool
}

// next waits until a commit may begin and takes its writes, which then run until
// ended; nil when the queue is closed and empty. Until then they can be withdrawn.
func (q *writeQueue) next() []*op {
	q.begin.Lock()
	defer q.begin.Unlock()
	var waited <-chan time.Time
	var waits wait // since when waited has been set
	waitedEnough := false
	for {
		q.mu.Lock()
		enough, most := q.enough()
		now := wait{q.running, len(q.writes) > 0}
		waitedEnough = waitedEnough && now == waits
		switch n := len(q.writes); {
		case n == 0 && q.closed && q.crowd == 0:
			q.mu.Unlock()
			return nil
		case n == 0:
			if waitedEnough && q.running == 0 {
				q.callers = 0 // they have gone
			}
			q.wanted = 1
		case n >= enough || waitedEnough || q.closed:
			if batch := q.take(); len(batch) > 0 {
				q.mu.Unlock()
				return batch
			}
			q.mu.Unlock()
			continue
		default:
			q.wanted = enough
		}
		q.mu.Unlock()
		if waited == nil || now != waits {
			waited, waits = time.After(most), now
		}
		select {
		case <-q.wake:
		case <-waited:
			waitedEnough = true
		}
	}
}

// enough is how many writes a commit waits for at this moment, and for how long.
func (q *writeQueue) enough() (writes int, most time.Duration) {
	p := q.pace
	if q.running > 0 {
		return p.large, p.besideMost
	}
	most = q.took * time.Duration(min(q.callers, worth*worthMost)) / worth
	return min(q.callers*p.share/100, p.large), min(p.patience, most)
}

// callersMost is how many callers are counted: more than two large commits' make no difference.
func (q *writeQueue) callersMost() int { return 2 * q.pace.large }

// take begins a commit with the writes that have waited longest and were not withdrawn.
// Those who have a write in a commit then are those who write at this time: when fewer are
// seen, an eighth of them at each commit is taken for gone, since some are always on the
// way.
func (q *writeQueue) take() []*op {
	n := min(len(q.writes), batchMax)
	batch := slices.Clone(q.writes[:n])
	q.writes = slices.Delete(q.writes, 0, n)
	q.room.Broadcast()
	if batch = slices.DeleteFunc(batch, func(o *op) bool { return !o.take() }); len(batch) > 0 {
		q.running++
		q.under += len(batch)
		q.callers = min(max(q.under, q.callers*7/8), q.callersMost())
	}
	return batch
}
