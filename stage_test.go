package payout

import (
	"fmt"
	"slices"
	"testing"
)

// starts are the stages where new orders begin.
var starts = func() (first []Stage) {
	for _, row := range stages {
		if row.First {
			first = append(first, row.Stage)
		}
	}
	return first
}()

func TestEveryStageIsReachable(t *testing.T) {
	reached := slices.Clone(starts)
	for i := 0; i < len(reached); i++ {
		for _, m := range moves {
			if m.From == reached[i] && !slices.Contains(reached, m.To) {
				reached = append(reached, m.To)
			}
		}
	}
	for _, row := range stages {
		if !slices.Contains(reached, row.Stage) {
			t.Errorf("no way leads to %s", row.Stage)
		}
	}
}

func TestFinalStagesHaveNoWayOutAndOthersReachAnEnd(t *testing.T) {
	for _, row := range stages {
		out := slices.ContainsFunc(moves, func(m Move) bool { return m.From == row.Stage })
		if row.Status.Final() == out {
			t.Errorf("%s: final %v, way out %v", row.Stage, row.Status.Final(), out)
		}
		if !reachesEnd(row.Stage, nil) {
			t.Errorf("no way leads from %s to an end", row.Stage)
		}
	}
}

func reachesEnd(s Stage, seen []Stage) bool {
	if s.Final() {
		return true
	}
	for _, m := range moves {
		if m.From == s && !slices.Contains(seen, m.To) && reachesEnd(m.To, append(seen, s)) {
			return true
		}
	}
	return false
}

func TestNoStageAndEventAreListedTwice(t *testing.T) {
	seen := make(map[string]bool)
	for _, m := range moves {
		key := fmt.Sprint(m.From, " by ", m.On)
		if seen[key] {
			t.Errorf("%s is listed twice", key)
		}
		seen[key] = true
	}
}

func TestEveryStageOfAMoveHasARow(t *testing.T) {
	for _, m := range moves {
		for _, s := range []Stage{m.From, m.To} {
			if _, ok := stageRows[s]; !ok {
				t.Errorf("stage %s has no row", s)
			}
		}
	}
	if len(stageRows) != len(stages) {
		t.Error("a stage has two rows")
	}
}

func TestStagesAndEventsAreDocumented(t *testing.T) {
	for _, row := range stages {
		if row.Suffix == "" || row.Doc.EN == "" || row.Doc.RU == "" {
			t.Errorf("%s: a text is missing", row.Stage)
		}
	}
	told := make(map[Event]bool)
	for _, row := range events {
		if row.Doc.EN == "" || row.Doc.RU == "" || told[row.Event] {
			t.Errorf("%s: a text is missing, or the row is there twice", row.Event)
		}
		told[row.Event] = true
	}
	for _, m := range moves {
		if !told[m.On] {
			t.Errorf("event %s has no row", m.On)
		}
	}
}

// provesUnpaid are the events after which money has surely not left. Unsent is
// a proof only by the very call that sent.
func provesUnpaid(m Move) bool {
	switch m.On {
	case Decline, DeclineChain, Fail:
		return true
	case Unsent:
		return m.From == Sending
	}
	return false
}

// secondSend looks for a way on which an order is sent although money may have
// left by an earlier Send. It returns the way, or nil.
func secondSend(table []Move) []Event {
	type state struct {
		stage Stage
		left  bool // money may have left
	}
	seen := make(map[state]bool)
	var walk func(s state, way []Event) []Event
	walk = func(s state, way []Event) []Event {
		if seen[s] {
			return nil
		}
		seen[s] = true
		for _, m := range table {
			if m.From != s.stage {
				continue
			}
			on := append(slices.Clone(way), m.On)
			if m.On == Send && s.left {
				return on
			}
			left := (s.left || m.On == Send) && !provesUnpaid(m)
			if found := walk(state{m.To, left}, on); found != nil {
				return found
			}
		}
		return nil
	}
	for _, start := range starts {
		if found := walk(state{start, false}, nil); found != nil {
			return found
		}
	}
	return nil
}

func TestMoneyLeavesAtMostOnce(t *testing.T) {
	if way := secondSend(moves); way != nil {
		t.Errorf("an order can be sent twice: %v", way)
	}
	for _, m := range moves {
		if m.On == Send && m.To != Sending || m.To == Sending && m.On != Send {
			t.Errorf("%v: only Send leads to Sending", m)
		}
	}
}

func TestTheQuestionFindsPlantedWaysToPayTwice(t *testing.T) {
	for _, planted := range []Move{
		{Sending, Lose, Starting}, {Doubtful, Unsent, Starting}, {Doubtful, Lose, Starting}, {Pending, Expire, Starting}, {Approved, Pay, Starting},
	} {
		table := append([]Move{planted}, moves...)
		if secondSend(table) == nil {
			t.Errorf("planted %v was not found", planted)
		}
	}
}

func TestNextKnowsOnlyTheTable(t *testing.T) {
	if to, ok := Sending.Next(Lose); !ok || to != Doubtful {
		t.Errorf("Sending by Lose leads to %s, %v", to, ok)
	}
	if to, ok := Doubtful.Next(Send); ok || to != Doubtful {
		t.Errorf("Doubtful by Send leads to %s, %v", to, ok)
	}
}

func TestWordsOnTheWire(t *testing.T) {
	for stage, want := range map[Stage]string{Checking: "payout_check_validating", Held: "payout_check_validated", Sending: "payout_processing",
		Pending: "payout_processing", Doubtful: "payout_unknown", Approved: "payout_approved", "": "payout_unknown"} {
		if got := stage.OrderStage(TypePayout); got != want {
			t.Errorf("%q is %s on the wire, want %s", stage, got, want)
		}
	}
	if Stage("nonsense").Final() || Stage("nonsense").Status() != StatusUnknown {
		t.Error("an unknown stage promises something")
	}
}
