package gateway

import (
	"errors"
	"testing"
	"time"

	"payout"
	"payout/storage"
	"payout/storage/storagetest"
)

// newNode is a gateway on PostgreSQL with a gate that takes one call at a time. It shares
// the gate when the test says so.
func newNode(t *testing.T) (*Gateway, *gateWorker) {
	t.Helper()
	g := &Gateway{DB: storagetest.Open(t, storagetest.Postgres(t)), Now: time.Now}
	g.directory.Store(&storage.Directory{Gates: map[payout.GateID]*payout.Gate{1: {ID: 1, Concurrency: 1}}})
	worker := newGateWorker(make(chan struct{}, 1))
	g.workers.Store(payout.GateID(1), worker)
	return g, worker
}

const thisNode, otherNode = 1, 2

func (g *Gateway) share(t *testing.T) {
	t.Helper()
	if err := g.shareGates(t.Context(), thisNode); err != nil {
		t.Fatal(err)
	}
}

// otherJoins has another node share the gate.
func (g *Gateway) otherJoins(t *testing.T) {
	t.Helper()
	part := &storage.GatePart{Gate: 1, Concurrency: 1}
	if err := g.DB.ShareGates(t.Context(), otherNode, shareLife, []*storage.GatePart{part}); err != nil {
		t.Fatal(err)
	}
}

func (g *Gateway) otherLeaves(t *testing.T) {
	t.Helper()
	if err := g.DB.LeaveGates(t.Context(), otherNode); err != nil {
		t.Fatal(err)
	}
}

// ago is a stopwatch that was started a while ago.
func ago(d time.Duration) *stopwatch { return &stopwatch{time.Now().Add(-d)} }

// A node is alone at a gate since it first saw no other there; one that comes ends that,
// and so does a time in which this node could not see who is there.
func TestNodeIsAloneSinceItHasSeenNoOther(t *testing.T) {
	g, worker := newNode(t)
	if worker.sole.Load() != nil {
		t.Error("it is alone before it has looked")
	}
	g.share(t)
	first := worker.sole.Load()
	g.share(t)
	if first == nil || worker.sole.Load() != first {
		t.Error("it does not count from when it first saw no other")
	}
	g.otherJoins(t)
	g.share(t)
	if worker.sole.Load() != nil || worker.alone() != 0 {
		t.Error("it is alone beside another")
	}
	g.otherLeaves(t)
	g.share(t)
	second := worker.sole.Load()
	if second == nil || second == first {
		t.Error("alone again, it does not count from then")
	}
	worker.asked.Store(ago(shareLife - shareMargin)) // another may have come and gone since
	g.share(t)
	if third := worker.sole.Load(); third == nil || third == second {
		t.Error("it counts a time in which it did not look")
	}
}

// A node that has been alone for as long as a lease does not wait for one that has stopped
// with the card's code.
func TestCardCodeIsGoneSoonerForANodeThatIsAlone(t *testing.T) {
	g, worker, now := new(Gateway), newGateWorker(nil), time.Unix(0, 0)
	g.workers.Store(payout.GateID(1), worker)
	lease := g.Settings.lease()
	for name, test := range map[string]struct {
		asked, sole *stopwatch
		waits       time.Duration
	}{
		"alone for a lease":      {ago(0), ago(lease), lease},
		"alone for less":         {ago(0), ago(lease - time.Minute), codeMost + lease},
		"not alone":              {ago(0), nil, codeMost + lease},
		"has not looked lately":  {ago(shareLife - shareMargin), ago(lease), codeMost + lease},
		"has not looked at all":  {nil, nil, codeMost + lease},
		"looked a moment before": {ago(shareMargin), ago(lease), lease},
	} {
		worker.asked.Store(test.asked)
		worker.sole.Store(test.sole)
		for age, want := range map[time.Duration]bool{test.waits - 1: false, test.waits: true} {
			if gone := g.codeGone(&payout.Order{GateID: 1, CreatedAt: now.Add(-age)}, now); gone != want {
				t.Errorf("%s, after %s: gone is %t", name, age, gone)
			}
		}
	}
}

// What a node knew of a gate that it has left is no longer so when it comes back: until it
// is told its part again it takes no sale, which it perhaps could not send.
func TestNodeThatHasLeftAGateHasNoPartOfItUntilItIsToldAgain(t *testing.T) {
	g, worker := newNode(t)
	var unfit error
	g.Unfit = func() error { return unfit }
	g.share(t)
	if !g.hasPart(1) {
		t.Fatal("it has no part of a gate that it has for itself")
	}
	unfit = errors.New("in the test")
	g.share(t)
	unfit = nil
	if g.hasPart(1) || worker.sole.Load() != nil {
		t.Error("fit again, it goes by what it knew before it left")
	}
	g.share(t)
	if !g.hasPart(1) || worker.sole.Load() == nil {
		t.Error("told again, it has no part")
	}
}
