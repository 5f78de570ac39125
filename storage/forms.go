package storage

import (
	"context"
	"fmt"

	"payout"
)

// A Receiver is what an order learns of its Receiver after it was made.
type Receiver struct {
	Params map[string]string // all of the order's, with the new ones
	Mask   string            // of the account, phone or card
	Hash   []byte            // keyed, of the same
}

func applyForms(ctx context.Context, tx conn, forms [][]any) error {
	if err := tx.later(ctx, "INSERT INTO forms (token_hash, order_id) {{rows $1, $2}}", forms, nil); err != nil {
		return fmt.Errorf("store forms: %w", err)
	}
	return nil
}

func applyReceivers(ctx context.Context, tx conn, receivers [][]any) error {
	if err := tx.later(ctx, "UPDATE orders SET params_sealed = $2, receiver_mask = $3, receiver_hash = $4 {{from rows}} WHERE id = $1", receivers, nil); err != nil {
		return fmt.Errorf("store receivers: %w", err)
	}
	return nil
}

func applyReceipts(ctx context.Context, tx conn, receipts [][]any) error {
	if err := tx.later(ctx, "INSERT INTO receipts (receipt_id, order_id) {{rows $1, $2}} ON CONFLICT (receipt_id) DO NOTHING", receipts, nil); err != nil {
		return fmt.Errorf("store receipts: %w", err)
	}
	return nil
}

// OrderOfForm reads the order of a form by the hash of its token; ErrNotFound
// when there is none.
func (db *DB) OrderOfForm(ctx context.Context, tokenHash []byte) (*payout.Order, error) {
	return db.orderBy(ctx, "SELECT order_id FROM forms WHERE token_hash = $1", tokenHash)
}

// OrderOfReceipt reads the order of a receipt; ErrNotFound when there is none.
func (db *DB) OrderOfReceipt(ctx context.Context, id payout.ReceiptID) (*payout.Order, error) {
	return db.orderBy(ctx, "SELECT order_id FROM receipts WHERE receipt_id = $1", string(id))
}

// orderBy reads the order whose id a query finds.
func (db *DB) orderBy(ctx context.Context, query string, arg any) (*payout.Order, error) {
	found, err := db.readOrders(ctx, "id IN ("+query+")", arg)
	if err != nil {
		return nil, fmt.Errorf("find order: %w", err)
	}
	if len(found) == 0 {
		return nil, ErrNotFound
	}
	return found[0], nil
}
