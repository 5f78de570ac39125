package storage_test

import (
	"crypto/sha256"
	"fmt"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"payout"
	"payout/storage"
	"payout/storage/storagetest"
)

// BenchmarkAccept stores payouts, each with its nonce and request, from 64
// goroutines at once: what a request costs beyond HTTP and its signature. Ten
// thousand nonces share a timestamp, as in a busy second.
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
					got, err := db.Accept(storage.Acceptance{Now: noon, Nonce: &storage.Nonce{PartyID: 1, Timestamp: noon.Unix() + i/10000, Hash: hash[:16], Expires: noon.Add(time.Minute)},
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

// BenchmarkArchive moves past orders into an archive: what an order costs, reading
// the copy again and comparing it included.
func BenchmarkArchive(b *testing.B) {
	for engine, database := range map[string]func(testing.TB) string{"SQLite": storagetest.SQLite, "PostgreSQL": storagetest.Postgres} {
		b.Run(engine, func(b *testing.B) {
			db := storagetest.Open(b, database(b))
			err := db.Fill(b.Context(), int64(b.N), func(i int64, id payout.OrderID) (storage.PastOrder, payout.ReceiptID, error) {
				return storage.PastOrder{PartyID: 1, EndpointID: 39915, GateID: 5, Command: "v4/payout", Type: payout.TypePayout,
					ClientOrderID: fmt.Sprintf("INV-%08d", i), Amount: payout.Amount{Minor: 1042, Currency: "USD"},
					Params: map[string]string{"account_number": "1234567890", "account_name": "John Q. Public", "amount": "10.42", "currency": "USD",
						"client_orderid": fmt.Sprintf("INV-%08d", i), "routing_number": "15", "server_callback_url": "https://example.com/callback"},
					ReceiverMask: "******7890", ReceiverHash: []byte("0123456789abcdef"), CreatedAt: noon, CallbackURL: "https://example.com/callback",
					Receiver: "example.com:443"}, receiptOf(id), nil
			}, func(_, _ int64) {})
			if err != nil {
				b.Fatal(err)
			}
			archive, err := db.OpenArchive(b.Context(), filepath.Join(b.TempDir(), "orders.db"))
			if err != nil {
				b.Fatal(err)
			}
			defer archive.Close()
			b.ResetTimer()
			for after, moved := payout.OrderID(0), 0; moved < b.N; {
				page, err := db.OldOrders(b.Context(), after, storage.ArchiveMost)
				if err != nil {
					b.Fatal(err)
				}
				for i := range page {
					page[i].Form, page[i].Receipt = []byte{}, receiptOf(page[i].ID)
				}
				done, err := db.Archive(b.Context(), archive, page, false)
				if err != nil || len(done) != len(page) {
					b.Fatal(len(done), err)
				}
				moved, after = moved+len(done), page[len(page)-1].ID
			}
		})
	}
}

func receiptOf(id payout.OrderID) payout.ReceiptID { return payout.ReceiptID("receipt-" + id.String()) }
