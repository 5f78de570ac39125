package gateway

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"maps"

	"payout"
	"payout/callback"
	"payout/sign"
	"payout/spec"
	"payout/storage"
	"payout/vault"
)

// ErrFormClosed says that an order does not wait at its form: it was sent
// already, or the order has ended.
var ErrFormClosed = errors.New("the form is closed")

// FormToken is the unguessable part of the address of an order's form. It is made
// from the order's id by a key that never leaves the vault: a repeated request is
// told the same address, and nobody can read one out of the database.
func (g *Gateway) FormToken(id payout.OrderID) string {
	return base64.RawURLEncoding.EncodeToString(g.Vault.Hash("form", id.String()))
}

// formHash is what the database knows of an order's token.
func (g *Gateway) formHash(id payout.OrderID) []byte { return tokenHash(g.FormToken(id)) }

func tokenHash(token string) []byte {
	sum := sha256.Sum256([]byte(token))
	return sum[:16]
}

// OrderOfForm finds the order of a form's address; storage.ErrNotFound when there
// is none.
func (g *Gateway) OrderOfForm(ctx context.Context, token string) (*payout.Order, error) {
	return g.DB.OrderOfForm(ctx, tokenHash(token))
}

// FormFields lists the fields that the form of an order has: what the gates of
// its endpoint need to know of the Receiver.
func (g *Gateway) FormFields(o *payout.Order) []spec.Use {
	d := g.Directory()
	endpoint := d.Endpoints[o.EndpointID]
	if endpoint == nil {
		return spec.FormFields(nil)
	}
	return spec.FormFields(requiredBy(d, endpoint, o.Amount.Currency))
}

// A Browser is what is known of the browser that sent a form.
type Browser struct{ Address, Agent, Language string }

// Submit takes what the Receiver filled in, by parameter name, and lets the
// order go its way; the values have been read by FormFields. It happens once:
// whoever comes second gets ErrFormClosed, and nothing is changed.
func (g *Gateway) Submit(ctx context.Context, o *payout.Order, values map[string]string, b Browser) error {
	if err := g.Fit(); err != nil {
		return err
	}
	now := g.Now()
	if o.Stage != payout.AtForm || !now.Before(o.ExpiresAt) {
		return ErrFormClosed // one that is late will be declined by the worker
	}
	asked, err := json.Marshal(o.Params)
	if err != nil {
		return fmt.Errorf("submit form of order %s: %w", o.ID, err)
	}
	params := maps.Clone(o.Params)
	for _, field := range g.FormFields(o) {
		delete(params, field.Name) // prefilled, and emptied by the Receiver
	}
	if maps.Copy(params, values); values[spec.AccountNumber.Name] == "" {
		delete(params, spec.AccountNumber.Name) // prefilled, but the form asked for another destination
	}
	params[payout.ParamAsked] = string(asked)
	for name, value := range map[string]string{payout.ParamBrowserAddress: b.Address, payout.ParamBrowserAgent: b.Agent, payout.ParamBrowserLanguage: b.Language} {
		params[name] = clip(value)
	}
	card := params[spec.CreditCardNumber.Name]
	if card != "" {
		params[payout.ParamCard] = card
	}
	receiver := cmp.Or(card, params[spec.AccountNumber.Name], spec.PhoneDigits(params[spec.ReceiverPhone.Name]))
	m := g.move(o, payout.Submit, now)
	m.DueAt, m.Note = now, "by the Receiver"
	m.Receiver = &storage.Receiver{Params: params, Mask: vault.Mask(receiver), Hash: g.Vault.Hash("receiver", receiver)}
	moved, err := g.DB.Move(*m)
	if err != nil {
		return fmt.Errorf("submit form of order %s: %w", o.ID, err)
	}
	if !moved {
		return ErrFormClosed
	}
	g.Log.Info("form was sent", "order", o.ID)
	g.wake(o.GateID)
	return nil
}

// clip shortens what a browser says of itself.
func clip(text string) string {
	const most = 512 // characters
	runes := []rune(printable(text))
	return string(runes[:min(len(runes), most)])
}

// Redirect is the Connecting Party's page that the Receiver's browser returns to
// and what it posts there (AF 10); the address is empty when there is none. What
// the Receiver filled in is not told: a page must not carry it.
func (g *Gateway) Redirect(ctx context.Context, o *payout.Order) (url string, params []sign.Pair, err error) {
	switch o.Stage.Status() {
	case payout.StatusApproved:
		url = o.Params[spec.RedirectSuccessURL.Name]
	case payout.StatusDeclined, payout.StatusError:
		url = o.Params[spec.RedirectFailURL.Name]
	}
	if url = cmp.Or(url, o.Params[spec.RedirectURL.Name]); url == "" {
		return "", nil, nil
	}
	m, err := g.message(ctx, o.ID, nil)
	if err != nil {
		return "", nil, err
	}
	asked := o.Asked()
	m.Phone, m.Cardholder = asked[spec.ReceiverPhone.Name], asked[spec.CardPrintedName.Name]
	return url, callback.Redirect(m), nil
}

// OrderOfReceipt finds the final order of a receipt that belongs to an endpoint;
// storage.ErrNotFound when there is none.
func (g *Gateway) OrderOfReceipt(ctx context.Context, endpoint payout.EndpointID, id payout.ReceiptID) (Standing, error) {
	order, err := g.DB.OrderOfReceipt(ctx, id)
	if err != nil {
		return Standing{}, err
	}
	if order.EndpointID != endpoint || !order.Stage.Final() {
		return Standing{}, storage.ErrNotFound
	}
	return g.StandingOf(ctx, order)
}
