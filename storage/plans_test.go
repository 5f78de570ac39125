package storage_test

import (
	"context"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"payout"
	"payout/storage"
	"payout/storage/storagetest"
)

// smallTables do not grow with the orders: they may be read from end to end. What
// is not listed here grows.
var smallTables = []string{"counters", "parties", "party_keys", "projects", "gates", "endpoints", "endpoint_gates", "endpoint_groups",
	"endpoint_group_members", "panel_tokens", "gate_shares", "gate_rests", "goose_db_version"}

// apart are files whose strings are not looked at, and why.
var apart = map[string]string{
	"setup.go":     "the set-up: small tables only",
	"directory.go": "the set-up: small tables only",
	"tokens.go":    "the set-up: small tables only",
	"shares.go":    "a row for each gate and node: small tables only",
	"key.go":       "whether a database is new",
	"clock.go":     "the database's clock",
	"backup.go":    "a copy of a whole file",
	"books.go":     "payoutd check looks at every row, on purpose",
	"restored.go":  "payoutd restored, while no gateway serves: orders that are not final, once",
	"fill.go":      "past orders in bulk, for benchmarks",
	"rows.go":      "the words of statements for many rows",
	"joint.go":     "what queries are put together with",
}

// sqliteOnly is the file of statements that PostgreSQL is never asked.
const sqliteOnly = "nonce_set.go"

// scans are statements that read more than they find, by a part of their text,
// and why they may.
var scans = map[string]string{
	"receiver_hash = $1 ORDER BY id DESC LIMIT $2":            "payoutd order list --receiver: an operator asks now and then, and an index would cost every acceptance",
	"($1 = '' OR stage = $1) ORDER BY id DESC LIMIT $2":       "payoutd order list --stage: the same; without --stage it reads the newest only",
	"SELECT stage, count(*) FROM orders WHERE due_us > 0":     "only orders that are not final, by a partial index; PostgreSQL may choose otherwise when they are most",
	"SELECT coalesce(max(id), 0) + 1 FROM":                    "the greatest id is at the end of the primary key",
	"SELECT coalesce(min(id), 1), coalesce(max(id), 0) FROM ": "the same, at both ends",
}

// Whatever a request, a worker or a chore of the gateway asks of the database must
// be found by an index, however many orders there are; and what it changes by the
// primary key, not by walking through all that is due. The statements are those of
// the code: one that this test does not come by fails it.
func TestNoStatementReadsATableThatGrowsFromEndToEnd(t *testing.T) {
	literals := statementsInCode(t)
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		growing := growingTables(t, db)
		id := books(t, db)
		fillTables(t, db)
		shared := db.Shared()
		recorder := storage.Record(db)
		useEverything(t, db, id)
		texts := recorder.Texts()
		for _, l := range literals {
			if shared && filepath.Base(l.position.Filename) == sqliteOnly {
				continue
			}
			if !slices.ContainsFunc(texts, l.pattern.MatchString) {
				t.Errorf("%s: no plan of %q was looked at: call its method in useEverything", l.position, l.text)
			}
		}
		looked := 0
		for _, text := range texts {
			names := namesOf(text, growing)
			if len(names) == 0 || allowedScan(text) {
				continue
			}
			looked++
			plans, err := recorder.Plans(t.Context(), text)
			if err != nil {
				t.Fatalf("%s: %v", text, err)
			}
			for _, plan := range plans {
				for _, why := range faults(text, plan, names) {
					t.Errorf("%s\n%s", text, why)
				}
			}
		}
		if looked < 30 {
			t.Errorf("only %d plans were looked at: the test is blind", looked)
		}
		for _, planted := range []string{"SELECT count(*) FROM moves WHERE note = 'planted'", "UPDATE callbacks SET attempts = 1 WHERE due_us > 0 AND due_us < 19950",
			"SELECT event FROM moves ORDER BY note LIMIT 1", "DELETE FROM orders WHERE receiver_mask = 'planted'"} {
			plans, err := recorder.Plans(t.Context(), planted)
			if err != nil || len(faults(planted, plans[0], namesOf(planted, growing))) == 0 {
				t.Errorf("%s is not found: %v, %v", planted, plans, err)
			}
		}
	})
}

// faults says what a plan of a statement does that takes the longer the more there is.
func faults(text string, plan []storage.PlanStep, names map[string]bool) (found []string) {
	byKey := !strings.HasPrefix(text, "UPDATE")
	for _, step := range plan {
		byKey = byKey || step.Key && step.Seeks
		if (names[step.Table] || step.Table == "?") && !step.Seeks && !step.Few && !strings.Contains(step.Index, "_due") {
			found = append(found, fmt.Sprintf("reads all of %s (%s): %s", step.Table, step.Index, step.Text))
		}
	}
	if !byKey {
		found = append(found, fmt.Sprintf("does not find the rows that it changes by their primary key: %+v", plan))
	}
	return found
}

func allowedScan(text string) bool {
	return slices.ContainsFunc(slices.Collect(maps.Keys(scans)), func(part string) bool { return strings.Contains(text, part) })
}

func growingTables(t *testing.T, db *storage.DB) []string {
	t.Helper()
	tables, err := storage.TableNames(t.Context(), db)
	if err != nil {
		t.Fatal(err)
	}
	tables = slices.DeleteFunc(tables, func(name string) bool { return slices.Contains(smallTables, name) })
	if len(tables) < 10 {
		t.Fatalf("only the tables %v grow: the test is blind", tables)
	}
	return tables
}

// namesOf finds the growing tables of a statement, and the names that it gives them.
func namesOf(text string, growing []string) map[string]bool {
	names := make(map[string]bool)
	for _, table := range growing {
		for _, m := range regexp.MustCompile(`\b`+table+`\b(?: AS (\w+))?`).FindAllStringSubmatch(text, -1) {
			names[table] = true
			if m[1] != "" {
				names[m[1]] = true
			}
		}
	}
	return names
}

// A literal is a string in the code that is SQL, or a part of it.
type literal struct {
	position token.Position
	text     string
	pattern  *regexp.Regexp // of the statements that it has become
}

var (
	sqlText      = regexp.MustCompile(`^\s*(SELECT|INSERT|UPDATE|DELETE|WITH)\s|\$\d| = \?|\(\?`)
	sqlWords     = regexp.MustCompile(`\\\{\\\{[^}]*\\\}\\\}|%[sd]|\\\?|\\\$\d+`)
	onSmallTable = regexp.MustCompile(`\b(UPDATE|FROM|INTO) (` + strings.Join(smallTables, "|") + `)\b|pg_`)
	spaces       = regexp.MustCompile(`\s+`)
)

// statementsInCode finds the SQL of the package.
func statementsInCode(t *testing.T) []literal {
	t.Helper()
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	var found []literal
	for _, path := range files {
		if strings.HasSuffix(path, "_test.go") || apart[path] != "" {
			continue
		}
		set := token.NewFileSet()
		file, err := parser.ParseFile(set, path, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(file, func(n ast.Node) bool {
			l, ok := n.(*ast.BasicLit)
			if !ok || l.Kind != token.STRING {
				return true
			}
			if text, err := strconv.Unquote(l.Value); err == nil && sqlText.MatchString(text) && !onSmallTable.MatchString(text) {
				// What the engines and Sprintf put in their places may be anything.
				pattern := sqlWords.ReplaceAllString(regexp.QuoteMeta(strings.TrimSpace(text)), `[\s\S]*`)
				found = append(found, literal{set.Position(l.Pos()), text, regexp.MustCompile(spaces.ReplaceAllString(pattern, `\s+`))})
			}
			return true
		})
	}
	if len(found) < 40 {
		t.Fatalf("only %d statements were found in the code: the test is blind", len(found))
	}
	return found
}

// fillOrders is how many final orders stand before those of the test.
const fillOrders = 20000

// fillTables makes the tables as large as a planner must see them: with a long history,
// and little that is due.
func fillTables(t *testing.T, db *storage.DB) {
	t.Helper()
	numbers := fmt.Sprintf("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < %d)", fillOrders)
	blob := "CAST('0123456789abcdef' AS {{bytes}})"
	unique := "CAST('0123456789' || i AS {{bytes}})"
	for _, sql := range []string{
		`INSERT INTO orders (id, party_id, endpoint_id, group_id, command, type, client_orderid, repeat_no, currency, amount_minor, params_sealed,
				receiver_mask, receiver_hash, stage, version, gate_position, gate_id, attempts, polls, error_code, error_message, serial, remote_address,
				note, created_us, final_us, expires_us, due_us) ` + numbers + ` SELECT i, i % 50, 39915, 0, 'v4/payout', 'payout', 'fill-' || i, 0, 'USD', 100,
				` + blob + `, '', ` + blob + `, 'approved', 2, 0, i % 5, 1, 0, 0, '', i, '', '', i, i, 0, 0 FROM n`,
		`INSERT INTO requests (order_id, serial, party_id, endpoint_id, group_id, command, client_orderid, error_code, error_message, note, remote_address, at_us)
			` + numbers + ` SELECT i, i, 1, 1, 0, 'v4/payout', '', 0, '', '', '', i FROM n`,
		`INSERT INTO requests (order_id, serial, party_id, endpoint_id, group_id, command, client_orderid, error_code, error_message, note, remote_address, at_us)
			` + numbers + ` SELECT 0, i, 1, 1, 0, 'v4/payout', '', 0, '', '', '', i FROM n`,
		`INSERT INTO moves (order_id, version, event, from_stage, to_stage, at_us, serial, note) ` + numbers + ` SELECT i, 1, 'send', 'starting', 'sending', i, 0, '' FROM n`,
		`INSERT INTO moves (order_id, version, event, from_stage, to_stage, at_us, serial, note) ` + numbers + ` SELECT i, 2, 'approve', 'sending', 'approved', i, 0, '' FROM n`,
		`INSERT INTO transactions (order_id, attempt, gate_id, reference, stage, processor_tx_id, rrn, approval_code, error_code, error_message, started_us, ended_us)
			` + numbers + ` SELECT i, 1, 5, '', 'approved', '', '', '', 0, '', i, i FROM n`,
		`INSERT INTO callbacks (id, order_id, receiver, url_sealed, attempts, state, created_us, due_us)
			` + numbers + ` SELECT 1000000 + i, i, 'r', ` + blob + `, 1, CASE WHEN i > 19900 THEN 'due' ELSE 'delivered' END, i, CASE WHEN i > 19900 THEN i ELSE 0 END FROM n`,
		`INSERT INTO callback_attempts (callback_id, attempt, at_us, duration_us, http_status, error) ` + numbers + ` SELECT 1000000 + i, 1, i, 1, 200, '' FROM n`,
		`INSERT INTO callback_resends (callback_id, at_us, asked_by) ` + numbers + ` SELECT 1000000 + i, 1, '' FROM n`,
		"INSERT INTO nonces (timestamp_s, nonce, expires_us) " + numbers + " SELECT 1700000000 + i / 100, i, 1 FROM n",
		`INSERT INTO nonce_batches (id, timestamp_s, expires_us, number, nonces) ` + numbers + ` SELECT i, 1700000000 + i / 100, 1, 1, CAST('' AS {{bytes}}) FROM n`,
		`INSERT INTO forms (token_hash, order_id) ` + numbers + ` SELECT ` + unique + `, i FROM n`,
		`INSERT INTO receipts (receipt_id, order_id) ` + numbers + ` SELECT 'fill-' || i, i FROM n`,
		`INSERT INTO card_refs (id, party_id, order_id, unique_id, card_sealed, card_mask, created_us, deleted_us)
			` + numbers + ` SELECT i, 1, i, i, ` + blob + `, '', i, 0 FROM n`,
		`INSERT INTO journal (id, party_id, share, at_us, took_us, command, endpoint_id, group_id, client_orderid, order_id, verdict, http_status,
				error_code, reason, remote_address, missed, content_sealed)
			` + numbers + ` SELECT 1000000 + i, 1 + i % 50, 'changes', i, 1, '', 1, 0, '', i, 'ok', 200, 0, '', '', 0, ` + blob + ` FROM n`,
		`INSERT INTO late_outcomes (order_id, attempt, gate_id, seen_stage, result, processor_tx_id, rrn, error_code, error_message, at_us)
			` + numbers + ` SELECT i, 1, 5, 'sending', 'approved', '', '', 0, '', i FROM n`,
		"ANALYZE",
	} {
		if err := storage.Exec(db, sql); err != nil {
			t.Fatalf("%s: %v", sql, err)
		}
	}
}

// useEverything calls every method that has SQL on tables that grow.
func useEverything(t *testing.T, db *storage.DB, id payout.OrderID) {
	t.Helper()
	ctx := t.Context()
	must := func(_ any, err error) {
		t.Helper()
		if err != nil {
			t.Error(err)
		}
	}
	metrics := prometheus.NewRegistry()
	db.Measure(metrics, time.Now)
	must(metrics.Gather())
	o := order(t, db, "plans")
	o.GateID = 7
	accept(t, db, storage.Acceptance{Nonce: &storage.Nonce{PartyID: 1, Timestamp: 1, Hash: []byte("0123456789abcdef"), Expires: noon},
		Order: o, Request: request(t, db, o), DueAt: noon, Unique: true, Form: []byte("fedcba9876543210"),
		CardRef: &payout.CardRef{ID: payout.CardRefIDMin + 1, PartyID: 1, OrderID: o.ID, Card: "4444555566661111"}})
	accept(t, db, storage.Acceptance{Request: request(t, db, o)})
	// One that memory keeps; it expires below.
	accept(t, db, storage.Acceptance{Nonce: &storage.Nonce{PartyID: 1, Timestamp: noon.Unix() - 60, Hash: []byte{1}, Expires: noon}})
	must(db.OrderOfForm(ctx, []byte("fedcba9876543210")))
	useDue(t, db)
	must(nil, db.Postpone(o, 1, noon))
	useMoves(t, db, o)
	useCallbacks(t, db, o.ID)
	must(db.CountByStage(ctx))
	must(db.Order(ctx, id))
	must(db.OrdersByClientID(ctx, 1, "plans", 2))
	must(db.Standing(ctx, noon, id))
	must(db.StandingsByClientID(ctx, noon, 1, "plans"))
	must(storage.StandTogether(ctx, db, []any{int64(id)}, []any{int64(id)}))
	must(storage.StandTogether(ctx, db, []any{int64(1), "plans"}, []any{int64(1), "plans"}))
	must(db.OrdersByReceiver(ctx, []byte{1, 2}, 1))
	must(db.LatestOrders(ctx, "", 1))
	must(db.Requests(ctx, id))
	must(db.Request(ctx, id, 1))
	must(db.RequestBySerial(ctx, 1, 1))
	must(db.Transactions(ctx, id))
	must(db.History(ctx, id))
	must(db.LateOutcomes(ctx, id))
	must(db.CardRef(ctx, 1, payout.CardRefIDMin+1))
	must(db.CardRefs(ctx, 1, 10))
	useJournal(ctx, t, db, o.ID)
	useArchive(ctx, t, db, id, must)
	for _, column := range storage.SealedColumns() {
		must(db.Reseal(ctx, column, 1<<40, 100)) // a new key's work is the same
		must(db.Exchange(ctx, column, [][]any{{int64(1) << 40, []byte{1}, []byte{2}}}))
		must(db.CountSealed(ctx, column))
	}
	must(nil, db.Transact(ctx, noon, func(tx *storage.Tx) error { _, err := tx.ForgetNonces(100); return err }))
	must(nil, db.Transact(ctx, noon, func(tx *storage.Tx) error {
		if _, err := tx.Hasten(7, time.Hour, time.Minute, 100); err != nil {
			return err
		}
		if err := tx.AddLateOutcome(payout.LateOutcome{OrderID: id, Attempt: 1}); err != nil {
			return err
		}
		if err := tx.SetArchivedUpTo(0); err != nil {
			return err
		}
		return tx.DeleteCardRef(payout.CardRefIDMin + 1)
	}))
}

// useDue looks for what is due, and claims it.
func useDue(t *testing.T, db *storage.DB) {
	t.Helper()
	var errs []error
	for _, which := range []storage.Which{storage.SentDue, storage.AllDue} {
		_, next := db.LookForOrders(t.Context(), new(storage.Lookout), 7, which, noon)
		_, count := db.CountDue(t.Context(), 7, which, noon)
		_, claim := db.ClaimOrders(nil, 7, which, noon, time.Minute, 10)
		errs = append(errs, next, count, claim)
	}
	_, doubtful := db.DoubtfulSince(t.Context(), 7)
	_, callbacks := db.CountCallbacksDue(t.Context(), noon)
	if err := errors.Join(append(errs, doubtful, callbacks)...); err != nil {
		t.Error(err)
	}
}

// useArchive calls what archives the order of books.
func useArchive(ctx context.Context, t *testing.T, db *storage.DB, id payout.OrderID, must func(any, error)) {
	t.Helper()
	archive := openArchive(t, db)
	_, _, err := db.OrderIDs(ctx)
	must(nil, err)
	must(db.ArchivedUpTo(ctx))
	must(db.Archive(ctx, archive, old(t, db, id), false))
	refused, err := db.RefusedRequests(ctx, 0)
	must(nil, err)
	must(nil, db.ArchiveRefused(ctx, archive, refused, false))
	must(db.NextMoved(ctx, id))
}

// useMoves takes an order to its end, by a move that has everything that a move may have.
func useMoves(t *testing.T, db *storage.DB, o *payout.Order) {
	t.Helper()
	to, _ := o.Stage.Next(payout.Send)
	attempt := payout.Transaction{OrderID: o.ID, Attempt: 1, GateID: 7, Stage: to, StartedAt: noon}
	moved, err := db.Move(storage.Move{OrderID: o.ID, From: o.Stage, Event: payout.Send, To: to, At: noon, DueAt: noon, GateID: 7, Attempts: 1, Opens: &attempt,
		Receiver: &storage.Receiver{Params: o.Params, Mask: "*", Hash: o.ReceiverHash}})
	if err != nil || !moved {
		t.Fatal(moved, err)
	}
	ended := attempt
	ended.Stage, ended.EndedAt = payout.Approved, noon
	moved, err = db.Move(storage.Move{OrderID: o.ID, From: to, Version: 1, Event: payout.Approve, To: payout.Approved, At: noon, GateID: 7, Attempts: 1, Closes: &ended,
		Receipt: "plans", Callback: &payout.Callback{Receiver: "r", URL: "https://example.com/", DueAt: noon}})
	if err != nil || !moved {
		t.Fatal(moved, err)
	}
	if _, err := db.OrderOfReceipt(t.Context(), "plans"); err != nil {
		t.Error(err)
	}
}

func useCallbacks(t *testing.T, db *storage.DB, id payout.OrderID) {
	t.Helper()
	ctx := t.Context()
	if due, err := db.LookForCallbacks(ctx, new(storage.Lookout), noon); err != nil || due.IsZero() {
		t.Error(due, err)
	}
	for _, busy := range [][]string{nil, {"other"}} {
		if _, err := db.ClaimCallbacks(nil, noon, time.Minute, 10, 5, busy); err != nil {
			t.Error(err)
		}
	}
	callbacks, _, err := db.Callbacks(ctx, id)
	if err != nil || len(callbacks) != 1 {
		t.Fatal(callbacks, err)
	}
	err = db.RecordAttempt(payout.CallbackAttempt{CallbackID: callbacks[0].ID, Attempt: 1, At: noon, HTTPStatus: 200}, payout.CallbackDelivered, time.Time{})
	if err != nil {
		t.Error(err)
	}
	err = db.Transact(ctx, noon.Add(time.Hour), func(tx *storage.Tx) error {
		if _, err := tx.HastenCallbacks(5, time.Hour, 2*time.Hour, 100); err != nil {
			return err
		}
		_, err := tx.ResendCallback(1, callbacks[0].ID, "somebody", noon.Add(time.Hour), noon.Add(2*time.Hour))
		return err
	})
	if err != nil {
		t.Error(err)
	}
	if _, err := db.Resends(ctx, id); err != nil {
		t.Error(err)
	}
}

func useJournal(ctx context.Context, t *testing.T, db *storage.DB, id payout.OrderID) {
	t.Helper()
	entry := payout.JournalEntry{Serial: 900_000, PartyID: 1, Share: payout.ShareChanges, At: noon, Verdict: payout.VerdictOK, OrderID: id}
	err := db.Transact(ctx, noon, func(tx *storage.Tx) error {
		if err := tx.AddJournal([]payout.JournalEntry{entry}); err != nil {
			return err
		}
		if err := tx.PruneJournal(1, payout.ShareChanges, 100); err != nil {
			return err
		}
		return tx.ForgetJournal([]payout.PartyID{1}, time.UnixMicro(5))
	})
	if err != nil {
		t.Error(err)
	}
	filter := storage.JournalFilter{Verdict: payout.VerdictOK, ClientOrderID: "plans", OrderID: id, Before: noon, BeforeSerial: 1}
	if _, err := db.Journal(ctx, 1, filter, 10); err != nil {
		t.Error(err)
	}
	if _, err := db.Journal(ctx, 1, storage.JournalFilter{}, 10); err != nil {
		t.Error(err)
	}
	if _, err := db.JournalEntry(ctx, 1, entry.Serial); err != nil {
		t.Error(err)
	}
}
