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
// it, or has the server refuse the whole transaction if it is another one
// (conn.hopeForKey); on SQLite it makes sure that nobody has written since it was read. Whoever
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

// sealedValues are what an op stores sealed; some may be empty.
func (o *op) sealedValues() (values [4][]byte) {
	move := o.move
	if a := o.accept; a != nil {
		move, values[0], values[1] = a.move, a.params, a.card
	}
	if move != nil {
		values[2], values[3] = move.callbackURL, move.params
	}
	return values
}

func (o *op) stale(wanted vault.KeyID) bool {
	for _, value := range o.sealedValues() {
		if stale(value, wanted) {
			return true
		}
	}
	return false
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
	if under, ok := keyOf(batch); ok && tx.hopeForKey(under) {
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

// keyOf is the key under which a batch is sealed; it is not ok when there is not one.
func keyOf(batch []*op) (under vault.KeyID, ok bool) {
	for _, o := range batch {
		for _, value := range o.sealedValues() {
			if len(value) == 0 {
				continue
			}
			of := vault.KeyOf(value)
			if of == 0 || under != 0 && under != of {
				return 0, false
			}
			under = of
		}
	}
	return under, under != 0
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
