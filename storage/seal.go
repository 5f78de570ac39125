package storage

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"payout/vault"
)

// A value is sealed before its write waits for a commit, and in between the
// database may have come to name another key. A rotation then seals again what
// it finds, and removes the former key: what is stored under that one later
// would be lost. So every transaction that stores sealed values knows in itself
// which key is wanted, and holds it until it ends (conn.holdKey): on PostgreSQL it reads
// it, on SQLite it makes sure that nobody has written since it was read. Whoever
// changes the key waits for those who hold it, and whoever comes later sees the
// change: when a rotation begins to seal again, all that is under the former key
// can be seen, and no more will come, however long a node has slept.
//
// The wanted key is anyKey until the first rotation names one: until then every
// node seals under its set's primary, which no rotation has removed.
const anyKey vault.KeyID = 0

// seal seals a value. Without the key that the database names nothing can be
// stored: its error is ErrUnavailable.
func seal(v *vault.Vault, plain []byte, place string) ([]byte, error) {
	sealed, err := v.Seal(plain, place)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	return sealed, nil
}

// stale reports whether a value is sealed under another key than the wanted one.
func stale(sealed []byte, wanted vault.KeyID) bool {
	return len(sealed) > 0 && vault.KeyOf(sealed) != wanted
}

func (o *acceptOp) stale(wanted vault.KeyID) bool {
	return stale(o.params, wanted) || stale(o.card, wanted) || o.move != nil && o.move.stale(wanted)
}

func (o *moveOp) stale(wanted vault.KeyID) bool {
	return stale(o.callbackURL, wanted) || stale(o.params, wanted)
}

func (o *op) stale(wanted vault.KeyID) bool {
	return o.accept != nil && o.accept.stale(wanted) || o.move != nil && o.move.stale(wanted)
}

// seals reports whether an op stores sealed values: no key has the id 0.
func (o *op) seals() bool { return o.stale(0) }

// seal seals again what an op stores.
func (o *op) seal(v *vault.Vault) error {
	if o.accept != nil {
		return o.accept.seal(v)
	}
	return o.move.seal(v)
}

// sealed makes sure that the ops of a batch are sealed under the wanted key. Those
// that were sealed under another one are sealed again, if this node has the key;
// otherwise they are marked and the error is errUnsealed.
func (c *committer) sealed(ctx context.Context, tx conn, batch []*op) error {
	if !slices.ContainsFunc(batch, (*op).seals) {
		return nil
	}
	wanted, err := tx.holdKey(ctx)
	if err != nil {
		return err
	}
	if wanted == anyKey || !slices.ContainsFunc(batch, func(o *op) bool { return o.stale(wanted) }) {
		return nil
	}
	unable := c.vault.Follow(wanted)
	for _, o := range batch {
		if o.stale(wanted) {
			o.unsealed = o.seal(c.vault)
		}
		if o.unsealed == nil && o.stale(wanted) {
			o.unsealed = notUnder(wanted, unable)
		}
		if o.unsealed != nil {
			err = errUnsealed
		}
	}
	return err
}

// seal seals a value under the key that the database wants at this moment.
func (tx *Tx) seal(plain []byte, place string) ([]byte, error) {
	if !tx.holdsKey {
		wanted, err := tx.conn.holdKey(tx.ctx)
		if err != nil {
			return nil, err
		}
		tx.wanted, tx.holdsKey = wanted, true
	}
	wanted := tx.wanted
	sealed, err := seal(tx.db.vault, plain, place)
	if err == nil && (wanted == anyKey || !stale(sealed, wanted)) {
		return sealed, nil
	}
	unable := tx.db.vault.Follow(wanted)
	if sealed, err = seal(tx.db.vault, plain, place); err != nil {
		return nil, err
	}
	if stale(sealed, wanted) {
		return nil, notUnder(wanted, unable)
	}
	return sealed, nil
}

// notUnder tells why a value could not be sealed: another part of this process
// has just made the vault follow what it had read before the change.
func notUnder(wanted vault.KeyID, why error) error {
	return fmt.Errorf("%w: %w", ErrUnavailable, cmp.Or(why, fmt.Errorf("it wants key %s, which is not used here yet", wanted)))
}
