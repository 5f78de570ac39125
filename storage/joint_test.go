package storage

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// A gatedEngine lets each query through one by one, and notes with how many arguments.
type gatedEngine struct {
	engine
	as   joint
	open chan struct{} // takes one for each query that goes through
	fail func(query int, args []any) error

	mu      sync.Mutex
	queries [][]any // arguments that are not NULL, in the order in which queries began
}

func (e *gatedEngine) joint() joint    { return e.as }
func (e *gatedEngine) reader() querier { return gatedReader{e.engine.reader(), e} }

type gatedReader struct {
	querier
	e *gatedEngine
}

func (r gatedReader) query(ctx context.Context, text string, args ...any) (rows, error) {
	r.e.mu.Lock()
	n := len(r.e.queries)
	given := slices.DeleteFunc(slices.Clone(args), func(a any) bool { return a == nil })
	r.e.queries = append(r.e.queries, given)
	r.e.mu.Unlock()
	select {
	case <-r.e.open:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	if r.e.fail != nil {
		if err := r.e.fail(n, given); err != nil {
			return nil, err
		}
	}
	return r.querier.query(ctx, text, args...)
}

// asked lists what has been asked, a query after the other.
func (e *gatedEngine) asked() string {
	e.mu.Lock()
	defer e.mu.Unlock()
	var all []string
	for _, args := range e.queries {
		all = append(all, strings.Trim(fmt.Sprint(args), "[]"))
	}
	return strings.Join(all, ", ")
}

// A company of callers asks for the numbers of some letters.
type company struct {
	*gatedEngine
	t     *testing.T
	query *jointQuery[int64]
	mu    sync.Mutex
	got   map[string]string
}

// noAnswer is what one is told who has waited for long enough.
var noAnswer = ErrUnavailable.Error() + ": those who asked before have had no answer"

// callersOf makes callers of a database that has a=1, b=2, c=3 ... They ask one at a time.
func callersOf(t *testing.T) *company {
	t.Helper()
	db, _ := openSick(t)
	for i, name := range strings.Split("abcdefghij", "") {
		if err := Exec(db, "INSERT INTO counters (name, next) VALUES ($1, $2)", name, int64(i+1)); err != nil {
			t.Fatal(err)
		}
	}
	e := &gatedEngine{engine: db.engine, as: joint{atOnce: 1, most: 4, wait: readMost / 2}, open: make(chan struct{})}
	return &company{gatedEngine: e, t: t, got: make(map[string]string), query: &jointQuery[int64]{text: "SELECT next FROM counters WHERE name = $1 LIMIT 2",
		scan: func(r rows) (n int64, err error) { err = r.Scan(&n); return n, err }}}
}

// come has callers ask, one after the other; what they are told is noted.
func (p *company) come(ctx context.Context, names ...string) {
	for _, name := range names {
		go func() {
			defer func() {
				if r := recover(); r != nil {
					p.note(name, "panic")
				}
			}()
			found, err := p.query.read(ctx, p, name)
			switch {
			case err != nil:
				p.note(name, err.Error())
			default:
				p.note(name, strings.Trim(fmt.Sprint(found), "[]"))
			}
		}()
		synctest.Wait()
	}
}

func (p *company) note(name, what string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.got[name] = what
}

// through lets queries through, one after the other.
func (p *company) through(n int) {
	for range n {
		p.open <- struct{}{}
		synctest.Wait()
	}
}

// expect checks what was asked, and that the callers were told so, and that nobody asks
// any more.
func (p *company) expect(asked string, told map[string]string) {
	p.t.Helper()
	if got := p.asked(); got != asked {
		p.t.Errorf("asked %q, want %q", got, asked)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	for name, want := range told {
		if p.got[name] != want {
			p.t.Errorf("%s was told %q, want %q", name, p.got[name], want)
		}
	}
	if len(p.got) != len(told) {
		p.t.Errorf("told were %v", p.got)
	}
	p.query.mu.Lock()
	defer p.query.mu.Unlock()
	if p.query.asking != 0 || len(p.query.waiting) != 0 {
		p.t.Errorf("%d still ask, and %d wait", p.query.asking, len(p.query.waiting))
	}
}

// Who comes while others ask waits, and is asked for in the next query: never in one that
// has begun before. Each is told his own rows, or that there are none.
func TestCallersWhoComeMeanwhileAskTogether(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := callersOf(t)
		p.come(t.Context(), "a", "b", "unknown", "c")
		p.through(1)
		p.come(t.Context(), "d")
		p.through(2)
		p.expect("a, b unknown c, d", map[string]string{"a": "1", "b": "2", "unknown": "", "c": "3", "d": "4"})
	})
}

// As many ask at once as may; one asks for as many as may join.
func TestQueriesAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := callersOf(t)
		p.as.atOnce, p.as.most = 2, 3
		p.come(t.Context(), strings.Split("abcdefgh", "")...)
		if got := p.asked(); got != "a, b" {
			t.Errorf("asked %q, want two queries", got)
		}
		p.through(4)
		p.expect("a, b, c d e, f g h", map[string]string{"a": "1", "b": "2", "c": "3", "d": "4", "e": "5", "f": "6", "g": "7", "h": "8"})
	})
}

// A caller who has gone is not asked for, and holds up nobody; one who asks for others asks
// to the end.
func TestCallerWhoHasGoneHoldsUpNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := callersOf(t)
		goes, gone := context.WithCancel(t.Context())
		p.come(goes, "a")
		p.come(t.Context(), "b")
		p.come(goes, "c")
		p.come(t.Context(), "d")
		gone()
		synctest.Wait()
		p.come(goes, "e") // had gone before
		p.through(2)
		p.expect("a, b d", map[string]string{"a": "1", "b": "2", "c": "context canceled", "d": "4", "e": "context canceled"})
	})
}

// A caller goes while somebody asks for him, or has waited for long enough: the others are
// answered, and he who asks is.
func TestCallerGoesWhileHeIsAskedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := callersOf(t)
		goes, gone := context.WithCancel(t.Context())
		p.come(t.Context(), "a", "b")
		p.come(goes, "c")
		p.come(t.Context(), "d")
		time.Sleep(p.as.wait / 2)
		p.through(1) // now b asks for c and d
		gone()
		synctest.Wait()
		p.come(t.Context(), "e")
		time.Sleep(p.as.wait / 2) // d has waited for long enough
		synctest.Wait()
		p.through(2)
		p.expect("a, b c d, e", map[string]string{"a": "1", "b": "2", "c": "context canceled", "d": noAnswer, "e": "5"})
	})
}

// One who goes at the moment in which he is given the turn gives it on.
func TestCallerWhoGoesGivesHisTurnOn(t *testing.T) {
	var q jointQuery[int64]
	callers := make([]*jointCaller[int64], 3)
	for i := range callers {
		callers[i] = &jointCaller[int64]{told: make(chan jointNews, 1)}
		if asks := q.enter(callers[i], joint{atOnce: 1}); asks != (i == 0) {
			t.Fatalf("caller %d asks: %v", i, asks)
		}
	}
	q.giveOn()
	q.leave(callers[1])
	select {
	case n := <-callers[2].told:
		if n != jointTurn {
			t.Errorf("the next one was told %d", n)
		}
	default:
		t.Error("the next one was told nothing")
	}
	q.leave(&jointCaller[int64]{told: make(chan jointNews, 1)}) // somebody asks for him: nothing to give on
	if q.giveOn(); q.asking != 0 {
		t.Errorf("%d still ask", q.asking)
	}
}

// When asking for several has failed, each asks for himself: nobody bears the fault of
// another, be it in what he asks or in what is found. A database that is away, or cannot answer
// anybody now, is not asked again.
func TestFaultOfOneCallerIsHisOwn(t *testing.T) {
	for what, fault := range map[string]func(*company){
		"question": func(p *company) {
			p.fail = func(_ int, args []any) error {
				if slices.Contains(args, any("c")) {
					return errSick
				}
				return nil
			}
		},
		"row": func(p *company) {
			p.query.scan = func(r rows) (n int64, err error) {
				if err = r.Scan(&n); n == 3 {
					err = errSick
				}
				return n, err
			}
		},
	} {
		t.Run(what, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := callersOf(t)
				fault(p)
				p.come(t.Context(), "a", "b", "c", "d")
				p.through(5)
				slices.SortFunc(p.queries[2:], byText)
				p.expect("a, b c d, b, c, d", map[string]string{"a": "1", "b": "2", "c": errSick.Error(), "d": "4"})
			})
		})
	}
	for _, away := range []error{ErrUnavailable, errPasses} {
		synctest.Test(t, func(t *testing.T) {
			p := callersOf(t)
			p.fail = func(int, []any) error { return away }
			p.come(t.Context(), "a", "b", "c")
			p.through(2)
			p.expect("a, b c", map[string]string{"a": away.Error(), "b": away.Error(), "c": away.Error()})
		})
	}
}

// A fault of the program that ends one who asks for others is not theirs: they ask for
// themselves, and the turn is given on.
func TestOneWhoDoesNotComeBackHoldsUpNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := callersOf(t)
		p.fail = func(query int, _ []any) error {
			if query == 1 {
				panic("a fault of the program")
			}
			return nil
		}
		p.come(t.Context(), "a", "b", "c")
		p.through(1)
		p.come(t.Context(), "d")
		p.through(3)
		slices.SortFunc(p.queries[2:], byText)
		p.expect("a, b c, c, d", map[string]string{"a": "1", "b": "panic", "c": "3", "d": "4"})
	})
}

// byText orders what was asked at the same time.
func byText(a, b []any) int { return strings.Compare(fmt.Sprint(a), fmt.Sprint(b)) }

// Nobody waits for ever behind a query that hangs.
func TestCallersDoNotWaitForEver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := callersOf(t)
		p.come(t.Context(), "a", "b")
		time.Sleep(p.as.wait - time.Nanosecond)
		synctest.Wait()
		p.come(t.Context(), "c")
		time.Sleep(time.Nanosecond)
		synctest.Wait()
		p.through(2)
		p.expect("a, c", map[string]string{"a": "1", "b": noAnswer, "c": "3"})
	})
}

// A query that hangs is given up, whoever asked: the database did not answer.
func TestQueryThatHangsIsGivenUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := callersOf(t)
		p.come(t.Context(), "a")
		time.Sleep(readMost - time.Nanosecond)
		synctest.Wait()
		p.come(t.Context(), "b")
		time.Sleep(time.Nanosecond)
		synctest.Wait()
		p.through(1)
		p.expect("a, b", map[string]string{"a": fmt.Sprintf("%s: %s", ErrUnavailable, context.DeadlineExceeded), "b": "2"})
	})
}
