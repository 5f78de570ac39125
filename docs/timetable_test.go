package docs

import (
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"payout/callback"
)

func TestTimetableHasEveryAttempt(t *testing.T) {
	var attempts []int
	for _, line := range attemptTable() {
		first, last, several := strings.Cut(line.Attempts, "–")
		if !several {
			last = first
		}
		from, err := strconv.Atoi(first)
		to, err2 := strconv.Atoi(last)
		if err != nil || err2 != nil {
			t.Fatalf("attempts %q", line.Attempts)
		}
		for n := from; n <= to; n++ {
			attempts = append(attempts, n)
		}
	}
	want := make([]int, callback.Attempts)
	for i := range want {
		want[i] = i + 1
	}
	if !slices.Equal(attempts, want) {
		t.Errorf("the table has the attempts %v", attempts)
	}
	lines := attemptTable()
	if last := lines[len(lines)-1]; last.Since.EN != "14 d" || last.Since.RU != "14 сут" || lines[0].Pause.EN != "" {
		t.Errorf("first %v, last %v", lines[0], last)
	}
}

func TestDurationsForPeople(t *testing.T) {
	for d, want := range map[time.Duration]string{0: "0 s", time.Second: "1 s", time.Minute: "1 min", 90 * time.Minute: "1 h 30 min", 25 * time.Hour: "1 d 1 h", 24*time.Hour + time.Second: "1 d 1 s"} {
		if got := durationText(d).EN; got != want {
			t.Errorf("%d is %q, want %q", d, got, want)
		}
	}
}
