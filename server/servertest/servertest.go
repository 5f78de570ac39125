// Package servertest starts a real gateway as a sandbox, for tests that call it
// as an integrator does.
package servertest

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"log/slog"
	"path/filepath"
	"testing"

	"payout"
	"payout/gateway"
	"payout/server"
	"payout/storage"
	"payout/vault"
)

// A Sandbox is a running gateway on SQLite with the merchant and the endpoints of
// gateway.SetUpSandbox.
type Sandbox struct {
	Origin     string // such as http://127.0.0.1:1234
	Base       string // with the context path
	Login      string
	Key        *rsa.PrivateKey
	ControlKey payout.Secret
}

// Start runs a sandbox until the test ends.
func Start(t *testing.T) Sandbox {
	t.Helper()
	dir := t.TempDir()
	key := NewKey(t)
	config := server.Config{Listen: "127.0.0.1:0", Database: filepath.Join(dir, "payoutd.db"), KeyFile: filepath.Join(dir, "master.key"),
		SimulatorBook: filepath.Join(dir, "simulator.db"), Sandbox: true, SandboxKey: key}
	ctx, stop := context.WithCancel(context.Background())
	ready, ended := make(chan server.Addresses, 1), make(chan error, 1)
	go func() {
		ended <- server.Run(ctx, config, slog.New(slog.DiscardHandler), func(a server.Addresses) { ready <- a })
	}()
	s := Sandbox{Login: gateway.SandboxLogin, Key: key}
	select {
	case a := <-ready:
		s.Origin = "http://" + a.API
		s.Base = s.Origin + "/paynet"
	case err := <-ended:
		stop()
		t.Fatal(err)
	}
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	s.ControlKey = controlKey(t, config)
	return s
}

// controlKey reads the merchant's control key in the server's database.
func controlKey(t *testing.T, config server.Config) payout.Secret {
	t.Helper()
	v, err := vault.Open(config.KeyFile)
	if err != nil {
		t.Fatal(err)
	}
	db, err := storage.Open(t.Context(), config.Database, v)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	}()
	d, err := db.Directory(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return d.PartyByLogin(gateway.SandboxLogin).ControlKey
}

// NewKey makes a key pair of the shortest accepted length.
func NewKey(t *testing.T) *rsa.PrivateKey {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// PEM is a private key as PKCS#8 text.
func PEM(t *testing.T, key *rsa.PrivateKey) string {
	t.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
}
