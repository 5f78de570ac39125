package docs

import (
	"fmt"
	"time"

	"payout/callback"
	"payout/spec"
)

// An attemptLine is one or more attempts to deliver a callback, each after the
// same pause.
type attemptLine struct {
	Attempts     string    // such as 2 or 10-12
	Pause, Since spec.Text // before each, and from the first attempt to the last of these
}

// attemptTable is the timetable of callbacks.
func attemptTable() []attemptLine {
	lines := []attemptLine{{Attempts: "1", Since: durationText(0)}}
	delays := callback.Timetable()
	for i, since := 0, time.Duration(0); i < len(delays); {
		first := i
		for ; i < len(delays) && delays[i] == delays[first]; i++ {
			since += delays[i]
		}
		attempts := fmt.Sprint(first + 2)
		if i-first > 1 {
			attempts += "–" + fmt.Sprint(i+1)
		}
		lines = append(lines, attemptLine{attempts, durationText(delays[first]), durationText(since)})
	}
	return lines
}

// units are those of durations, the greatest first.
var units = []struct {
	length time.Duration
	name   spec.Text
}{
	{24 * time.Hour, spec.T("d", "сут")}, {time.Hour, spec.T("h", "ч")}, {time.Minute, spec.T("min", "мин")}, {time.Second, spec.T("s", "с")},
}

// durationText writes whole seconds for people, such as 1 h 30 min.
func durationText(d time.Duration) spec.Text {
	var text spec.Text
	for _, u := range units {
		n := d / u.length
		if d -= n * u.length; n == 0 && (u.length != time.Second || text.EN != "") {
			continue
		}
		if text.EN != "" {
			text.EN, text.RU = text.EN+" ", text.RU+" "
		}
		text.EN += fmt.Sprintf("%d %s", n, u.name.EN)
		text.RU += fmt.Sprintf("%d %s", n, u.name.RU)
	}
	return text
}
