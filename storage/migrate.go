package storage

import (
	"context"
	"database/sql"
	"embed"
	"fmt"
	"io/fs"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/lock"
)

//go:embed migrations/*.sql
var migrationFiles embed.FS

// Migrate brings the tables up to date and returns how many migrations it ran.
// Nodes that start at once wait for each other.
func (db *DB) Migrate(ctx context.Context) (int, error) {
	provider, closeDB, err := db.migrations()
	if err != nil {
		return 0, fmt.Errorf("migrate: %w", err)
	}
	defer closeDB()
	results, err := provider.Up(ctx)
	if err != nil {
		return len(results), fmt.Errorf("migrate: %w", err)
	}
	return len(results), nil
}

// PendingMigrations tells whether Migrate has something to do.
func (db *DB) PendingMigrations(ctx context.Context) (bool, error) {
	provider, closeDB, err := db.migrations()
	if err != nil {
		return false, fmt.Errorf("read migrations: %w", err)
	}
	defer closeDB()
	return provider.HasPending(ctx)
}

func (db *DB) migrations() (*goose.Provider, func(), error) {
	var (
		conns       *sql.DB
		closeDB     = func() {}
		dialectName goose.Dialect
		words       dialect
		options     []goose.ProviderOption
	)
	switch e := db.engine.(type) {
	case *sqliteEngine:
		conns, dialectName, words = e.read, goose.DialectSQLite3, sqliteDialect
	case *postgresEngine:
		conns, dialectName, words = stdlib.OpenDBFromPool(e.pool), goose.DialectPostgres, postgresDialect
		closeDB = func() { _ = conns.Close() }
		locker, err := lock.NewPostgresSessionLocker()
		if err != nil {
			return nil, nil, err
		}
		options = append(options, goose.WithSessionLocker(locker))
	}
	files, err := fs.Glob(migrationFiles, "migrations/*.sql")
	if err != nil {
		return nil, nil, err
	}
	var migrations []*goose.Migration
	for _, file := range files {
		text, err := migrationFiles.ReadFile(file)
		if err != nil {
			return nil, nil, err
		}
		number, _, _ := strings.Cut(strings.TrimPrefix(file, "migrations/"), "_")
		version, err := strconv.ParseInt(number, 10, 64)
		if err != nil {
			return nil, nil, fmt.Errorf("migration %s has no number", file)
		}
		migrations = append(migrations, goose.NewGoMigration(version, &goose.GoFunc{RunTx: runSQL(words.sql(string(text)))}, nil))
	}
	options = append(options, goose.WithGoMigrations(migrations...), goose.WithDisableGlobalRegistry(true))
	provider, err := goose.NewProvider(dialectName, conns, nil, options...)
	if err != nil {
		closeDB()
		return nil, nil, err
	}
	return provider, closeDB, nil
}

// runSQL runs the statements of one migration; each ends with ';' at a line's end.
func runSQL(text string) func(context.Context, *sql.Tx) error {
	return func(ctx context.Context, tx *sql.Tx) error {
		for _, statement := range strings.SplitAfter(text, ";\n") {
			if strings.TrimSpace(statement) == "" {
				continue
			}
			if _, err := tx.ExecContext(ctx, statement); err != nil {
				return err
			}
		}
		return nil
	}
}
