package storage

import (
	"testing"
	"testing/synctest"
	"time"
)

// queued is a queue with n writes in it, of which some were withdrawn.
func queued(p pace, n, withdrawn int) *writeQueue {
	q := newWriteQueue(p)
	q.took = time.Hour
	for i := range n {
		o := new(op)
		q.add(o, false)
		if i < withdrawn {
			o.withdraw()
		}
	}
	return q
}

// began is the batch that a queue begins a commit with, and how long that took.
func began(q *writeQueue) (batch []*op, took time.Duration) {
	from := time.Now()
	return q.next(), time.Since(from)
}

// A commit that is alone waits for a share of those who write at this time, until it is
// large, and not longer than its patience; a caller who is alone never waits.
func TestCommitWaitsForThoseWhoComeBack(t *testing.T) {
	const patience = time.Second
	for _, test := range []struct {
		what            string
		callers, writes int
		withdrawn, want int
		took            time.Duration
	}{
		{what: "the first one", writes: 1, want: 1},
		{what: "a caller who is alone", callers: 1, writes: 1, want: 1},
		{what: "all that waits is taken, and that is enough", callers: 8, writes: 8, want: 8},
		{what: "just enough", callers: 8, writes: 6, want: 6},
		{what: "less than enough, and nobody comes", callers: 8, writes: 5, want: 5, took: patience},
		{what: "some were withdrawn", callers: 8, writes: 6, withdrawn: 2, want: 4},
		{what: "large", callers: 100, writes: 20, want: 20},
		{what: "not yet large, and nobody comes", callers: 100, writes: 19, want: 19, took: patience},
		{what: "not more than fit", callers: 10, writes: batchMax + 1, want: batchMax},
	} {
		synctest.Test(t, func(t *testing.T) {
			q := queued(pace{atOnce: 1, share: 75, patience: patience, large: 20}, test.writes, test.withdrawn)
			q.callers = test.callers
			batch, took := began(q)
			if len(batch) != test.want || took != test.took {
				t.Errorf("%s: %d writes after %s, want %d after %s", test.what, len(batch), took, test.want, test.took)
			}
			if left := q.waiting(); left != test.writes-test.withdrawn-test.want {
				t.Errorf("%s: %d writes are left", test.what, left)
			}
		})
	}
}

// For each of those who write at this time a commit that is alone waits a sixth of the
// time that one takes, up to twice that time: where commits are quick or callers few, who
// waits for others loses more than he wins. One that was slow does not change that at once,
// and one that hung counts as the patience.
func TestCommitWaitsLongerForMoreCallers(t *testing.T) {
	const ms = time.Millisecond
	for _, test := range []struct {
		callers    int
		last, want time.Duration
	}{{2, 100 * ms, 33 * ms}, {6, 100 * ms, 100 * ms}, {11, 100 * ms, 183 * ms}, {12, 100 * ms, 200 * ms}, {16, 100 * ms, 200 * ms},
		{16, 180 * ms, 240 * ms}, {16, time.Hour, 650 * ms}} {
		synctest.Test(t, func(t *testing.T) {
			q := queued(pace{atOnce: 1, share: 100, patience: time.Second, large: 20}, 0, 0)
			q.took = 0
			for range 50 { // until the mean has settled
				q.ended(nil, 100*ms)
			}
			q.ended(nil, test.last)
			q.callers = test.callers
			q.add(new(op), false)
			if _, took := began(q); took.Round(ms) != test.want {
				t.Errorf("for %d, after one of %s, it began after %s, want %s", test.callers, test.last, took, test.want)
			}
		})
	}
}

// Those who come one by one wake the commit when they are enough.
func TestCommitBeginsWhenEnoughHaveCome(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := queued(pace{atOnce: 1, share: 100, patience: time.Hour, large: batchMax}, 0, 0)
		q.callers = 3
		batches := make(chan []*op, 1)
		go func() { batches <- q.next() }()
		for n := 1; n <= 3; n++ {
			synctest.Wait()
			select {
			case got := <-batches:
				t.Fatalf("a commit of %d writes began with %d", len(got), n-1)
			default:
			}
			q.add(new(op), false)
		}
		if got := <-batches; len(got) != 3 {
			t.Errorf("%d writes, want 3", len(got))
		}
	})
}

// When all writes that waited were withdrawn, the next commit is that of later ones.
func TestCommitWithoutWritesDoesNotBegin(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := queued(sqlitePace, 2, 2)
		batches := make(chan []*op, 1)
		go func() { batches <- q.next() }()
		synctest.Wait()
		if len(batches) > 0 {
			t.Errorf("a commit began with %d writes", len(<-batches))
		}
		q.add(new(op), false)
		if got := <-batches; len(got) != 1 || q.running != 1 {
			t.Errorf("%d writes, %d commits run", len(got), q.running)
		}
	})
}

// A commit begins beside another one when it has enough writes, or the other one seems
// to hang; when the other one ends, it is alone, and waits as such.
func TestCommitBeginsBesideAnotherOnlyWithEnoughWrites(t *testing.T) {
	p := pace{atOnce: 2, share: 50, patience: time.Second, large: 4, besideMost: time.Minute}
	for _, test := range []struct {
		what    string
		writes  int
		callers int
		ends    time.Duration // when the other one does; 0: never
		took    time.Duration
	}{
		{what: "enough", writes: 4, callers: 8},
		{what: "not enough, and the other one hangs", writes: 3, callers: 8, took: time.Minute},
		{what: "not enough, and the other one ends", writes: 3, callers: 8, ends: 10 * time.Second, took: 11 * time.Second},
		{what: "enough for one alone, and the other one ends", writes: 3, callers: 6, ends: 10 * time.Second, took: 10 * time.Second},
	} {
		synctest.Test(t, func(t *testing.T) {
			q := queued(p, test.writes, 0)
			q.running, q.callers = 1, test.callers
			if test.ends > 0 {
				time.AfterFunc(test.ends, func() { q.ended(nil, time.Hour) })
			}
			if batch, took := began(q); len(batch) != test.writes || took != test.took {
				t.Errorf("%s: %d writes after %s, want %d after %s", test.what, len(batch), took, test.writes, test.took)
			}
		})
	}
}

// Those who write at this time are counted when a commit begins. Who is not seen is taken
// for gone by and by.
func TestThoseWhoWriteAreCounted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := queued(pace{atOnce: 2, share: 100, patience: time.Second, large: 20, besideMost: time.Minute}, 12, 0)
		begin := func(writes, want int, what string) (batch []*op) {
			t.Helper()
			for range writes {
				q.add(new(op), false)
			}
			if batch = q.next(); q.callers != want {
				t.Errorf("%s: %d callers, want %d", what, q.callers, want)
			}
			return batch
		}
		first := begin(0, 12, "all are in one commit")
		second := begin(20, 32, "in two commits")
		q.ended(first, time.Hour)
		q.ended(second, time.Hour)
		q.ended(begin(20, 28, "an eighth has gone"), time.Hour)
		q.ended(begin(28, 28, "nobody has"), time.Hour)
		q.ended(begin(batchMax, 40, "more than two large commits"), time.Hour)
		for n := 0; q.callers > 1; n++ { // however many they were
			if n == 20 {
				t.Fatalf("%d callers after %d commits of one", q.callers, n)
			}
			q.add(new(op), false)
			q.ended(q.next(), time.Hour)
		}
		q.add(new(op), false)
		if batch, took := began(q); len(batch) != 1 || took > 0 {
			t.Errorf("one who is alone: %d writes after %s, want one at once", len(batch), took)
		}
	})
}

// Those who waited while a commit ran write at the same time as those who were in it: the
// next commit waits for both, and they share commits from then on. Where they are not
// waited for, they go first.
func TestThoseWhoWaitedAreCounted(t *testing.T) {
	for _, test := range []struct {
		what              string
		behind            bool
		waited, come      int
		callers, together int
		took              time.Duration
	}{
		{what: "all who were left behind", behind: true, waited: 3, come: 5, callers: 8, together: 8},
		{what: "one has gone", behind: true, waited: 3, come: 4, callers: 8, together: 7, took: time.Second},
		{what: "nobody was", behind: true, come: 5, callers: 5, together: 5},
		{what: "more than two large commits", behind: true, waited: 40, callers: 40, together: 40},
		{what: "not waited for", waited: 3, come: 5, callers: 5, together: 8},
		{what: "not waited for, and some are late", waited: 5, callers: 5, together: 5},
	} {
		synctest.Test(t, func(t *testing.T) {
			q := queued(pace{atOnce: 1, share: 100, behind: test.behind, patience: time.Second, large: 20}, 5, 0)
			batch := q.next()
			for range test.waited {
				q.add(new(op), false)
			}
			q.ended(batch, time.Hour)
			if q.callers != test.callers {
				t.Errorf("%s: %d callers, want %d", test.what, q.callers, test.callers)
			}
			for range test.come {
				q.add(new(op), false)
			}
			if batch, took := began(q); len(batch) != test.together || took != test.took {
				t.Errorf("%s: %d writes after %s, want %d after %s", test.what, len(batch), took, test.together, test.took)
			}
		})
	}
}

// When nobody has come for as long as a commit waits, those who wrote have gone: the next
// one to come does not wait for them.
func TestThoseWhoHaveGoneAreForgotten(t *testing.T) {
	const patience = time.Second
	for comes, waits := range map[time.Duration]time.Duration{patience - 1: patience, patience + 1: 0} {
		synctest.Test(t, func(t *testing.T) {
			q := queued(pace{atOnce: 1, share: 100, patience: patience, large: 20}, 0, 0)
			q.callers = 8
			time.AfterFunc(comes, func() { q.add(new(op), false) })
			if batch, took := began(q); len(batch) != 1 || took != comes+waits {
				t.Errorf("one who came after %s: %d writes after %s, want one after %s", comes, len(batch), took, comes+waits)
			}
		})
	}
}

// While a commit runs, those whose writes are in it have not gone, however long it takes:
// who comes then waits as ever.
func TestThoseInACommitAreNotForgotten(t *testing.T) {
	for _, test := range []struct {
		what              string
		ends, comes, want time.Duration
	}{
		{what: "beside it", comes: 2 * time.Minute, want: 3 * time.Minute},
		{what: "after it", ends: 2 * time.Minute, comes: 2*time.Minute + time.Second/2, want: 2*time.Minute + 3*time.Second/2},
	} {
		synctest.Test(t, func(t *testing.T) {
			q := queued(pace{atOnce: 2, share: 100, patience: time.Second, large: 20, besideMost: time.Minute}, 0, 0)
			q.running, q.callers = 1, 8
			if test.ends > 0 {
				time.AfterFunc(test.ends, func() { q.ended(nil, time.Hour) })
			}
			time.AfterFunc(test.comes, func() { q.add(new(op), false) })
			if _, took := began(q); took != test.want {
				t.Errorf("who came %s began after %s, want %s", test.what, took, test.want)
			}
		})
	}
}

// A closed queue lets nothing in, and what is in it is stored without waiting: also
// what waited for a place.
func TestClosedQueueIsEmptied(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := queued(pace{atOnce: 1, share: 100, patience: time.Hour, large: batchMax}, queueMax, 0)
		q.callers = batchMax
		const workers = 2*batchMax + 1
		for range workers {
			go q.add(new(op), true)
		}
		synctest.Wait()
		if ok, full := q.add(new(op), false); ok || !full {
			t.Errorf("a full queue took one more: %t, full: %t", ok, full)
		}
		q.close()
		if ok, full := q.add(new(op), true); ok || full {
			t.Errorf("a closed queue took one more: %t, full: %t", ok, full)
		}
		stored, from := 0, time.Now()
		for batch := q.next(); batch != nil; batch = q.next() {
			stored += len(batch)
			q.ended(batch, 0)
		}
		if took := time.Since(from); stored != queueMax+workers || took > 0 {
			t.Errorf("%d writes were stored after %s, want %d at once", stored, took, queueMax+workers)
		}
	})
}

// What a worker records has the next place: not who has just come, and not more than
// there are places.
func TestWhoWaitsForAPlaceHasTheNextOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := queued(sqlitePace, queueMax, 0)
		for range batchMax + 1 {
			go q.add(new(op), true)
		}
		synctest.Wait()
		take := func() {
			q.mu.Lock()
			defer q.mu.Unlock()
			q.take()
		}
		take()
		if ok, full := q.add(new(op), false); ok || !full {
			t.Errorf("who has just come got a place: %t, full: %t", ok, full)
		}
		synctest.Wait()
		if n := q.waiting(); n != queueMax || q.crowd != 1 {
			t.Errorf("%d writes wait, and %d for a place, want %d and 1", n, q.crowd, queueMax)
		}
		take()
		synctest.Wait()
		if ok, full := q.add(new(op), false); !ok || full {
			t.Errorf("nobody waits, and there are places: %t, full: %t", ok, full)
		}
	})
}

// A queue that is closed waits for those who were promised a place.
func TestClosedQueueWaitsForItsCrowd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := queued(sqlitePace, 0, 0)
		q.crowd = 1
		q.close()
		ended := make(chan []*op, 1)
		go func() { ended <- q.next() }()
		synctest.Wait()
		if len(ended) > 0 {
			t.Fatal("it ended while somebody waited for a place")
		}
		q.mu.Lock()
		q.crowd--
		q.wakeUp()
		q.mu.Unlock()
		if got := <-ended; got != nil {
			t.Errorf("%d writes came from nowhere", len(got))
		}
	})
}
