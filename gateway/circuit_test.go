package gateway

import (
	"errors"
	"testing"
	"time"

	"payout/processor"
	"payout/storage"
)

var (
	failure = processor.Unsent(errors.New("refused"))
	answer  = processor.Declined(1000, "no")
)

func TestGateRestsAfterFailuresInARow(t *testing.T) {
	now := time.Unix(0, 0)
	var c circuit
	for range circuitTrips - 1 {
		c.record(failure, now, 0.5)
	}
	if c.allows(now, 0) == 0 {
		t.Fatal("the gate rests one failure too early")
	}
	c.record(failure, now, 0.5)
	if c.allows(now, 0) != 0 {
		t.Fatal("the gate does not rest")
	}
	if c.allows(now.Add(restFirst-time.Nanosecond), 0) != 0 {
		t.Error("the gate woke up before its rest was over")
	}
	for underWay, want := range map[int]int{0: circuitTrips, 1: circuitTrips - 1, circuitTrips: 0, circuitTrips + 1: 0} {
		if got := c.allows(now.Add(restFirst), underWay); got != want {
			t.Errorf("after its rest, with %d orders under way, the gate tries %d, want %d", underWay, got, want)
		}
	}
}

func TestAnswerEndsTheRowOfFailuresAndTheRest(t *testing.T) {
	now := time.Unix(0, 0)
	var c circuit
	for range 3 {
		for range circuitTrips - 1 {
			c.record(failure, now, 0.5)
		}
		c.record(answer, now, 0.5) // a refusal of money is an answer too
	}
	if c.allows(now, 0) != claimMost {
		t.Error("failures that were not in a row rest the gate")
	}
	for range circuitTrips {
		c.record(failure, now, 0.5)
	}
	now = now.Add(restFirst)
	c.record(answer, now, 0.5)
	if c.allows(now, 0) != claimMost {
		t.Error("the gate still rests after an answer")
	}
}

func TestRestsGrowToTheirLimitAndLateFailuresDoNotProlongThem(t *testing.T) {
	now := time.Unix(0, 0)
	var c circuit
	for range circuitTrips {
		c.record(failure, now, 0.5)
	}
	rest := restFirst
	for range 10 {
		c.record(failure, now.Add(rest/2), 0.5) // a call that began before the rest
		if c.allows(now.Add(rest), 0) != circuitTrips || c.allows(now.Add(rest-time.Nanosecond), 0) != 0 {
			t.Fatalf("a rest is not %s long", rest)
		}
		now = now.Add(rest)
		c.record(failure, now, 0.5)
		rest = min(2*rest, restMost)
	}
	if rest != restMost {
		t.Errorf("the longest rest is %s", rest)
	}
}

func TestAnAnsweredQuestionEndsTheRestAndAnUnansweredOneTellsNothing(t *testing.T) {
	now := time.Unix(0, 0)
	var c circuit
	for range 10 {
		c.asked(failure)
	}
	if c.allows(now, 0) != claimMost {
		t.Fatal("questions without an answer rest the gate")
	}
	for range circuitTrips {
		c.record(failure, now, 0.5)
	}
	c.asked(failure)
	if c.allows(now, 0) != 0 {
		t.Error("a question without an answer ends the rest")
	}
	c.asked(answer)
	if got := c.allows(now, 0); got != circuitTrips {
		t.Errorf("after an answer the gate tries %d orders, want %d", got, circuitTrips)
	}
}

func TestRestIsHeardByOtherNodesAndSoIsItsEnd(t *testing.T) {
	now := time.Unix(0, 0)
	later := now.Add(time.Hour) // by the clock of the second node
	var one, two circuit
	if _, tells, _ := one.says(now); tells {
		t.Error("there is news before anything has happened")
	}
	for range circuitTrips {
		one.record(failure, now, 0.5)
	}
	rest, tells, changes := one.says(now)
	if !tells || rest.Rests != 1 || rest.Left != restFirst {
		t.Fatalf("the rest is told as %+v, %t", rest, tells)
	}
	rest.Version = 1 // as the database answers
	one.hears(rest, now, changes, 2)
	two.hears(rest, later, 0, 3)
	if _, tells, _ := one.says(now); tells {
		t.Error("the rest is told twice")
	}
	if _, tells, _ := two.says(later); tells {
		t.Error("what was heard is told again")
	}
	for _, node := range []struct {
		c     *circuit
		now   time.Time
		tries int
	}{{&one, now, circuitTrips - 2}, {&two, later, circuitTrips - 3}} {
		if node.c.allows(node.now.Add(restFirst-time.Nanosecond), 0) != 0 {
			t.Error("a node does not rest")
		}
		if got := node.c.allows(node.now.Add(restFirst), 0); got != node.tries {
			t.Errorf("after the rest a node tries %d orders, want %d", got, node.tries)
		}
	}
	two.record(answer, later.Add(restFirst), 0.5)
	rest, tells, changes = two.says(later.Add(restFirst))
	if !tells || rest.Rests != 0 || rest.Left != 0 {
		t.Fatalf("the end of the rest is told as %+v, %t", rest, tells)
	}
	rest.Version = 2
	two.hears(rest, later, changes, 3)
	one.hears(rest, now, 1, 2)
	if one.allows(now, 0) != claimMost {
		t.Error("the end of the rest was not heard")
	}
}

// A rest that another node has told is no longer than the longest of this one's.
func TestNoRestOfOtherNodesIsTooLong(t *testing.T) {
	now := time.Unix(0, 0)
	var c circuit
	c.hears(storage.GateRest{Rests: 1, Left: time.Hour, Version: 1}, now, 0, 0)
	if c.allows(now.Add(longestRest-time.Nanosecond), 0) != 0 || c.allows(now.Add(longestRest), 0) == 0 {
		t.Errorf("a rest of an hour is not taken for one of %s", longestRest)
	}
}

// A rest that began while the clock was ahead is, when it is back, no longer than the
// longest, for who asks first; and it is not told to other nodes as a longer one.
func TestRestOfAClockThatWasAheadIsNoLongerThanTheLongest(t *testing.T) {
	now := time.Unix(0, 0)
	for what, asks := range map[string]func(*circuit) bool{
		"allows": func(c *circuit) bool { return c.allows(now, 0) == 0 },
		"state":  func(c *circuit) bool { return c.state(now) == circuitOpen },
		"says":   func(c *circuit) bool { rest, _, _ := c.says(now); return rest.Left == longestRest },
		"record": func(c *circuit) bool { c.record(failure, now, 0.5); return c.rests == 1 },
	} {
		var c circuit
		for range circuitTrips {
			c.record(failure, now.Add(3*time.Hour), 0.5)
		}
		if !asks(&c) {
			t.Errorf("%s: the gate does not rest", what)
		}
		if c.allows(now.Add(longestRest-time.Nanosecond), 0) != 0 || c.allows(now.Add(longestRest), 0) != circuitTrips {
			t.Errorf("%s: the rest does not end after %s", what, longestRest)
		}
	}
}

// A rest of the longest length is not shortened.
func TestLongestRestIsAsLongAsItIs(t *testing.T) {
	now := time.Unix(0, 0)
	c := circuit{rests: 1, until: now.Add(longestRest)}
	if c.state(now) != circuitOpen || c.until != now.Add(longestRest) {
		t.Errorf("it ends at %s", c.until)
	}
	c = circuit{rests: 1, until: now.Add(longestRest + time.Nanosecond)}
	if c.state(now) != circuitOpen || c.until != now.Add(longestRest) {
		t.Errorf("one that is longer ends at %s", c.until)
	}
}

// What another node has said does not undo what this one has to say, nor is it heard twice.
func TestOwnNewsOfARestAreNotOverheard(t *testing.T) {
	now := time.Unix(0, 0)
	var c circuit
	_, _, changes := c.says(now) // the question is on its way
	for range circuitTrips {
		c.record(failure, now, 0.5)
	}
	c.hears(storage.GateRest{Version: 1}, now, changes, 0)
	if rest, tells, _ := c.says(now); !tells || rest.Rests != 1 {
		t.Errorf("the rest that began meanwhile is told as %+v, %t", rest, tells)
	}
	c.record(answer, now, 0.5)
	_, _, changes = c.says(now)
	c.hears(storage.GateRest{Version: 2}, now, changes, 0) // that was this node's
	for range circuitTrips {
		c.record(failure, now, 0.5)
	}
	_, _, changes = c.says(now)
	told := storage.GateRest{Rests: 1, Left: restFirst, Version: 3}
	c.hears(told, now, changes, 0)
	c.record(failure, now.Add(restFirst), 0.5)
	_, _, changes = c.says(now)
	c.hears(told, now, changes, 0)
	if rest, _, _ := c.says(now); rest.Rests != 2 {
		t.Errorf("an old rest was heard again: %+v", rest)
	}
}
