package callback

import (
	"math"
	"slices"
	"time"
)

// Attempts is how often a callback is tried before it is given up (api-facts 9).
const Attempts = 30

// jitterMax is the largest part of a delay that Next adds or takes away.
const jitterMax = 0.10

// delays is the timetable: delays[n-1] lies between attempt n and the next. The
// reference gives 30 attempts over 14 days on a progressive timeline and not
// the steps (api-facts 9). These are ours: 17 attempts in the first day, then
// one a day, 14 days in all.
var delays = [Attempts - 1]time.Duration{
	10 * time.Second, 20 * time.Second, 30 * time.Second, // 1 minute after the first attempt
	1 * time.Minute, 3 * time.Minute, 5 * time.Minute, // 10 minutes
	10 * time.Minute, 20 * time.Minute, 20 * time.Minute, // 1 hour
	1 * time.Hour, 1 * time.Hour, // 3 hours
	3 * time.Hour, 3 * time.Hour, 3 * time.Hour, // 12 hours
	6 * time.Hour, 6 * time.Hour, // 1 day
	day, day, day, day, day, day, day, day, day, day, day, day, day, // 14 days
}

const day = 24 * time.Hour

// Timetable returns the delays between the attempts, without jitter: the first
// lies between attempts 1 and 2.
func Timetable() []time.Duration { return append([]time.Duration(nil), delays[:]...) }

// Longest is the longest delay that Next tells after one of the first attempts, so many of
// them, at least 1.
func Longest(attempts int) time.Duration {
	most := slices.Max(delays[:min(attempts, len(delays))])
	return most + time.Duration(float64(most)*jitterMax)
}

// Next tells how long to wait after attempt n (from 1) has failed before the
// next one; ok is false after the last attempt, and then nothing more is owed.
// jitter, from -1 to 1, spreads receivers that failed together: -1 takes a tenth
// of the delay away, 0 changes nothing, 1 adds a tenth; a number outside counts
// as the nearer end. An attempt below 1 counts as 1, for what is owed must not be
// lost to a wrong count.
func Next(attempt int, jitter float64) (delay time.Duration, ok bool) {
	if attempt >= Attempts {
		return 0, false
	}
	if math.IsNaN(jitter) {
		jitter = 0
	}
	delay = delays[max(attempt, 1)-1]
	return delay + time.Duration(float64(delay)*jitterMax*min(max(jitter, -1), 1)), true
}
