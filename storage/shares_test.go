package storage_test

import (
	"testing"
	"time"

	"payout/storage"
	"payout/storage/storagetest"
)

// A fellow is a node that shares the gate 5.
type fellow struct {
	t    *testing.T
	db   *storage.DB
	node int64
	part int
	storage.GatePart
}

// says says what the node has under way, and takes its part.
func (f *fellow) says(underWay, concurrency int, life time.Duration) int {
	f.t.Helper()
	f.GatePart = storage.GatePart{Gate: 5, Concurrency: concurrency, UnderWay: underWay, Keeps: max(underWay, min(f.Calls, f.part))}
	if err := f.db.ShareGates(f.t.Context(), f.node, life, []*storage.GatePart{&f.GatePart}); err != nil {
		f.t.Fatal(err)
	}
	f.part = storage.EvenPart(concurrency, f.Nodes, f.Rank)
	return f.Calls
}

// gone has it that the node was not heard of for its life.
func (f *fellow) gone() {
	f.t.Helper()
	if err := storage.Exec(f.db, "UPDATE gate_shares SET expires_us = expires_us - 120000000 WHERE node = $1", f.node); err != nil {
		f.t.Fatal(err)
	}
}

func newFellows(t *testing.T, n int) []*fellow {
	db := storagetest.Open(t, storagetest.Postgres(t))
	fellows := make([]*fellow, n)
	for i := range fellows {
		fellows[i] = &fellow{t: t, db: db, node: int64(i + 1)}
	}
	return fellows
}

// Nodes that come get their part as the others give it up, and never is more given
// than the gate allows.
func TestPartsOfAGateAreEvenAndNeverMoreThanItAllows(t *testing.T) {
	for _, c := range []struct {
		concurrency int
		want        [3]int
	}{{10, [3]int{4, 3, 3}}, {9, [3]int{3, 3, 3}}, {2, [3]int{1, 1, 0}}, {1, [3]int{1, 0, 0}}} {
		f := newFellows(t, 3)
		if got := f[2].says(0, c.concurrency, time.Minute); got != c.concurrency {
			t.Errorf("alone at a gate of %d: %d calls", c.concurrency, got)
		}
		if got := f[0].says(0, c.concurrency, time.Minute); got != 0 {
			t.Errorf("the other one has all %d: %d calls", c.concurrency, got)
		}
		for range 3 {
			for _, one := range f {
				one.says(0, c.concurrency, time.Minute)
				if sum := f[0].Calls + f[1].Calls + f[2].Calls; sum > c.concurrency {
					t.Errorf("%d calls at a gate of %d", sum, c.concurrency)
				}
			}
		}
		for i, want := range c.want {
			if f[i].Calls != want || f[i].Nodes != 3 || f[i].Rank != i {
				t.Errorf("node %d of three at a gate of %d has %d calls as %d of %d, want %d", i, c.concurrency, f[i].Calls, f[i].Rank, f[i].Nodes, want)
			}
		}
	}
}

// What is under way is not taken away: the others wait for it.
func TestCallsUnderWayAreKept(t *testing.T) {
	f := newFellows(t, 2)
	f[0].says(0, 10, time.Minute)
	f[1].says(0, 10, time.Minute)
	f[0].says(10, 10, time.Minute) // and hears of the second one
	for underWay := 9; underWay >= 5; underWay-- {
		if one, two := f[0].says(underWay, 10, time.Minute), f[1].says(0, 10, time.Minute); one != underWay || two != 10-underWay {
			t.Errorf("with %d under way: %d and %d calls", underWay, one, two)
		}
	}
	if one, two := f[0].says(0, 10, time.Minute), f[1].says(0, 10, time.Minute); one != 5 || two != 5 {
		t.Errorf("with nothing under way: %d and %d calls", one, two)
	}
	// A gate whose concurrency is lowered.
	if one, two := f[0].says(0, 4, time.Minute), f[1].says(0, 4, time.Minute); one > 5 || two > 5 {
		t.Errorf("after less is allowed: %d and %d calls", one, two)
	}
	if one, two := f[0].says(0, 4, time.Minute), f[1].says(0, 4, time.Minute); one != 2 || two != 2 {
		t.Errorf("a moment later: %d and %d calls", one, two)
	}
}

func TestNodesThatHaveGoneHaveNoPart(t *testing.T) {
	f := newFellows(t, 3)
	f[0].says(0, 9, time.Minute)
	f[0].gone()
	if got := f[1].says(0, 9, time.Minute); got != 9 || f[1].Nodes != 1 {
		t.Errorf("beside one that died: %d calls, of %d nodes", got, f[1].Nodes)
	}
	if got := f[2].says(0, 9, time.Minute); got != 0 {
		t.Errorf("beside one that lives: %d calls", got)
	}
	if err := f[1].db.LeaveGates(t.Context(), f[1].node); err != nil {
		t.Fatal(err)
	}
	if got := f[2].says(0, 9, time.Minute); got != 9 {
		t.Errorf("beside one that has left: %d calls", got)
	}
	if err := f[2].db.ShareGates(t.Context(), f[2].node, time.Minute, nil); err != nil { // it leaves this gate out
		t.Fatal(err)
	}
	if got := f[0].says(0, 9, time.Minute); got != 9 {
		t.Errorf("beside one that has left the gate: %d calls", got)
	}
}

// After a failover to a server whose clock is behind, a dead node's part does not stay.
func TestPartThatLastsTooLongIsDropped(t *testing.T) {
	f := newFellows(t, 2)
	f[0].says(0, 9, time.Hour)
	if got := f[1].says(0, 9, time.Hour/2+time.Minute); got != 0 {
		t.Errorf("beside one with a part for less than two lives: %d calls", got)
	}
	if got := f[1].says(0, 9, time.Hour/2-time.Minute); got != 9 {
		t.Errorf("beside one with a part for more than two lives: %d calls", got)
	}
}

// A node that was taken for gone has lost its part, but for what it still has under way.
func TestNodeThatComesBackDoesNotTakeItsOldPart(t *testing.T) {
	for underWay, want := range map[int]int{0: 0, 3: 3} {
		f := newFellows(t, 2)
		f[0].says(0, 8, time.Minute)
		f[1].says(0, 8, time.Minute)
		f[0].says(0, 8, time.Minute)
		f[0].says(0, 8, time.Minute)
		if got := f[1].says(4, 8, time.Minute); got != 4 {
			t.Fatalf("%d calls", got)
		}
		f[1].gone()
		f[0].says(0, 8, time.Minute)
		if got := f[0].says(8, 8, time.Minute); got != 8 {
			t.Fatalf("%d calls beside one that has gone", got)
		}
		if got := f[1].says(underWay, 8, time.Minute); got != want {
			t.Errorf("with %d under way it has %d calls beside 8 of the other one, want %d", underWay, got, want)
		}
	}
}

// Whoever speaks last of a gate's rest is heard by all, once.
func TestRestsOfGatesAreTold(t *testing.T) {
	f := newFellows(t, 2)
	say := func(f *fellow, tells bool, rest storage.GateRest) storage.GateRest {
		t.Helper()
		part := &storage.GatePart{Gate: 5, Concurrency: 1, Rest: rest, Tells: tells}
		if err := f.db.ShareGates(t.Context(), f.node, time.Minute, []*storage.GatePart{part}); err != nil {
			t.Fatal(err)
		}
		return part.Rest
	}
	if got := say(f[0], false, storage.GateRest{}); got.Version != 0 {
		t.Errorf("before anything was said: %+v", got)
	}
	for version, rest := range []storage.GateRest{{Rests: 2, Left: time.Hour}, {Rests: 3, Left: 2 * time.Hour}, {}} {
		if got := say(f[version%2], true, rest); got.Version != int64(version+1) {
			t.Errorf("what was said: %+v, want version %d", got, version+1)
		}
		got := say(f[1-version%2], false, storage.GateRest{})
		if got.Version != int64(version+1) || got.Rests != rest.Rests || got.Left > rest.Left || got.Left < rest.Left-time.Minute {
			t.Errorf("heard %+v, said %+v as version %d", got, rest, version+1)
		}
	}
}

// On SQLite a process is alone, and a gate's own limit is all.
func TestOneProcessOnSQLiteHasItsGatesForItself(t *testing.T) {
	db := storagetest.Open(t, storagetest.SQLite(t))
	for node := range int64(2) {
		part := &storage.GatePart{Gate: 5, Concurrency: 10}
		if err := db.ShareGates(t.Context(), node, time.Minute, []*storage.GatePart{part}); err != nil || part.Calls < 10 || part.Nodes != 1 || part.Rank != 0 {
			t.Errorf("%+v, %v", part, err)
		}
	}
}

func TestEvenPartsAreTheWhole(t *testing.T) {
	for number := range 20 {
		for nodes := 1; nodes < 25; nodes++ {
			sum := 0
			for rank := range nodes {
				part := storage.EvenPart(number, nodes, rank)
				if sum += part; part < number/nodes || part > number/nodes+1 {
					t.Errorf("%d of %d nodes has %d of %d", rank, nodes, part, number)
				}
			}
			if sum != number {
				t.Errorf("%d nodes have %d of %d", nodes, sum, number)
			}
		}
	}
}
