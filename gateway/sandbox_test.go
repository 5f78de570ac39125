package gateway_test

import (
	"crypto/rand"
	"crypto/rsa"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"testing"
	"time"

	"payout"
	"payout/gateway"
	"payout/sign"
	"payout/storage"
	"payout/storage/storagetest"
)

func newKey(t *testing.T) *rsa.PublicKey {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	return &key.PublicKey
}

func TestSandboxIsSetUpOnceAndTakesFurtherKeys(t *testing.T) {
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		first, second := newKey(t), newKey(t)
		party, err := gateway.SetUpSandbox(t.Context(), db, time.Now(), first)
		if err != nil {
			t.Fatal(err)
		}
		if party.Login != gateway.SandboxLogin || party.ControlKey == "" || len(party.Keys) != 1 {
			t.Fatalf("the merchant is %+v", party)
		}
		for range 2 {
			again, err := gateway.SetUpSandbox(t.Context(), db, time.Now(), second)
			if err != nil {
				t.Fatal(err)
			}
			if again.ID != party.ID || again.ControlKey != party.ControlKey || len(again.Keys) != 2 {
				t.Fatalf("the second time the merchant is %+v", again)
			}
		}
		d, err := db.Directory(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, id := range []payout.EndpointID{gateway.SandboxEndpoint, gateway.SandboxCardForm, gateway.SandboxPhoneForm} {
			if e := d.Endpoints[id]; e == nil || e.PartyID != party.ID || len(e.Gates) == 0 {
				t.Errorf("endpoint %s is %+v", id, e)
			}
		}
		if g := d.Groups[gateway.SandboxGroup]; g == nil || g.PartyID != party.ID {
			t.Errorf("the group is %+v", g)
		}
	})
}

func TestMerchantsSignUpUntilTheSandboxIsFull(t *testing.T) {
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		g := &gateway.Gateway{DB: db, Vault: storagetest.Vault(t, db), Now: time.Now, Log: slog.New(slog.NewTextHandler(io.Discard, nil))}
		key := newKey(t)
		if _, _, err := g.SignUp(t.Context(), key); err == nil {
			t.Fatal("a merchant signed up at a gateway that is no sandbox")
		}
		if _, err := gateway.SetUpSandbox(t.Context(), db, time.Now(), newKey(t)); err != nil {
			t.Fatal(err)
		}
		signUp := func() (*payout.ConnectingParty, payout.EndpointID, error) { return g.SignUp(t.Context(), key) }
		one, oneEndpoint, err := signUp()
		if err != nil {
			t.Fatal(err)
		}
		two, twoEndpoint, err := signUp()
		if err != nil {
			t.Fatal(err)
		}
		if one.Login == two.Login || oneEndpoint == twoEndpoint || one.ControlKey == two.ControlKey {
			t.Error("two merchants have something in common")
		}
		found := g.Directory().PartyByLogin(one.Login)
		if found == nil || found.ControlKey != one.ControlKey || len(found.Keys) != 1 || found.Keys[0].Fingerprint != sign.Fingerprint(key) {
			t.Errorf("the gateway knows the new merchant as %+v", found)
		}
		if e := g.Directory().Endpoints[oneEndpoint]; e == nil || e.PartyID != one.ID || !e.Enabled {
			t.Errorf("its endpoint is %+v", e)
		}
		err = db.Transact(t.Context(), time.Now(), func(tx *storage.Tx) error {
			for i := range 1000 - 3 { // one place is left
				login := fmt.Sprintf("sandbox-%d", i)
				if _, err := tx.AddParty(payout.ConnectingParty{Login: login, Name: login, ControlKey: "key", Enabled: true}); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		if _, _, err := signUp(); err != nil {
			t.Errorf("the thousandth: %v", err)
		}
		if _, _, err := signUp(); !errors.Is(err, gateway.ErrSandboxFull) {
			t.Errorf("one too many: %v", err)
		}
	})
}
