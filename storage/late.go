package storage

import (
	"context"
	"fmt"

	"payout"
)

// AddLateOutcome keeps what a rail told of an order after the order had been moved.
func (tx *Tx) AddLateOutcome(l payout.LateOutcome) error {
	_, err := tx.conn.exec(tx.ctx, `INSERT INTO late_outcomes (order_id, attempt, gate_id, seen_stage, result, processor_tx_id, rrn,
			error_code, error_message, at_us)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)`, int64(l.OrderID), int64(l.Attempt), int64(l.GateID), string(l.SeenStage), l.Result,
		l.ProcessorTxID, l.RRN, int64(l.ErrorCode), l.ErrorMessage, us(tx.Now))
	if err != nil {
		return fmt.Errorf("keep late outcome of %s: %w", place(l.OrderID), err)
	}
	return nil
}

// LateOutcomes reads what came too late for an order, oldest first.
func (db *DB) LateOutcomes(ctx context.Context, id payout.OrderID) ([]payout.LateOutcome, error) {
	var found []payout.LateOutcome
	err := readAll(ctx, db.engine.reader(), func(r rows) error {
		l := payout.LateOutcome{OrderID: id}
		var at int64
		err := r.Scan(&l.Attempt, &l.GateID, &l.SeenStage, &l.Result, &l.ProcessorTxID, &l.RRN, &l.ErrorCode, &l.ErrorMessage, &at)
		l.At = fromUS(at)
		found = append(found, l)
		return err
	}, `SELECT attempt, gate_id, seen_stage, result, processor_tx_id, rrn, error_code, error_message, at_us
		FROM late_outcomes WHERE order_id = $1 ORDER BY id`, int64(id))
	if err != nil {
		return nil, fmt.Errorf("read late outcomes of %s: %w", place(id), err)
	}
	return found, nil
}
