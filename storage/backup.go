package storage

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"modernc.org/sqlite"
)

// ErrNotSQLite says that a database is PostgreSQL, which has backups of its own.
var ErrNotSQLite = errors.New("it is a PostgreSQL database: back it up by PostgreSQL's own means (pg_basebackup, or pg_dump)")

const (
	backupStep = 1000    // pages copied between two reports of progress
	partSuffix = ".part" // of a backup that has not ended
)

// Backup copies an SQLite database, as it is at one moment, into a new file while
// others go on writing: what they write meanwhile is kept in the log and is not in
// the copy. The file appears under its name when it is whole and on disk. Progress
// is told in pages. The master key is not in it.
func (db *DB) Backup(ctx context.Context, file string, progress func(done, of int64)) error {
	e, ok := db.engine.(*sqliteEngine)
	if !ok {
		return ErrNotSQLite
	}
	if _, err := os.Lstat(file); !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("back up: %s exists already", file)
	}
	part, err := os.OpenFile(file+partSuffix, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("back up: %s is there: another backup runs, or has ended early; remove it", file+partSuffix)
	}
	if err == nil {
		err = part.Close()
	}
	if err == nil {
		err = e.copyTo(ctx, file+partSuffix, progress)
	}
	if err == nil {
		err = os.Rename(file+partSuffix, file)
	}
	if err == nil {
		err = syncFolder(filepath.Dir(file))
	}
	if err != nil {
		return errors.Join(fmt.Errorf("back up: %w", err), ignoreNotExist(os.Remove(file+partSuffix)))
	}
	return nil
}

func ignoreNotExist(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// copyTo copies the pages within one read transaction: without it, SQLite would
// begin anew after each write of another connection.
func (e *sqliteEngine) copyTo(ctx context.Context, file string, progress func(done, of int64)) error {
	c, err := e.read.Conn(ctx)
	if err != nil {
		return err
	}
	defer c.Close()
	if _, err := c.ExecContext(ctx, "BEGIN DEFERRED"); err != nil {
		return err
	}
	defer endRead(c)
	var tables int
	if err := c.QueryRowContext(ctx, "SELECT count(*) FROM sqlite_master").Scan(&tables); err != nil { // the moment of the copy
		return err
	}
	return c.Raw(func(driver any) error {
		source, ok := driver.(interface {
			NewBackup(string) (*sqlite.Backup, error)
		})
		if !ok {
			return errors.New("the SQLite driver cannot back up")
		}
		backup, err := source.NewBackup(file)
		if err != nil {
			return err
		}
		for more := true; more; {
			if err = ctx.Err(); err == nil {
				more, err = backup.Step(backupStep)
			}
			if err != nil {
				return errors.Join(err, backup.Finish())
			}
			progress(int64(backup.PageCount()-backup.Remaining()), int64(backup.PageCount()))
		}
		return backup.Finish()
	})
}

// endRead gives a connection back without its transaction. The transaction has
// changed nothing, so an error says only that the connection is gone.
func endRead(c *sql.Conn) { _, _ = c.ExecContext(context.Background(), "ROLLBACK") }
