package storage

import (
	"context"
	"fmt"

	"payout"
)

func cardPlace(id payout.CardRefID) string { return "card reference " + id.String() }

// applyCardRefs stores the cards that accepted requests register.
func applyCardRefs(ctx context.Context, tx conn, accepts []*acceptOp) error {
	var args [][]any
	for _, a := range accepts {
		if c := a.CardRef; c != nil {
			args = append(args, []any{int64(c.ID), int64(c.PartyID), int64(c.OrderID), int64(c.Unique), a.card, c.Card.String(), us(a.Now)})
		}
	}
	err := tx.later(ctx, `INSERT INTO card_refs (id, party_id, order_id, unique_id, card_sealed, card_mask, created_us, deleted_us)
		{{rows $1, $2, $3, $4, $5, $6, $7, 0}}`, args, nil)
	if err != nil {
		return fmt.Errorf("store card references: %w", err)
	}
	return nil
}

// CardRef reads a party's card reference. One that is deleted, or another
// party's, is not found.
func (db *DB) CardRef(ctx context.Context, party payout.PartyID, id payout.CardRefID) (payout.CardRef, error) {
	ref := payout.CardRef{ID: id, PartyID: party}
	var sealed []byte
	var created int64
	err := readOne(ctx, db.engine.reader(), func(r rows) error {
		return r.Scan(&ref.OrderID, &ref.Unique, &sealed, &created)
	}, "SELECT order_id, unique_id, card_sealed, created_us FROM card_refs WHERE id = $1 AND party_id = $2 AND deleted_us = 0",
		int64(id), int64(party))
	if err != nil {
		return payout.CardRef{}, fmt.Errorf("read card reference: %w", err)
	}
	plain, err := db.vault.Open(sealed, cardPlace(id))
	if err != nil {
		return payout.CardRef{}, err
	}
	ref.Card, ref.CreatedAt = payout.CardNumber(plain), fromUS(created)
	return ref, nil
}

// A ListedCard is a card reference as people see it.
type ListedCard struct {
	payout.CardRef        // without the card
	Mask           string // 444455******1111
}

// CardRefs lists at most limit references of a party, the newest first, with
// the deleted ones.
func (db *DB) CardRefs(ctx context.Context, party payout.PartyID, limit int) ([]ListedCard, error) {
	var found []ListedCard
	err := readAll(ctx, db.engine.reader(), func(r rows) error {
		c := ListedCard{CardRef: payout.CardRef{PartyID: party}}
		var created, deleted int64
		err := r.Scan(&c.ID, &c.OrderID, &c.Unique, &c.Mask, &created, &deleted)
		c.CreatedAt, c.DeletedAt = fromUS(created), fromUS(deleted)
		found = append(found, c)
		return err
	}, `SELECT id, order_id, unique_id, card_mask, created_us, deleted_us FROM card_refs
		WHERE party_id = $1 ORDER BY created_us DESC, id LIMIT $2`, int64(party), int64(limit))
	if err != nil {
		return nil, fmt.Errorf("list card references: %w", err)
	}
	return found, nil
}

// DeleteCardRef ends a reference and forgets its card; ErrNotFound when there
// is none, or it was deleted before.
func (tx *Tx) DeleteCardRef(id payout.CardRefID) error {
	n, err := tx.conn.exec(tx.ctx, "UPDATE card_refs SET deleted_us = $2, card_sealed = $3 WHERE id = $1 AND deleted_us = 0",
		int64(id), us(tx.Now), []byte{})
	if err != nil {
		return fmt.Errorf("delete card reference: %w", err)
	}
	if n == 0 {
		return fmt.Errorf("card reference %s: %w", id, ErrNotFound)
	}
	return nil
}
