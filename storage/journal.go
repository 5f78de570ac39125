package storage

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"payout"
)

// AddJournal stores entries of journals. One whose serial-number is there already
// changes nothing.
func (tx *Tx) AddJournal(entries []payout.JournalEntry) error {
	args := make([][]any, len(entries))
	for i, e := range entries {
		plain, err := json.Marshal(e.Content)
		if err != nil {
			return fmt.Errorf("store journal: %w", err)
		}
		sealed, err := tx.seal(plain, journalPlace(e.Serial))
		if err != nil {
			return fmt.Errorf("store journal: %w", err)
		}
		args[i] = []any{int64(e.Serial), int64(e.PartyID), string(e.Share), us(e.At), e.Took.Microseconds(), e.Command,
			int64(e.EndpointID), int64(e.GroupID), e.ClientOrderID, int64(e.OrderID), string(e.Verdict), int64(e.HTTPStatus),
			int64(e.ErrorCode), e.Reason, e.RemoteAddress, int64(e.Missed), sealed}
	}
	_, err := tx.conn.each(tx.ctx, `INSERT INTO journal (id, party_id, share, at_us, took_us, command, endpoint_id, group_id,
			client_orderid, order_id, verdict, http_status, error_code, reason, remote_address, missed, content_sealed)
		{{rows $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17}} ON CONFLICT (id) DO NOTHING`, args)
	if err != nil {
		return fmt.Errorf("store journal: %w", err)
	}
	return nil
}

func journalPlace(serial payout.SerialNumber) string { return "journal of request " + serial.String() }

// PruneJournal keeps the newest entries of a share of a party's journal.
func (tx *Tx) PruneJournal(party payout.PartyID, share payout.JournalShare, keep int) error {
	_, err := tx.conn.exec(tx.ctx, `DELETE FROM journal WHERE party_id = $1 AND share = $2 AND (at_us, id) < (
			SELECT at_us, id FROM journal WHERE party_id = $1 AND share = $2
			ORDER BY at_us DESC, id DESC LIMIT 1 OFFSET $3)`, int64(party), string(share), int64(keep)-1)
	if err != nil {
		return fmt.Errorf("prune journal: %w", err)
	}
	return nil
}

// ForgetJournal deletes what the journals of parties have of before a time.
func (tx *Tx) ForgetJournal(parties []payout.PartyID, before time.Time) error {
	for _, party := range parties {
		_, err := tx.conn.exec(tx.ctx, "DELETE FROM journal WHERE party_id = $1 AND share IN ($2, $3, $4) AND at_us < $5", int64(party),
			string(payout.ShareChanges), string(payout.ShareReads), string(payout.ShareUnproven), us(before))
		if err != nil {
			return fmt.Errorf("forget journal: %w", err)
		}
	}
	return nil
}

// A JournalFilter chooses entries; zero values choose all.
type JournalFilter struct {
	Verdict       payout.Verdict
	ClientOrderID string
	OrderID       payout.OrderID
	// Before and BeforeSerial continue a list after its last entry.
	Before       time.Time
	BeforeSerial payout.SerialNumber
}

const journalColumns = `id, party_id, share, at_us, took_us, command, endpoint_id, group_id, client_orderid, order_id, verdict,
	http_status, error_code, reason, remote_address, missed`

func scanJournal(r rows, more ...any) (payout.JournalEntry, error) {
	var e payout.JournalEntry
	var at, took int64
	err := r.Scan(append([]any{&e.Serial, &e.PartyID, &e.Share, &at, &took, &e.Command, &e.EndpointID, &e.GroupID, &e.ClientOrderID,
		&e.OrderID, &e.Verdict, &e.HTTPStatus, &e.ErrorCode, &e.Reason, &e.RemoteAddress, &e.Missed}, more...)...)
	e.At, e.Took = fromUS(at), time.Duration(took)*time.Microsecond
	return e, err
}

// Journal reads at most limit entries of a party's journal that fit a filter,
// without their contents, newest first.
func (db *DB) Journal(ctx context.Context, party payout.PartyID, f JournalFilter, limit int) ([]payout.JournalEntry, error) {
	args := []any{int64(party)}
	var where strings.Builder
	and := func(condition string, values ...any) {
		for _, value := range values {
			args = append(args, value)
			condition = strings.Replace(condition, "?", fmt.Sprintf("$%d", len(args)), 1)
		}
		where.WriteString(" AND " + condition)
	}
	if f.Verdict != "" {
		and("verdict = ?", string(f.Verdict))
	}
	if f.ClientOrderID != "" {
		and("client_orderid = ?", f.ClientOrderID)
	}
	if f.OrderID != 0 {
		and("order_id = ?", int64(f.OrderID))
	}
	if !f.Before.IsZero() {
		and("(at_us, id) < (?, ?)", us(f.Before), int64(f.BeforeSerial))
	}
	args = append(args, int64(limit))
	var found []payout.JournalEntry
	err := readAll(ctx, db.engine.reader(), func(r rows) error {
		e, err := scanJournal(r)
		found = append(found, e)
		return err
	}, fmt.Sprintf("SELECT %s FROM journal WHERE party_id = $1%s ORDER BY at_us DESC, id DESC LIMIT $%d", journalColumns, where.String(), len(args)), args...)
	if err != nil {
		return nil, fmt.Errorf("read journal: %w", err)
	}
	return found, nil
}

// JournalEntry reads one entry of a party's journal with its content; ErrNotFound
// when the party's journal does not have it.
func (db *DB) JournalEntry(ctx context.Context, party payout.PartyID, serial payout.SerialNumber) (payout.JournalEntry, error) {
	var e payout.JournalEntry
	var sealed []byte
	err := readOne(ctx, db.engine.reader(), func(r rows) (err error) {
		e, err = scanJournal(r, &sealed)
		return err
	}, "SELECT "+journalColumns+", content_sealed FROM journal WHERE id = $1 AND party_id = $2", int64(serial), int64(party))
	if err != nil {
		return e, fmt.Errorf("read journal: %w", err)
	}
	plain, err := db.vault.Open(sealed, journalPlace(serial))
	if err != nil {
		return e, err
	}
	if err := json.Unmarshal(plain, &e.Content); err != nil {
		return e, fmt.Errorf("read %s: it is not what was stored", journalPlace(serial))
	}
	return e, nil
}

// RequestBySerial reads a remembered request of a party by its serial-number: one
// that created an order, went on with one or was refused. ErrNotFound when there
// is none: questions are not remembered.
func (db *DB) RequestBySerial(ctx context.Context, party payout.PartyID, serial payout.SerialNumber) (payout.Request, error) {
	var q payout.Request
	var at int64
	err := readOne(ctx, db.engine.reader(), func(r rows) error {
		err := r.Scan(&q.Serial, &q.PartyID, &q.EndpointID, &q.GroupID, &q.Command, &q.ClientOrderID, &q.OrderID,
			&q.ErrorCode, &q.ErrorMessage, &q.Note, &q.RemoteAddress, &at)
		q.At = fromUS(at)
		return err
	}, `SELECT serial, party_id, endpoint_id, group_id, command, client_orderid, id AS order_id,
			0 AS error_code, '' AS error_message, note, remote_address, created_us AS at_us
		FROM orders WHERE serial = $1 AND party_id = $2
		UNION ALL
		SELECT serial, party_id, endpoint_id, group_id, command, client_orderid, order_id, error_code, error_message, note, remote_address, at_us
		FROM requests WHERE order_id = 0 AND serial = $1 AND party_id = $2
		UNION ALL
		SELECT serial, party_id, endpoint_id, group_id, command, client_orderid, order_id, error_code, error_message, note, remote_address, at_us
		FROM requests WHERE order_id > 0 AND serial = $1 AND party_id = $2`, int64(serial), int64(party))
	if err != nil {
		return q, fmt.Errorf("read request: %w", err)
	}
	return q, nil
}
