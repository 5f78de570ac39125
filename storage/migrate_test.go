package storage_test

import (
	"strings"
	"testing"

	"payout/storage"
	"payout/storage/storagetest"
	"payout/vault"
)

// A build knows tables that are older than its own, brings them up to date, and works on none that
// are newer.
func TestTablesAreMissingOlderCurrentOrNewer(t *testing.T) {
	eachWithoutTables(t, func(t *testing.T, db *storage.DB) {
		are := func(want storage.Tables) {
			t.Helper()
			if got, err := db.Tables(t.Context()); got != want || err != nil {
				t.Errorf("the tables are %d, %v, want %d", got, err, want)
			}
		}
		are(storage.TablesMissing)
		if err := storage.MigrateTo(t.Context(), db, 2); err != nil {
			t.Fatal(err)
		}
		are(storage.TablesOlder)
		if n, err := db.Migrate(t.Context()); n == 0 || err != nil {
			t.Errorf("%d migrations run, %v", n, err)
		}
		are(storage.TablesCurrent)
		// The next build's migration.
		if err := storage.Exec(db, "INSERT INTO goose_db_version (version_id, is_applied) SELECT max(version_id) + 1, $1 FROM goose_db_version", true); err != nil {
			t.Fatal(err)
		}
		const why = "the database is of a newer payoutd"
		if _, err := db.Tables(t.Context()); err == nil || !strings.Contains(err.Error(), why) {
			t.Errorf("tables of a newer build: %v", err)
		}
		if n, err := db.Migrate(t.Context()); n != 0 || err == nil || !strings.Contains(err.Error(), why) {
			t.Errorf("%d migrations run on tables of a newer build, %v", n, err)
		}
	})
}

// eachWithoutTables runs a test on a new database of each engine, which has no tables yet.
func eachWithoutTables(t *testing.T, test func(*testing.T, *storage.DB)) {
	for engine, database := range map[string]func(testing.TB) string{"SQLite": storagetest.SQLite, "PostgreSQL": storagetest.Postgres} {
		t.Run(engine, func(t *testing.T) {
			v, err := vault.New()
			if err != nil {
				t.Fatal(err)
			}
			db, err := storage.Open(t.Context(), database(t), v)
			if err != nil {
				t.Fatal(err)
			}
			defer db.Close()
			test(t, db)
		})
	}
}
