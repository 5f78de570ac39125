package storage_test

import (
	"testing"

	"payout"
	"payout/storage"
	"payout/storage/storagetest"
)

// The process that takes many numbers takes larger blocks, so that it writes for them
// rarely; what one takes nobody else gets.
func TestBlocksOfNumbersGrowAndAreNeverShared(t *testing.T) {
	for name, open := range map[string]func(testing.TB) string{"SQLite": storagetest.SQLite, "PostgreSQL": storagetest.Postgres} {
		t.Run(name, func(t *testing.T) {
			database := open(t)
			one, other := storagetest.Open(t, database), storagetest.Open(t, database)
			seen := make(map[payout.SerialNumber]bool)
			take := func(db *storage.DB) payout.SerialNumber {
				t.Helper()
				n, err := db.NextSerial()
				if err != nil {
					t.Fatal(err)
				}
				if seen[n] {
					t.Fatalf("number %d is given twice", n)
				}
				seen[n] = true
				return n
			}
			const first = 1000
			for want := payout.SerialNumber(1); want <= first; want++ {
				if n := take(one); n != want {
					t.Fatalf("got %d, want %d", n, want)
				}
			}
			if n := take(other); n != first+1 {
				t.Errorf("the first number of the other is %d", n)
			}
			if n := take(one); n != 2*first+1 {
				t.Errorf("the second block begins at %d", n)
			}
			take(other)
			for range 2*first - 1 {
				take(one)
			}
			for range first {
				take(other)
			}
			if n := take(one); n != 6*first+1 {
				t.Errorf("after blocks of 1,000, 1,000, 2,000 and 2,000 the next begins at %d", n)
			}
		})
	}
}
