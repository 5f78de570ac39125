package server

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"
	"time"

	"payout/storage"
	"payout/storage/storagetest"
)

func TestNowIsTheWallClockAlone(t *testing.T) {
	if n := now(); n != n.Round(0) {
		t.Errorf("%v has a monotonic reading", n)
	}
}

func TestOutsideIsTheDistanceFromTheSpan(t *testing.T) {
	from := time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)
	to := from.Add(time.Second)
	for at, want := range map[time.Duration]time.Duration{-3 * time.Second: -3 * time.Second, -1: -1, 0: 0,
		time.Second: 0, time.Second + 1: 1, 4 * time.Second: 3 * time.Second} {
		if got := outside(from.Add(at), from, to); got != want {
			t.Errorf("%s after the beginning is %s outside, want %s", at, got, want)
		}
	}
}

func TestClocksThatDifferAreWarnedOf(t *testing.T) {
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		there, err := db.Clock(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for off, want := range map[time.Duration]bool{0: false, time.Second: false, time.Hour: true, -time.Hour: true} {
			var text bytes.Buffer
			warnOfClocks(t.Context(), db, func() time.Time { return now().Add(off) }, slog.New(slog.NewTextHandler(&text, nil)))
			want = want && !there.IsZero()
			if got := strings.Contains(text.String(), "level=WARN"); got != want {
				t.Errorf("ours is %s off, and is warned of: %t, want %t: %s", off, got, want, &text)
			}
		}
	})
}
