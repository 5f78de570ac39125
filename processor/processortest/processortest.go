// Package processortest is the battery that every connector must pass. It
// checks the promises of package processor, which the gateway stakes money on:
// a connector's test describes its rail and calls Run.
package processortest

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"payout"
	"payout/processor"
)

const (
	patience     = 5 * time.Second        // with a call
	lateDeadline = 100 * time.Millisecond // of a call whose answer is late
	atOnce       = 8                      // calls at the same moment
)

// A Rail describes a connector and the rail behind it, which is the real thing's
// test system or a fake that the test controls.
type Rail struct {
	// Processor is the connector. If it is a processor.Checker too, its Check is
	// tested as well.
	Processor processor.Processor

	Settings map[string]string // of the gate
	Amount   payout.Amount     // of every payment
	At       time.Time         // the gateway's clock

	// FirstOrder is the id of the first order; the next ones follow. It matters
	// to a rail that remembers earlier runs. 0 means 1.
	FirstOrder payout.OrderID

	// Paid counts the payments that the rail has made under a reference, by the
	// rail's own books and not the connector's. nil when a rail cannot tell: the
	// rules are then tested by the connector's answers alone.
	Paid func(reference string) int

	// How to have the rail behave. What it cannot do says so in Skip.
	Approve        Behaviour // pays and says so
	Decline        Behaviour // refuses
	DeclineTryNext Behaviour // refuses for a reason that another gate need not share
	Break          Behaviour // fails and surely does not pay
	AcceptApprove  Behaviour // accepts; pays when it decides
	AcceptDecline  Behaviour // accepts; refuses when it decides
	Refuse         Behaviour // refuses the connection
	CutPaid        Behaviour // takes the payment and pays; the line is cut before the answer
	CutUnpaid      Behaviour // takes the payment and does not pay; the line is cut before the answer
	Late           Behaviour // takes the payment and answers after more than a second, or never
	Nonsense       Behaviour // answers what the protocol does not know
	Twice          Behaviour // pays once, and says so twice
	CheckApprove   Behaviour // confirms a payout-check; only for a processor.Checker
	CheckDecline   Behaviour // declines a payout-check; only for a processor.Checker
}

// A Behaviour is how to have a rail behave in one way. Either Receiver or
// Prepare is given, or both, or Skip says why there is neither.
type Behaviour struct {
	Receiver processor.Receiver
	Attempt  int    // of the payment; 0 means 1
	Prepare  func() // called before the payment is sent; may be nil
	Settle   func() // makes the rail's time for deciding pass; may be nil
	Skip     string // why the rail cannot be made to behave so
}

// Run tests the connector. What the rail cannot do is skipped with its reason;
// a behaviour that is missing without a reason fails.
func Run(t *testing.T, rail Rail) {
	b := &battery{Rail: rail, patience: patience, lastOrder: max(rail.FirstOrder, 1) - 1}
	if rail.Paid == nil {
		t.Log("payments are not counted: Rail.Paid is nil")
	}
	for _, r := range rules {
		t.Run(r.name, func(t *testing.T) {
			err := b.try(r)
			var skipped skip
			switch {
			case errors.As(err, &skipped):
				t.Skip(string(skipped))
			case err != nil:
				t.Error(err)
			}
		})
	}
}

// A skip is the reason why a rule was not tested.
type skip string

func (s skip) Error() string { return string(s) }

// A rule is one promise of the seam.
type rule struct {
	name      string
	behaviour func(*Rail) *Behaviour // that it needs; nil for none
	check     func(*battery, Behaviour) error
}

// A battery is one run.
type battery struct {
	Rail
	patience  time.Duration // longest time that a call may take
	lastOrder payout.OrderID
}

// try tests one rule.
func (b *battery) try(r rule) error {
	if r.behaviour == nil {
		return r.check(b, Behaviour{})
	}
	wanted := *r.behaviour(&b.Rail)
	if wanted.Skip != "" {
		return skip(wanted.Skip)
	}
	if wanted.Receiver == (processor.Receiver{}) && wanted.Prepare == nil {
		return errors.New("the rail has no such behaviour: give a Receiver, a Prepare, or in Skip the reason")
	}
	return r.check(b, wanted)
}

// payment makes a payment with a reference of its own.
func (b *battery) payment(wanted Behaviour) processor.Payment {
	b.lastOrder++
	attempt := max(wanted.Attempt, 1)
	return processor.Payment{Reference: payout.Reference(b.lastOrder, attempt), OrderID: b.lastOrder, Attempt: attempt,
		Settings: b.Settings, Amount: b.Amount, Description: "Battery", Receiver: wanted.Receiver, At: b.At}
}

// paid checks how often the rail paid, if it can tell.
func (b *battery) paid(p processor.Payment, want int) error {
	if b.Paid == nil {
		return nil
	}
	if got := b.Paid(p.Reference); got != want {
		return fmt.Errorf("the rail paid %d times, want %d", got, want)
	}
	return nil
}
