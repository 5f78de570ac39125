package gateway

import (
	"slices"
	"testing"

	"payout"
)

func owedTo(receivers ...string) (found []payout.Callback) {
	for _, r := range receivers {
		found = append(found, payout.Callback{Receiver: r})
	}
	return found
}

// claims lets a courier claim, and tells it what was found.
func (c *courier) claims(receivers ...string) {
	p := c.portion()
	c.found(p, owedTo(receivers...))
	c.slots.giveBack(p.most)
}

func TestCourierTakesNothingBeforeItHasLookedForWhatIsDue(t *testing.T) {
	c := newCourier(Settings{})
	if c.take("a") {
		t.Error("taken before the first claim")
	}
	if c.claims(); !c.take("a") {
		t.Error("not taken after a claim that found nothing")
	}
}

// What is claimed and what is taken meanwhile are at most a receiver's share together.
func TestCourierGivesAReceiverItsShareAtMost(t *testing.T) {
	for each := 1; each <= 5; each++ {
		c := newCourier(Settings{CallbackPerReceiver: each})
		c.claims()
		p := c.portion()
		if p.each < 1 {
			t.Errorf("with a share of %d, %d are claimed", each, p.each)
		}
		taken := 0
		for c.take("a") {
			taken++
		}
		if taken+p.each != each {
			t.Errorf("of a share of %d, %d are claimed and %d taken", each, p.each, taken)
		}
		for range p.each {
			c.claimed("a")
		}
		if !slices.Contains(c.portion().busy, "a") {
			t.Errorf("with its share of %d under way, a receiver is not busy", each)
		}
		for range p.each {
			c.ended("a")
		}
		if slices.Contains(c.portion().busy, "a") {
			t.Errorf("with %d of %d under way, a receiver is busy", taken, each)
		}
		if c.claims(); each > 1 && c.take("a") {
			t.Errorf("one more than %d of %d is taken", taken, each)
		}
		if !c.take("b") == (each > 1) {
			t.Errorf("with a share of %d, another receiver's is not taken", each)
		}
	}
}

func TestCourierLetsWhoWaitsGoFirst(t *testing.T) {
	c := newCourier(Settings{CallbackPerReceiver: 4})
	c.claims()
	c.take("a")
	c.take("a")
	if c.take("a") {
		t.Fatal("a third one is taken")
	}
	c.leave("a")
	c.leave("a")
	if c.take("a") {
		t.Error("taken before the one that waits was claimed")
	}
	for _, left := range [][]string{{"a", "a"}, {"b", "b"}} {
		if c.claims(left...); c.take("a") {
			t.Errorf("taken though the claim of %v may have left some", left)
		}
	}
	if c.claims("a", "b"); !c.take("a") {
		t.Error("not taken though the claim left nothing")
	}
}

func TestCourierKnowsNothingOfABusyReceiver(t *testing.T) {
	c := newCourier(Settings{CallbackPerReceiver: 4})
	c.claims()
	for range 3 {
		c.claimed("a") // more than half
	}
	c.claims()
	c.ended("a")
	c.ended("a")
	if c.take("a") {
		t.Error("taken though the claim left out the receiver")
	}
	if c.claims(); !c.take("a") {
		t.Error("not taken after a claim with the receiver")
	}
}

func TestCourierIsToldWhenAReceiverIsBusyNoMore(t *testing.T) {
	c := newCourier(Settings{CallbackPerReceiver: 4})
	eased := func() bool {
		select {
		case <-c.eased:
			return true
		default:
			return false
		}
	}
	for range 4 {
		c.claimed("a") // busy with three
	}
	if c.ended("a"); eased() {
		t.Error("told while the receiver is busy")
	}
	if c.ended("a"); !eased() {
		t.Error("not told when it is busy no more")
	}
	if c.ended("a"); eased() {
		t.Error("told again")
	}
}

func TestCourierHasItsMostAtOnce(t *testing.T) {
	c := newCourier(Settings{CallbackConcurrency: 2})
	c.claims()
	if !c.take("a") || !c.take("b") {
		t.Fatal("two are not taken")
	}
	if c.take("c") {
		t.Error("a third one is taken")
	}
}

func TestSlotsAreTakenUpToTheirMostUntilTheEnd(t *testing.T) {
	s := newSlots()
	if n := s.take(2, 3); n != 2 {
		t.Errorf("took %d of 2", n)
	}
	if n := s.take(2, 3); n != 1 {
		t.Errorf("took %d, of 3 2 are in use", n)
	}
	if n := s.take(1, 2); n != 0 {
		t.Errorf("took %d, more than the most are in use", n)
	}
	ran := make(chan struct{})
	s.use(func() { close(ran) })
	<-ran
	s.giveBack(2)
	if s.close(); s.inUse() != 0 || s.take(1, 9) != 0 {
		t.Error("taken after the end")
	}
}

func TestGoroutineOfASlotTakesTheNextOneUntilTheEnd(t *testing.T) {
	s := newSlots()
	s.take(2, 2)
	var ran []string
	ended := make(chan struct{})
	go func() {
		s.work(func() { ran = append(ran, "first") })
		close(ended)
	}()
	s.next <- func() { ran = append(ran, "next") }
	s.close()
	<-ended
	if !slices.Equal(ran, []string{"first", "next"}) || s.inUse() != 0 {
		t.Errorf("ran %q; %d in use", ran, s.inUse())
	}
}
