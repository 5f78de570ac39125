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
// Nodes that start at once wait for each other. Tables of a newer build are an error.
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
	_, err = tablesOf(ctx, provider) // also those of a newer build that has migrated meanwhile
	return len(results), err
}

// Tables is how a database's tables stand to the build that opens it.
type Tables int

// What Tables there may be.
const (
	TablesMissing Tables = iota // a new database
	TablesOlder                 // Migrate has something to do
	TablesCurrent
)

// Tables tells how the tables stand to this build. Those of a newer build are an error.
func (db *DB) Tables(ctx context.Context) (Tables, error) {
	provider, closeDB, err := db.migrations()
	if err != nil {
		return 0, fmt.Errorf("read migrations: %w", err)
	}
	defer closeDB()
	return tablesOf(ctx, provider)
}

func tablesOf(ctx context.Context, provider *goose.Provider) (Tables, error) {
	are, wanted, err := provider.GetVersions(ctx)
	switch {
	case err != nil:
		return 0, fmt.Errorf("read migrations: %w", err)
	case are > wanted:
		return 0, fmt.Errorf("the database is of a newer payoutd (its tables are number %d, this build's are %d): use that build, or a backup from before it", are, wanted)
	case are == 0:
		return TablesMissing, nil
	case are < wanted:
		return TablesOlder, nil
	}
	return TablesCurrent, nil
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
