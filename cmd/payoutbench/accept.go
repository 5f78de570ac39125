package main

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"payout"
	"payout/sign"
	"payout/storage"
	"payout/vault"
)

const (
	benchLogin      = "BenchMerchant"
	ceilingRequests = 2000
	benchCard       = payout.CardRefIDMin
)

type acceptCmd struct {
	Command     string        `default:"payout" enum:"payout,transfer-by-ref" help:"What is sent: payout to an account, or transfer-by-ref to a card reference (default: ${default})."`
	Connections int           `default:"64" help:"Connections at once (default: ${default})."`
	Duration    time.Duration `default:"1s" help:"Length of each measurement (default: ${default})."`
	Rounds      int           `default:"9" help:"Measurements of ceiling and gateway, in turn; medians are printed (default: ${default})."`
	Bits        int           `default:"2048" enum:"2048,3072,4096" help:"RSA key length (default: ${default})."`
	PerSecond   int           `default:"17000" help:"Requests to sign beforehand for each second (default: ${default})."`
	Database    string        `placeholder:"URL" help:"An empty PostgreSQL database (default: an SQLite file in --dir)."`
	Dir         string        `placeholder:"FOLDER" help:"Folder for files, on the disk to measure (default: a temporary one)."`
	Profile     string        `placeholder:"FILE" help:"Write a CPU profile of the gateway."`
	Work        bool          `help:"Pay the orders meanwhile. By default the gate is switched off and they wait."`
}

// Run measures.
func (c acceptCmd) Run(ctx context.Context) error {
	if c.Dir == "" {
		dir, err := os.MkdirTemp("", "payoutbench-")
		if err != nil {
			return err
		}
		defer os.RemoveAll(dir)
		c.Dir = dir
	}
	engine := "PostgreSQL"
	if c.Database == "" {
		engine, c.Database = "SQLite", filepath.Join(c.Dir, "payoutd.db")
	}
	key, err := rsa.GenerateKey(rand.Reader, c.Bits)
	if err != nil {
		return err
	}
	ceilingDatabase := filepath.Join(c.Dir, "ceiling.db")
	for _, database := range []string{c.Database, ceilingDatabase} {
		if err := c.setUp(ctx, database, &key.PublicKey); err != nil {
			return fmt.Errorf("set up: %w", err)
		}
	}
	top, err := start("serve-ceiling", "--database", ceilingDatabase, "--dir", c.Dir)
	if err != nil {
		return err
	}
	defer top.stop()
	gateway, err := start("serve-gateway", "--database", c.Database, "--dir", c.Dir, "--profile", c.Profile)
	if err != nil {
		return err
	}
	defer gateway.stop()

	fmt.Printf("accept: %s on %s, %d connections, RSA-%d, %d CPUs, orders %s\n\n", c.Command, engine, c.Connections, c.Bits, runtime.NumCPU(),
		map[bool]string{true: "are paid meanwhile", false: "wait"}[c.Work])
	// Everything is signed beforehand, so that ceiling and gateway are measured
	// close together. The ceiling remembers no nonces and takes the same again.
	again, err := c.prepare(ctx, top.address, key, ceilingRequests)
	if err != nil {
		return err
	}
	once, err := c.prepare(ctx, gateway.address, key, c.Rounds*int(c.Duration.Seconds()*float64(c.PerSecond)))
	if err != nil {
		return err
	}
	failures, err := c.rounds(ctx, top, gateway, again, once)
	if err != nil {
		return err
	}
	memory, err := gateway.peakMemory()
	if err != nil {
		return err
	}
	fmt.Printf("gateway's peak memory %d MiB, errors %d\n", memory, failures)
	return ctx.Err()
}

// rounds measures ceiling and gateway in turn, prints each round and the
// medians, and returns how many requests failed.
func (c acceptCmd) rounds(ctx context.Context, top, gateway *process, again, once [][]byte) (failures int, err error) {
	fmt.Printf("%-7s %12s %12s %8s %10s %10s %8s %22s\n", "round", "ceiling/s", "accepted/s", "ratio", "p50", "p99", "errors", "CPU time per request")
	var ceilings, rates, ratios []float64
	for round := 1; round <= c.Rounds && ctx.Err() == nil; round++ {
		ceiling, err := top.load(again, true, c.Connections, c.Duration)
		if err != nil {
			return failures, err
		}
		n := len(once) / (c.Rounds - round + 1)
		got, err := gateway.load(once[:n], false, c.Connections, c.Duration)
		if err != nil {
			return failures, err
		}
		once = once[n:]
		if got.took < c.Duration*9/10 {
			fmt.Printf("        (all %d requests were sent after %s: raise --per-second)\n", n, got.took.Round(time.Millisecond))
		}
		ratio := got.perSecond() / ceiling.perSecond()
		fmt.Printf("%-7d %12.0f %12.0f %8.2f %10s %10s %8d %10s of %8s\n", round, ceiling.perSecond(), got.perSecond(), ratio,
			got.percentile(50).Round(10*time.Microsecond), got.percentile(99).Round(10*time.Microsecond), got.errors,
			ceiling.cpuEach().Round(time.Microsecond), got.cpuEach().Round(time.Microsecond))
		for _, m := range []measurement{ceiling, got} {
			failures += m.errors
			if m.first != nil {
				fmt.Println("        first error:", m.first)
			}
		}
		ceilings, rates, ratios = append(ceilings, ceiling.perSecond()), append(rates, got.perSecond()), append(ratios, ratio)
	}
	if len(ratios) > 0 {
		fmt.Printf("\n%-7s %12.0f %12.0f %8.2f\n", "median", median(ceilings), median(rates), median(ratios))
	}
	return failures, nil
}

// setUp creates the party and its endpoint 1.
func (c acceptCmd) setUp(ctx context.Context, database string, public *rsa.PublicKey) error {
	v, err := vault.Open(filepath.Join(c.Dir, "master.key"))
	if err != nil {
		return err
	}
	db, err := storage.Open(ctx, database, v)
	if err != nil {
		return err
	}
	if _, err := db.Migrate(ctx); err != nil {
		return errors.Join(err, db.Close())
	}
	var cardParty payout.PartyID
	err = db.Transact(ctx, time.Now(), func(tx *storage.Tx) error {
		party, err := tx.AddParty(payout.ConnectingParty{Login: benchLogin, Name: benchLogin, ControlKey: payout.Secret(rand.Text()), Enabled: true})
		if err != nil {
			return err
		}
		if err := tx.AddPartyKey(party, payout.PartyKey{Fingerprint: sign.Fingerprint(public), Public: public, Enabled: true}); err != nil {
			return err
		}
		project, err := tx.AddProject(payout.Project{Name: "Bench", Enabled: true})
		if err != nil {
			return err
		}
		gate, err := tx.AddGate(payout.Gate{Name: "Bench", Processor: "simulator", Concurrency: 64, Enabled: c.Work})
		if err != nil {
			return err
		}
		cardParty = party
		_, err = tx.AddEndpoint(payout.Endpoint{ID: 1, PartyID: party, ProjectID: project, Gates: []payout.GateID{gate},
			Repeat: payout.RepeatReplay, Enabled: true})
		return err
	})
	if err == nil {
		_, err = db.Accept(storage.Acceptance{Now: time.Now(), CardRef: &payout.CardRef{ID: benchCard, PartyID: cardParty, OrderID: 1,
			Card: "4444555566661111"}})
	}
	return errors.Join(err, db.Close())
}

// prepare signs n requests on all cores: signing costs more than everything
// that is measured. Progress goes to the terminal.
func (c acceptCmd) prepare(ctx context.Context, address string, key *rsa.PrivateKey, n int) ([][]byte, error) {
	requests := make([][]byte, n)
	stderr, err := os.Stderr.Stat()
	terminal := err == nil && stderr.Mode()&os.ModeCharDevice != 0
	var done atomic.Int64
	var failed atomic.Pointer[error]
	var wait sync.WaitGroup
	for worker := range runtime.NumCPU() {
		wait.Go(func() {
			for i := worker; i < n && ctx.Err() == nil; i += runtime.NumCPU() {
				request, err := c.signed(address, key, fmt.Sprintf("INV-%08d", i))
				if err != nil {
					failed.Store(&err)
					return
				}
				requests[i] = request
				if d := done.Add(1); d%500 == 0 && terminal {
					fmt.Fprintf(os.Stderr, "\rsigning %d of %d", d, n)
				}
			}
		})
	}
	wait.Wait()
	if terminal {
		fmt.Fprintf(os.Stderr, "\r%-40s\r", "")
	}
	if err := failed.Load(); err != nil {
		return nil, *err
	}
	return requests, ctx.Err()
}

// signed is one HTTP request in bytes, like the seeds' examples. Its
// client_orderid grows like a merchant's invoice numbers; the nonce is random.
func (c acceptCmd) signed(address string, key *rsa.PrivateKey, clientOrderID string) ([]byte, error) {
	form := []sign.Pair{{Name: "amount", Value: "10.42"}, {Name: "client_orderid", Value: clientOrderID}, {Name: "currency", Value: "USD"}}
	if c.Command == "transfer-by-ref" {
		form = append(form, sign.Pair{Name: "destination-card-ref-id", Value: benchCard.String()}, sign.Pair{Name: "order_desc", Value: "Winnings"},
			sign.Pair{Name: "receiver_first_name", Value: "John"}, sign.Pair{Name: "receiver_last_name", Value: "Smith"})
	} else {
		form = append(form, sign.Pair{Name: "account_name", Value: "John Q. Public"}, sign.Pair{Name: "account_number", Value: "1234567890"},
			sign.Pair{Name: "routing_number", Value: "15"})
	}
	path := "/paynet/api/v4/" + c.Command + "/1"
	authorization, err := sign.Sign(sign.Request{Method: http.MethodPost, URL: "http://" + address + path, Form: form},
		sign.Credentials{ConsumerKey: benchLogin, Nonce: rand.Text(), Timestamp: time.Now().Unix()}, key)
	if err != nil {
		return nil, err
	}
	body := sign.EncodeForm(form)
	var b strings.Builder
	fmt.Fprintf(&b, "POST %s HTTP/1.1\r\nHost: %s\r\nAuthorization: %s\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: %d\r\n\r\n%s",
		path, address, authorization, len(body), body)
	return []byte(b.String()), nil
}

func median(values []float64) float64 {
	sorted := slices.Sorted(slices.Values(values))
	return sorted[len(sorted)/2]
}
