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
	return openWithKey(ctx, database, "", key)
}

// OpenToServe is OpenWithKey for a gateway that is going to serve: see Serving.
func OpenToServe(ctx context.Context, database string, key vault.Source) (*DB, *vault.Vault, error) {
	return openWithKey(ctx, database, serving, key)
}

func openWithKey(ctx context.Context, database, name string, key vault.Source) (*DB, *vault.Vault, error) {
	if key.Missing() {
		if err := unused(ctx, database); err != nil {
			return nil, nil, fmt.Errorf("there is no master key file %s: %w", key.File, err)
		}
	}
	v, err := key.Open(ctx)
	if err != nil {
		return nil, nil, err
	}
	db, err := openAs(ctx, database, name, v)
	if err != nil {
		return nil, nil, err
	}
	migrated, err := db.hasTable(ctx, "counters")
	if err == nil && migrated {
		err = db.FollowKey(ctx)
	}
	if err != nil {
		return nil, nil, errors.Join(err, db.Close())
	}
	return db, v, nil
}

// hasTable reports whether a table is there; before Migrate none is.
func (db *DB) hasTable(ctx context.Context, table string) (bool, error) {
	var n int64
	err := readOne(ctx, db.engine.reader(), func(r rows) error { return r.Scan(&n) }, "SELECT count(*) FROM {{tables}} WHERE name = $1", table)
	if err != nil {
		return false, fmt.Errorf("look for the table %s: %w", table, err)
	}
	return n > 0, nil
}

// unused returns an error when a database has parties or gates: their control
// keys and settings are sealed. It is no answer that they cannot be counted.
func unused(ctx context.Context, database string) error {
	db, err := Open(ctx, database, nil)
	if err != nil {
		return err
	}
	defer db.Close()
	migrated, err := db.hasTable(ctx, "parties")
	if err != nil || !migrated {
		return err
	}
	var sealed int64
	err = readOne(ctx, db.engine.reader(), func(r rows) error { return r.Scan(&sealed) },
		"SELECT (SELECT count(*) FROM parties) + (SELECT count(*) FROM gates)")
	switch {
	case err != nil:
		return err
	case sealed > 0:
		return errors.New("the database is in use, and can only be read with the key that it was made with: put that file there, or name it with --key-file")
	}
	return nil
}
