// Package storagetest gives tests fresh databases: an SQLite file and a
// database of a real PostgreSQL, so that one body of a test proves both.
package storagetest

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/jackc/pgx/v5"

	"payout/storage"
	"payout/vault"
)

// The environment that make test sets. Without a cluster the PostgreSQL half of
// a test is skipped, unless it is required.
const (
	clusterVariable  = "PAYOUTD_TEST_POSTGRES"          // URL of the cluster
	requiredVariable = "PAYOUTD_TEST_POSTGRES_REQUIRED" // not empty: a missing cluster fails
)

// opened remembers how each database was opened, for Again and Dump.
var opened sync.Map // *storage.DB to origin

type origin struct {
	database string
	vault    *vault.Vault
}

// Each runs a body on a fresh, migrated SQLite file and on a fresh, migrated
// PostgreSQL database.
func Each(t *testing.T, body func(t *testing.T, db *storage.DB)) {
	t.Helper()
	t.Run("SQLite", func(t *testing.T) { body(t, Open(t, SQLite(t))) })
	t.Run("PostgreSQL", func(t *testing.T) { body(t, Open(t, Postgres(t))) })
}

// Open opens a database with a fresh vault, migrates it, and closes it at the
// end of the test.
func Open(t testing.TB, database string) *storage.DB {
	t.Helper()
	v, err := vault.New()
	if err != nil {
		t.Fatal(err)
	}
	db := open(t, origin{database, v})
	if _, err := db.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	return db
}

// Again opens the database of db once more, as another node would.
func Again(t testing.TB, db *storage.DB) *storage.DB {
	t.Helper()
	return open(t, originOf(t, db))
}

// Beside opens another database with the vault of db: a copy of it.
func Beside(t testing.TB, db *storage.DB, database string) *storage.DB {
	t.Helper()
	return open(t, origin{database, originOf(t, db).vault})
}

// Vault returns the vault that a database of this package was opened with.
func Vault(t testing.TB, db *storage.DB) *vault.Vault {
	t.Helper()
	return originOf(t, db).vault
}

func originOf(t testing.TB, db *storage.DB) origin {
	t.Helper()
	o, ok := opened.Load(db)
	if !ok {
		t.Fatal("the database was not opened by storagetest")
	}
	return o.(origin)
}

func open(t testing.TB, o origin) *storage.DB {
	t.Helper()
	db, err := storage.Open(t.Context(), o.database, o.vault)
	if err != nil {
		t.Fatal(err)
	}
	opened.Store(db, o)
	t.Cleanup(func() {
		opened.Delete(db)
		if err := db.Close(); err != nil {
			t.Errorf("close database: %v", err)
		}
	})
	return db
}

// SQLite names a file for a fresh SQLite database.
func SQLite(t testing.TB) string {
	t.Helper()
	return filepath.Join(t.TempDir(), "payoutd.db")
}

var databases atomic.Int64 // numbers the databases of this process

// Postgres makes an empty database in the test cluster and returns its URL; the
// database is dropped at the end of the test.
func Postgres(t testing.TB) string {
	t.Helper()
	cluster := os.Getenv(clusterVariable)
	if cluster == "" {
		if os.Getenv(requiredVariable) != "" {
			t.Fatal(clusterVariable + " is not set")
		}
		t.Skip("no PostgreSQL: run make test, which starts one")
	}
	name := fmt.Sprintf("payoutd_%d_%d", os.Getpid(), databases.Add(1))
	admin(t, cluster, "CREATE DATABASE "+name)
	t.Cleanup(func() { admin(t, cluster, "DROP DATABASE "+name+" WITH (FORCE)") })
	before, query, _ := strings.Cut(cluster, "?")
	return before[:strings.LastIndexByte(before, '/')+1] + name + "?" + query + "&pool_max_conns=8"
}

func admin(t testing.TB, cluster, sql string) {
	t.Helper()
	ctx := context.Background() // the test's own has ended when it cleans up
	conn, err := pgx.Connect(ctx, cluster)
	if err != nil {
		t.Fatalf("connect to the test cluster: %v", err)
	}
	defer conn.Close(ctx)
	if _, err := conn.Exec(ctx, sql); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
}

// Dump returns everything that the database stores, as raw as it can be had:
// the bytes of the SQLite files, or every row of every PostgreSQL table as text.
func Dump(t testing.TB, db *storage.DB) string {
	t.Helper()
	database := originOf(t, db).database
	var dump strings.Builder
	if !strings.HasPrefix(database, "postgres") {
		files, err := filepath.Glob(database + "*")
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			data, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			dump.Write(data)
		}
		return dump.String()
	}
	conn, err := pgx.Connect(t.Context(), strings.Replace(database, "&pool_max_conns=8", "", 1))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(t.Context())
	rows, err := conn.Query(t.Context(), "SELECT query_to_xml('SELECT * FROM ' || quote_ident(tablename), true, false, '')::text FROM pg_tables WHERE schemaname = 'public'")
	if err != nil {
		t.Fatal(err)
	}
	tables, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		t.Fatal(err)
	}
	return strings.Join(tables, "\n")
}
