package storage

import (
	"context"
	"errors"
	"fmt"

	"payout/vault"
)

// OpenWithKey opens a database and the master key that belongs to it. A key
// file is made when it does not exist, but not for a database that is in use:
// what was sealed with a lost key cannot be read with a new one.
func OpenWithKey(ctx context.Context, database string, key vault.Source) (*DB, *vault.Vault, error) {
	if key.Missing() {
		if err := unused(ctx, database); err != nil {
			return nil, nil, fmt.Errorf("there is no master key file %s: %w", key.File, err)
		}
	}
	v, err := key.Open(ctx)
	if err != nil {
		return nil, nil, err
	}
	db, err := Open(ctx, database, v)
	if err != nil {
		return nil, nil, err
	}
	if err := db.FollowKey(ctx); err != nil && !db.engine.refused(err) { // refused: there is no such table yet
		return nil, nil, errors.Join(err, db.Close())
	}
	return db, v, nil
}

// unused returns an error when a database has parties: their control keys are sealed.
func unused(ctx context.Context, database string) error {
	db, err := Open(ctx, database, nil)
	if err != nil {
		return err
	}
	defer db.Close()
	var parties int64
	err = readOne(ctx, db.engine.reader(), func(r rows) error { return r.Scan(&parties) }, "SELECT count(*) FROM parties")
	switch {
	case err != nil && db.engine.refused(err):
		return nil // there is no such table yet
	case err != nil:
		return err
	case parties > 0:
		return errors.New("the database is in use, and can only be read with the key that it was made with: put that file there, or name it with --key-file")
	}
	return nil
}
