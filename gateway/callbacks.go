package gateway

import (
	"cmp"
	"context"
	"fmt"
	"strings"
	"sync"
	"time"

	"payout"
	"payout/callback"
	"payout/spec"
)

// runCallbacks claims callbacks that are due and delivers them until the
// context ends; then it waits for those under way.
func (g *Gateway) runCallbacks(ctx context.Context) {
	deliveries := newSlots()
	defer deliveries.wait()
	receivers := receivers{each: or(g.Settings.CallbackPerReceiver, 8), underWay: make(map[string]int)}
	most := or(g.Settings.CallbackConcurrency, 64)
	failures := 0 // to claim, in a row
	for ctx.Err() == nil {
		free := most - deliveries.inUse()
		share, busy := receivers.share()
		var claimed []payout.Callback
		err := g.guarded(func() (err error) {
			claimed, err = g.claimCallbacks(ctx, free, share, busy)
			return err
		})
		if err != nil {
			g.Log.Error("claim callbacks failed", "error", err)
			_ = pause(ctx, g.afterFailure(failures)) // the loop looks at the context
			failures++
			continue
		}
		failures = 0
		for _, c := range claimed {
			receivers.add(c.Receiver, 1)
			deliveries.run(func() {
				defer receivers.add(c.Receiver, -1)
				if err := g.guarded(func() error { return g.deliver(c) }); err != nil {
					g.Log.Error("callback failed", "order", c.OrderID, "error", err)
				}
			})
		}
		if len(claimed) == 0 {
			g.idleCallbacks(ctx, deliveries.freed, free > 0 && len(busy) == 0)
		}
	}
}

// receivers gives each receiver of callbacks a share of the deliveries at once,
// so that a slow one delays only its own.
type receivers struct {
	each     int // deliveries to one receiver at once
	mu       sync.Mutex
	underWay map[string]int
}

func (r *receivers) add(receiver string, n int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.underWay[receiver] += n; r.underWay[receiver] == 0 {
		delete(r.underWay, receiver)
	}
}

// share tells how many callbacks of one receiver may be claimed now, and which
// receivers must not get more: those with half of their share under way.
func (r *receivers) share() (most int, busy []string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	most = r.each
	for receiver, n := range r.underWay {
		if n > r.each/2 {
			busy = append(busy, receiver)
		} else {
			most = min(most, r.each-n)
		}
	}
	return most, busy
}

func (g *Gateway) claimCallbacks(ctx context.Context, free, share int, busy []string) ([]payout.Callback, error) {
	if free <= 0 {
		return nil, nil
	}
	now := g.Now()
	due, err := g.DB.NextCallbackDue(ctx)
	if err != nil || due.IsZero() || due.After(now) {
		return nil, ignoreEnd(ctx, err)
	}
	return g.DB.ClaimCallbacks(now, g.Settings.callbackTimeout()+15*time.Second, free, share, busy)
}

// idleCallbacks waits until there may be something to deliver.
func (g *Gateway) idleCallbacks(ctx context.Context, freed <-chan struct{}, byDue bool) {
	wait := idleMost
	if byDue {
		if due, err := g.DB.NextCallbackDue(ctx); err == nil && !due.IsZero() {
			wait = min(wait, max(due.Sub(g.Now()), idleLeast))
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
// else is tried again by the timetable.
func (g *Gateway) deliver(c payout.Callback) error {
	ctx, cancel := context.WithTimeout(context.Background(), g.Settings.callbackTimeout())
	defer cancel()
	g.delivering.Add(1)
	defer g.delivering.Add(-1)
	ctx, ended := g.traceDelivery(ctx, c)
	started := g.Now()
	result := callback.Result{Error: "the callback could not be made"}
	switch message, err := g.message(ctx, c.OrderID); {
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

// message is the content of an order's callback.
func (g *Gateway) message(ctx context.Context, id payout.OrderID) (callback.Message, error) {
	order, err := g.DB.Order(ctx, id)
	if err != nil {
		return callback.Message{}, err
	}
	s, err := g.StandingOf(ctx, order)
	if err != nil {
		return callback.Message{}, err
	}
	text := func(p *spec.Param) string { return order.Params[p.Name] }
	customer, card := CustomerOf(order), order.Card()
	m := callback.Message{
		Status: order.Stage.Status(), OrderID: order.ID, ClientOrderID: order.ClientOrderID, Type: order.Type,
		Amount: order.Amount, ErrorCode: order.ErrorCode, ErrorMessage: order.ErrorMessage,
		Name:  cmp.Or(text(spec.AccountName), text(spec.CardPrintedName), strings.TrimSpace(customer.FirstName+" "+customer.LastName)),
		Email: customer.Email, Phone: customer.Phone, MerchantData: text(spec.MerchantData),
		Charged: order.Type.Charges(), CardBIN: card.BIN(), CardLastFour: card.LastFour(), CardType: string(card.Brand()),
		Cardholder: text(spec.CardPrintedName),
	}
	party := g.Directory().Parties[order.PartyID]
	if party == nil {
		return m, fmt.Errorf("order %s belongs to a party that is not known", id)
	}
	m.ControlKey = party.ControlKey
	requests, err := g.DB.Requests(ctx, id)
	if err != nil {
		return m, err
	}
	if len(requests) > 0 {
		m.Serial = requests[0].Serial
	}
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
