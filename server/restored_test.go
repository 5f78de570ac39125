package server_test

import (
	"testing"
	"time"

	"payout/storage"
	"payout/storage/storagetest"
)

// A server has numbers of orders that it may give out, and is to be seen by who looks
// whether somebody serves, also when it has no gate to share, or leaves all of them.
func TestServerIsSeenToServeFromItsStart(t *testing.T) {
	t.Parallel()
	c := newConfig(t)
	c.Database = storagetest.Postgres(t)
	serves := func(want bool) {
		t.Helper()
		open(t, c, func(db *storage.DB) {
			if got, err := db.Serving(t.Context(), time.Second); err != nil || got != want {
				t.Errorf("it is served: %t, %v; want %t", got, err, want)
			}
		})
	}
	serves(false)
	start(t, c)
	serves(true)
}
