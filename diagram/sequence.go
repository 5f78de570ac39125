package diagram

import (
	"fmt"
	"html/template"
	"strings"

	"payout"
)

// A flow is who says what to whom, in its order: the table of a sequence diagram.
type flow struct {
	name  string
	title payout.Text
	who   []payout.Text // the participants, from left to right
	steps []step
}

// A step is one row of a flow: a message, a heading over the next rows, or the
// beginning or the end of a group of rows.
type step struct {
	kind     stepKind
	from, to int // places in flow.who; the same for what a participant does by itself
	text     payout.Text
}

type stepKind string

const (
	ask   stepKind = "ask"   // a request, or a deed
	reply stepKind = "reply" // its answer
	part  stepKind = "part"  // a heading
	begin stepKind = "begin" // of a group, such as what happens only sometimes
	end   stepKind = "end"
)

// The measures of a sequence diagram.
const (
	sequenceWidth px = 344
	headPad       px = 7
	lineHeight    px = 13
	textSize      px = 10.5
	headSize      px = 11
	numberRadius  px = 7.5
	loopWidth     px = 22
	inset         px = 5 // of a group in a group
)

// A sequence is a sequence diagram while it is drawn, from top to bottom.
type sequence struct {
	drawing
	flow
	lang   string
	heads  []head
	y      px
	number int
	open   []px // where the groups begin that have not ended
	told   []string
}

// A head is a participant's name, in a box over its line.
type head struct {
	x, width px // the line and the middle of the box, and the box's width
	name     []string
}

var (
	says = payout.T("%d. %s to %s: %s.", "%d. %s → %s: %s.")
	does = payout.T("%d. %s: %s.", "%d. %s: %s.")
)

// draw draws the flow.
func (f flow) draw(lang string) (template.HTML, error) {
	s := &sequence{flow: f, lang: lang}
	s.Name, s.Title, s.Width = f.name, f.title.In(lang), sequenceWidth
	s.setHeads()
	s.y = s.drawHeads(margin) + 8
	top := s.y - 8
	for i, st := range f.steps {
		switch st.kind {
		case ask, reply:
			if max(st.from, st.to) >= len(f.who) || min(st.from, st.to) < 0 {
				return "", fmt.Errorf("draw %s: row %d names nobody", f.name, i+1)
			}
			s.message(st)
		case part:
			s.heading(st)
		case begin:
			s.beginGroup(st)
		case end:
			if len(s.open) == 0 {
				return "", fmt.Errorf("draw %s: row %d ends a group that never began", f.name, i+1)
			}
			s.endGroup()
		default:
			return "", fmt.Errorf("draw %s: row %d has kind %q", f.name, i+1, st.kind)
		}
	}
	if len(s.open) > 0 {
		return "", fmt.Errorf("draw %s: a group never ends", f.name)
	}
	s.lifelines(top, s.y+6)
	s.Height = s.drawHeads(s.y+6) + margin
	s.Desc = strings.Join(s.told, " ")
	return s.html()
}

// setHeads shares the width among the participants: equally, but for names with a
// long word.
func (s *sequence) setHeads() {
	const between = 8
	room, open := sequenceWidth-2*margin-between*px(len(s.who)-1), px(len(s.who))
	s.heads = make([]head, len(s.who))
	for narrowed := true; narrowed; {
		narrowed = false
		for i, w := range s.who {
			least := px(0)
			for _, word := range strings.Fields(w.In(s.lang)) {
				least = max(least, boldWidth(word, headSize)+8)
			}
			if h := &s.heads[i]; h.width == 0 && least > room/open {
				h.width, narrowed = least, true
				room, open = room-least, open-1
			}
		}
	}
	x := margin
	for i, w := range s.who {
		h := &s.heads[i]
		if h.width == 0 {
			h.width = room / open
		}
		h.x, h.name = x+h.width/2, wrap(w.In(s.lang), h.width-8, func(text string) px { return boldWidth(text, headSize) })
		x += h.width + between
	}
}

// drawHeads draws the names of the participants, and returns where these end.
func (s *sequence) drawHeads(y px) px {
	lines := 1
	for _, h := range s.heads {
		lines = max(lines, len(h.name))
	}
	height := px(lines)*(headSize+3) + 2*headPad
	for _, h := range s.heads {
		s.rect("box", h.x-h.width/2, y, h.width, height, 8)
		at := y + height/2 - px(len(h.name)-1)*(headSize+3)/2 + headSize*0.36
		for _, line := range h.name {
			s.text("who", h.x, at, line)
			at += headSize + 3
		}
	}
	return y + height
}

// lifelines draws the line of each participant, under everything else.
func (s *sequence) lifelines(from, to px) {
	var lines drawing
	for _, h := range s.heads {
		lines.path("lifeline", "M%v %vV%v", h.x, from, to)
	}
	s.Shapes = append(lines.Shapes, s.Shapes...)
}

// message draws an arrow under its text, with its number where it begins.
func (s *sequence) message(st step) {
	s.number++
	from, to := s.heads[st.from].x, s.heads[st.to].x
	text := st.text.In(s.lang)
	if st.from == st.to {
		s.told = append(s.told, fmt.Sprintf(does.In(s.lang), s.number, s.who[st.from].In(s.lang), text))
		s.deed(from, text)
		return
	}
	s.told = append(s.told, fmt.Sprintf(says.In(s.lang), s.number, s.who[st.from].In(s.lang), s.who[st.to].In(s.lang), text))
	direction := px(1)
	if to < from {
		direction = -1
	}
	s.y += 4
	for _, line := range wrap(text, max(to-from, from-to)-12, textWidth) {
		s.y += lineHeight
		s.text("said", (from+to)/2, s.y, line)
	}
	s.y += 10
	s.path("arrow "+string(st.kind), "M%v %vH%v", from+direction*numberRadius, s.y, to-direction*6)
	s.arrowhead("arrow", to-direction, s.y, direction, 0)
	s.circled(from, s.y)
	s.y += 8
}

// deed draws what a participant does by itself: a loop, with the text at its left
// or, where there is no room, at its right.
func (s *sequence) deed(x px, text string) {
	const height = 18
	class, at, most := "said before", x-12, x-12-s.heads[0].x
	if x < sequenceWidth/2 {
		class, at, most = "said after", x+loopWidth+6, sequenceWidth-x-loopWidth-14
	}
	lines := wrap(text, most, textWidth)
	top := s.y + 12 + max(0, px(len(lines))*lineHeight-height)/2
	for i, line := range lines {
		s.text(class, at, top+height/2+4+(px(i)-px(len(lines)-1)/2)*lineHeight, line)
	}
	s.path("arrow ask", "M%v %vH%vQ%v %v %v %vV%vQ%v %v %v %vH%v", x, top, x+loopWidth-bend, x+loopWidth, top, x+loopWidth, top+bend,
		top+height-bend, x+loopWidth, top+height, x+loopWidth-bend, top+height, x+6)
	s.arrowhead("arrow", x+1, top+height, -1, 0)
	s.circled(x, top)
	s.y = top + height + max(0, px(len(lines))*lineHeight-height)/2 + 8
}

func (s *sequence) circled(x, y px) {
	s.circle("number", x, y, numberRadius)
	s.text("count", x, y+3.2, fmt.Sprint(s.number))
}

// heading draws a band with a text across all lines.
func (s *sequence) heading(st step) {
	text := st.text.In(s.lang)
	s.told = append(s.told, text+":")
	s.y += 10
	left := margin + inset*px(len(s.open))
	wide := sequenceWidth - 2*left
	lines := wrap(text, wide-16, func(text string) px { return boldWidth(text, headSize) })
	s.rect("band", left, s.y, wide, px(len(lines))*lineHeight+8, 6)
	s.y += 3
	for _, line := range lines {
		s.y += lineHeight
		s.text("heading", sequenceWidth/2, s.y-1.5, line)
	}
	s.y += 9
}

func (s *sequence) beginGroup(st step) {
	text := st.text.In(s.lang)
	s.told = append(s.told, text+":")
	s.y += 8
	left := margin + inset*px(len(s.open))
	s.open = append(s.open, s.y)
	s.rect("tab", left, s.y, min(boldWidth(text, textSize)+16, sequenceWidth-2*left), lineHeight+6, 6)
	s.text("group", left+8, s.y+lineHeight, text)
	s.y += lineHeight + 8
}

func (s *sequence) endGroup() {
	last := len(s.open) - 1
	top := s.open[last]
	s.open = s.open[:last]
	left := margin + inset*px(last)
	s.y += 4
	s.rect("frame", left, top, sequenceWidth-2*left, s.y-top, 6)
	s.y += 6
}
