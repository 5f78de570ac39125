package server

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"payout/gateway"
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

// A fakeClock is ours, the database's, and the time that really goes by.
type fakeClock struct {
	start time.Time
	ran   time.Duration
	off   time.Duration // of ours
	fails error         // of the database's
	asked int
}

func (c *fakeClock) read() (time.Time, time.Duration) { return c.start.Add(c.ran + c.off), c.ran }

func (c *fakeClock) there(context.Context) (time.Time, error) {
	c.asked++
	return c.start.Add(c.ran), c.fails
}

// newWatch looks at a fake clock for the first time.
func newWatch(t *testing.T, c *fakeClock, shared bool) (*clockWatch, *bytes.Buffer) {
	var text bytes.Buffer
	w := &clockWatch{shared: shared, clock: c.there, read: c.read, log: slog.New(slog.NewTextHandler(&text, nil))}
	w.look(t.Context())
	return w, &text
}

// A clock that is too far from the database's is not trusted until it is near again. That
// is said when it begins and when it ends.
func TestClockFarFromTheDatabasesIsNotTrusted(t *testing.T) {
	for _, ahead := range []time.Duration{1, -1} {
		c := &fakeClock{start: time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)}
		w, text := newWatch(t, c, true)
		for _, step := range []struct {
			off         time.Duration
			apart       bool
			begins, end int // lines so far
		}{
			{0, false, 0, 0},
			{gateway.ClocksMost, false, 0, 0},
			{gateway.ClocksMost + time.Microsecond, true, 1, 0},
			{time.Hour, true, 1, 0},
			{clocksApart + time.Microsecond, true, 1, 0},
			{clocksApart, false, 1, 1},
			{gateway.ClocksMost, false, 1, 1},
			{time.Hour, true, 2, 1},
			{0, false, 2, 2},
		} {
			c.ran += clockEvery
			c.off = ahead * step.off
			w.look(t.Context())
			if got := w.apart(); step.apart != (got != nil) {
				t.Errorf("ours is %s off: %v", c.off, got)
			}
			begins, end := strings.Count(text.String(), "level=ERROR"), strings.Count(text.String(), "agree again")
			if begins != step.begins || end != step.end {
				t.Errorf("ours is %s off: the log says %d times that it begins and %d times that it ends, want %d and %d", c.off, begins, end, step.begins, step.end)
			}
		}
	}
}

// The database is asked now and then, and at once when the clock has jumped; often while
// something is wrong. One that does not answer changes nothing, and a file has no clock.
func TestDatabaseIsAskedForItsClockNowAndThen(t *testing.T) {
	c := &fakeClock{start: time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)}
	w, _ := newWatch(t, c, true)
	for _, step := range []struct {
		goes, off time.Duration
		fails     error
		asked     int // in all
		apart     bool
	}{
		{clockEvery - 1, 0, nil, 1, false},
		{1, 0, nil, 2, false},
		{clockSoon, time.Hour, nil, 3, true},
		{clockSoon, time.Hour, nil, 4, true},
		{clockSoon, 0, errors.New("away"), 5, true},
		{clockSoon, 0, nil, 6, false},
		{clockSoon, 0, nil, 6, false},
		{clockSoon, time.Hour, errors.New("away"), 7, false},
		{clockEvery, time.Hour, nil, 8, true},
	} {
		c.ran, c.off, c.fails = c.ran+step.goes, step.off, step.fails
		w.look(t.Context())
		if c.asked != step.asked || step.apart != (w.apart() != nil) {
			t.Errorf("%+v: it was asked %d times: %v", step, c.asked, w.apart())
		}
	}
	file := new(fakeClock)
	w, _ = newWatch(t, file, false)
	file.ran, file.off = clockEvery, time.Hour
	if w.look(t.Context()); file.asked != 0 || w.apart() != nil {
		t.Errorf("a file was asked %d times: %v", file.asked, w.apart())
	}
}

// A database that answers late does not tell that the clocks differ.
func TestSlowAnswerOfTheDatabaseIsNoDifference(t *testing.T) {
	c := &fakeClock{start: time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)}
	w, _ := newWatch(t, c, true)
	c.ran += clockEvery
	w.clock = func(ctx context.Context) (time.Time, error) {
		c.ran += time.Minute
		return c.there(ctx)
	}
	if w.look(t.Context()); w.apart() != nil {
		t.Error(w.apart())
	}
}

// A jump of the clock is said once, with its size, on both engines.
func TestJumpOfTheClockIsSaid(t *testing.T) {
	for _, shared := range []bool{false, true} {
		for _, jump := range []struct {
			by   time.Duration
			said bool
		}{{clockJump, false}, {clockJump + 1, true}, {-clockJump, false}, {-clockJump - 1, true}, {time.Hour, true}} {
			c := &fakeClock{start: time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)}
			w, text := newWatch(t, c, shared)
			for range 3 {
				c.ran += time.Hour // the process may have been stopped: that is no jump
				w.look(t.Context())
				c.off = jump.by
			}
			w.look(t.Context())
			want := 0
			if jump.said {
				want = 1
			}
			if n := strings.Count(text.String(), `by=`+jump.by.String()); n != want || strings.Count(text.String(), "jumped") != want {
				t.Errorf("a jump of %s is said %d times, want %d: %s", jump.by, n, want, text)
			}
		}
	}
	wall, ran := readClock()()
	if wall != wall.Round(0) || ran < 0 {
		t.Errorf("%v has a monotonic reading, or ran is %s", wall, ran)
	}
}

// A node whose clock is off says so at /readyz, and tells requests to come again before
// it judges their timestamps; it serves again by itself. On SQLite it has nothing to compare
// its clock with.
func TestNodeWhoseClockIsOffTakesNoRequests(t *testing.T) {
	for engine, database := range map[string]func(testing.TB) string{"SQLite": storagetest.SQLite, "PostgreSQL": storagetest.Postgres} {
		t.Run(engine, func(t *testing.T) {
			dir := t.TempDir()
			c, err := Config{Database: database(t), KeyFile: dir + "/key", SimulatorBook: dir + "/book.db"}.withDefaults()
			if err != nil {
				t.Fatal(err)
			}
			s, err := assemble(t.Context(), c, slog.New(slog.DiscardHandler))
			if err != nil {
				t.Fatal(err)
			}
			defer func() {
				if err := s.close(); err != nil {
					t.Error(err)
				}
			}()
			s.ready.Store(true)
			read, off := s.clock.read, time.Duration(0)
			s.clock.read = func() (time.Time, time.Duration) { wall, ran := read(); return wall.Add(off), ran }
			for _, off = range []time.Duration{0, time.Hour, 0, -time.Hour, 0} {
				s.clock.look(t.Context())
				apart := off != 0 && s.db.Shared()
				ready, denied := httptest.NewRecorder(), httptest.NewRecorder()
				s.handler().ServeHTTP(ready, httptest.NewRequest(http.MethodGet, "/readyz", nil))
				request := httptest.NewRequest(http.MethodPost, "/paynet/api/v4/payout/39915", nil)
				request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
				s.handler().ServeHTTP(denied, request)
				if apart {
					if ready.Code != http.StatusServiceUnavailable || !strings.Contains(ready.Body.String(), "our clock and the database's are ") {
						t.Errorf("ours is %s off: /readyz answers %d %s", off, ready.Code, ready.Body)
					}
					if denied.Code != http.StatusServiceUnavailable || denied.Header().Get("Retry-After") == "" {
						t.Errorf("ours is %s off: a request is answered %d %s", off, denied.Code, denied.Body)
					}
				} else if ready.Code != http.StatusOK || denied.Code != http.StatusForbidden {
					t.Errorf("ours is %s off: /readyz answers %d, a request that is not signed %d", off, ready.Code, denied.Code)
				}
			}
		})
	}
}
