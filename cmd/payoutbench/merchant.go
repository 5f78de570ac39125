package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/http"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"payout"
	"payout/sign"
	"payout/spec"
	"payout/storage"
	"payout/vault"
)

// host is what every request is sent to by name, so that one that is signed is good
// for the ceiling and for each node.
const host = "payoutd.example"

const benchCard = payout.CardRefIDMin

// The gates of a measured gateway. A gate that is switched off leaves its orders
// where they are.
const (
	gateWaiting = "Waiting" // switched off: orders are accepted and wait
	gatePaying  = "Paying"  // the simulator answers at once
	gateClaims  = "Claims"  // switched off: its orders are claimed by payoutbench itself
)

// A merchant is a Connecting Party that sends requests, with the same ids in every
// database.
type merchant struct {
	id      payout.PartyID
	login   string
	bits    int
	key     *quickKey
	control payout.Secret
}

// endpoint is the number of the merchant's endpoint behind a gate.
func (m *merchant) endpoint(gate string) payout.EndpointID {
	return payout.EndpointID(3*int64(m.id) + map[string]int64{gateWaiting: -2, gatePaying: -1, gateClaims: 0}[gate])
}

// newMerchants makes so many merchants for each length of keys, each with its own key.
func newMerchants(lengths []int, each int) ([]*merchant, error) {
	var all []*merchant
	for _, bits := range lengths {
		for range each {
			key, err := newQuickKey(bits)
			if err != nil {
				return nil, err
			}
			id := payout.PartyID(len(all) + 1)
			all = append(all, &merchant{id: id, login: fmt.Sprintf("BenchMerchant%d", id), bits: bits, key: key, control: payout.Secret(rand.Text())})
		}
	}
	return all, nil
}

// setUp makes an empty database ready: gates, merchants and their endpoints.
func setUp(ctx context.Context, dir, database string, merchants []*merchant) error {
	return withDatabase(ctx, dir, database, func(db *storage.DB, _ *vault.Vault) error {
		if _, err := db.Migrate(ctx); err != nil {
			return err
		}
		d, err := db.Directory(ctx)
		if err != nil {
			return err
		}
		if len(d.Parties) > 0 {
			return errors.New("the database is not empty: give one that is")
		}
		if err := db.Transact(ctx, time.Now(), func(tx *storage.Tx) error { return addAll(tx, merchants) }); err != nil {
			return err
		}
		for _, m := range merchants {
			card := &payout.CardRef{ID: benchCard + payout.CardRefID(m.id), PartyID: m.id, OrderID: 1, Card: "4444555566661111"}
			if _, err := db.Accept(storage.Acceptance{Now: time.Now(), CardRef: card}); err != nil {
				return err
			}
		}
		return nil
	})
}

// withDatabase opens a database for a function.
func withDatabase(ctx context.Context, dir, database string, fn func(*storage.DB, *vault.Vault) error) error {
	v, err := vault.Open(filepath.Join(dir, "master.key"))
	if err != nil {
		return err
	}
	db, err := storage.Open(ctx, database, v)
	if err != nil {
		return err
	}
	return errors.Join(fn(db, v), db.Close())
}

func addAll(tx *storage.Tx, merchants []*merchant) error {
	project, err := tx.AddProject(payout.Project{Name: "Bench", Enabled: true})
	if err != nil {
		return err
	}
	gates := make(map[string]payout.GateID)
	for _, name := range []string{gateWaiting, gatePaying, gateClaims} {
		if gates[name], err = tx.AddGate(payout.Gate{Name: name, Processor: "simulator", Concurrency: 256, Enabled: name == gatePaying}); err != nil {
			return err
		}
	}
	for _, m := range merchants {
		if err := m.add(tx, project, gates); err != nil {
			return err
		}
	}
	return nil
}

func (m *merchant) add(tx *storage.Tx, project payout.ProjectID, gates map[string]payout.GateID) error {
	id, err := tx.AddParty(payout.ConnectingParty{Login: m.login, Name: m.login, ControlKey: m.control, Enabled: true})
	if err != nil {
		return err
	}
	if id != m.id {
		return fmt.Errorf("party %s got the id %d, want %d: the database is not empty", m.login, id, m.id)
	}
	if err := tx.AddPartyKey(id, payout.PartyKey{Fingerprint: sign.Fingerprint(m.key.public), Public: m.key.public, Enabled: true}); err != nil {
		return err
	}
	for name, gate := range gates {
		if _, err := tx.AddEndpoint(payout.Endpoint{ID: m.endpoint(name), PartyID: id, ProjectID: project, Gates: []payout.GateID{gate},
			Repeat: payout.RepeatReplay, Enabled: true}); err != nil {
			return err
		}
	}
	return nil
}

// invoices number orders, as merchants do. Those of a later run come after those of
// an earlier one.
type invoices struct {
	run  int64 // when it began, in seconds
	last atomic.Int64
}

func (v *invoices) next() (id int, clientOrderID string) {
	id = int(v.last.Add(1))
	return id, fmt.Sprintf("INV-%d-%08d", v.run, id)
}

// A shot is one request to be sent, as HTTP/1.1 has it.
type shot struct {
	bytes []byte
	id    int // of what it asks for, where that matters
}

// payoutTo is a request to pay, like the documentation's examples. client_orderid
// grows like a merchant's invoice numbers; the nonce is random.
func (m *merchant) payoutTo(command *spec.Command, gate, clientOrderID, callback string) ([]byte, error) {
	form := []sign.Pair{{Name: "amount", Value: "10.42"}, {Name: "client_orderid", Value: clientOrderID}, {Name: "currency", Value: "USD"}}
	if command == spec.TransferByRef {
		form = append(form, sign.Pair{Name: "destination-card-ref-id", Value: (benchCard + payout.CardRefID(m.id)).String()}, sign.Pair{Name: "order_desc", Value: "Winnings"},
			sign.Pair{Name: "receiver_first_name", Value: "John"}, sign.Pair{Name: "receiver_last_name", Value: "Smith"})
	} else {
		form = append(form, sign.Pair{Name: "account_name", Value: "John Q. Public"}, sign.Pair{Name: "account_number", Value: "1234567890"},
			sign.Pair{Name: "routing_number", Value: "15"})
	}
	if callback != "" {
		form = append(form, sign.Pair{Name: spec.ServerCallbackURL.Name, Value: callback})
	}
	return m.request(command, m.endpoint(gate), form)
}

// status is a request for the state of an order, by v4 or v2.
func (m *merchant) status(command *spec.Command, gate, clientOrderID string, id payout.OrderID) ([]byte, error) {
	form := []sign.Pair{{Name: spec.Login.Name, Value: m.login}, {Name: spec.ClientOrderID.Name, Value: clientOrderID}}
	if id != 0 {
		form = append(form, sign.Pair{Name: spec.OrderNumber.Name, Value: id.String()})
	}
	return m.request(command, m.endpoint(gate), form)
}

// request proves a request as its command wants it and writes it as HTTP.
func (m *merchant) request(command *spec.Command, endpoint payout.EndpointID, form []sign.Pair) ([]byte, error) {
	path := "/paynet/api/" + command.Path() + "/" + endpoint.String()
	var b strings.Builder
	fmt.Fprintf(&b, "POST %s HTTP/1.1\r\nHost: %s\r\nContent-Type: application/x-www-form-urlencoded\r\n", path, host)
	if command.Auth == spec.OAuthRSA {
		authorization, err := sign.SignBy(sign.Request{Method: http.MethodPost, URL: "http://" + host + path, Form: form},
			sign.Credentials{ConsumerKey: m.login, Nonce: rand.Text(), Timestamp: time.Now().Unix()}, m.key)
		if err != nil {
			return nil, err
		}
		fmt.Fprintf(&b, "Authorization: %s\r\n", authorization)
	} else {
		form = append(form, sign.Pair{Name: spec.ControlSum.Name, Value: command.Control(endpoint.String(), form, m.control.Reveal())})
	}
	body := sign.EncodeForm(form)
	fmt.Fprintf(&b, "Content-Length: %d\r\n\r\n%s", len(body), body)
	return []byte(b.String()), nil
}

// prepare makes n requests on all cores.
func prepare(ctx context.Context, n int, make1 func(i int) (shot, error)) ([]shot, error) {
	shots := make([]shot, n)
	var failed atomic.Pointer[error]
	var wait sync.WaitGroup
	for worker := range runtime.NumCPU() {
		wait.Go(func() {
			for i := worker; i < n && ctx.Err() == nil && failed.Load() == nil; i += runtime.NumCPU() {
				var err error
				if shots[i], err = make1(i); err != nil {
					failed.Store(&err)
				}
			}
		})
	}
	wait.Wait()
	if err := failed.Load(); err != nil {
		return nil, *err
	}
	return shots, ctx.Err()
}
