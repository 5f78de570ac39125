// Package processortest is the battery that every connector must pass. It
// checks the promises of package processor, which the gateway stakes money on:
// a connector's test describes its rail and calls Run.
package processortest

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"payout"
	"payout/processor"
)

const (
	patience     = 5 * time.Second        // with a call
	lateDeadline = 100 * time.Millisecond // of a call whose answer is late
	many         = 8                      // calls at the same moment
	firstOrder   = 10_000                 // more digits than a card code, which must not be found in ids
)

// A Rail describes a connector and the rail behind it, which is the real thing's
// test system or a fake that the test controls.
type Rail struct {
	// Processor is the connector. If it is a processor.Checker or a
	// processor.Acquirer too, its Check or Charge is tested as well.
	Processor processor.Processor

	Settings map[string]string // of the gate
	Amount   payout.Amount     // of every payment that has one
	At       time.Time         // the gateway's clock

	// FirstOrder is the id of the first order; the next ones follow. It matters
	// to a rail that remembers earlier runs. 0 means 10000.
	FirstOrder payout.OrderID

	// Paid lists what the rail has done under a reference, by the rail's own books
	// and not the connector's. nil when a rail cannot tell: the rules are then
	// tested by the connector's answers alone.
	Paid func(reference string) []Deed

	Payouts Behaviours
	Charges map[payout.TransactionType]Behaviours // of each type that charges; for a processor.Acquirer
}

// A Deed is a payment, charge, hold or verification in the books of a rail.
type Deed struct {
	Type   payout.TransactionType
	Amount payout.Amount
}

// String is such as "sale of 10.42 USD".
func (d Deed) String() string {
	return fmt.Sprintf("%s of %s %s", d.Type, d.Amount, d.Amount.Currency)
}

// Behaviours are how to have a rail behave. What it cannot do says so in Skip.
// To pay is here also to charge, to hold or to verify, as the type wants.
type Behaviours struct {
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
	CheckApprove   Behaviour // confirms a payout-check; for payouts of a processor.Checker
	CheckDecline   Behaviour // declines a payout-check; for payouts of a processor.Checker
}

// A Behaviour is how to have a rail behave in one way. Either Receiver or
// Prepare is given, or both, or Skip says why there is neither. A charge always
// has a Receiver with Card and CardName, and a CardCode.
type Behaviour struct {
	Receiver processor.Receiver
	CardCode payout.Secret
	Settings map[string]string // of the gate; nil means the Rail's
	Attempt  int               // of the payment; 0 means 1
	Prepare  func()            // called before the payment is sent; may be nil
	Settle   func()            // makes the rail's time for deciding pass; may be nil
	Skip     string            // why the rail cannot be made to behave so
}

// Run tests the connector. What the rail cannot do is skipped with its reason;
// a behaviour that is missing without a reason fails.
func Run(t *testing.T, rail Rail) {
	b := newBattery(rail)
	if rail.Paid == nil {
		t.Log("payments are not counted: Rail.Paid is nil")
	}
	for _, b.kind = range kinds {
		t.Run(string(b.kind), func(t *testing.T) {
			if _, ok := rail.Processor.(processor.Acquirer); b.kind.Charges() && !ok {
				t.Skip("the connector is no processor.Acquirer")
			}
			for _, r := range b.rules() {
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
		})
	}
}

// kinds are the types of transactions that the rules are tested with.
var kinds = []payout.TransactionType{payout.TypePayout, payout.TypeSale, payout.TypePreauth, payout.TypeAccountVerification}

// A skip is the reason why a rule was not tested.
type skip string

func (s skip) Error() string { return string(s) }

// A rule is one promise of the seam.
type rule struct {
	name      string
	behaviour func(Behaviours) Behaviour // that it needs
	check     func(*battery, Behaviour) error
}

// A battery is one run.
type battery struct {
	Rail
	kind      payout.TransactionType // of the payments
	patience  time.Duration          // longest time that a call may take
	lastOrder payout.OrderID
}

func newBattery(rail Rail) *battery {
	return &battery{Rail: rail, kind: payout.TypePayout, patience: patience, lastOrder: cmp.Or(rail.FirstOrder, firstOrder) - 1}
}

// rules are those for the battery's type of transaction.
func (b *battery) rules() []rule {
	if b.kind.Charges() {
		return rules
	}
	return slices.Concat(rules, checkRules)
}

// try tests one rule.
func (b *battery) try(r rule) error {
	behaviours := b.Payouts
	if b.kind.Charges() {
		behaviours = b.Charges[b.kind]
	}
	wanted := r.behaviour(behaviours)
	to := wanted.Receiver
	switch {
	case wanted.Skip != "":
		return skip(wanted.Skip)
	case to == (processor.Receiver{}) && wanted.Prepare == nil:
		return errors.New("the rail has no such behaviour: give a Receiver, a Prepare, or in Skip the reason")
	case b.kind.Charges() && (to.Card == "" || to.CardName == "" || wanted.CardCode == ""):
		return errors.New("a charge needs Receiver.Card, Receiver.CardName and CardCode")
	}
	return r.check(b, wanted)
}

// payment makes a payment with a reference of its own.
func (b *battery) payment(wanted Behaviour) processor.Payment {
	b.lastOrder++
	attempt := max(wanted.Attempt, 1)
	p := processor.Payment{Reference: payout.Reference(b.lastOrder, attempt), OrderID: b.lastOrder, Attempt: attempt, Type: b.kind,
		Settings: wanted.Settings, Amount: b.Amount, Description: "Battery", Receiver: wanted.Receiver, CardCode: wanted.CardCode, At: b.At}
	if p.Settings == nil {
		p.Settings = b.Settings
	}
	if p.Type == payout.TypeAccountVerification {
		p.Amount.Minor = 0
	}
	return p
}

// paid checks how often the rail did what the payment asks for, and that it did
// nothing else, if it can tell.
func (b *battery) paid(p processor.Payment, want int) error {
	if b.Paid == nil {
		return nil
	}
	deeds := b.Paid(p.Reference)
	if len(deeds) != want {
		return fmt.Errorf("the rail paid %d times, want %d", len(deeds), want)
	}
	asked := Deed{p.Type, p.Amount}
	for _, deed := range deeds {
		if deed != asked {
			return fmt.Errorf("the rail's books have a %s, want a %s", deed, asked)
		}
	}
	return nil
}
