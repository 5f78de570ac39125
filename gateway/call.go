package gateway

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"time"

	"payout"
	"payout/spec"
	"payout/storage"
)

// A Call is an authenticated request on its way through the gateway.
type Call struct {
	Command       *spec.Command
	Serial        payout.SerialNumber
	Party         *payout.ConnectingParty
	EndpointID    payout.EndpointID // from the path, or 0
	GroupID       payout.GroupID    // from the path, or 0
	RemoteAddress string
	Note          string // for the operator
	Now           time.Time

	nonce *storage.Nonce // still to be stored; nil when stored or not needed
}

// nonceMargin is how much longer than its timestamp a nonce is remembered: the
// timestamp is accepted to the last moment of its window, and the clocks of
// several nodes differ.
const nonceMargin = time.Minute

// UseNonce makes the call store its oauth_nonce with whatever it does. The
// nonce may be forgotten when its timestamp has left the window.
func (c *Call) UseNonce(nonce string, timestamp time.Time, window time.Duration) {
	sum := sha256.Sum256([]byte(nonce))
	expires := time.UnixMicro(1<<62 - 1) // no window: remembered for ever
	if window > 0 {
		expires = timestamp.Add(window)
		if limit := c.Now.Add(window); expires.Before(limit) {
			expires = limit
		}
		expires = expires.Add(nonceMargin)
	}
	c.nonce = &storage.Nonce{PartyID: c.Party.ID, Timestamp: timestamp.Unix(), Hash: sum[:16], Expires: expires}
}

// outlived reports whether the timestamp's window has passed since the call came: its node
// was stopped, or its machine. The nonce may be forgotten soon, or is, and then no longer tells
// whether another node has done what the call asks for.
func (c *Call) outlived(now time.Time) bool {
	return c.nonce != nil && now.After(c.nonce.Expires.Add(-nonceMargin))
}

// request is the call as it is remembered.
func (c *Call) request(clientOrderID string, order payout.OrderID) *payout.Request {
	return &payout.Request{Serial: c.Serial, PartyID: c.Party.ID, EndpointID: c.EndpointID, GroupID: c.GroupID,
		Command: c.Command.Path(), ClientOrderID: clientOrderID, OrderID: order, Note: c.Note,
		RemoteAddress: c.RemoteAddress, At: c.Now}
}

// accept stores what a call does, together with its nonce. After it, the call
// has no nonce left to store.
func (g *Gateway) accept(c *Call, a storage.Acceptance) (storage.Accepted, error) {
	if c.outlived(g.Now()) {
		return storage.Accepted{}, fmt.Errorf("%w: the request stood still for longer than its nonce is kept", storage.ErrBusy)
	}
	a.Now, a.Nonce = c.Now, c.nonce
	accepted, err := g.DB.Accept(a)
	if errors.Is(err, storage.ErrUnknown) && a.NonceAlone() {
		err = fmt.Errorf("%w: %w", storage.ErrUnavailable, err) // stored or not, the question can be asked again
	}
	if err != nil {
		return accepted, err
	}
	if accepted.NonceUsed {
		return accepted, ErrNonceUsed
	}
	c.nonce = nil
	return accepted, nil
}

// Refused remembers a request that is answered with an error: its nonce, and,
// when it wanted to change something, the refusal. It returns the error that
// the caller is to be told, which is ErrNonceUsed when the nonce was used.
func (g *Gateway) Refused(c *Call, clientOrderID string, refusal *payout.Error) error {
	var remembered *payout.Request
	if c.Command.Type != "" {
		remembered = c.request(clientOrderID, 0)
		remembered.ErrorCode, remembered.ErrorMessage = refusal.Code, refusal.Error()
	}
	if c.nonce == nil && remembered == nil {
		return refusal
	}
	if _, err := g.accept(c, storage.Acceptance{Request: remembered}); err != nil {
		return fmt.Errorf("remember a refusal: %w", err)
	}
	return refusal
}
