package storage_test

import (
	"testing"

	"payout/storage"
	"payout/storage/storagetest"
)

// Whoever releases the lock of rotations leaves it free at once, not when the server
// has noticed that a session has ended.
func TestReleasedLockOfRotationsIsFree(t *testing.T) {
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		for i := range 50 {
			release, err := db.RotateAlone(t.Context())
			if err != nil {
				t.Fatalf("time %d: %v", i, err)
			}
			if err := release(); err != nil {
				t.Fatal(err)
			}
		}
	})
}
