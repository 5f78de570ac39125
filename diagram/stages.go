package diagram

import (
	"cmp"
	"fmt"
	"html/template"
	"slices"
	"strings"

	"payout"
)

// The measures of the drawing of an order's life. Stages stand in a column, in
// the order of their table. A move to the next stage is an arrow down; any other
// leaves its stage at the right, on a row of its own under its event's name, and
// joins the lane that leads to its stage.
const (
	margin   px = 4
	entry    px = 20 // left of the boxes, for the mark of a new order
	boxLeast px = 46
	boxPad   px = 7
	wordsAt  px = 16 // where the words of a box begin in it
	row      px = 19 // of a move that leaves a stage, or of the lane that enters it
	gap      px = 16
	stepGap  px = 34 // between stages that an arrow joins
	lane     px = 13
	bend     px = 6
	eventPad px = 7

	nameSize  px = 13
	smallSize px = 10.5
	eventSize px = 10.5
)

var (
	stagesTitle = payout.T("The life of an order", "Жизнь заказа")
	newOrder    = payout.T("a new order begins here", "здесь начинается новый заказ")
	leadsTo     = payout.T("%s leads to %s", "%s ведёт в %s")
	statusIs    = payout.T("%s, status %s: %s", "%s, статус %s: %s")
)

// A box is a stage in the drawing.
type box struct {
	payout.StageRow
	top, height px
	rows        []payout.Move // that leave it at the right
	step        []payout.Move // that lead to the next box
	entered     bool          // a lane ends here: it has the first row
}

func (b *box) least() px {
	n := len(b.rows)
	if b.entered {
		n++
	}
	return max(boxLeast, px(n)*row+2*boxPad, nameSize+px(len(b.words()))*(smallSize+4)+2*boxPad)
}

// rowY is the height of a row's line: the n-th, from 0, of all that the box has.
func (b *box) rowY(n int) px {
	all := len(b.rows)
	if b.entered {
		all++
	}
	return b.top + (b.height-px(all)*row)/2 + px(n)*row + row - 5
}

func (b *box) enterY() px { return b.rowY(0) }

func (b *box) leaveY(n int) px {
	if b.entered {
		n++
	}
	return b.rowY(n)
}

// A track is the lane that leads to one stage.
type track struct {
	to       *box
	from, by px // highest and lowest end
	x        px
	lane     int
}

// A life is the drawing of an order's life while it is made.
type life struct {
	drawing
	boxes  []*box
	tracks []*track
	events map[payout.Event]string // what each event means
	right  px                      // where the boxes end
	lanes  px                      // where the first lane is
}

// stages draws the life of an order: every stage and every move of the tables.
func stages(rows []payout.StageRow, moves []payout.Move, events []payout.EventRow, lang string) (template.HTML, error) {
	l := &life{events: make(map[payout.Event]string)}
	l.Name, l.Title = stagesName, stagesTitle.In(lang)
	for _, e := range events {
		l.events[e.Event] = e.Doc.In(lang)
	}
	for _, r := range rows {
		l.boxes = append(l.boxes, &box{StageRow: r})
	}
	for _, m := range moves {
		if err := l.place(m); err != nil {
			return "", err
		}
	}
	l.stack()
	l.layTracks()
	l.Desc = describe(rows, moves, lang)
	l.drawTracks()
	for i, b := range l.boxes {
		l.drawBox(b)
		if len(b.step) > 0 {
			l.drawStep(b, l.boxes[i+1])
		}
	}
	l.legend(lang)
	return l.html()
}

func (l *life) index(s payout.Stage) int {
	return slices.IndexFunc(l.boxes, func(b *box) bool { return b.Stage == s })
}

// place gives a move its place: on a row of its stage, or in the arrow down.
func (l *life) place(m payout.Move) error {
	from, to := l.index(m.From), l.index(m.To)
	if from < 0 || to < 0 {
		return fmt.Errorf("draw the move %s of %s to %s: a stage has no row", m.On, m.From, m.To)
	}
	b := l.boxes[from]
	if to == from+1 {
		b.step = append(b.step, m)
		return nil
	}
	b.rows = append(b.rows, m)
	l.boxes[to].entered = true
	return nil
}

// stack gives the boxes their places, one under the other.
func (l *life) stack() {
	y := margin + 6
	for _, b := range l.boxes {
		for _, words := range b.words() {
			l.right = max(l.right, margin+entry+wordsAt+monoWidth(words, smallSize)+boxPad)
		}
		b.top, b.height = y, b.least()
		y += b.height + gap
		if len(b.step) > 0 {
			y += stepGap - gap + px(len(b.step)-1)*smallSize
		}
	}
	l.Height = y
}

// layTracks finds a lane for the track to each stage: short ones inside, and no two
// in one lane where they would touch.
func (l *life) layTracks() {
	longest := px(0)
	for _, to := range l.boxes {
		if !to.entered {
			continue
		}
		t := &track{to: to, from: to.enterY(), by: to.enterY()}
		for _, b := range l.boxes {
			for n, m := range b.rows {
				if m.To == to.Stage {
					t.from, t.by = min(t.from, b.leaveY(n)), max(t.by, b.leaveY(n))
				}
				longest = max(longest, monoWidth(string(m.On), eventSize))
			}
		}
		l.tracks = append(l.tracks, t)
	}
	slices.SortStableFunc(l.tracks, func(a, b *track) int { return cmp.Compare(a.by-a.from, b.by-b.from) })
	l.lanes = l.right + eventPad + longest + lane
	outermost := 0
	for i, t := range l.tracks {
		for slices.ContainsFunc(l.tracks[:i], func(o *track) bool {
			return o.lane == t.lane && o.from < t.by+bend && t.from < o.by+bend
		}) {
			t.lane++
		}
		t.x = l.lanes + px(t.lane)*lane
		outermost = max(outermost, t.lane)
	}
	l.Width = l.lanes + px(outermost)*lane + margin
}

// drawTracks draws the lanes first and then what crosses them, on a halo that keeps
// the two apart.
func (l *life) drawTracks() {
	for _, t := range l.tracks {
		class := "track " + class(t.to.Status)
		l.path(class, "M%v %vV%v", t.x, t.from+bend, t.by-bend)
	}
	for _, t := range l.tracks {
		class := class(t.to.Status)
		for _, b := range l.boxes {
			for n, m := range b.rows {
				if m.To != t.to.Stage {
					continue
				}
				y := b.leaveY(n)
				l.corner("track "+class, l.right, y, t.x, towards(y, t.to.enterY()))
				l.Shapes = append(l.Shapes, shape{Class: "event", X: l.right + eventPad, Y: y - 4, Text: string(m.On), Title: l.events[m.On]})
			}
		}
	}
	for _, t := range l.tracks {
		class, y := class(t.to.Status), t.to.enterY()
		if t.from < y {
			l.corner("track "+class, l.right+6, y, t.x, -1)
		}
		if t.by > y {
			l.corner("track "+class, l.right+6, y, t.x, 1)
		}
		l.arrowhead(class, l.right+1, y, -1, 0)
	}
}

// towards is 1 if the second place is below the first, else -1.
func towards(y, to px) px {
	if to > y {
		return 1
	}
	return -1
}

// corner draws a line from x, y to the lane at laneX, where it bends up (-1) or down (1).
func (l *life) corner(class string, x, y, laneX, turn px) {
	if laneX-bend-2 > l.lanes {
		l.path("halo", "M%v %vH%v", l.lanes-lane/2, y, laneX-bend-2)
	}
	l.path(class, "M%v %vH%vQ%v %v %v %v", x, y, laneX-bend, laneX, y, laneX, y+turn*bend)
}

func (l *life) drawBox(b *box) {
	x := margin + entry
	l.rect("box "+class(b.Status), x, b.top, l.right-x, b.height, 9)
	l.path("bar "+class(b.Status), "M%v %vV%v", x+7, b.top+9, b.top+b.height-9)
	lines := b.words()
	y := b.top + b.height/2 - px(len(lines))*(smallSize+4)/2 + nameSize*0.36
	l.text("name", x+wordsAt, y, string(b.Stage))
	for _, line := range lines {
		y += smallSize + 4
		l.text("words", x+wordsAt, y, line)
	}
	if b.First {
		y := b.top + b.height/2
		l.circle("new", margin+4, y, 4)
		l.path("track new", "M%v %vH%v", margin+8, y, x-6)
		l.arrowhead("new", x-1, y, 1, 0)
	}
}

// words are what the wire says of the stage: its status, and the end of its
// order-stage if that says more.
func (b *box) words() []string {
	lines := []string{string(b.Status)}
	if b.Suffix != string(b.Status) {
		lines = append(lines, "…_"+b.Suffix)
	}
	return lines
}

// drawStep draws the arrow from a box to the next, with its events beside it.
func (l *life) drawStep(from, to *box) {
	x := margin + entry + 26
	bottom := from.top + from.height
	l.path("track "+class(to.Status), "M%v %vV%v", x, bottom, to.top-6)
	l.arrowhead(class(to.Status), x, to.top-1, 0, 1)
	y := (bottom+to.top)/2 + 3 - px(len(from.step)-1)*smallSize/2
	for _, m := range from.step {
		l.Shapes = append(l.Shapes, shape{Class: "event", X: x + 10, Y: y, Text: string(m.On), Title: l.events[m.On]})
		y += smallSize
	}
}

// legend tells below the drawing what its colours and its dot mean.
func (l *life) legend(lang string) {
	x, y := margin+4, l.Height+smallSize
	l.circle("new", x, y-3.5, 4)
	l.text("key", x+12, y, newOrder.In(lang))
	x, y = margin, y+20
	var told []payout.Status
	for _, b := range l.boxes {
		if slices.Contains(told, b.Status) {
			continue
		}
		told = append(told, b.Status)
		wide := 16 + monoWidth(string(b.Status), smallSize)
		if x+wide > l.Width-margin {
			x, y = margin, y+20
		}
		l.path("bar "+class(b.Status), "M%v %vH%v", x+2, y-3.5, x+9)
		l.text("words", x+15, y, string(b.Status))
		x += wide + 14
	}
	l.Height = y + 10
}

// class is the class of what has the colour of a status.
func class(s payout.Status) string { return "status-" + string(s) }

// describe tells in words what the drawing shows.
func describe(rows []payout.StageRow, moves []payout.Move, lang string) string {
	var told strings.Builder
	for _, r := range rows {
		fmt.Fprintf(&told, statusIs.In(lang), r.Stage, r.Status, r.Doc.In(lang))
		var ways []string
		if r.First {
			ways = append(ways, newOrder.In(lang))
		}
		for _, m := range moves {
			if m.From == r.Stage {
				ways = append(ways, fmt.Sprintf(leadsTo.In(lang), m.On, m.To))
			}
		}
		if len(ways) > 0 {
			told.WriteString(" (" + strings.Join(ways, "; ") + ")")
		}
		told.WriteString(" ")
	}
	return strings.TrimSpace(told.String())
}
