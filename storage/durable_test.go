package storage_test

import (
	"context"
	"os"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"payout/storage"
	"payout/storage/storagetest"
	"payout/vault"
)

// A commit that is answered is on disk, also where somebody has made the server fast.
func TestCommitsAreOnDiskHoweverTheServerIsConfigured(t *testing.T) {
	url := storagetest.Postgres(t)
	admin, err := pgx.Connect(t.Context(), os.Getenv("PAYOUTD_TEST_POSTGRES"))
	if err != nil {
		t.Fatal(err)
	}
	defer admin.Close(context.Background())
	before, _, _ := strings.Cut(url, "?")
	if _, err := admin.Exec(t.Context(), "ALTER DATABASE "+before[strings.LastIndexByte(before, '/')+1:]+" SET synchronous_commit = off"); err != nil {
		t.Fatal(err)
	}
	for given, want := range map[string]string{"": "on", "&synchronous_commit=on": "on", "&synchronous_commit=remote_apply": "remote_apply",
		"&options=-csynchronous_commit%3Doff": "on"} {
		db := storagetest.Open(t, url+given)
		if got, err := storage.Setting(t.Context(), db, "synchronous_commit"); err != nil || got != want {
			t.Errorf("with %q synchronous_commit is %q (%v), want %q", given, got, err, want)
		}
	}
	for _, given := range []string{"off", "local", "remote_write"} {
		v, err := vault.New()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := storage.Open(t.Context(), url+"&synchronous_commit="+given, v); err == nil || !strings.Contains(err.Error(), "synchronous_commit="+given) {
			t.Errorf("synchronous_commit=%s: %v", given, err)
		}
	}
}
