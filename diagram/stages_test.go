package diagram

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"payout"
)

// The lines of the drawing: an end of a lane with its bend, a lane or an arrow
// down, and an arrow's point.
var (
	leaving = regexp.MustCompile(`^M([\d.]+) ([\d.]+)H[\d.]+Q([\d.]+) [\d.]+ [\d.]+ ([\d.]+)$`)
	down    = regexp.MustCompile(`^M([\d.]+) ([\d.]+)V([\d.]+)$`)
	point   = regexp.MustCompile(`^M([\d.]+) ([\d.]+)L`)
)

func floats(t *testing.T, texts []string) []float64 {
	t.Helper()
	var all []float64
	for _, text := range texts {
		n, err := strconv.ParseFloat(text, 64)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, n)
	}
	return all
}

// A picture is what a reader sees of a drawing of stages.
type picture struct {
	t   *testing.T
	all []element
}

// stageAt is the stage whose box holds a height.
func (p picture) stageAt(y float64) payout.Stage {
	for i, e := range p.all {
		if e.has("box") && e.number(p.t, "y") <= y && y <= e.number(p.t, "y")+e.number(p.t, "height") {
			for _, name := range p.all[i:] {
				if name.has("name") {
					return payout.Stage(name.text)
				}
			}
		}
	}
	return ""
}

// right is where the boxes end.
func (p picture) right() float64 {
	for _, e := range p.all {
		if e.has("box") {
			return e.number(p.t, "x") + e.number(p.t, "width")
		}
	}
	return 0
}

// entries are where arrows enter boxes at the right, by their height.
func (p picture) entries() []float64 {
	var ys []float64
	for _, e := range p.all {
		if m := point.FindStringSubmatch(e.attrs["d"]); e.has("head") && m != nil {
			if at := floats(p.t, m[1:]); at[0] > p.right() && at[0] < p.right()+3 {
				ys = append(ys, at[1])
			}
		}
	}
	return ys
}

// moves follows every line of the drawing, from the event beside it to the box
// that its arrow enters.
func (p picture) moves() []payout.Move {
	lane := make(map[string]payout.Stage) // where a lane leads, by its place and colour
	for _, e := range p.all {
		m := leaving.FindStringSubmatch(e.attrs["d"])
		if m == nil || !e.has("track") {
			continue
		}
		at := floats(p.t, m[1:])
		if slices.Contains(p.entries(), at[1]) && at[0] > p.right()+1 {
			lane[p.lane(at[2], at[3])] = p.stageAt(at[1])
		}
	}
	var found []payout.Move
	for _, e := range p.all {
		if !e.has("event") {
			continue
		}
		x, y := e.number(p.t, "x"), e.number(p.t, "y")
		if x > p.right() {
			found = append(found, payout.Move{From: p.stageAt(y), On: payout.Event(e.text), To: lane[p.leavingUnder(y)]})
			continue
		}
		from, to := p.besides(y)
		found = append(found, payout.Move{From: from, On: payout.Event(e.text), To: to})
	}
	return found
}

// lane names the lane at a place: the vertical line at x that has y.
func (p picture) lane(x, y float64) string {
	for _, e := range p.all {
		m := down.FindStringSubmatch(e.attrs["d"])
		if m == nil || !e.has("track") {
			continue
		}
		if at := floats(p.t, m[1:]); at[0] == x && at[1] <= y && y <= at[2] {
			return e.attrs["d"]
		}
	}
	return "none"
}

// leavingUnder is the lane of the line that runs just under an event's text.
func (p picture) leavingUnder(y float64) string {
	for _, e := range p.all {
		m := leaving.FindStringSubmatch(e.attrs["d"])
		if m == nil || !e.has("track") {
			continue
		}
		if at := floats(p.t, m[1:]); at[0] == p.right() && at[1] > y && at[1] < y+6 {
			return p.lane(at[2], at[3])
		}
	}
	return "none"
}

// besides are the boxes above and below an event's text between two boxes.
func (p picture) besides(y float64) (above, below payout.Stage) {
	for _, e := range p.all {
		m := down.FindStringSubmatch(e.attrs["d"])
		if m == nil || !e.has("track") {
			continue
		}
		if at := floats(p.t, m[1:]); at[0] < p.right() && at[1] <= y && y <= at[2]+7 {
			return p.stageAt(at[1]), p.stageAt(at[2] + 7)
		}
	}
	return "", ""
}

// seen draws tables and reads stages and moves off the drawing.
func seen(t *testing.T, rows []payout.StageRow, moves []payout.Move) (p picture, stagesSeen []payout.Stage, movesSeen []payout.Move) {
	t.Helper()
	svg, err := stages(rows, moves, payout.Events(), "en")
	if err != nil {
		t.Fatal(err)
	}
	p = picture{t, elements(t, string(svg))}
	for _, e := range p.all {
		if e.has("name") {
			stagesSeen = append(stagesSeen, payout.Stage(e.text))
		}
	}
	return p, stagesSeen, p.moves()
}

func compare(t *testing.T, rows []payout.StageRow, moves []payout.Move) {
	t.Helper()
	_, stagesSeen, movesSeen := seen(t, rows, moves)
	var want []payout.Stage
	for _, r := range rows {
		want = append(want, r.Stage)
	}
	if !slices.Equal(stagesSeen, want) {
		t.Errorf("the drawing has the stages %v, the table %v", stagesSeen, want)
	}
	if got, want := sorted(movesSeen), sorted(moves); !slices.Equal(got, want) {
		t.Errorf("the drawing has the moves\n%s\nthe table\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func sorted(moves []payout.Move) []string {
	var all []string
	for _, m := range moves {
		all = append(all, fmt.Sprint(m))
	}
	slices.Sort(all)
	return all
}

func TestEveryStageAndMoveOfTheTableIsDrawn(t *testing.T) {
	compare(t, payout.Stages(), payout.Moves())
}

func TestTheDrawingFollowsTheTable(t *testing.T) {
	rows, moves := payout.Stages(), payout.Moves()
	t.Run("a stage and its moves more", func(t *testing.T) {
		rows := slices.Insert(slices.Clone(rows), 3, payout.StageRow{Stage: "frozen", Suffix: "frozen", Status: payout.StatusUnknown})
		compare(t, rows, append(slices.Clone(moves), payout.Move{From: payout.Held, On: "freeze", To: "frozen"},
			payout.Move{From: "frozen", On: "thaw", To: payout.Held}, payout.Move{From: "frozen", On: "thaw_at_once", To: payout.Approved},
			payout.Move{From: "frozen", On: "stay", To: "frozen"}))
	})
	for i := range moves {
		t.Run(fmt.Sprint("without ", moves[i]), func(t *testing.T) { compare(t, rows, slices.Delete(slices.Clone(moves), i, i+1)) })
	}
	for i := range rows {
		gone := rows[i].Stage
		t.Run("without "+string(gone), func(t *testing.T) {
			compare(t, slices.Delete(slices.Clone(rows), i, i+1),
				slices.DeleteFunc(slices.Clone(moves), func(m payout.Move) bool { return m.From == gone || m.To == gone }))
		})
	}
	t.Run("the other way round", func(t *testing.T) {
		rows := slices.Clone(rows)
		slices.Reverse(rows)
		compare(t, rows, moves)
	})
}

func TestAMoveOfAnUnknownStageIsNotDrawnWrongly(t *testing.T) {
	_, err := stages(payout.Stages(), []payout.Move{{From: payout.Held, On: payout.Pay, To: "nowhere"}}, nil, "en")
	if err == nil {
		t.Error("it is drawn")
	}
}

func TestAStagesStatusDecidesItsColour(t *testing.T) {
	rows := payout.Stages()
	for i := range rows {
		rows[i].Status = payout.StatusDeclined
	}
	rows[1].Status = "paused"
	p, _, _ := seen(t, rows, payout.Moves())
	var colours []string
	for _, e := range p.all {
		if e.has("box") {
			colours = append(colours, e.attrs["class"])
		}
	}
	for i, colour := range colours {
		want := "box status-declined"
		if i == 1 {
			want = "box status-paused"
		}
		if colour != want {
			t.Errorf("%s is %q, want %q", rows[i].Stage, colour, want)
		}
	}
	for _, r := range payout.Stages() {
		if !strings.Contains(Stylesheet, "."+class(r.Status)+" ") && r.Status != payout.StatusProcessing {
			t.Errorf("status %s has no colour of its own", r.Status)
		}
	}
}

func TestNewOrdersBeginWhereTheTableSays(t *testing.T) {
	p, _, _ := seen(t, payout.Stages(), payout.Moves())
	var begin []payout.Stage
	for _, e := range p.all {
		if s := payout.Stage(""); e.name == "circle" && e.has("new") {
			if s = p.stageAt(e.number(t, "cy")); s != "" { // the last is the legend's
				begin = append(begin, s)
			}
		}
	}
	var want []payout.Stage
	for _, r := range payout.Stages() {
		if r.First {
			want = append(want, r.Stage)
		}
	}
	if !slices.Equal(begin, want) {
		t.Errorf("new orders begin at %v, the table says %v", begin, want)
	}
}

func TestLinesDoNotRunThroughEvents(t *testing.T) {
	p, _, _ := seen(t, payout.Stages(), payout.Moves())
	for _, text := range spans(t, p.all) {
		for _, e := range p.all {
			m := down.FindStringSubmatch(e.attrs["d"])
			if m == nil || !e.has("track") {
				continue
			}
			if at := floats(t, m[1:]); text.left < at[0] && at[0] < text.right && at[1] < text.bottom && text.top < at[2] {
				t.Errorf("a line runs through %q", text.text)
			}
		}
	}
}
