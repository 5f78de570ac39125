package client_test

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"time"

	"payout/client"
	"payout/gateway"
	"payout/server"
	"payout/storage"
	"payout/vault"
)

// A sandbox is a real server on SQLite with the merchant of the reference's
// examples. Tests and examples share one.
type sandbox struct {
	base       string // such as http://127.0.0.1:1234/paynet
	key        *rsa.PrivateKey
	controlKey string
	stop       func() error
}

// shared starts the sandbox when the first test needs it. TestMain stops what runs.
var (
	shared = sync.OnceValues(func() (*sandbox, error) {
		s, err := startSandbox()
		running = s
		return s, err
	})
	running *sandbox
)

func startSandbox() (_ *sandbox, err error) {
	dir, err := os.MkdirTemp("", "client")
	if err != nil {
		return nil, err
	}
	s := &sandbox{}
	if s.key, err = rsa.GenerateKey(rand.Reader, 2048); err != nil {
		return nil, err
	}
	config := server.Config{Listen: "127.0.0.1:0", Database: filepath.Join(dir, "payoutd.db"), KeyFile: filepath.Join(dir, "master.key"),
		SimulatorBook: filepath.Join(dir, "simulator.db"), Sandbox: true}
	if err := s.setUp(config); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(context.Background())
	ready, ended := make(chan server.Addresses, 1), make(chan error, 1)
	go func() {
		ended <- server.Run(ctx, config, slog.New(slog.DiscardHandler), func(a server.Addresses) { ready <- a })
	}()
	select {
	case a := <-ready:
		s.base = "http://" + a.API + "/paynet"
	case err := <-ended:
		cancel()
		return nil, err
	}
	s.stop = func() error {
		cancel()
		err := <-ended
		if e := os.RemoveAll(dir); err == nil {
			err = e
		}
		return err
	}
	return s, nil
}

func (s *sandbox) setUp(config server.Config) (err error) {
	ctx := context.Background()
	v, err := vault.Open(config.KeyFile)
	if err != nil {
		return err
	}
	db, err := storage.Open(ctx, config.Database, v)
	if err != nil {
		return err
	}
	defer func() {
		if e := db.Close(); err == nil {
			err = e
		}
	}()
	if _, err := db.Migrate(ctx); err != nil {
		return err
	}
	merchant, err := gateway.SetUpSandbox(ctx, db, time.Now(), &s.key.PublicKey)
	if err != nil {
		return err
	}
	s.controlKey = merchant.ControlKey.Reveal()
	return nil
}

// client is the merchant's, which asks without the pauses that a real one makes.
func (s *sandbox) client() *client.Client {
	return &client.Client{BaseURL: s.base, Login: gateway.SandboxLogin, Key: s.key, ControlKey: s.controlKey, Sleep: hurry}
}

// hurry waits just long enough to let the gateway's workers work.
func hurry(ctx context.Context, _ time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(5 * time.Millisecond):
		return nil
	}
}

// newOrderID makes a client_orderid that no other test has.
func newOrderID() string { return "client-" + rand.Text()[:12] }

var endpoint = client.Endpoint(int64(gateway.SandboxEndpoint))

// approvedAccount is an account that the simulator pays.
const approvedAccount = "1234567890"
