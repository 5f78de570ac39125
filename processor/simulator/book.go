package simulator

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"time"

	"payout"
	"payout/processor"
)

// A State is what a row of the book says.
type State string

// The states. A reference is never paid after one of the last three, unless it
// was paid before.
const (
	StatePaid     State = "paid"     // money left: each row is one payment
	StateAccepted State = "accepted" // taken in; decided by a later row
	StateDeclined State = "declined"
	StateBroken   State = "broken" // the rail failed
	StateClosed   State = "closed" // asked about before it was known: nothing will be paid
)

// An Entry is one row of the book; charges, holds and verifications are payments
// too, told apart by Type. Rows are added and never changed.
type Entry struct {
	ID        int64
	OrderID   payout.OrderID
	Reference string
	Type      payout.TransactionType // empty in rows of version 1
	Amount    payout.Amount
	Receiver  string // card, account or phone, masked but for the last 4 characters
	TxID      string // empty with StateClosed
	State     State
	At        time.Time
}

// A row is an entry with what the rail needs to answer about it.
type row struct {
	Entry
	code     payout.ErrCode // of a refusal, also of one to come
	tryNext  bool
	will     State     // of an accepted payment: how it is decided
	decideAt time.Time // of an accepted payment
	decides  int64     // ID of the accepted payment that this row decides, or 0
}

// schema makes each version of the book out of the one before it. UNIQUE keeps two
// nodes from deciding a payment twice; the triggers keep everybody from changing
// the past.
var schema = [][]string{{
	`CREATE TABLE payments (
		id           INTEGER PRIMARY KEY,
		order_id     INTEGER NOT NULL,
		reference    TEXT    NOT NULL,
		amount_minor INTEGER NOT NULL,
		currency     TEXT    NOT NULL,
		receiver     TEXT    NOT NULL,
		tx_id        TEXT    NOT NULL,
		state        TEXT    NOT NULL CHECK (state IN ('paid', 'accepted', 'declined', 'broken', 'closed')),
		at_us        INTEGER NOT NULL,
		code         INTEGER NOT NULL,
		try_next     INTEGER NOT NULL,
		will         TEXT    NOT NULL CHECK ((state = 'accepted') = (will IN ('paid', 'declined'))),
		decide_at_us INTEGER NOT NULL,
		decides      INTEGER UNIQUE REFERENCES payments (id)
	) STRICT`,
	`CREATE INDEX payments_reference ON payments (reference)`,
	`CREATE INDEX payments_decide_at ON payments (decide_at_us) WHERE state = 'accepted'`,
	`CREATE TRIGGER payments_stay BEFORE UPDATE ON payments BEGIN SELECT RAISE(ABORT, 'the book is append-only'); END`,
	`CREATE TRIGGER payments_remain BEFORE DELETE ON payments BEGIN SELECT RAISE(ABORT, 'the book is append-only'); END`,
	`PRAGMA user_version = 1`,
}, {
	`ALTER TABLE payments ADD COLUMN type TEXT NOT NULL DEFAULT ''`,
	`PRAGMA user_version = 2`,
}}

// Book returns all rows in the order they were written. Accepted payments whose
// time has come are decided first. It reads everything into memory.
func (s *Simulator) Book(ctx context.Context) ([]Entry, error) {
	now := s.now()
	var entries []Entry
	err := s.book.write(ctx, func() error {
		if err := s.book.decideDue(now); err != nil {
			return err
		}
		rows, err := s.book.query(`SELECT `+rowColumns+` FROM payments ORDER BY id`, nil)
		for _, r := range rows {
			entries = append(entries, r.Entry)
		}
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("read the simulator's book: %w", err)
	}
	return entries, nil
}

// Payments tells of every payment in the book at a path, oldest first, beside whoever
// writes it. Nothing is decided and nothing changed: what is accepted is no payment yet,
// though its time may have come. The Type is not told.
func Payments(ctx context.Context, path string, tell func(Entry)) (err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("read the simulator's book: %w", err)
		}
	}()
	db, err := sql.Open("sqlite", (&url.URL{Scheme: "file", Opaque: (&url.URL{Path: path}).EscapedPath(),
		RawQuery: url.Values{"mode": {"ro"}, "_pragma": {"busy_timeout(10000)"}}.Encode()}).String())
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	rows, err := db.QueryContext(ctx, `SELECT id, order_id, reference, amount_minor, currency, receiver, tx_id, at_us FROM payments WHERE state = 'paid' ORDER BY id`)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		e := Entry{State: StatePaid}
		var atMicros int64
		if err := rows.Scan(&e.ID, &e.OrderID, &e.Reference, &e.Amount.Minor, &e.Amount.Currency, &e.Receiver, &e.TxID, &atMicros); err != nil {
			return err
		}
		e.At = time.UnixMicro(atMicros).UTC()
		tell(e)
	}
	return rows.Err()
}

// rowOf begins a row about a payment.
func rowOf(p processor.Payment, s State, at time.Time) row {
	receiver := cmp.Or(p.Receiver.Card.Reveal(), p.Receiver.AccountNumber, p.Receiver.Phone)
	return row{Entry: Entry{OrderID: p.OrderID, Reference: p.Reference, Type: p.Type, Amount: p.Amount, Receiver: mask(receiver), State: s, At: at}}
}

// mask hides all but the last 4 characters, and everything when that is most of it.
func mask(number string) string {
	characters := []rune(number)
	switch n := len(characters); {
	case n == 0:
		return ""
	case n < 8:
		return "****"
	default:
		return "****" + string(characters[n-4:])
	}
}

// notSecured is Visa's electronic commerce indicator of a charge without 3-D Secure.
const notSecured = "07"

// outcome is what the rail answers about the row.
func (r row) outcome() processor.Outcome {
	switch r.State {
	case StatePaid:
		o := approved(r.Reference, r.TxID)
		if r.Type.Charges() {
			o.ECI = notSecured
		}
		return o
	case StateAccepted:
		return processor.Accepted(r.TxID)
	case StateDeclined:
		o := processor.Declined(r.code, r.code.Row().Text)
		o.TxID, o.TryNext = r.TxID, r.tryNext
		if r.Type.Charges() {
			o.Advice = "Please use another card, or ask your bank."
		}
		return o
	default:
		o := processor.Broken(r.code, r.code.Row().Text)
		o.TxID = r.TxID
		return o
	}
}

// verdict is what all rows of a reference say together: paid if it was ever
// paid, accepted while something is undecided, else the refusal. known is false
// for no rows.
func verdict(rows []row) (o processor.Outcome, known bool) {
	var heaviest row
	for _, r := range rows {
		if r.State == StateAccepted && isDecided(rows, r) {
			continue
		}
		if r.State.weight() > heaviest.State.weight() {
			heaviest = r
		}
	}
	if heaviest.State == "" {
		return processor.Outcome{}, false
	}
	return heaviest.outcome(), true
}

// weight orders the states by what they tell about money.
func (s State) weight() int {
	switch s {
	case StatePaid:
		return 3
	case StateAccepted:
		return 2
	case "":
		return 0
	default:
		return 1
	}
}

func isDecided(rows []row, accepted row) bool {
	for _, r := range rows {
		if r.decides == accepted.ID {
			return true
		}
	}
	return false
}

// refusalOf is what a Payout is answered that comes after the rail has refused
// to pay under its reference; ok is false when it has not.
func refusalOf(rows []row) (o processor.Outcome, ok bool) {
	o, known := verdict(rows)
	if !known || o.Result != processor.ResultDeclined && o.Result != processor.ResultBroken {
		return o, false
	}
	if o.Code == payout.CodeUnknownToRail {
		o = processor.Declined(payout.CodeDeclined, payout.CodeDeclined.Row().Text)
		o.Err = errClosed
	}
	return o, true
}

// decided returns the rows of a reference after deciding the accepted payments
// whose time has come. It runs inside write.
func (b *book) decided(reference string, now time.Time) ([]row, error) {
	const text = `SELECT ` + rowColumns + ` FROM payments WHERE reference = $1 ORDER BY id`
	rows, err := b.query(text, []any{reference})
	if err != nil {
		return nil, err
	}
	due := false
	for _, r := range rows {
		if r.State != StateAccepted || now.Before(r.decideAt) || isDecided(rows, r) {
			continue
		}
		if err := b.decide(r); err != nil {
			return nil, err
		}
		due = true
	}
	if !due {
		return rows, nil
	}
	return b.query(text, []any{reference})
}

// decideDue decides all accepted payments whose time has come. It runs inside write.
func (b *book) decideDue(now time.Time) error {
	rows, err := b.query(`SELECT `+rowColumns+` FROM payments AS a WHERE state = 'accepted' AND decide_at_us <= $1
		AND NOT EXISTS (SELECT 1 FROM payments WHERE decides = a.id) ORDER BY decide_at_us, id`, []any{now.UnixMicro()})
	if err != nil {
		return err
	}
	for _, r := range rows {
		if err := b.decide(r); err != nil {
			return err
		}
	}
	return nil
}

// decide adds the row that decides an accepted payment.
func (b *book) decide(accepted row) error {
	r := row{Entry: accepted.Entry, code: accepted.code, tryNext: accepted.tryNext, decides: accepted.ID}
	r.State, r.At = accepted.will, accepted.decideAt
	return b.insert(r)
}

// insert adds a row; its ID is not used. It runs inside write.
func (b *book) insert(r row) error {
	stmt, err := b.prepare(`INSERT INTO payments (order_id, reference, type, amount_minor, currency, receiver, tx_id, state, at_us,
		code, try_next, will, decide_at_us, decides) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)`)
	if err != nil {
		return err
	}
	decides := sql.NullInt64{Int64: r.decides, Valid: r.decides != 0}
	var decideAtMicros int64
	if r.State == StateAccepted {
		decideAtMicros = r.decideAt.UnixMicro()
	}
	_, err = stmt.ExecContext(context.Background(), int64(r.OrderID), r.Reference, string(r.Type), r.Amount.Minor, r.Amount.Currency.Code(), r.Receiver,
		r.TxID, string(r.State), r.At.UnixMicro(), int(r.code), r.tryNext, string(r.will), decideAtMicros, decides)
	return err
}

const rowColumns = `id, order_id, reference, type, amount_minor, currency, receiver, tx_id, state, at_us, code, try_next, will, decide_at_us, decides`

// query reads rows. It runs inside write.
func (b *book) query(text string, args []any) (all []row, err error) {
	stmt, err := b.prepare(text)
	if err != nil {
		return nil, err
	}
	rows, err := stmt.QueryContext(context.Background(), args...)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		var (
			r                        row
			atMicros, decideAtMicros int64
			decides                  sql.NullInt64
		)
		if err := rows.Scan(&r.ID, &r.OrderID, &r.Reference, &r.Type, &r.Amount.Minor, &r.Amount.Currency, &r.Receiver, &r.TxID, &r.State,
			&atMicros, &r.code, &r.tryNext, &r.will, &decideAtMicros, &decides); err != nil {
			return nil, err
		}
		r.At, r.decideAt, r.decides = time.UnixMicro(atMicros).UTC(), time.UnixMicro(decideAtMicros).UTC(), decides.Int64
		all = append(all, r)
	}
	return all, rows.Err()
}
