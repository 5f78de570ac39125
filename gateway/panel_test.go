package gateway_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"payout"
	"payout/gateway"
	"payout/storage"
	"payout/storage/storagetest"
)

// newToken makes a token that is good for a day.
func (n *note) newToken(name string) (token string, id int64) {
	n.t.Helper()
	err := n.db.Transact(n.t.Context(), n.clock, func(tx *storage.Tx) error {
		secret, number, err := gateway.NewPanelToken(tx, n.party, name, n.clock.Add(24*time.Hour))
		token, id = secret.Reveal(), number
		return err
	})
	if err != nil {
		n.t.Fatal(err)
	}
	return token, id
}

func (n *note) signIn(token string) string {
	n.t.Helper()
	visitor, session, _, err := n.PanelSignIn(n.t.Context(), token)
	if err != nil || visitor.Party.Login != "TestMerchant" {
		n.t.Fatal(visitor, err)
	}
	return session
}

// opens tells whether a session opens the panel.
func (n *note) opens(session string) bool {
	n.t.Helper()
	visitor, err := n.PanelVisitor(n.t.Context(), session)
	if err != nil && !errors.Is(err, gateway.ErrNotSignedIn) {
		n.t.Fatal(err)
	}
	return err == nil && visitor.Party.ID == n.party
}

func TestPanelTokenIsRandomAndStoredAsAHashOnly(t *testing.T) {
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		n := newNote(t, db, gateway.Settings{})
		first, _ := n.newToken("Ann")
		second, _ := n.newToken("Ann")
		if first == second || len(strings.TrimPrefix(first, "panel_"))*5 < 160 {
			t.Errorf("tokens %s and %s", first, second)
		}
		session := n.signIn(first)
		dump := storagetest.Dump(t, db)
		for _, secret := range []string{first, strings.TrimPrefix(first, "panel_"), session} {
			if strings.Contains(dump, secret) {
				t.Error("the database has a token or session")
			}
		}
		if strings.Contains(session, strings.TrimPrefix(first, "panel_")) {
			t.Error("the session has the token")
		}
	})
}

func TestPanelOpensUntilTheSessionOrTheTokenEnds(t *testing.T) {
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		n := newNote(t, db, gateway.Settings{})
		n.clock = n.clock.Truncate(time.Second)
		began := n.clock
		token, _ := n.newToken("Ann")
		session := n.signIn(" " + token + "\n")
		for _, test := range []struct {
			after time.Duration
			want  bool
		}{{0, true}, {12*time.Hour - time.Second, true}, {12 * time.Hour, false}} {
			n.clock = began.Add(test.after)
			if got := n.opens(session); got != test.want {
				t.Errorf("after %s it opens: %v", test.after, got)
			}
		}
		again := n.signIn(token) // ends with the token
		n.clock = began.Add(24*time.Hour - time.Second)
		if !n.opens(again) {
			t.Error("it does not open before the token's end")
		}
		n.clock = began.Add(24 * time.Hour)
		if n.opens(again) {
			t.Error("it opens after the token's end")
		}
		if _, _, _, err := n.PanelSignIn(t.Context(), token); !errors.Is(err, gateway.ErrNotSignedIn) {
			t.Errorf("signed in by an expired token: %v", err)
		}
	})
}

func TestRevokedTokenAndDisabledPartyOpenNothing(t *testing.T) {
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		n := newNote(t, db, gateway.Settings{})
		revoked, id := n.newToken("Ann")
		other, _ := n.newToken("Bob")
		first, second := n.signIn(revoked), n.signIn(other)
		if err := db.Transact(t.Context(), n.clock, func(tx *storage.Tx) error { return tx.RevokePanelToken(n.party, id) }); err != nil {
			t.Fatal(err)
		}
		if n.opens(first) || !n.opens(second) {
			t.Error("the revoked token opens, or the other one does not")
		}
		if _, _, _, err := n.PanelSignIn(t.Context(), revoked); !errors.Is(err, gateway.ErrNotSignedIn) {
			t.Errorf("signed in by a revoked token: %v", err)
		}
		if err := db.Transact(t.Context(), n.clock, func(tx *storage.Tx) error { return tx.Switch(storage.SwitchParty, int64(n.party), false) }); err != nil {
			t.Fatal(err)
		}
		if err := n.Reload(t.Context()); err != nil {
			t.Fatal(err)
		}
		if n.opens(second) {
			t.Error("a disabled party looks at its panel")
		}
	})
}

func TestForgedSessionsOpenNothing(t *testing.T) {
	n := newNote(t, storagetest.Open(t, storagetest.SQLite(t)), gateway.Settings{})
	token, _ := n.newToken("Ann")
	session := n.signIn(token)
	parts := strings.Split(session, ".")
	for _, forged := range []string{"", ".", "..", token, parts[0] + "." + parts[1], parts[0] + "." + parts[1] + ".", "2." + parts[1] + "." + parts[2],
		parts[0] + ".99999999999." + parts[2], "+" + session, session + ".", session + "A", strings.ToUpper(session), parts[0] + "." + parts[1] + "." + strings.Repeat("A", 22)} {
		if n.opens(forged) {
			t.Errorf("%q opens", forged)
		}
	}
	if !n.opens(session) {
		t.Error("the true one does not open")
	}
	for _, wrong := range []string{"", "panel_", token[:len(token)-1], strings.ToLower(token), session} {
		if _, _, _, err := n.PanelSignIn(t.Context(), wrong); !errors.Is(err, gateway.ErrNotSignedIn) {
			t.Errorf("signed in by %q: %v", wrong, err)
		}
	}
}

func TestSignInIsNoted(t *testing.T) {
	n := newNote(t, storagetest.Open(t, storagetest.SQLite(t)), gateway.Settings{})
	n.clock = n.clock.Truncate(time.Microsecond).UTC()
	token, id := n.newToken("Ann")
	before, err := n.db.PanelToken(t.Context(), id)
	if err != nil || !before.UsedAt.IsZero() {
		t.Fatal(before, err)
	}
	n.clock = n.clock.Add(time.Minute)
	n.signIn(token)
	after, err := n.db.PanelToken(t.Context(), id)
	want := payout.PanelToken{ID: id, PartyID: n.party, Name: "Ann", CreatedAt: n.clock.Add(-time.Minute), UsedAt: n.clock, ExpiresAt: n.clock.Add(24*time.Hour - time.Minute)}
	if err != nil || after != want {
		t.Errorf("%+v, want %+v, %v", after, want, err)
	}
}
