package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"payout/storage"
	"payout/vault"
)

const (
	testLogin   = "TestMerchant"
	testControl = "r45a019070772d1c4c2b503bbdc0fa22" // of the documentation's example
)

// testKey signs for the party of these tests.
var testKey = sync.OnceValue(func() *rsa.PrivateKey { return newKey(2048) })

func newKey(bits int) *rsa.PrivateKey {
	key, err := rsa.GenerateKey(rand.Reader, bits)
	if err != nil {
		panic(err)
	}
	return key
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// A result is what a command line did.
type result struct {
	code     int
	out, err string
}

// execute runs a command line in this process.
func execute(ctx context.Context, stdin string, args ...string) result {
	var out, err bytes.Buffer
	code := run(ctx, args, terminal{in: strings.NewReader(stdin), out: &out, err: &err})
	return result{code, out.String(), err.String()}
}

// A site is a folder with a gateway's files.
type site struct {
	t   *testing.T
	dir string
}

func newSite(t *testing.T) site { return site{t, t.TempDir()} }

func (s site) database() string         { return s.file("payoutd.db") }
func (s site) keyFile() string          { return s.file("master.key") }
func (s site) book() string             { return s.file("simulator.db") }
func (s site) file(name string) string  { return filepath.Join(s.dir, name) }
func (s site) do(args ...string) result { return execute(s.t.Context(), "", s.stored(args)...) }

func (s site) stored(args []string) []string {
	return append(args, "--database", s.database(), "--key-file", s.keyFile())
}

// ok runs a command on the site's database that must succeed, and returns what it prints.
func (s site) ok(args ...string) string {
	s.t.Helper()
	r := s.do(args...)
	if r.code != 0 || r.err != "" {
		s.t.Fatalf("%q exits %d: %s%s", args, r.code, r.out, r.err)
	}
	return r.out
}

// fails runs a command that must exit with a code and say why.
func (s site) fails(code int, why string, args ...string) {
	s.t.Helper()
	r := s.do(args...)
	if r.code != code || !strings.HasPrefix(r.err, "payoutd: ") || !strings.Contains(r.err, why) {
		s.t.Errorf("%q exits %d and says %q, want %d and %q", args, r.code, r.err, code, why)
	}
}

// write makes a file and returns its path.
func (s site) write(name string, data []byte) string {
	s.t.Helper()
	check(s.t, os.WriteFile(s.file(name), data, 0o600))
	return s.file(name)
}

// publicKey makes a public key file.
func (s site) publicKey(name string, key *rsa.PrivateKey) string {
	s.t.Helper()
	der, err := x509.MarshalPKIXPublicKey(&key.PublicKey)
	check(s.t, err)
	return s.write(name, pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))
}

// privateKey makes a private key file.
func (s site) privateKey(name string, key *rsa.PrivateKey) string {
	s.t.Helper()
	return s.write(name, pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key)}))
}

// merchant adds the party TestMerchant and the project Main.
func (s site) merchant() {
	s.t.Helper()
	s.ok("party", "add", testLogin, "--control-key", testControl, "--public-key", s.publicKey("merchant.pub", testKey()))
	s.ok("project", "add", "Main")
}

// with opens the site's database.
func (s site) with(fn func(*storage.DB, *vault.Vault) error) {
	s.t.Helper()
	check(s.t, stored{Database: s.database(), KeyFile: s.keyFile()}.with(s.t.Context(), fn))
}

// A test that names no database would make one here, with a key beside it.
func TestMain(m *testing.M) {
	code := m.Run()
	if _, err := os.Stat("data"); err == nil {
		fmt.Fprintln(os.Stderr, "a test has worked in the folder of the source: there is cmd/payoutd/data")
		code = 1
	}
	os.Exit(code)
}
