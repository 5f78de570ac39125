package storage

import (
	"context"
	"fmt"

	"payout"
)

// AddPanelToken stores a token by its hash and returns its number.
func (tx *Tx) AddPanelToken(t payout.PanelToken, hash []byte) (int64, error) {
	var id int64
	err := readOne(tx.ctx, tx.conn, func(r rows) error { return r.Scan(&id) },
		`INSERT INTO panel_tokens (party_id, name, token_hash, created_us, expires_us, used_us, revoked_us)
		VALUES ($1, $2, $3, $4, $5, 0, 0) RETURNING id`, int64(t.PartyID), t.Name, hash, us(tx.Now), us(t.ExpiresAt))
	if err != nil {
		return 0, fmt.Errorf("add panel token: %w", err)
	}
	return id, nil
}

// RevokePanelToken makes a party's token good for nothing; ErrNotFound when the
// party has no such token that is not revoked yet.
func (tx *Tx) RevokePanelToken(party payout.PartyID, id int64) error {
	n, err := tx.conn.exec(tx.ctx, "UPDATE panel_tokens SET revoked_us = $3 WHERE id = $1 AND party_id = $2 AND revoked_us = 0",
		id, int64(party), us(tx.Now))
	if err != nil {
		return fmt.Errorf("revoke panel token: %w", err)
	}
	if n == 0 {
		return ErrNotFound
	}
	return nil
}

// UsePanelToken notes a sign-in by a token.
func (tx *Tx) UsePanelToken(id int64) error {
	if _, err := tx.conn.exec(tx.ctx, "UPDATE panel_tokens SET used_us = $2 WHERE id = $1", id, us(tx.Now)); err != nil {
		return fmt.Errorf("note the use of a panel token: %w", err)
	}
	return nil
}

// PanelTokenByHash finds a token; ErrNotFound when there is none. Whether it is
// Good is for the caller to say.
func (db *DB) PanelTokenByHash(ctx context.Context, hash []byte) (payout.PanelToken, error) {
	return db.panelToken(ctx, "token_hash = $1", hash)
}

// PanelToken reads a token by its number; ErrNotFound when there is none.
func (db *DB) PanelToken(ctx context.Context, id int64) (payout.PanelToken, error) {
	return db.panelToken(ctx, "id = $1", id)
}

func (db *DB) panelToken(ctx context.Context, where string, arg any) (payout.PanelToken, error) {
	found, err := db.panelTokens(ctx, where, arg)
	if err != nil {
		return payout.PanelToken{}, err
	}
	if len(found) == 0 {
		return payout.PanelToken{}, ErrNotFound
	}
	return found[0], nil
}

// PanelTokens lists the tokens of a party, oldest first.
func (db *DB) PanelTokens(ctx context.Context, party payout.PartyID) ([]payout.PanelToken, error) {
	return db.panelTokens(ctx, "party_id = $1 ORDER BY id", int64(party))
}

func (db *DB) panelTokens(ctx context.Context, where string, arg any) ([]payout.PanelToken, error) {
	var found []payout.PanelToken
	err := readAll(ctx, db.engine.reader(), func(r rows) error {
		var t payout.PanelToken
		var created, expires, used, revoked int64
		err := r.Scan(&t.ID, &t.PartyID, &t.Name, &created, &expires, &used, &revoked)
		t.CreatedAt, t.ExpiresAt, t.UsedAt, t.RevokedAt = fromUS(created), fromUS(expires), fromUS(used), fromUS(revoked)
		found = append(found, t)
		return err
	}, "SELECT id, party_id, name, created_us, expires_us, used_us, revoked_us FROM panel_tokens WHERE "+where, arg)
	if err != nil {
		return nil, fmt.Errorf("read panel tokens: %w", err)
	}
	return found, nil
}
