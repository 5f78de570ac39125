package storage

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"
)

// A jointQuery is a SELECT that many callers run at the same time, each with arguments of
// his own, and that finds a few rows by an index. To begin and end a query costs more
// than such rows do, most of all where there is a network. So callers join: who comes
// while as many ask as may waits, and one of those who wait then asks for all. Nobody is
// told what was read before he came.
type jointQuery[T any] struct {
	text string // for one caller; its arguments stand in their order, once each
	scan func(rows) (T, error)

	mu      sync.Mutex
	asking  int               // who ask for themselves and others at this moment
	waiting []*jointCaller[T] // in the order in which they came; none unless as many ask as may
}

// A joint says how callers join on an engine.
type joint struct {
	atOnce int           // who ask at the same time
	most   int           // for whom one asks, himself included
	wait   time.Duration // longest, for one's turn or for the answer
}

// The joints of the engines. Several ask at once so that rows which are on disk are looked
// for side by side, and so that PostgreSQL is busy while answers are read. On SQLite a
// query is written out for each caller.
var (
	sqliteJoint   = joint{atOnce: 2, most: 8, wait: readMost}
	postgresJoint = joint{atOnce: 3, most: 32, wait: readMost}
)

// A jointCaller waits for his rows, or for his turn to ask.
type jointCaller[T any] struct {
	args  []any
	found []T
	err   error
	told  chan jointNews // takes the one that he is told
}

type jointNews int

const (
	jointAnswered jointNews = iota // by his rows or an error
	jointTurn                      // he asks, for himself and those who wait
	jointAlone                     // he asks for himself: asking for several has failed
)

// read runs the query for a caller. One who goes while he waits leaves the others; one who
// asks for others asks to the end.
func (q *jointQuery[T]) read(ctx context.Context, e engine, args ...any) ([]T, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	c := &jointCaller[T]{args: args, told: make(chan jointNews, 1)}
	news := jointTurn
	if !q.enter(c, e.joint()) {
		timer := time.NewTimer(e.joint().wait)
		defer timer.Stop()
		select {
		case news = <-c.told:
		case <-ctx.Done():
			q.leave(c)
			return nil, ctx.Err()
		case <-timer.C:
			q.leave(c)
			return nil, fmt.Errorf("%w: those who asked before have had no answer", ErrUnavailable)
		}
	}
	if news == jointTurn {
		news = q.ask(ctx, e, c)
	}
	if news == jointAlone {
		c.err = q.run(ctx, e, []*jointCaller[T]{c})
	}
	return c.found, c.err
}

// enter counts a caller as one who asks, or lets him wait.
func (q *jointQuery[T]) enter(c *jointCaller[T], j joint) (asks bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.asking < j.atOnce {
		q.asking++
		return true
	}
	q.waiting = append(q.waiting, c)
	return false
}

// ask runs the query for a caller and for those who wait, gives the turn on, and tells
// everybody the news, which it returns for the caller.
func (q *jointQuery[T]) ask(ctx context.Context, e engine, c *jointCaller[T]) (news jointNews) {
	q.mu.Lock()
	n := min(len(q.waiting), e.joint().most-1)
	all := append([]*jointCaller[T]{c}, q.waiting[:n]...)
	q.waiting = slices.Delete(q.waiting, 0, n)
	q.mu.Unlock()
	news = jointAlone // when run panics, for the others
	defer func() {
		q.mu.Lock()
		q.giveOn()
		q.mu.Unlock()
		for _, other := range all[1:] {
			other.err = c.err
			other.told <- news
		}
	}()
	c.err = q.run(ctx, e, all)
	// What the database could not do for several it can do for none; else one of them may
	// be at fault.
	if c.err == nil || len(all) == 1 || errors.Is(c.err, ErrUnavailable) || e.passes(c.err) {
		news = jointAnswered
	}
	return news
}

// giveOn gives the turn of one who has asked to the next one who waits. The lock is held.
func (q *jointQuery[T]) giveOn() {
	if len(q.waiting) == 0 {
		q.asking--
		return
	}
	q.waiting[0].told <- jointTurn
	q.waiting = slices.Delete(q.waiting, 0, 1)
}

// leave takes out a caller who goes. If he has just been given the turn, he gives it on.
func (q *jointQuery[T]) leave(c *jointCaller[T]) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if i := slices.Index(q.waiting, c); i >= 0 {
		q.waiting = slices.Delete(q.waiting, i, i+1)
		return
	}
	select {
	case news := <-c.told:
		if news == jointTurn {
			q.giveOn()
		}
	default: // somebody asks for him
	}
}

// waits is how many callers wait.
func (q *jointQuery[T]) waits() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return len(q.waiting)
}

// run runs the query for callers. It is everybody's, and goes on when one of them has gone.
func (q *jointQuery[T]) run(ctx context.Context, e engine, all []*jointCaller[T]) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), readMost)
	defer cancel()
	err := q.find(ctx, e, all)
	if err != nil && ctx.Err() != nil && !errors.Is(err, ErrUnavailable) {
		err = fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	return err
}

// find scans the rows of callers.
func (q *jointQuery[T]) find(ctx context.Context, e engine, all []*jointCaller[T]) error {
	for _, c := range all {
		c.found = nil // of a query that has failed in the middle
	}
	if len(all) == 1 {
		return readAll(ctx, e.reader(), func(r rows) error { return all[0].take(q.scan(r)) }, q.text, all[0].args...)
	}
	args := make([][]any, len(all))
	for i, c := range all {
		args[i] = c.args
	}
	text, jointArgs, err := e.jointText(q.text, args)
	if err != nil {
		return err
	}
	return readAll(ctx, e.reader(), func(r rows) error {
		n := numbered{rows: r}
		row, err := q.scan(&n)
		if err == nil && (n.number < 1 || n.number > int64(len(all))) {
			err = fmt.Errorf("a row is for caller %d of %d", n.number, len(all))
		}
		if err != nil {
			return err
		}
		return all[n.number-1].take(row, nil)
	}, text, jointArgs...)
}

func (c *jointCaller[T]) take(row T, err error) error {
	if err == nil {
		c.found = append(c.found, row)
	}
	return err
}

// numbered are rows that have the number of a caller in front of what is scanned.
type numbered struct {
	rows
	number int64
}

func (n *numbered) Scan(dest ...any) error { return n.rows.Scan(append([]any{&n.number}, dest...)...) }

// jointText has the server run the query for each row of some arrays. Within LATERAL, and
// with a LIMIT, the planner sees it by itself: it goes by the index that it takes for one.
// How long the arrays are is hidden from it by SELECT: it would make a plan of its own for
// each few callers, which takes several times as long as to run it.
func (e *postgresEngine) jointText(text string, args [][]any) (string, []any, error) {
	arrays, types, err := columns(args)
	if err != nil {
		return "", nil, err
	}
	if several, ok := e.joints.Load(text); ok {
		return several.(string), arrays, nil
	}
	asked, names := make([]string, len(types)), make([]string, len(types))
	for i, name := range types {
		asked[i], names[i] = fmt.Sprintf("(SELECT $%d::%s[])", i+1, name), fmt.Sprintf("c%d", i+1)
	}
	several := "SELECT q.number, found.* FROM unnest(" + strings.Join(asked, ", ") + ") WITH ORDINALITY AS q(" + strings.Join(names, ", ") +
		", number) CROSS JOIN LATERAL (" + argument.ReplaceAllString(text, "q.c$1") + ") AS found"
	e.joints.Store(text, several)
	return several, arrays, nil
}

func (e *postgresEngine) joint() joint { return postgresJoint }

// jointText writes the query out for as many callers as may join. Those who are missing
// ask for NULL, which is found nowhere.
func (e *sqliteEngine) jointText(text string, args [][]any) (string, []any, error) {
	each := len(args[0])
	all := make([]any, each*sqliteJoint.most)
	for i, of := range args {
		copy(all[i*each:], of)
	}
	if several, ok := e.joints.Load(text); ok {
		return several.(string), all, nil
	}
	one := unnamed(text)
	if strings.Contains(one, "$") {
		return "", nil, fmt.Errorf("the arguments of a joint query must stand in their order, once each: %s", text)
	}
	queries := make([]string, sqliteJoint.most)
	for i := range queries {
		queries[i] = fmt.Sprintf("SELECT %d, * FROM (%s)", i+1, one)
	}
	several := strings.Join(queries, " UNION ALL ")
	e.joints.Store(text, several)
	return several, all, nil
}

func (e *sqliteEngine) joint() joint { return sqliteJoint }
