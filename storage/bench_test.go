package storage_test

import (
	"crypto/sha256"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"payout"
	"payout/storage"
	"payout/storage/storagetest"
)

// BenchmarkAccept stores payouts, each with its nonce and request, from 64
// goroutines at once: what a request costs beyond HTTP and its signature.
func BenchmarkAccept(b *testing.B) {
	for engine, database := range map[string]func(testing.TB) string{"SQLite": storagetest.SQLite, "PostgreSQL": storagetest.Postgres} {
		b.Run(engine, func(b *testing.B) {
			db := storagetest.Open(b, database(b))
			var n atomic.Int64
			b.SetParallelism(32)
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					i := n.Add(1)
					hash := sha256.Sum256(fmt.Append(nil, i))
					o := &payout.Order{ID: payout.OrderID(i), PartyID: 1, EndpointID: 39915, Command: "v4/payout", Type: payout.TypePayout,
						ClientOrderID: fmt.Sprintf("INV-%08d", i), Amount: payout.Amount{Minor: 1042, Currency: "USD"},
						Params: map[string]string{"account_number": "1234567890", "account_name": "John Q. Public", "amount": "10.42", "currency": "USD",
							"client_orderid": fmt.Sprintf("INV-%08d", i), "routing_number": "15"},
						ReceiverMask: "******7890", ReceiverHash: hash[:16], Stage: payout.Starting, GateID: 5, CreatedAt: noon}
					r := &payout.Request{Serial: payout.SerialNumber(i), PartyID: 1, EndpointID: 39915, Command: "v4/payout",
						OrderID: o.ID, ClientOrderID: o.ClientOrderID, RemoteAddress: "127.0.0.1", At: noon}
					got, err := db.Accept(storage.Acceptance{Now: noon, Nonce: &storage.Nonce{PartyID: 1, Hash: hash[:16], Expires: noon.Add(time.Minute)},
						Request: r, Order: o, DueAt: noon, Unique: true})
					if err != nil || !got.Stored() {
						b.Error(got, err)
						return
					}
				}
			})
		})
	}
}
