package callback

import (
	"math"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func TestTimetableIsThirtyAttemptsOverFourteenDays(t *testing.T) {
	var sum, before time.Duration
	attempts := 1
	for {
		delay, ok := Next(attempts, 0)
		if !ok {
			break
		}
		if delay < before {
			t.Errorf("delay %v after attempt %d is shorter than the one before, %v", delay, attempts, before)
		}
		before = delay
		sum += delay
		attempts++
	}
	if attempts != 30 || sum != 14*24*time.Hour {
		t.Errorf("%d attempts over %v, want 30 over exactly 336h", attempts, sum)
	}
	if first, _ := Next(1, 0); first != 10*time.Second {
		t.Errorf("the first delay is %v", first)
	}
}

func TestNextBorders(t *testing.T) {
	for _, c := range []struct {
		attempt int
		jitter  float64
		want    time.Duration
		ok      bool
	}{
		{-1, 0, 10 * time.Second, true},
		{0, 0, 10 * time.Second, true},
		{1, -1, 9 * time.Second, true},
		{1, 1, 11 * time.Second, true},
		{2, 0, 20 * time.Second, true},
		{29, 0, 24 * time.Hour, true},
		{29, -1, 24*time.Hour - 144*time.Minute, true},
		{30, 0, 0, false},
		{31, 0, 0, false},
		{math.MaxInt, 0, 0, false},
		{1, -1.1, 9 * time.Second, true},
		{1, 1.1, 11 * time.Second, true},
		{1, math.NaN(), 10 * time.Second, true},
		{1, math.Inf(1), 11 * time.Second, true},
	} {
		if got, ok := Next(c.attempt, c.jitter); got != c.want || ok != c.ok {
			t.Errorf("Next(%d, %v) = %v, %v, want %v, %v", c.attempt, c.jitter, got, ok, c.want, c.ok)
		}
	}
}

func TestJitterIsATenthAtMost(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		attempt := rapid.IntRange(1, Attempts-1).Draw(t, "attempt")
		jitter := rapid.Float64Range(-1, 1).Draw(t, "jitter")
		plain := Timetable()[attempt-1]
		got, ok := Next(attempt, jitter)
		if off := (got - plain).Abs(); !ok || off > plain/10 {
			t.Errorf("delay %v is %v off %v", got, off, plain)
		}
	})
}

func TestNoDelayIsLongerThanTheLongest(t *testing.T) {
	var most time.Duration
	for n := 1; n <= Attempts; n++ {
		delay, _ := Next(n, 1)
		most = max(most, delay)
		if got := Longest(n); got != most {
			t.Errorf("after attempt %d at the latest, the longest is %s, want %s", n, got, most)
		}
	}
}

func TestTimetableIsACopy(t *testing.T) {
	Timetable()[0] = 0
	if got, _ := Next(1, 0); got != 10*time.Second {
		t.Errorf("the timetable was changed to %v", got)
	}
}
