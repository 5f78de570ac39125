package gateway

import (
	"errors"
	"testing"
	"time"

	"payout/processor"
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
