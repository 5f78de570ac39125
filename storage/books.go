package storage

import (
	"context"
	"fmt"
	"strings"
	"time"

	"payout"
)

// A Finding is something in the books that cannot be.
type Finding struct {
	Rule string // the rule that is broken, as a sentence
	What string // what breaks it, such as "order 1000001"; nothing sensitive
}

// A bookRule is a rule of the books as a query for what breaks it.
type bookRule struct {
	rule string
	what string // of the ids that the query finds: order, callback
	sql  string // finds ids; $1 < order's id <= $2
}

// here is the condition on an order that is not archived.
const here = "length(params_sealed) > 0"

// sent is the condition that a stage is one where the rail has not decided.
func sent(stage string) string {
	return stage + " = 'sending' OR " + stage + " = 'pending' OR " + stage + " = 'doubtful'"
}

// orderRules are looked at a range of orders at a time. $1 and $2 bound the ids.
var orderRules = []bookRule{
	{"an order's version counts its moves", "order", `SELECT id FROM orders AS o WHERE id > $1 AND id <= $2 AND ` + here + `
		AND version <> (SELECT count(*) FROM moves AS m WHERE m.order_id = o.id)`},
	{"an order's moves are numbered from 1 without a gap", "order", `SELECT id FROM orders AS o WHERE id > $1 AND id <= $2 AND ` + here + `
		AND version <> (SELECT coalesce(max(version), 0) FROM moves AS m WHERE m.order_id = o.id)`},
	{"a move begins at the stage where the one before it ended", "order", `SELECT a.order_id FROM moves AS a
		JOIN moves AS b ON b.order_id = a.order_id AND b.version = a.version + 1
		WHERE a.order_id > $1 AND a.order_id <= $2 AND b.from_stage <> a.to_stage`},
	{"an order stands where its last move led", "order", `SELECT o.id FROM orders AS o
		JOIN moves AS m ON m.order_id = o.id AND m.version = o.version
		WHERE o.id > $1 AND o.id <= $2 AND m.to_stage <> o.stage`},
	{"every move is in the table of moves", "order", `SELECT order_id FROM moves WHERE order_id > $1 AND order_id <= $2 AND NOT (` + movesSQL() + `)`},
	{"an order begins at a stage where orders may begin", "order", `SELECT order_id FROM moves WHERE order_id > $1 AND order_id <= $2
		AND version = 1 AND NOT (` + firstSQL() + `)`},
	{"an order's attempts count its transactions", "order", `SELECT id FROM orders AS o WHERE id > $1 AND id <= $2 AND ` + here + `
		AND attempts <> (SELECT count(*) FROM transactions AS t WHERE t.order_id = o.id)`},
	{"an approved order has one approved transaction, and no other order has any", "order", `SELECT id FROM orders AS o WHERE id > $1 AND id <= $2 AND ` + here + `
		AND (SELECT count(*) FROM transactions AS t WHERE t.order_id = o.id AND t.stage = 'approved')
			<> CASE WHEN stage = 'approved' THEN 1 ELSE 0 END`},
	{"an order's attempts are numbered from 1 without a gap", "order", `SELECT id FROM orders AS o WHERE id > $1 AND id <= $2 AND ` + here + `
		AND attempts <> (SELECT coalesce(max(attempt), 0) FROM transactions AS t WHERE t.order_id = o.id)`},
	{"an order that its rail has not decided has one open transaction, its last, and no other order has any", "order", `SELECT id FROM orders AS o
		WHERE id > $1 AND id <= $2 AND (SELECT count(*) + count(CASE WHEN t.attempt <> o.attempts THEN 1 END) FROM transactions AS t
			WHERE t.order_id = o.id AND t.ended_us = 0) <> CASE WHEN ` + sent("stage") + ` THEN 1 ELSE 0 END`},
	{"an open transaction stands where its order stands", "order", `SELECT t.order_id FROM transactions AS t JOIN orders AS o ON o.id = t.order_id
		WHERE t.order_id > $1 AND t.order_id <= $2 AND t.ended_us = 0 AND t.stage <> o.stage`},
	{"an attempt after which its order went on had ended unpaid", "order", `SELECT DISTINCT t.order_id FROM transactions AS t JOIN orders AS o ON o.id = t.order_id
		WHERE t.order_id > $1 AND t.order_id <= $2 AND (t.attempt < o.attempts OR o.stage = 'starting')
			AND t.stage <> 'starting' AND t.stage <> 'declined'`},
	{"an order that its rail decided ended as its last attempt", "order", `SELECT o.id FROM orders AS o
		JOIN moves AS m ON m.order_id = o.id AND m.version = o.version
		JOIN transactions AS t ON t.order_id = o.id AND t.attempt = o.attempts
		WHERE o.id > $1 AND o.id <= $2 AND o.final_us > 0 AND (` + sent("m.from_stage") + `) AND t.stage <> o.stage`},
	// As payout.Reference makes it.
	{"a transaction has the reference of its order and attempt", "order", `SELECT DISTINCT order_id FROM transactions WHERE order_id > $1 AND order_id <= $2
		AND reference <> CAST(order_id AS TEXT) || '-' || CAST(attempt AS TEXT)`},
	{"a late outcome that says approved is of an order that was approved, or may be", "order", `SELECT DISTINCT l.order_id FROM late_outcomes AS l
		JOIN orders AS o ON o.id = l.order_id
		WHERE l.order_id > $1 AND l.order_id <= $2 AND l.result = 'approved' AND o.final_us > 0 AND o.stage <> 'approved'`},
	{"an order that was not paid has an error code", "order", `SELECT id FROM orders WHERE id > $1 AND id <= $2
		AND final_us > 0 AND stage <> 'approved' AND error_code = 0`},
	{"an order owes at most one callback, and only when it is final", "order", `SELECT id FROM orders AS o WHERE id > $1 AND id <= $2
		AND (SELECT count(*) FROM callbacks AS c WHERE c.order_id = o.id) > CASE WHEN final_us > 0 THEN 1 ELSE 0 END`},
	{"an archived order is final, and has left nothing behind", "order", `SELECT id FROM orders AS o WHERE id > $1 AND id <= $2 AND NOT ` + here + `
		AND (final_us = 0 OR EXISTS (SELECT 1 FROM moves AS m WHERE m.order_id = o.id)
			OR EXISTS (SELECT 1 FROM transactions AS t WHERE t.order_id = o.id) OR EXISTS (SELECT 1 FROM callbacks AS c WHERE c.order_id = o.id))`},
	{"a callback's attempts are all there", "callback", `SELECT id FROM callbacks AS c WHERE order_id > $1 AND order_id <= $2
		AND attempts <> (SELECT count(*) FROM callback_attempts AS a WHERE a.callback_id = c.id)`},
	{"a callback counts as delivered when its receiver has answered 200", "callback", `SELECT id FROM callbacks AS c WHERE order_id > $1 AND order_id <= $2
		AND state = 'delivered' AND NOT EXISTS (SELECT 1 FROM callback_attempts AS a WHERE a.callback_id = c.id AND a.http_status = 200)`},
}

// wholeRules are looked at once. Their queries have no arguments.
var wholeRules = []bookRule{
	{"every move belongs to an order", "order", "SELECT DISTINCT order_id FROM moves AS m WHERE NOT EXISTS (SELECT 1 FROM orders AS o WHERE o.id = m.order_id)"},
	{"every transaction belongs to an order", "order", "SELECT DISTINCT order_id FROM transactions AS t WHERE NOT EXISTS (SELECT 1 FROM orders AS o WHERE o.id = t.order_id)"},
	{"every callback belongs to an order", "order", "SELECT DISTINCT order_id FROM callbacks AS c WHERE NOT EXISTS (SELECT 1 FROM orders AS o WHERE o.id = c.order_id)"},
	{"every request that names an order has it", "order", "SELECT DISTINCT order_id FROM requests AS r WHERE order_id > 0 AND NOT EXISTS (SELECT 1 FROM orders AS o WHERE o.id = r.order_id)"},
	{"every receipt is of a final order", "order", "SELECT order_id FROM receipts AS r WHERE NOT EXISTS (SELECT 1 FROM orders AS o WHERE o.id = r.order_id AND o.final_us > 0)"},
	{"every form belongs to an order", "order", "SELECT order_id FROM forms AS f WHERE NOT EXISTS (SELECT 1 FROM orders AS o WHERE o.id = f.order_id)"},
	{"every card reference is of an order", "order", "SELECT order_id FROM card_refs AS c WHERE NOT EXISTS (SELECT 1 FROM orders AS o WHERE o.id = c.order_id)"},
	{"an order's id is below the next one to be given", "order", "SELECT id FROM orders WHERE id >= (SELECT next FROM counters WHERE name = 'order')"},
	{"a serial-number is below the next one to be given", "request", "SELECT serial FROM orders WHERE serial >= (SELECT next FROM counters WHERE name = 'serial')"},
	{"a callback's number is below the next one to be given", "order", "SELECT order_id FROM callbacks WHERE id >= (SELECT next FROM counters WHERE name = 'callback')"},
	{"every order belongs to an endpoint of its party", "order", `SELECT id FROM orders AS o WHERE NOT EXISTS
		(SELECT 1 FROM endpoints AS e WHERE e.id = o.endpoint_id AND e.party_id = o.party_id)`},
}

// The rules that need the master key.
const (
	ruleSealed = "what is sealed can be opened"
	ruleOwed   = "a final order has a callback if it, or its endpoint, named a callback URL"
)

// firstSQL is the stages where orders may begin, as a condition on a row of moves.
func firstSQL() string {
	var first []string
	for _, row := range payout.Stages() {
		if row.First {
			first = append(first, fmt.Sprintf("from_stage = '%s'", row.Stage))
		}
	}
	return strings.Join(first, " OR ")
}

// movesSQL is the table of moves as a condition on a row of moves.
func movesSQL() string {
	var rows []string
	for _, m := range payout.Moves() {
		rows = append(rows, fmt.Sprintf("event = '%s' AND from_stage = '%s' AND to_stage = '%s'", m.On, m.From, m.To))
	}
	return strings.Join(rows, " OR ")
}

const (
	bookPage    = 5000 // ids of orders looked at in one query
	findingsMax = 100  // told for each rule; more would not help anybody
)

// What the progress of CheckBooks is told in.
const (
	CheckedRules  = "checks of the whole database"
	CheckedOrders = "orders checked"
)

// CheckBooks looks for what breaks the rules of the books, also of a database in
// use: orders that change meanwhile are looked at as they are at one moment each.
// Progress is told in CheckedRules, then in CheckedOrders.
func (db *DB) CheckBooks(ctx context.Context, found func(Finding), progress func(what string, done, of int64)) error {
	steps := int64(len(wholeRules)) + 1
	progress(CheckedRules, 0, steps)
	if e, ok := db.engine.(*sqliteEngine); ok {
		if err := e.checkFile(ctx, found); err != nil {
			return fmt.Errorf("check the file: %w", err)
		}
	}
	for i, rule := range wholeRules {
		progress(CheckedRules, int64(i)+1, steps)
		if err := db.checkRule(ctx, rule, found); err != nil {
			return err
		}
	}
	progress(CheckedRules, steps, steps)
	endpoints, err := db.calledBack(ctx, found)
	if err != nil {
		return err
	}
	first, last, err := db.orderIDs(ctx)
	if err != nil {
		return err
	}
	for from := first - 1; from < last; from += bookPage {
		to := min(from+bookPage, last)
		for _, rule := range orderRules {
			if err := db.checkRule(ctx, rule, found, from, to); err != nil {
				return err
			}
		}
		if err := db.checkSealed(ctx, from, to, endpoints, found); err != nil {
			return err
		}
		progress(CheckedOrders, to-first+1, last-first+1)
	}
	return nil
}

func (db *DB) checkRule(ctx context.Context, rule bookRule, found func(Finding), args ...any) error {
	told := 0
	err := readAll(ctx, db.engine.patient(), func(r rows) error {
		var id int64
		if err := r.Scan(&id); err != nil {
			return err
		}
		if told++; told <= findingsMax {
			found(Finding{rule.rule, fmt.Sprintf("%s %d", rule.what, id)})
		}
		return nil
	}, rule.sql, args...)
	if err != nil {
		return fmt.Errorf("check that %s: %w", rule.rule, err)
	}
	if told > findingsMax {
		found(Finding{rule.rule, fmt.Sprintf("and %d more", told-findingsMax)})
	}
	return nil
}

// orderIDs tells the least and the greatest id of an order; 1 and 0 when there is none.
func (db *DB) orderIDs(ctx context.Context) (first, last int64, err error) {
	err = readOne(ctx, db.engine.patient(), func(r rows) error { return r.Scan(&first, &last) },
		"SELECT coalesce(min(id), 1), coalesce(max(id), 0) FROM orders")
	if err != nil {
		return 0, 0, fmt.Errorf("read the ids of orders: %w", err)
	}
	return first, last, nil
}

// calledBack tells which endpoints have a callback URL of their own. That never changes.
func (db *DB) calledBack(ctx context.Context, found func(Finding)) (map[payout.EndpointID]bool, error) {
	endpoints := make(map[payout.EndpointID]bool)
	err := readAll(ctx, db.engine.patient(), func(r rows) error {
		var id payout.EndpointID
		var sealed []byte
		if err := r.Scan(&id, &sealed); err != nil {
			return err
		}
		url, err := db.vault.Open(sealed, endpointPlace(id))
		if err != nil {
			found(Finding{ruleSealed, "endpoint " + id.String()})
		}
		endpoints[id] = len(url) > 0
		return nil
	}, "SELECT id, callback_url_sealed FROM endpoints")
	if err != nil {
		return nil, fmt.Errorf("open endpoints: %w", err)
	}
	return endpoints, nil
}

// checkSealed opens what is sealed in a range of orders, and looks whether those
// for which a callback URL was named owe a callback at their end.
func (db *DB) checkSealed(ctx context.Context, from, to int64, endpoints map[payout.EndpointID]bool, found func(Finding)) error {
	err := readAll(ctx, db.engine.patient(), func(r rows) error {
		var id, owed, final int64
		var endpoint payout.EndpointID
		var sealed []byte
		if err := r.Scan(&id, &endpoint, &sealed, &final, &owed); err != nil || len(sealed) == 0 { // archived
			return err
		}
		params, err := db.openParams(payout.OrderID(id), sealed)
		switch {
		case err != nil:
			found(Finding{ruleSealed, place(payout.OrderID(id))})
		case final > 0 && owed == 0 && (params["server_callback_url"] != "" || params["notify_url"] != "" || endpoints[endpoint]):
			found(Finding{ruleOwed, place(payout.OrderID(id))})
		}
		return nil
	}, `SELECT id, endpoint_id, params_sealed, final_us, (SELECT count(*) FROM callbacks AS c WHERE c.order_id = o.id) FROM orders AS o
		WHERE id > $1 AND id <= $2`, from, to)
	if err != nil {
		return fmt.Errorf("open orders: %w", err)
	}
	return db.checkURLs(ctx, from, to, found)
}

func (db *DB) checkURLs(ctx context.Context, from, to int64, found func(Finding)) error {
	err := readAll(ctx, db.engine.patient(), func(r rows) error {
		var id, order int64
		var sealed []byte
		if err := r.Scan(&id, &order, &sealed); err != nil {
			return err
		}
		if _, err := db.vault.Open(sealed, callbackPlace(payout.OrderID(order))); err != nil {
			found(Finding{ruleSealed, fmt.Sprintf("callback %d", id)})
		}
		return nil
	}, "SELECT id, order_id, url_sealed FROM callbacks WHERE order_id > $1 AND order_id <= $2", from, to)
	if err != nil {
		return fmt.Errorf("open callbacks: %w", err)
	}
	return nil
}

// checkFile has SQLite look at every page of its file.
func (e *sqliteEngine) checkFile(ctx context.Context, found func(Finding)) error {
	r, err := e.read.QueryContext(ctx, "PRAGMA integrity_check(20)")
	if err != nil {
		return err
	}
	defer r.Close()
	for r.Next() {
		var said string
		if err := r.Scan(&said); err != nil {
			return err
		}
		if said != "ok" {
			found(Finding{"the file is sound", said})
		}
	}
	return r.Err()
}

// An Attempted is what a rail's own books are compared with: an attempt of an order or,
// of an archived order, which has kept none, the order.
type Attempted struct {
	OrderID      payout.OrderID
	Reference    string       // empty of an archived order
	Stage        payout.Stage // of the attempt
	Ended        bool
	Amount       payout.Amount
	ReceiverMask string // empty of an archived order
}

// Attempts tells of every attempt at some gates.
func (db *DB) Attempts(ctx context.Context, gates []payout.GateID, tell func(Attempted)) error {
	if len(gates) == 0 {
		return nil
	}
	args := make([]any, len(gates))
	for i, gate := range gates {
		args[i] = int64(gate)
	}
	among := "gate_id IN (" + placeholders(1, len(args)) + ")"
	err := readAll(ctx, db.engine.patient(), func(r rows) error {
		var a Attempted
		err := r.Scan(&a.OrderID, &a.Reference, &a.Stage, &a.Ended, &a.Amount.Minor, &a.Amount.Currency, &a.ReceiverMask)
		if err == nil {
			tell(a)
		}
		return err
	}, `SELECT t.order_id, t.reference, t.stage, t.ended_us > 0, o.amount_minor, o.currency, o.receiver_mask
			FROM transactions AS t JOIN orders AS o ON o.id = t.order_id WHERE t.`+among+`
		UNION ALL SELECT id, '', stage, final_us > 0, amount_minor, currency, '' FROM orders WHERE attempts > 0 AND NOT `+here+" AND "+among, args...)
	if err != nil {
		return fmt.Errorf("read attempts: %w", err)
	}
	return nil
}

// LastMove tells when an order was last moved: what has happened since, a backup does not
// know. It is zero when nothing has.
func (db *DB) LastMove(ctx context.Context) (time.Time, error) {
	var at int64
	err := readOne(ctx, db.engine.patient(), func(r rows) error { return r.Scan(&at) }, "SELECT coalesce(max(at_us), 0) FROM moves")
	if err != nil {
		return time.Time{}, fmt.Errorf("read the last move: %w", err)
	}
	return fromUS(at), nil
}
