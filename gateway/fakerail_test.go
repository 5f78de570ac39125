package gateway_test

import (
	"context"
	"errors"
	"time"

	"payout"
	"payout/processor"
)

// A fakeRail is a rail of the simulation. It pays whatever it is told, as often
// as it is told, unless it has refused the reference before.
type fakeRail struct {
	w     *world
	known map[string]*railPayment // by reference
	paid  map[payout.OrderID]int
}

// A railPayment is what the rail knows of a reference.
type railPayment struct {
	state  railState
	amount payout.Amount
	order  payout.OrderID
	decide time.Time // of an accepted one
	pays   bool      // how an accepted one is decided
}

type railState int

const (
	railPaid railState = iota
	railDeclined
	railTryNext
	railBroken
	railAccepted
	railClosed // asked about before it was known: it is never paid
)

var errLine = errors.New("the line was cut")

func (r *fakeRail) pay(p processor.Payment) {
	if known := r.known[p.Reference]; known != nil && known.state == railClosed {
		return
	}
	if want := r.w.cards[p.OrderID]; p.Receiver.Card != want {
		r.w.note("order " + p.OrderID.String() + " was paid to another card than its own")
	}
	if sent := r.w.sent[p.OrderID]; sent != "" && p.Receiver.AccountNumber != sent {
		r.w.note("order " + p.OrderID.String() + " was paid to another account than the Receiver's")
	}
	r.known[p.Reference] = &railPayment{state: railPaid, amount: p.Amount, order: p.OrderID}
	r.paid[p.OrderID]++
}

func (r *fakeRail) note(p processor.Payment, s railState) {
	r.known[p.Reference] = &railPayment{state: s, amount: p.Amount, order: p.OrderID}
}

// Payout does what the dice say.
func (r *fakeRail) Payout(ctx context.Context, p processor.Payment) processor.Outcome {
	w := r.w
	switch {
	case w.chance(0.05):
		w.saw("killed before paying")
		panic("killed")
	case w.chance(0.05):
		r.pay(p)
		w.saw("killed after paying")
		panic("killed")
	case w.chance(0.06):
		r.pay(p)
		w.saw("lost, paid")
		return processor.Lost(errLine)
	case w.chance(0.06):
		w.saw("lost, not paid")
		return processor.Lost(errLine)
	case w.chance(0.1):
		return processor.Unsent(errLine)
	case w.chance(0.05):
		r.pay(p)
		r.stall()
		w.saw("stalled, paid, asked meanwhile")
	case w.chance(0.05):
		r.stall()
		if r.known[p.Reference] != nil { // closed by the question meanwhile
			w.saw("stalled, asked meanwhile, refused")
		}
		r.pay(p)
	case w.chance(0.1):
		r.note(p, railDeclined)
	case w.chance(0.1):
		r.note(p, railTryNext)
	case w.chance(0.05):
		r.note(p, railBroken)
	case w.chance(0.2):
		r.known[p.Reference] = &railPayment{state: railAccepted, amount: p.Amount, order: p.OrderID,
			decide: w.now.Add(time.Duration(w.dice.IntN(300)) * time.Second), pays: w.dice.IntN(3) > 0}
	default:
		r.pay(p)
	}
	return r.answer(p)
}

// Charge is Payout the other way round.
func (r *fakeRail) Charge(ctx context.Context, p processor.Payment) processor.Outcome {
	if p.CardCode.Reveal() != "123" || p.Type != payout.TypeSale {
		r.w.note("order " + p.OrderID.String() + " was charged without its card code")
	}
	r.w.saw("card charged")
	return r.Payout(ctx, p)
}

// stall lets the caller's lease end, and the other node work meanwhile.
func (r *fakeRail) stall() {
	w := r.w
	w.now = w.now.Add(2 * time.Minute)
	for _, n := range w.nodes {
		if _, err := n.WorkDue(w.t.Context()); err != nil {
			w.t.Error(err)
		}
	}
}

// Status tells the truth, when it answers.
func (r *fakeRail) Status(ctx context.Context, p processor.Payment) processor.Outcome {
	switch {
	case r.w.chance(0.05):
		r.w.saw("killed while asking")
		panic("killed")
	case r.w.chance(0.3):
		r.w.saw("question unanswered")
		return processor.Lost(errLine)
	}
	if r.known[p.Reference] == nil {
		r.note(p, railClosed)
	}
	return r.answer(p)
}

// answer is the truth about a reference.
func (r *fakeRail) answer(p processor.Payment) processor.Outcome {
	known := r.known[p.Reference]
	if known.state == railAccepted && !r.w.now.Before(known.decide) {
		known.state = railDeclined
		if known.pays {
			known.state = railPaid
			r.paid[p.OrderID]++
		}
	}
	switch known.state {
	case railPaid:
		return processor.Approved("tx-" + p.Reference)
	case railAccepted:
		return processor.Accepted("tx-" + p.Reference)
	case railDeclined:
		return processor.Declined(payout.CodeDeclined, "")
	case railTryNext:
		return processor.DeclinedTryNext(payout.CodeDeclined, "")
	}
	return processor.Broken(payout.CodeUnknownToRail, "")
}

// Check confirms, asks for patience, or declines.
func (r *fakeRail) Check(ctx context.Context, p processor.Payment) processor.Outcome {
	switch {
	case r.w.chance(0.2):
		return processor.Accepted("")
	case r.w.chance(0.1):
		return processor.Lost(errLine)
	case r.w.chance(0.1):
		return processor.Declined(payout.CodeCheckDeclined, "")
	}
	return processor.Approved("")
}
