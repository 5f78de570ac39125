package main

import (
	"bytes"
	"os"
	"strings"
	"testing"
	"time"

	"payout"
	"payout/storage"
	"payout/vault"
)

// An operator's two steps when the master key is in a secret store.
func TestKeyOfASecretStoreIsRotatedInTwoSteps(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	store := s.write("store", []byte(s.ok("vault", "new-key", "--first")))
	fromStore := func(args ...string) []string { return append(args, "--key-command", "cat "+store) }
	ok := func(args ...string) string { t.Helper(); return s.ok(fromStore(args...)...) }

	ok("party", "add", testLogin, "--control-key", testControl)
	s.fails(1, "payoutd vault new-key", fromStore("vault", "rotate", "--wait", "0s")...)
	s.write("store", []byte(ok("vault", "new-key")))
	s.has(ok("vault", "status"), `\d+ not known 1 seals new values, primary`, `\d+ 2\S+Z 0`)
	s.fails(1, "run payoutd vault rotate", fromStore("vault", "new-key")...)
	s.fails(1, "run payoutd vault rotate", fromStore("vault", "used-keys")...)
	s.has(ok("vault", "rotate", "--wait", "0s"), "is in the key set already", "All 1 sealed values .* under key", "Nothing needs the old keys .* payoutd vault used-keys")
	s.has(ok("vault", "status"), `\d+ not known 0 primary`, `\d+ 2\S+Z 1 seals new values`)
	s.write("store", []byte(ok("vault", "used-keys")))
	s.has(ok("vault", "status"), `^KEY .*USE \d+ 2\S+Z 1 seals new values, primary $`)
	ok("party", "list")
	if _, err := os.Stat(s.keyFile()); err == nil {
		t.Error("a key file was made beside the secret store")
	}
}

func TestKeyFileIsRotatedInOneStep(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.merchant()
	s.has(s.ok("vault", "rotate", "--wait", "0s"), "is added to the key file", "1 values are sealed again", "All 1 sealed values", "old keys are removed")
	s.has(s.ok("vault", "status"), `^KEY .*USE \d+ 2\S+Z 1 seals new values, primary $`)
	s.has(s.ok("vault", "rotate", "--wait", "0s", "--keep-old"), "old keys are kept")
	s.has(s.ok("vault", "status"), ` 0 \d+ 2\S+Z 1 seals new values, primary $`)
	s.has(s.ok("party", "list"), testLogin)
	s.fails(1, "--at-once", "vault", "rotate", "--at-once", "0")
}

func TestValuesUnderAKeyThatIsLostAreShown(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.merchant()
	other := s.file("other.key")
	lost := vaultOf(t, other)
	db, err := storage.Open(t.Context(), s.database(), lost)
	check(t, err)
	check(t, db.Transact(t.Context(), time.Now(), func(tx *storage.Tx) error {
		_, err := tx.AddParty(payout.ConnectingParty{Login: "Lost", ControlKey: "x"})
		return err
	}))
	check(t, db.Close())
	s.has(s.ok("vault", "status"), lost.Sealing().String()+" - 1 NOT IN THE MASTER KEY")
	s.fails(1, "1 values cannot be opened with this master key: control key of Lost", "vault", "rotate", "--wait", "0s")
	if keys := vaultOf(t, s.keyFile()).KeySet().Keys(); len(keys) != 2 {
		t.Errorf("the keys are %v; both are needed", keys)
	}
}

func vaultOf(t *testing.T, file string) *vault.Vault {
	t.Helper()
	v, err := vault.Open(file)
	check(t, err)
	return v
}

func TestMasterKeyComesFromTheEnvironment(t *testing.T) {
	s := newSite(t)
	t.Setenv("PAYOUTD_MASTER_KEY", s.ok("vault", "new-key", "--first"))
	s.merchant()
	if _, err := os.Stat(s.keyFile()); err == nil {
		t.Error("a key file was made beside the environment")
	}
	if help := s.ok("serve", "--help"); strings.Contains(help, "--master-key") || !strings.Contains(help, "PAYOUTD_MASTER_KEY") {
		t.Errorf("the help offers the key as a flag, or does not tell its variable:\n%s", help)
	}
	serve, err := serveCmd{stored: stored{KeyFile: "f", KeyCommand: "c", MasterKey: "k"}}.config()
	check(t, err)
	if serve.KeyFile != "f" || serve.KeyCommand != "c" || serve.MasterKey != "k" {
		t.Errorf("serve takes the key from %+v", serve)
	}
	s.fails(1, "two sources", "party", "list", "--key-command", "true")
	t.Setenv("PAYOUTD_MASTER_KEY", "SECRET")
	if r := s.do("party", "list"); r.code != 1 || strings.Contains(r.err+r.out, "SECRET") {
		t.Errorf("a damaged key: %+v", r)
	}
}

func TestProgressIsABarOnATerminalAndLinesElsewhere(t *testing.T) {
	t.Parallel()
	show := func(live bool) string {
		var out bytes.Buffer
		now := time.Unix(0, 0)
		p := &progress{what: "sealed again", out: &out, live: live, now: func() time.Time { return now }}
		for done := int64(0); done <= 100; done += 10 {
			p.show(done, 100)
			now = now.Add(time.Second)
		}
		p.say("done")
		return out.String()
	}
	lines := "50 of 100 sealed again, 10 a second\n100 of 100 sealed again, 10 a second\ndone\n"
	if got := show(false); got != lines {
		t.Errorf("lines are\n%s", got)
	}
	bars := strings.Split(show(true), "\r")
	if len(bars) != 12 || bars[1] != "[..............................] 0 of 100 sealed again, 0 a second " ||
		bars[6] != "[###############...............] 50 of 100 sealed again, 10 a second " ||
		bars[11] != "[##############################] 100 of 100 sealed again, 10 a second \ndone\n" {
		t.Errorf("bars are %q", bars)
	}
}
