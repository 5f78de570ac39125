package gateway

import (
	"cmp"
	"context"
	"fmt"
	"strings"
	"time"

	"payout"
	"payout/callback"
	"payout/spec"
	"payout/storage"
)

// runCallbacks claims callbacks that are due and delivers them until the
// context ends; then it waits for those under way.
func (g *Gateway) runCallbacks(ctx context.Context) {
	c := newCourier(g.Settings)
	g.courier.Store(c)
	defer c.slots.close()
	failures := 0 // to claim, in a row
	for ctx.Err() == nil {
		var claimed int
		var p portion
		err := g.guarded(func() (err error) {
			claimed, p, err = g.courierClaims(ctx, c)
			return err
		})
		switch {
		case err != nil:
			g.Log.Error("claim callbacks failed", "error", err)
			_ = pause(ctx, g.afterFailure(failures)) // the loop looks at the context
			failures++
			continue
		case claimed == 0:
			g.idleCallbacks(ctx, c, p)
		}
		failures = 0
	}
}

// courierClaims claims a portion of the due callbacks and begins their deliveries.
func (g *Gateway) courierClaims(ctx context.Context, c *courier) (claimed int, p portion, err error) {
	if g.Fit() != nil {
		return 0, portion{}, nil // idleCallbacks looks again
	}
	p = c.portion()
	taken := p.most
	defer func() { c.slots.giveBack(taken) }()
	found, err := g.claimCallbacks(ctx, &c.lookout, p)
	if err != nil {
		return 0, p, err
	}
	c.found(p, found)
	for _, due := range found {
		c.claimed(due.Receiver)
		taken--
		c.slots.use(func() { g.deliverSeated(c, due, nil) })
	}
	return len(found), p, nil
}

// deliverSeated delivers a callback that has a slot of the courier.
func (g *Gateway) deliverSeated(c *courier, due payout.Callback, known *Standing) {
	defer c.ended(due.Receiver)
	if err := g.guarded(func() error { return g.deliver(due, known) }); err != nil {
		g.Log.Error("callback failed", "order", due.OrderID, "error", err)
	}
}

// takeDelivery takes a slot of the courier for a callback that is about to be owed,
// and gives the callback the lease of a delivery. It returns nil when there is none,
// or no callback: then it is claimed when it is due.
func (g *Gateway) takeDelivery(due *payout.Callback) *courier {
	c := g.courier.Load()
	if due == nil || c == nil || !c.take(due.Receiver) {
		return nil
	}
	due.DueAt = due.DueAt.Add(g.Settings.deliveryLease())
	due.LeasedUntil = due.DueAt
	return c
}

func (g *Gateway) claimCallbacks(ctx context.Context, l *storage.Lookout, p portion) ([]payout.Callback, error) {
	if p.most <= 0 {
		return nil, nil
	}
	now := g.Now()
	due, err := g.DB.LookForCallbacks(ctx, l, now)
	if err != nil || due.IsZero() || due.After(now) {
		return nil, ignoreEnd(ctx, err)
	}
	return g.DB.ClaimCallbacks(l, now, g.Settings.deliveryLease(), p.most, p.each, p.busy)
}

// idleCallbacks waits until there may be something to claim, after a portion of which
// nothing was found: a callback became due, a slot became free when none was, a
// receiver is busy no more, or a while has passed.
func (g *Gateway) idleCallbacks(ctx context.Context, c *courier, p portion) {
	wait := idleMost
	var freed <-chan struct{}
	switch {
	case p.most == 0:
		freed = c.slots.freed
	case len(p.busy) > 0:
		freed = c.eased // what is due for the busy ones would hide what becomes due
	default:
		now := g.Now()
		if due, err := g.DB.LookForCallbacks(ctx, &c.lookout, now); err == nil && !due.IsZero() {
			wait = min(wait, max(due.Sub(now), idleLeast))
		}
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	case <-freed:
	case <-g.callbackWakeup():
	}
}

// deliver sends one callback and records the attempt: 200 ends it, anything
// else is tried again by the timetable. Where the order stands is read unless it is
// known.
func (g *Gateway) deliver(c payout.Callback, known *Standing) error {
	ctx, cancel := context.WithTimeout(context.Background(), g.Settings.callbackTimeout())
	defer cancel()
	g.delivering.Add(1)
	defer g.delivering.Add(-1)
	ctx, ended := g.traceDelivery(ctx, c)
	started := g.Now()
	result := callback.Result{Error: "the callback could not be made"}
	switch message, err := g.message(ctx, c.OrderID, known); {
	case err != nil:
		// It counts as an attempt, so that it is tried again by the timetable.
		g.Log.Error("callback cannot be made", "order", c.OrderID, "error", err)
	case c.URL == "":
		g.Log.Error("callback's URL cannot be read", "order", c.OrderID)
	default:
		result = g.Callbacks.Send(ctx, c.URL.Reveal(), callback.Params(message))
	}
	now := g.Now()
	attempt := payout.CallbackAttempt{CallbackID: c.ID, Attempt: c.Attempts + 1, At: started, Duration: now.Sub(started),
		HTTPStatus: result.HTTPStatus, Error: result.Error}
	state, due := payout.CallbackDelivered, time.Time{}
	if !result.Delivered {
		state = payout.CallbackGivenUp
		if delay, more := callback.Next(attempt.Attempt, 2*g.Random()-1); more {
			state, due = payout.CallbackDue, now.Add(delay)
		}
		g.Log.Warn("callback was not delivered", "order", c.OrderID, "attempt", attempt.Attempt, "receiver", c.Receiver,
			"http_status", result.HTTPStatus, "error", result.Error, "state", state)
	}
	g.Metrics.attempted(state, attempt.Duration)
	ended(result, state)
	return g.DB.RecordAttempt(attempt, state, due)
}

// message is the content of an order's callback. Where the order stands is read
// unless it is known.
func (g *Gateway) message(ctx context.Context, id payout.OrderID, known *Standing) (callback.Message, error) {
	if known == nil {
		found, err := g.DB.Standing(ctx, g.Now(), id)
		if err != nil {
			return callback.Message{}, err
		}
		s := g.standing(found)
		known = &s
	}
	return g.messageOf(known)
}

func (g *Gateway) messageOf(s *Standing) (callback.Message, error) {
	order := s.Order
	text := func(p *spec.Param) string { return order.Params[p.Name] }
	customer, card := CustomerOf(order), order.Card()
	m := callback.Message{
		Status: order.Stage.Status(), Serial: order.Serial, OrderID: order.ID, ClientOrderID: order.ClientOrderID, Type: order.Type,
		Amount: order.Amount, ErrorCode: order.ErrorCode, ErrorMessage: order.ErrorMessage,
		Name:  cmp.Or(text(spec.AccountName), text(spec.CardPrintedName), strings.TrimSpace(customer.FirstName+" "+customer.LastName)),
		Email: customer.Email, Phone: customer.Phone, MerchantData: text(spec.MerchantData),
		Charged: order.Type.Charges(), CardBIN: card.BIN(), CardLastFour: card.LastFour(), CardType: string(card.Brand()),
		Cardholder: text(spec.CardPrintedName),
	}
	party := g.Directory().Parties[order.PartyID]
	if party == nil {
		return m, fmt.Errorf("order %s belongs to a party that is not known", order.ID)
	}
	m.ControlKey = party.ControlKey
	if s.Gate != nil {
		m.Descriptor = s.Gate.Descriptor
	}
	if t := s.Transaction; t != nil {
		m.ProcessorTxID, m.RRN, m.ApprovalCode = t.ProcessorTxID, t.RRN, t.ApprovalCode
	}
	return m, nil
}

// receiverOf is the host and port of a callback URL. A URL that is no longer
// acceptable keeps its callback: its attempts tell the operator why.
func (g *Gateway) receiverOf(url string) string {
	receiver, err := callback.Check(url, g.URLs)
	if err != nil {
		return "unacceptable"
	}
	return receiver
}
