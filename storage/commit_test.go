package storage

import (
	"context"
	"crypto/rand"
	"errors"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"payout"
	"payout/vault"
)

// A sickEngine is SQLite with faults at the places where they matter.
type sickEngine struct {
	engine
	mu       sync.Mutex
	begins   int           // transactions begun so far
	beginErr error         // begin fails with it
	execErr  error         // statements fail with it
	hangs    chan struct{} // statements wait until it is closed, unless it is nil
	before   error         // commit fails with it, and nothing is stored
	after    error         // commit fails with it, though all is stored

	cutAt  int  // commits until one is cut off; 0: none is
	stored bool // whether that one is stored
}

type sickConn struct {
	conn
	e *sickEngine
}

func (e *sickEngine) begin() (conn, context.Context, error) {
	e.mu.Lock()
	e.begins++
	sick := e.beginErr
	e.mu.Unlock()
	if sick != nil {
		return nil, nil, sick
	}
	c, ctx, err := e.engine.begin()
	return sickConn{c, e}, ctx, err
}

func (c sickConn) sick() error {
	c.e.mu.Lock()
	hangs, sick := c.e.hangs, c.e.execErr
	c.e.mu.Unlock()
	if hangs != nil {
		<-hangs
	}
	return sick
}

func (c sickConn) exec(ctx context.Context, sql string, args ...any) (int64, error) {
	if err := c.sick(); err != nil {
		return 0, err
	}
	return c.conn.exec(ctx, sql, args...)
}

func (c sickConn) each(ctx context.Context, sql string, args [][]any) ([]int64, error) {
	if err := c.sick(); err != nil {
		return nil, err
	}
	return c.conn.each(ctx, sql, args)
}

func (c sickConn) later(ctx context.Context, sql string, args [][]any, told func([]int64)) error {
	if err := c.sick(); err != nil {
		return err
	}
	return c.conn.later(ctx, sql, args, told)
}

func (c sickConn) commit(ctx context.Context) error {
	c.e.mu.Lock()
	defer c.e.mu.Unlock()
	before, after := c.e.before, c.e.after
	if c.e.cutAt--; c.e.cutAt == 0 {
		if after = errSick; !c.e.stored {
			before = errSick
		}
	}
	if before != nil {
		return before
	}
	if err := c.conn.commit(ctx); err != nil {
		return err
	}
	return after
}

func (e *sickEngine) set(change func(*sickEngine)) {
	e.mu.Lock()
	defer e.mu.Unlock()
	change(e)
}

// openSick opens a database that can be made sick.
func openSick(t *testing.T) (*DB, *sickEngine) {
	t.Helper()
	dir := t.TempDir()
	v, err := vault.Open(filepath.Join(dir, "key"))
	if err != nil {
		t.Fatal(err)
	}
	db, err := Open(t.Context(), filepath.Join(dir, "db"), v)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	if _, err := db.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	sick := &sickEngine{engine: db.engine}
	db.commits.stop()
	db.engine, db.commits = sick, startCommitter(sick, db.vault, sqlitePace)
	return db, sick
}

func sickNonce(i byte) Acceptance {
	now := time.Now()
	return Acceptance{Now: now, Nonce: &Nonce{PartyID: 1, Hash: []byte{i}, Expires: now.Add(time.Hour)}}
}

var (
	errSick   = errors.New("sick")
	errPasses = errors.New("no writes for now")
	errHeld   = errors.New("another transaction holds a row")
)

func (e *sickEngine) refused(err error) bool { return e.passes(err) || e.engine.refused(err) }
func (e *sickEngine) passes(err error) bool {
	return errors.Is(err, errPasses) || errors.Is(err, errHeld) || e.engine.passes(err)
}
func (e *sickEngine) held(err error) bool { return errors.Is(err, errHeld) }

func TestDatabaseThatDoesNotBeginStoresNothingAndSaysSo(t *testing.T) {
	db, sick := openSick(t)
	sick.set(func(e *sickEngine) { e.beginErr = errSick })
	if _, err := db.Accept(sickNonce(1)); !errors.Is(err, ErrUnavailable) {
		t.Errorf("Accept: %v", err)
	}
	if err := db.Transact(t.Context(), time.Now(), func(*Tx) error { return nil }); !errors.Is(err, ErrUnavailable) {
		t.Errorf("Transact: %v", err)
	}
	if _, err := db.NextSerial(); !errors.Is(err, ErrUnavailable) {
		t.Errorf("NextSerial: %v", err)
	}
	sick.set(func(e *sickEngine) { e.beginErr = nil })
	if got, err := db.Accept(sickNonce(1)); err != nil || got.NonceUsed {
		t.Errorf("after recovery: %+v, %v", got, err)
	}
}

func TestCommitThatIsCutShortIsUnknownWhetherStoredOrNot(t *testing.T) {
	for _, stored := range []bool{true, false} {
		db, sick := openSick(t)
		sick.set(func(e *sickEngine) {
			if e.after = errSick; !stored {
				e.before, e.after = errSick, nil
			}
		})
		if _, err := db.Accept(sickNonce(1)); !errors.Is(err, ErrUnknown) {
			t.Errorf("stored %v: Accept: %v", stored, err)
		}
		sick.set(func(e *sickEngine) { e.before, e.after = nil, nil })
		if got, err := db.Accept(sickNonce(1)); err != nil || got.NonceUsed != stored {
			t.Errorf("stored %v: again: %+v, %v", stored, got, err)
		}
	}
}

// A batch is tried one by one only when the database has refused something in it that the
// other writes need not have.
func TestOnlyARefusedBatchIsTriedOneByOne(t *testing.T) {
	for name, test := range map[string]struct {
		bad    func() *op
		sick   error
		begins int // transactions for a batch of two
		good   func(error) bool
	}{
		"refused": {bad: func() *op {
			o := &payout.Order{ID: 1, Stage: "nonsense"}
			return &op{accept: &acceptOp{Acceptance: Acceptance{Now: time.Now(), Order: o, DueAt: time.Now()}}}
		}, begins: 3, good: func(err error) bool { return err == nil }},
		"refused for what meets every write alike": {bad: func() *op { a := sickNonce(2); return &op{accept: &acceptOp{Acceptance: a}} },
			sick: errPasses, begins: 1, good: func(err error) bool { return errors.Is(err, ErrUnavailable) && !errors.Is(err, ErrUnknown) }},
		"refused for a row that another transaction holds": {bad: func() *op { a := sickNonce(2); return &op{accept: &acceptOp{Acceptance: a}} },
			sick: errHeld, begins: 3, good: func(err error) bool { return errors.Is(err, ErrUnavailable) && !errors.Is(err, ErrUnknown) }},
		"cut short": {bad: func() *op { a := sickNonce(2); return &op{accept: &acceptOp{Acceptance: a}} },
			sick: errSick, begins: 1, good: func(err error) bool { return errors.Is(err, ErrUnknown) }},
	} {
		t.Run(name, func(t *testing.T) {
			db, sick := openSick(t)
			db.commits.stop()
			c := &committer{engine: sick, queue: newWriteQueue(sqlitePace)}
			sick.set(func(e *sickEngine) { e.begins, e.before = 0, test.sick })
			good, bad := &op{accept: &acceptOp{Acceptance: sickNonce(1)}}, test.bad()
			for _, o := range []*op{bad, good} {
				o.done = make(chan error, 1)
				c.queue.add(o, true)
			}
			c.queue.close()
			c.run()
			if err := <-bad.done; err == nil {
				t.Error("the bad one was stored")
			}
			if err := <-good.done; !test.good(err) {
				t.Errorf("the good one: %v", err)
			}
			if sick.begins != test.begins {
				t.Errorf("%d transactions, want %d", sick.begins, test.begins)
			}
			db.commits = startCommitter(sick, db.vault, sqlitePace) // for Close
		})
	}
}

// What the workers write wants rows that others may hold, again and again: new requests
// that shared its batch do not wait for it a second time.
func TestNewRequestsAreTriedAloneBeforeWhatTheWorkersWrite(t *testing.T) {
	db, sick := openSick(t)
	db.commits.stop()
	sick.set(func(e *sickEngine) { e.before = errHeld })
	postponed := &op{postpone: &postponeOp{order: &payout.Order{ID: 1}}, done: make(chan error)}
	request := &op{accept: &acceptOp{Acceptance: sickNonce(1)}, done: make(chan error)}
	c := &committer{engine: sick}
	go c.store([]*op{postponed, request})
	select {
	case <-request.done:
		<-postponed.done
	case <-postponed.done:
		<-request.done
		t.Error("the request had to wait")
	}
	db.commits = startCommitter(sick, db.vault, sqlitePace) // for Close
}

// What waits for a commit is told how long one takes.
func TestCommitsAreTimed(t *testing.T) {
	db, _ := openSick(t)
	if _, err := db.Accept(sickNonce(1)); err != nil {
		t.Fatal(err)
	}
	if err := db.commits.submit(&op{accept: new(acceptOp)}); err != nil { // a nonce alone may wait
		t.Fatal(err)
	}
	db.commits.stop() // until the time is told
	if took := db.commits.queue.took; took <= 0 || took > sqlitePace.patience {
		t.Errorf("a commit took %s, want more than nothing and no more than the patience", took)
	}
	db.commits = startCommitter(db.engine, db.vault, sqlitePace) // for Close
}

func TestEndedContextDoesNotEndAWriteThatHasBegun(t *testing.T) {
	db, _ := openSick(t)
	ctx, cancel := context.WithCancel(t.Context())
	err := db.Transact(ctx, time.Now(), func(tx *Tx) error {
		cancel()
		return tx.changed()
	})
	if err != nil {
		t.Errorf("begun before the end: %v", err)
	}
	if err := db.Transact(ctx, time.Now(), func(*Tx) error { return nil }); !errors.Is(err, context.Canceled) {
		t.Errorf("begun after the end: %v", err)
	}
	if _, err := db.Accept(sickNonce(1)); err != nil {
		t.Errorf("the next write: %v", err)
	}
}

// spoil changes a row as no method would.
func spoil(t *testing.T, db *DB, sql string) {
	t.Helper()
	err := db.Transact(t.Context(), time.Now(), func(tx *Tx) error {
		n, err := tx.conn.exec(tx.ctx, sql)
		if err == nil && n != 1 {
			t.Errorf("%d rows were spoilt", n)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestRowThatCannotBeReadDoesNotKeepTheOthers(t *testing.T) {
	for name, sql := range map[string]string{
		"parameters": "UPDATE orders SET params_sealed = 'x' WHERE id = 2",
		"currency":   "UPDATE orders SET currency = '?' WHERE id = 2",
	} {
		t.Run(name, func(t *testing.T) {
			db, _ := openSick(t)
			now := time.Now()
			for id := payout.OrderID(1); id <= 3; id++ {
				o := &payout.Order{ID: id, PartyID: 1, ClientOrderID: id.String(), Amount: payout.Amount{Minor: 1, Currency: "USD"},
					GateID: 5, Stage: payout.Starting, CreatedAt: now, ReceiverHash: []byte{1}}
				if _, err := db.Accept(Acceptance{Now: now, Order: o, DueAt: now, Unique: true}); err != nil {
					t.Fatal(err)
				}
			}
			spoil(t, db, sql)
			claimed, err := db.ClaimOrders(nil, 5, AllDue, now, time.Minute, 10)
			if err != nil || len(claimed) != 3 {
				t.Fatalf("%d orders claimed, %v", len(claimed), err)
			}
			for _, c := range claimed {
				if bad := c.ID == 2; bad != (c.Err != nil) {
					t.Errorf("order %s: %v", c.ID, c.Err)
				}
				if err := db.Postpone(c.Order, 1, now.Add(time.Hour)); err != nil {
					t.Errorf("order %s cannot be postponed: %v", c.ID, err)
				}
			}
		})
	}
}

func TestCallbackThatCannotBeReadDoesNotKeepTheOthers(t *testing.T) {
	db, _ := openSick(t)
	now := time.Now()
	for id := payout.OrderID(1); id <= 2; id++ {
		o := &payout.Order{ID: id, PartyID: 1, ClientOrderID: id.String(), Amount: payout.Amount{Minor: 1, Currency: "USD"},
			GateID: 5, Stage: payout.Starting, CreatedAt: now, ReceiverHash: []byte{1}}
		if _, err := db.Accept(Acceptance{Now: now, Order: o, DueAt: now, Unique: true}); err != nil {
			t.Fatal(err)
		}
		moved, err := db.Move(Move{OrderID: id, From: payout.Starting, Event: payout.Decline, To: payout.Declined, At: now,
			Callback: &payout.Callback{Receiver: "example.com:443", URL: "https://example.com/", DueAt: now}})
		if err != nil || !moved {
			t.Fatal(moved, err)
		}
	}
	spoil(t, db, "UPDATE callbacks SET url_sealed = 'x' WHERE order_id = 1")
	claimed, err := db.ClaimCallbacks(nil, now, time.Minute, 10, 10, nil)
	if err != nil || len(claimed) != 2 {
		t.Fatalf("%d callbacks claimed, %v", len(claimed), err)
	}
	for _, c := range claimed {
		if bad := c.OrderID == 1; bad != (c.URL == "") {
			t.Errorf("callback of order %s has the URL %q", c.OrderID, c.URL.Reveal())
		}
	}
}

func TestAllWhoWaitForNumbersAreToldOfOneFailure(t *testing.T) {
	db, sick := openSick(t)
	sick.set(func(e *sickEngine) { e.beginErr, e.begins = errSick, 0 })
	const callers = 100
	var wait sync.WaitGroup
	start := make(chan struct{})
	for range callers {
		wait.Go(func() {
			<-start
			if _, err := db.NextSerial(); !errors.Is(err, ErrUnavailable) {
				t.Errorf("NextSerial: %v", err)
			}
		})
	}
	close(start)
	wait.Wait()
	sick.set(func(e *sickEngine) { e.beginErr = nil })
	seen := make(map[payout.SerialNumber]bool)
	var mu sync.Mutex
	for range callers {
		wait.Go(func() {
			for range 30 {
				n, err := db.NextSerial()
				mu.Lock()
				if err != nil || seen[n] {
					t.Errorf("serial %s again, or %v", n, err)
				}
				seen[n] = true
				mu.Unlock()
			}
		})
	}
	wait.Wait()
}

// A relaxedEngine notes which transactions need not be on disk when they end.
type relaxedEngine struct {
	engine
	relaxed bool
}

type relaxedConn struct {
	conn
	e *relaxedEngine
}

func (e *relaxedEngine) begin() (conn, context.Context, error) {
	c, ctx, err := e.engine.begin()
	e.relaxed = false
	return relaxedConn{c, e}, ctx, err
}

func (c relaxedConn) relax() { c.e.relaxed = true }

func TestOnlyQuestionsNoncesNeedNotBeOnDisk(t *testing.T) {
	db, sick := openSick(t)
	e := &relaxedEngine{engine: sick.engine}
	db.commits.stop()
	db.engine, db.commits = e, startCommitter(e, db.vault, sqlitePace)
	question := func() *op {
		a := sickNonce(0)
		a.Nonce.Hash = []byte(rand.Text())
		return &op{accept: &acceptOp{Acceptance: a}}
	}
	refused := question()
	refused.accept.Request = &payout.Request{Serial: 1, At: time.Now()}
	registers := question()
	registers.accept.CardRef = &payout.CardRef{ID: 1}
	postponed := &op{postpone: &postponeOp{order: &payout.Order{ID: 1}}}
	for _, c := range []struct {
		what    string
		batch   []*op
		relaxed bool
	}{
		{"a question", []*op{question()}, true},
		{"two questions", []*op{question(), question()}, true},
		{"a refused order", []*op{refused}, false},
		{"a question and a refused order", []*op{question(), refused}, false},
		{"a card", []*op{registers}, false},
		{"a postponed order", []*op{postponed}, false},
		{"a question and a postponed order", []*op{question(), postponed}, false},
	} {
		if err := db.commits.commit(c.batch); err != nil && !db.engine.refused(err) {
			t.Errorf("%s: %v", c.what, err)
		}
		if e.relaxed != c.relaxed {
			t.Errorf("%s: need not be on disk %v, want %v", c.what, e.relaxed, c.relaxed)
		}
	}
}

// A conflictEngine refuses commits because of others, some times.
type conflictEngine struct {
	engine
	conflicts int
}

type conflictConn struct {
	conn
	e *conflictEngine
}

var errConflict = errors.New("others stood in the way")

func (e *conflictEngine) begin() (conn, context.Context, error) {
	c, ctx, err := e.engine.begin()
	return conflictConn{c, e}, ctx, err
}

func (e *conflictEngine) refused(err error) bool {
	return errors.Is(err, errConflict) || e.engine.refused(err)
}
func (e *conflictEngine) again(err error) bool { return errors.Is(err, errConflict) }

func (c conflictConn) commit(ctx context.Context) error {
	if c.e.conflicts--; c.e.conflicts >= 0 {
		return errConflict
	}
	return c.conn.commit(ctx)
}

func TestTransactionThatOthersStoodInTheWayOfIsTriedAgainAsAWhole(t *testing.T) {
	for conflicts, fine := range map[int]bool{1: true, attemptsMost - 1: true, attemptsMost: false} {
		db, sick := openSick(t)
		conflicting := &conflictEngine{engine: sick.engine}
		db.commits.stop()
		db.engine, db.commits = conflicting, startCommitter(conflicting, db.vault, sqlitePace)
		conflicting.conflicts = conflicts
		got, err := db.Accept(sickNonce(1))
		if fine != (err == nil) || fine && got.NonceUsed {
			t.Errorf("Accept after %d conflicts: %+v, %v", conflicts, got, err)
		}
		conflicting.conflicts = conflicts
		err = db.Transact(t.Context(), time.Now(), func(tx *Tx) error { return tx.changed() })
		if fine != (err == nil) {
			t.Errorf("Transact after %d conflicts: %v", conflicts, err)
		}
	}
}

func TestDatabaseThatGoesInTheMiddleStoresNothingAndSaysSo(t *testing.T) {
	db, sick := openSick(t)
	sick.set(func(e *sickEngine) { e.execErr = errSick })
	if _, err := db.Accept(sickNonce(1)); !errors.Is(err, ErrUnavailable) {
		t.Errorf("Accept: %v", err)
	}
	if err := db.Writable(t.Context()); !errors.Is(err, errSick) {
		t.Errorf("Writable: %v", err)
	}
	sick.set(func(e *sickEngine) { e.execErr = nil })
	if got, err := db.Accept(sickNonce(1)); err != nil || got.NonceUsed {
		t.Errorf("after recovery: %+v, %v", got, err)
	}
	if err := db.Writable(t.Context()); err != nil {
		t.Errorf("Writable after recovery: %v", err)
	}
}

func TestWriteThatHangsIsNotJoinedByAnother(t *testing.T) {
	db, sick := openSick(t)
	hangs := make(chan struct{})
	sick.set(func(e *sickEngine) { e.hangs = hangs })
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for range 2 {
		if err := db.Writable(ctx); !errors.Is(err, errStillTrying) {
			t.Errorf("while it hangs: %v", err)
		}
	}
	answer := make(chan error)
	go func() { answer <- db.Writable(t.Context()) }()
	close(hangs)
	if err := <-answer; err != nil {
		t.Errorf("who waits is told %v", err)
	}
	sick.set(func(e *sickEngine) {
		if e.begins != 1 && e.begins != 2 { // the second, if who waits came after the first had ended
			t.Errorf("%d writes were begun", e.begins)
		}
	})
}

// SQLite writes nothing when a row is set to what it is: on a full disk that would
// succeed.
func TestWritableReallyWrites(t *testing.T) {
	db, sick := openSick(t)
	wal := sick.engine.(*sqliteEngine).path + "-wal"
	size := func() int64 {
		file, err := os.Stat(wal)
		if err != nil {
			t.Fatal(err)
		}
		return file.Size()
	}
	for range 2 {
		before := size()
		if err := db.Writable(t.Context()); err != nil {
			t.Fatal(err)
		}
		if after := size(); after <= before {
			t.Errorf("the log had %d bytes and has %d", before, after)
		}
	}
}

// Those who ask at the same time are told the same; none of them is told that the
// database is sick because another asks.
func TestAllWhoAskWhetherTheDatabaseTakesWritesAreToldSo(t *testing.T) {
	db, _ := openSick(t)
	var asking sync.WaitGroup
	for range 20 {
		asking.Go(func() {
			if err := db.Writable(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
	asking.Wait()
}
