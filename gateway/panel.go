package gateway

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base32"
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"payout"
	"payout/storage"
)

// ErrNotSignedIn says that a token or a session opens no panel.
var ErrNotSignedIn = errors.New("not signed in")

const (
	panelTokenPrefix = "panel_" // so that people and scanners know what they have found
	panelTokenBytes  = 25       // 200 random bits
	panelSession     = 12 * time.Hour
)

// NewPanelToken makes a token and stores it by its hash alone: it is shown once.
// Any number of a party's tokens may be good at once.
func NewPanelToken(tx *storage.Tx, party payout.PartyID, name string, expires time.Time) (payout.Secret, int64, error) {
	random := make([]byte, panelTokenBytes)
	_, _ = rand.Read(random) // it never fails: crypto/rand ends the program instead
	token := panelTokenPrefix + base32.StdEncoding.EncodeToString(random)
	id, err := tx.AddPanelToken(payout.PanelToken{PartyID: party, Name: name, ExpiresAt: expires}, panelTokenHash(token))
	return payout.Secret(token), id, err
}

// panelTokenHash is what the database knows of a token. It needs no key: nobody
// can try 200 random bits.
func panelTokenHash(token string) []byte {
	sum := sha256.Sum256([]byte(token))
	return sum[:]
}

// A PanelVisitor is who looks at a panel.
type PanelVisitor struct {
	Token payout.PanelToken
	Party *payout.ConnectingParty
}

// PanelSignIn takes a token and returns a session: what the visitor's browser
// keeps, which is not the token, and when it ends. ErrNotSignedIn when the token
// is not good.
func (g *Gateway) PanelSignIn(ctx context.Context, token string) (v PanelVisitor, session string, ends time.Time, err error) {
	found, err := g.DB.PanelTokenByHash(ctx, panelTokenHash(strings.TrimSpace(token)))
	if errors.Is(err, storage.ErrNotFound) {
		err = ErrNotSignedIn
	}
	if err != nil {
		return v, "", ends, err
	}
	now := g.Now()
	if v, err = g.panelVisitor(found, now); err != nil {
		return v, "", ends, err
	}
	if err := g.DB.Transact(ctx, now, func(tx *storage.Tx) error { return tx.UsePanelToken(found.ID) }); err != nil {
		return v, "", ends, err
	}
	ends = now.Add(panelSession)
	if found.ExpiresAt.Before(ends) {
		ends = found.ExpiresAt
	}
	return v, g.panelSession(found.ID, ends.Unix()), ends, nil
}

// panelVisitor is who has a token, if it is good and its party may look.
func (g *Gateway) panelVisitor(token payout.PanelToken, now time.Time) (PanelVisitor, error) {
	party := g.Directory().Parties[token.PartyID]
	if party == nil || !party.Enabled || !token.Good(now) {
		return PanelVisitor{}, ErrNotSignedIn
	}
	return PanelVisitor{token, party}, nil
}

// panelSession is the text of a session: the token's number and the end, and a
// keyed hash of both, so that every node knows it and nobody can make one.
func (g *Gateway) panelSession(token, ends int64) string {
	text := fmt.Sprintf("%d.%d", token, ends)
	return text + "." + base64.RawURLEncoding.EncodeToString(g.Vault.Hash("panel session", text))
}

// PanelVisitor tells whose session it is; ErrNotSignedIn when it has ended, or its
// token has been revoked or has expired.
func (g *Gateway) PanelVisitor(ctx context.Context, session string) (PanelVisitor, error) {
	parts := strings.Split(session, ".")
	if len(parts) != 3 {
		return PanelVisitor{}, ErrNotSignedIn
	}
	id, err1 := strconv.ParseInt(parts[0], 10, 64)
	ends, err2 := strconv.ParseInt(parts[1], 10, 64)
	if err1 != nil || err2 != nil {
		return PanelVisitor{}, ErrNotSignedIn
	}
	now := g.Now()
	if want := g.panelSession(id, ends); !hmac.Equal([]byte(want), []byte(session)) || now.Unix() >= ends {
		return PanelVisitor{}, ErrNotSignedIn
	}
	token, err := g.DB.PanelToken(ctx, id)
	if errors.Is(err, storage.ErrNotFound) {
		err = ErrNotSignedIn
	}
	if err != nil {
		return PanelVisitor{}, err
	}
	return g.panelVisitor(token, now)
}
