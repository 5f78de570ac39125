package storage

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"
)

// A Recorder notes the statements that a database is given, as they are sent.
type Recorder struct {
	engine
	mu         sync.Mutex
	statements map[string][]any // text to the arguments of its first time
}

// Record makes a database note its statements from now on.
func Record(db *DB) *Recorder {
	r := &Recorder{engine: db.engine, statements: make(map[string][]any)}
	db.commits.stop()
	db.engine, db.commits = r, startCommitter(r, db.vault, sqlitePace)
	return r
}

// Texts lists what was noted.
func (r *Recorder) Texts() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	var texts []string
	for text := range r.statements {
		texts = append(texts, text)
	}
	slices.Sort(texts)
	return texts
}

func (r *Recorder) note(text string, args []any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if _, known := r.statements[text]; !known {
		r.statements[text] = args
	}
}

func (r *Recorder) text(sql string) string {
	if _, ok := r.engine.(*postgresEngine); ok {
		return postgresDialect.sql(sql)
	}
	return sqliteDialect.sql(sql)
}

func (r *Recorder) begin() (conn, context.Context, error) {
	c, ctx, err := r.engine.begin()
	return recordedConn{c, r}, ctx, err
}

func (r *Recorder) reader() querier { return recordedReader{r.engine.reader(), r} }

type recordedReader struct {
	querier
	r *Recorder
}

func (q recordedReader) query(ctx context.Context, sql string, args ...any) (rows, error) {
	q.r.note(q.r.text(sql), args)
	return q.querier.query(ctx, sql, args...)
}

type recordedConn struct {
	conn
	r *Recorder
}

func (c recordedConn) query(ctx context.Context, sql string, args ...any) (rows, error) {
	c.r.note(c.r.text(sql), args)
	return c.conn.query(ctx, sql, args...)
}

func (c recordedConn) exec(ctx context.Context, sql string, args ...any) (int64, error) {
	c.r.note(c.r.text(sql), args)
	return c.conn.exec(ctx, sql, args...)
}

func (c recordedConn) each(ctx context.Context, sql string, args [][]any) ([]int64, error) {
	if err := c.noteEach(sql, args); err != nil {
		return nil, err
	}
	return c.conn.each(ctx, sql, args)
}

func (c recordedConn) later(ctx context.Context, sql string, args [][]any, told func([]int64)) error {
	if err := c.noteEach(sql, args); err != nil {
		return err
	}
	return c.conn.later(ctx, sql, args, told)
}

func (c recordedConn) noteEach(sql string, args [][]any) error {
	if len(args) == 0 {
		return nil
	}
	if _, ok := c.r.engine.(*postgresEngine); !ok {
		c.r.note(c.r.text(oneRow(sql)), args[0])
		return nil
	}
	arrays, types, err := columns(args)
	if err != nil {
		return err
	}
	set := allRows(c.r.text(sql), types)
	c.r.note(set.text, arrays)
	if set.hopeful != "" {
		c.r.note(set.hopeful, arrays)
	}
	return nil
}

// A PlanStep is how a plan reads a table.
type PlanStep struct {
	Table string // or the name that the statement gives it
	Index string // or empty
	Seeks bool   // it begins at a place in the index
	Key   bool   // that index is the primary key
	Few   bool   // it ends when enough was found, in the order of the index
	Text  string // of the plan, for people
}

// Plans reads how the database would run a noted statement: on PostgreSQL with its
// arguments, and as the plan for any arguments that a prepared statement may come to have.
func (r *Recorder) Plans(ctx context.Context, text string) ([][]PlanStep, error) {
	if e, ok := r.engine.(*postgresEngine); ok {
		return postgresPlans(ctx, e, text, r.statements[text])
	}
	var details []string
	err := readAll(ctx, r.engine.reader(), func(found rows) error {
		var id, parent, unused int64
		var detail string
		err := found.Scan(&id, &parent, &unused, &detail)
		details = append(details, detail)
		return err
	}, "EXPLAIN QUERY PLAN "+text, r.statements[text]...)
	sorts := slices.ContainsFunc(details, func(d string) bool { return strings.Contains(d, "TEMP B-TREE") })
	var steps []PlanStep
	for _, d := range details {
		words := strings.Fields(d)
		if words[0] != "SCAN" && words[0] != "SEARCH" {
			continue
		}
		step := PlanStep{Table: words[1], Seeks: words[0] == "SEARCH", Key: strings.Contains(d, " PRIMARY KEY ") || strings.Contains(d, " sqlite_autoindex_"), Few: strings.Contains(text, "LIMIT") && !sorts, Text: d}
		if i := slices.Index(words, "INDEX"); i > 0 {
			step.Index = words[i+1]
		}
		steps = append(steps, step)
	}
	return [][]PlanStep{steps}, err
}

func postgresPlans(ctx context.Context, e *postgresEngine, text string, args []any) (plans [][]PlanStep, err error) {
	c, err := e.pool.Acquire(ctx)
	if err != nil {
		return nil, err
	}
	defer c.Release()
	read := func(sql string, args ...any) error {
		var plan string
		if err := c.QueryRow(ctx, sql, args...).Scan(&plan); err != nil {
			return fmt.Errorf("%s: %w", sql, err)
		}
		var trees []struct{ Plan map[string]any }
		if err := json.Unmarshal([]byte(plan), &trees); err != nil {
			return err
		}
		plans = append(plans, stepsOf(trees[0].Plan, false, plan))
		return nil
	}
	if err := read("EXPLAIN (FORMAT JSON) "+text, args...); err != nil {
		return nil, err
	}
	nulls := strings.TrimSuffix(strings.Repeat("NULL, ", len(args)), ", ")
	if nulls != "" {
		nulls = "(" + nulls + ")"
	}
	for _, sql := range []string{"SET plan_cache_mode = force_generic_plan", "PREPARE looked_at AS " + text} {
		if _, err := c.Exec(ctx, sql); err != nil {
			return nil, fmt.Errorf("%s: %w", sql, err)
		}
	}
	err = read("EXPLAIN (FORMAT JSON) EXECUTE looked_at" + nulls)
	for _, sql := range []string{"DEALLOCATE looked_at", "RESET plan_cache_mode"} {
		if _, err := c.Exec(ctx, sql); err != nil {
			return nil, err
		}
	}
	return plans, err
}

// stepsOf walks through a plan. What is below a sort, or another step that wants
// all rows, reads to its end.
func stepsOf(node map[string]any, few bool, text string) []PlanStep {
	kind, _ := node["Node Type"].(string)
	switch kind {
	case "Limit":
		few = true
	case "LockRows", "Subquery Scan", "Append", "Merge Append", "Result", "Nested Loop":
	default:
		few = few && strings.Contains(kind, "Index")
	}
	var steps []PlanStep
	table, _ := node["Relation Name"].(string)
	index, _ := node["Index Name"].(string)
	if strings.Contains(kind, "Scan") && kind != "Bitmap Heap Scan" && (table != "" || index != "") {
		if table == "" {
			table = "?" // a bitmap of an index; its table stands above it
		}
		steps = append(steps, PlanStep{Table: table, Index: index, Seeks: node["Index Cond"] != nil, Key: strings.HasSuffix(index, "_pkey"), Few: few, Text: text})
	}
	below, _ := node["Plans"].([]any)
	for _, b := range below {
		steps = append(steps, stepsOf(b.(map[string]any), few, text)...)
	}
	return steps
}
