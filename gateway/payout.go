package gateway

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"payout"
	"payout/callback"
	"payout/spec"
	"payout/storage"
	"payout/vault"
)

// Payout accepts a new order of any command that creates one: payout,
// payout-check, withdrawal-sbp. When it returns nil the order is on disk. A
// repeated request gets the order that the first one created.
func (g *Gateway) Payout(ctx context.Context, c *Call, r *spec.Request) (*payout.Order, error) {
	d := g.Directory()
	endpoint, card, err := g.suitable(ctx, d, c, r)
	var refusal *payout.Error
	if errors.As(err, &refusal) && refusal.Code != payout.CodeEndpointUnknown {
		return g.firstOrRefusal(ctx, d, c, r, refusal)
	}
	if err != nil {
		return nil, err
	}
	order, err := g.newOrder(d, c, r, endpoint, card)
	if err != nil {
		return nil, err
	}
	if order.Type.Charges() && !g.hasPart(order.GateID) { // another node could not charge the card without its code
		return g.firstOrRefusal(ctx, d, c, r, fmt.Errorf("%w: this node has no part of gate %d, which takes fewer calls at once than there are nodes", storage.ErrBusy, order.GateID))
	}
	if code := r.Text(spec.CVV2); order.Type.Charges() {
		g.codes.put(order.ID, code, order.GateID, c.Now) // before a worker can look for it
	}
	a := storage.Acceptance{Request: c.request(order.ClientOrderID, order.ID), Order: order, DueAt: c.Now,
		Unique: endpoint.Repeat != payout.RepeatAllow}
	var place *seat
	switch order.Stage {
	case payout.Starting:
		if place = g.takeSeat(order.GateID); place != nil {
			a.DueAt = c.Now.Add(seatLease)
		}
	case payout.AtForm:
		a.DueAt = order.ExpiresAt // the Receiver's turn
		a.Form = g.formHash(order.ID)
	}
	stored := false
	defer func() {
		if !stored {
			place.leave()
		}
	}()
	accepted, err := g.accept(c, a)
	if stored = accepted.Stored() && err == nil; !stored {
		g.codes.wipe(order.ID)
	}
	if err != nil {
		return nil, err
	}
	if accepted.OrderExists {
		found, err := g.DB.OrdersByClientID(ctx, order.PartyID, order.ClientOrderID, 1)
		if err != nil {
			return nil, err
		}
		if len(found) == 0 {
			return nil, fmt.Errorf("replay: the order that was in the way is gone")
		}
		return g.replay(c, r, found[0])
	}
	g.Metrics.accepted(order)
	if place != nil {
		g.workSeated(place, order)
	} else {
		g.wake(order.GateID)
	}
	return order, nil
}

// suitable finds the endpoint that can take a new order, and the card that the
// order goes to, if to one; or says why there is none.
func (g *Gateway) suitable(ctx context.Context, d *storage.Directory, c *Call, r *spec.Request) (*payout.Endpoint, payout.CardNumber, error) {
	endpoint, err := g.route(d, c, r.Amount.Currency)
	if err != nil {
		return nil, "", err
	}
	required := requiredBy(d, endpoint, r.Amount.Currency)
	if c.Command == spec.PayoutForm || c.Command == spec.Payout && asksReceiver(d, endpoint, r.Amount.Currency) {
		required = slices.DeleteFunc(required, spec.OnForm) // the Receiver will be asked
	} else if c.Command == spec.Payout && !hasDestination(r) {
		return nil, "", &payout.Error{Code: payout.CodeRequired, Param: spec.AccountNumber.Name}
	}
	if err := r.Require(required); err != nil {
		return nil, "", err
	}
	if err := g.checkURLs(r); err != nil {
		return nil, "", err
	}
	if c.Command.Type.Charges() {
		if !g.acquires(d, endpoint, r.Amount.Currency) {
			return nil, "", &payout.Error{Code: payout.CodeNoAcquirer}
		}
		if err := checkExpiry(r, c.Now); err != nil {
			return nil, "", err
		}
	}
	card, err := g.destination(ctx, c, r)
	return endpoint, card, err
}

// hasDestination reports whether a payout says where the money goes.
func hasDestination(r *spec.Request) bool {
	return r.Text(spec.AccountNumber) != "" || r.Text(spec.CreditCardNumber) != ""
}

// firstOrRefusal answers a request that could not make an order now. If it made
// one earlier, when the set-up was another, it is told of that order: a client
// that is refused believes that nothing was paid, and may pay by other means.
func (g *Gateway) firstOrRefusal(ctx context.Context, d *storage.Directory, c *Call, r *spec.Request, refusal error) (*payout.Order, error) {
	found, err := g.DB.OrdersByClientID(ctx, c.Party.ID, r.Text(spec.ClientOrderID), 1)
	if err != nil {
		return nil, err
	}
	if len(found) == 0 {
		return nil, refusal
	}
	if endpoint := d.Endpoints[found[0].EndpointID]; endpoint != nil && endpoint.Repeat == payout.RepeatAllow {
		return nil, refusal
	}
	return g.replay(c, r, found[0])
}

// newOrder makes the order that a request asks for; nothing is stored yet.
func (g *Gateway) newOrder(d *storage.Directory, c *Call, r *spec.Request, endpoint *payout.Endpoint, card payout.CardNumber) (*payout.Order, error) {
	id, err := g.DB.NextOrderID()
	if err != nil {
		return nil, err
	}
	receiver := cmp.Or(card.Reveal(), r.Text(spec.AccountNumber), spec.PhoneDigits(r.Text(spec.ReceiverPhone)))
	position, gate := gateAfter(d, endpoint, -1, r.Amount.Currency)
	order := &payout.Order{
		ID: id, PartyID: c.Party.ID, EndpointID: endpoint.ID, GroupID: c.GroupID,
		Command: c.Command.Path(), Type: c.Command.Type, ClientOrderID: r.Text(spec.ClientOrderID), Serial: c.Serial,
		Amount: r.Amount, Params: r.Values(), ReceiverMask: vault.Mask(receiver), ReceiverHash: g.Vault.Hash("receiver", receiver),
		Stage: payout.Starting, GatePosition: position, GateID: gate.ID, CreatedAt: c.Now,
	}
	if card != "" {
		order.Params[payout.ParamCard] = card.Reveal()
	}
	missing := !hasDestination(r) || r.Require(requiredBy(d, endpoint, r.Amount.Currency)) != nil
	switch {
	case c.Command == spec.PayoutCheck:
		order.Stage, order.ExpiresAt = payout.Checking, c.Now.Add(g.Settings.confirmWithin())
	case c.Command == spec.PayoutForm, c.Command == spec.Payout && missing: // suitable has let it pass
		order.Stage, order.ExpiresAt = payout.AtForm, c.Now.Add(g.Settings.formWithin())
	}
	return order, nil
}

// checkURLs refuses callback URLs that could never be called.
func (g *Gateway) checkURLs(r *spec.Request) error {
	for _, p := range []*spec.Param{spec.ServerCallbackURL, spec.NotifyURL} {
		if url := r.Text(p); url != "" {
			if _, err := callback.Check(url, g.URLs); err != nil {
				return payout.Errorf(payout.CodeURL, p.Name, "%s", err)
			}
		}
	}
	return nil
}

// replay answers a repeated client_orderid: with the order that has it, when
// the requests agree, so that a client that retries cannot pay twice.
func (g *Gateway) replay(c *Call, r *spec.Request, first *payout.Order) (*payout.Order, error) {
	if first.Archived {
		return nil, &payout.Error{Code: payout.CodeOrderArchived} // whether the requests agree cannot be told
	}
	if differs := differs(first, c, r); differs != "" {
		return nil, &payout.Error{Code: payout.CodeOrderExists, Param: differs}
	}
	if _, err := g.accept(c, storage.Acceptance{Request: c.request(first.ClientOrderID, first.ID)}); err != nil {
		return nil, err
	}
	return first, nil
}

// differs names what a repeated request changes of the first one, or is empty.
func differs(first *payout.Order, c *Call, r *spec.Request) string {
	switch {
	case first.Command != c.Command.Path():
		return "command"
	case first.GroupID != c.GroupID:
		return "endpoint group"
	case c.GroupID == 0 && first.EndpointID != c.EndpointID:
		return "endpoint" // the group may have picked another one than it would today
	}
	return r.Differs(r.Command.Recall(first.Asked(), first.Amount))
}

// PayoutPay lets the money of a payout-check go. It moves the order once;
// repeated, it answers as the first time.
func (g *Gateway) PayoutPay(ctx context.Context, c *Call, r *spec.Request) (*payout.Order, error) {
	d := g.Directory()
	if err := g.ownEndpoint(d, c); err != nil {
		return nil, err
	}
	for {
		found, err := g.findOrder(ctx, c.Party, r, g.DB.Standing)
		if err != nil {
			return nil, err
		}
		order := found.Order
		paid, err := g.payable(ctx, order)
		if err != nil {
			return nil, err
		}
		a := storage.Acceptance{Request: c.request(order.ClientOrderID, order.ID)}
		if !paid {
			if endpoint := d.Endpoints[order.EndpointID]; endpoint == nil || !open(d, endpoint) || c.GroupID != 0 && !d.Groups[c.GroupID].Enabled {
				return nil, &payout.Error{Code: payout.CodeEndpointDisabled}
			}
			if !c.Now.Before(order.ExpiresAt) {
				return nil, &payout.Error{Code: payout.CodeOrderFinal} // the worker has yet to decline it
			}
			a.Move = g.move(order, payout.Pay, c.Now)
			a.Move.DueAt, a.Move.Serial = c.Now, c.Serial
		}
		accepted, err := g.accept(c, a)
		if err != nil {
			return nil, err
		}
		if accepted.MoveLost {
			continue // somebody else moved it meanwhile: look again
		}
		g.wake(order.GateID)
		return order, nil
	}
}

// payable tells whether payout-pay has moved the order already; an error says
// why it cannot move it.
func (g *Gateway) payable(ctx context.Context, order *payout.Order) (paid bool, err error) {
	if order.Command != spec.PayoutCheck.Path() {
		return false, &payout.Error{Code: payout.CodeNotTwoStep}
	}
	if order.Archived {
		return false, &payout.Error{Code: payout.CodeOrderArchived}
	}
	switch order.Stage {
	case payout.Held:
		return false, nil
	case payout.Checking:
		return false, &payout.Error{Code: payout.CodeNotConfirmed}
	}
	history, err := g.DB.History(ctx, order.ID)
	if err != nil {
		return false, err
	}
	for _, m := range history {
		if m.Event == payout.Pay || m.Event == payout.Restore { // or payout-pay may have come: the rail is asked
			return true, nil
		}
	}
	return false, &payout.Error{Code: payout.CodeOrderFinal}
}

// move prepares a move of an order by the table. It panics on a move that the
// table does not have: callers ask the table first.
func (g *Gateway) move(o *payout.Order, on payout.Event, at time.Time) *storage.Move {
	to, ok := o.Stage.Next(on)
	if !ok {
		panic(fmt.Sprintf("order %s: no move from %s by %s", o.ID, o.Stage, on))
	}
	return &storage.Move{OrderID: o.ID, From: o.Stage, Version: o.Version, Event: on, To: to, At: at,
		GatePosition: o.GatePosition, GateID: o.GateID, Attempts: o.Attempts,
		ErrorCode: o.ErrorCode, ErrorMessage: o.ErrorMessage}
}
