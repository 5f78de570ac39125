//go:build unix

package storage_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"payout/storage/storagetest"
)

// root may rotate the key of a gateway that runs as somebody else, who must be
// able to rotate it himself later.
func TestRotationsLockBelongsToTheOwnerOfTheDatabase(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root can give files away")
	}
	const somebody = 65534
	database := storagetest.SQLite(t)
	db := storagetest.Open(t, database)
	if err := os.Chown(database, somebody, somebody); err != nil {
		t.Fatal(err)
	}
	release, err := db.RotateAlone(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := release(); err != nil {
		t.Error(err)
	}
	info, err := os.Stat(database + "-rotation")
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(os.Remove(database+"-rotation"), os.Symlink(filepath.Join(t.TempDir(), "root's"), database+"-rotation")); err != nil {
		t.Fatal(err)
	}
	if _, err := db.RotateAlone(t.Context()); err == nil || !strings.Contains(err.Error(), "it is a link") {
		t.Errorf("a link to a file of root's: %v", err)
	}
	owner := info.Sys().(*syscall.Stat_t)
	if owner.Uid != somebody || owner.Gid != somebody || info.Mode() != 0o600 {
		t.Errorf("the lock is %v and belongs to %d:%d", info.Mode(), owner.Uid, owner.Gid)
	}
}
