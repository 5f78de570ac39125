package processortest

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"payout"
	"payout/processor"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// An honestRail keeps every promise. Its receivers' account numbers are the
// names of behaviours.
type honestRail struct {
	mu      sync.Mutex
	deeds   map[string][]Deed
	settled bool
	taken   map[string]string // reference to account number
}

func newHonestRail() *honestRail {
	return &honestRail{deeds: make(map[string][]Deed), taken: make(map[string]string)}
}

// send is Payout and Charge.
func (h *honestRail) send(ctx context.Context, p processor.Payment) processor.Outcome {
	h.mu.Lock()
	defer h.mu.Unlock()
	account := p.Receiver.AccountNumber
	switch {
	case ctx.Err() != nil || account == "refused":
		return processor.Unsent(errors.New("dial: nobody listens"))
	case h.taken[p.Reference] == "closed":
		return no
	}
	h.taken[p.Reference] = account
	switch account {
	case "approved", "late", "cut, paid":
		h.pay(p)
	}
	switch account {
	case "late":
		<-ctx.Done()
		return processor.Lost(ctx.Err())
	case "cut, paid", "cut, unpaid", "nonsense":
		return processor.Lost(errors.New("no answer"))
	case "accepted, paid", "accepted, declined":
		return processor.Accepted("tx")
	}
	return h.know(p)
}

func (h *honestRail) Status(_ context.Context, p processor.Payment) processor.Outcome {
	h.mu.Lock()
	defer h.mu.Unlock()
	account, known := h.taken[p.Reference]
	switch {
	case !known:
		h.taken[p.Reference] = "closed"
	case account == "accepted, paid" && !h.settled, account == "accepted, declined" && !h.settled:
		return processor.Accepted("tx")
	case account == "accepted, paid" && len(h.deeds[p.Reference]) == 0:
		h.pay(p)
	}
	return h.know(p)
}

func (h *honestRail) pay(p processor.Payment) {
	h.deeds[p.Reference] = append(h.deeds[p.Reference], Deed{p.Type, p.Amount})
}

func (h *honestRail) know(p processor.Payment) processor.Outcome {
	if len(h.deeds[p.Reference]) > 0 {
		return processor.Approved("tx")
	}
	switch h.taken[p.Reference] {
	case "declined", "accepted, declined":
		return no
	case "next":
		return processor.DeclinedTryNext(payout.CodeDeclined, "Not here")
	}
	return processor.Broken(payout.CodeUnknownToRail, "Unknown")
}

func (h *honestRail) Check(_ context.Context, p processor.Payment) processor.Outcome {
	if p.Receiver.AccountNumber == "check declined" {
		return processor.Declined(payout.CodeCheckDeclined, "No")
	}
	return processor.Approved("")
}

func (h *honestRail) paid(reference string) []Deed {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.deeds[reference]
}

// A liar is a connector to an honest rail with some methods told differently.
type liar struct {
	*honestRail
	send, status, check method
}

func (l liar) Payout(ctx context.Context, p processor.Payment) processor.Outcome {
	return or(l.send, l.honestRail.send)(ctx, p)
}

func (l liar) Charge(ctx context.Context, p processor.Payment) processor.Outcome {
	return or(l.send, l.honestRail.send)(ctx, p)
}

func (l liar) Status(ctx context.Context, p processor.Payment) processor.Outcome {
	return or(l.status, l.honestRail.Status)(ctx, p)
}

func (l liar) Check(ctx context.Context, p processor.Payment) processor.Outcome {
	return or(l.check, l.honestRail.Check)(ctx, p)
}

func or(m, otherwise method) method {
	if m == nil {
		return otherwise
	}
	return m
}

func railOf(h *honestRail, p processor.Processor) Rail {
	to := func(account string) Behaviour {
		return Behaviour{Receiver: processor.Receiver{AccountNumber: account, Card: "4444555566661111", CardName: "JOHN SMITH"}, CardCode: "123"}
	}
	settling := func(account string) Behaviour {
		b := to(account)
		b.Prepare = func() { h.settle(false) }
		b.Settle = func() { h.settle(true) }
		return b
	}
	all := Behaviours{
		Approve: to("approved"), Decline: to("declined"), DeclineTryNext: to("next"), Break: to("broken"),
		AcceptApprove: settling("accepted, paid"), AcceptDecline: settling("accepted, declined"), Refuse: to("refused"),
		CutPaid: to("cut, paid"), CutUnpaid: to("cut, unpaid"), Late: to("late"), Nonsense: to("nonsense"),
		Twice: to("approved"), CheckApprove: to("approved"), CheckDecline: to("check declined")}
	return Rail{Processor: p, Amount: payout.Amount{Minor: 1042, Currency: "USD"}, At: time.Unix(1_700_000_000, 0), Paid: h.paid,
		Payouts: all, Charges: map[payout.TransactionType]Behaviours{
			payout.TypeSale: all, payout.TypePreauth: all, payout.TypeAccountVerification: all}}
}

func (h *honestRail) settle(done bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.settled = done
}

func TestHonestRailPasses(t *testing.T) {
	h := newHonestRail()
	Run(t, railOf(h, liar{honestRail: h}))
}

func TestRailWithoutBooksPasses(t *testing.T) {
	h := newHonestRail()
	rail := railOf(h, liar{honestRail: h})
	rail.Paid = nil
	Run(t, rail)
}

func TestConnectorThatOnlyPaysPasses(t *testing.T) {
	h := newHonestRail()
	rail := railOf(h, struct{ processor.Processor }{liar{honestRail: h}})
	rail.Charges, rail.Payouts.CheckApprove, rail.Payouts.CheckDecline = nil, Behaviour{Skip: "no check"}, Behaviour{Skip: "no check"}
	Run(t, rail)
}

// always answers the same.
func always(o processor.Outcome) method {
	return func(context.Context, processor.Payment) processor.Outcome { return o }
}

var (
	no        = processor.Declined(payout.CodeDeclined, "No")
	unlearned = processor.Broken(payout.CodeUnknownToRail, "Unknown")
	noAnswer  = processor.Lost(errors.New("no answer"))
)

// A lie makes a liar out of an honest rail, and names the rule that must fail.
type lie struct {
	lie  string
	make func(*honestRail) liar
	rule string
}

func sends(o processor.Outcome) func(*honestRail) liar {
	return func(*honestRail) liar { return liar{send: always(o)} }
}

func asks(o processor.Outcome) func(*honestRail) liar {
	return func(*honestRail) liar { return liar{status: always(o)} }
}

func checks(o processor.Outcome) func(*honestRail) liar {
	return func(*honestRail) liar { return liar{check: always(o)} }
}

// sendsOther sends what it has changed.
func sendsOther(change func(*processor.Payment)) func(*honestRail) liar {
	return func(h *honestRail) liar {
		return liar{send: func(ctx context.Context, p processor.Payment) processor.Outcome {
			change(&p)
			return h.send(ctx, p)
		}}
	}
}

// sendsAgain sends again when it has no answer, or always.
func sendsAgain(always bool) func(*honestRail) liar {
	return func(h *honestRail) liar {
		return liar{send: func(ctx context.Context, p processor.Payment) processor.Outcome {
			if o := h.send(ctx, p); o.Result != processor.ResultLost && !always {
				return o
			}
			return h.send(ctx, p)
		}}
	}
}

// lies break each promise.
var lies = []lie{
	{"the zero Outcome", sends(processor.Outcome{}), "nonsense is lost"},
	{"a Result of its own", sends(processor.Outcome{Result: "maybe"}), "nonsense is lost"},
	{"Lost without a cause", sends(processor.Lost(nil)), "nonsense is lost"},
	{"nonsense is declined", sends(no), "nonsense is lost"},
	{"a late answer is guessed", sends(processor.Approved("tx")), "a late answer is lost when the context ends"},
	{"a cut line is declined", sends(no), "a cut line is lost, and never approved if not paid"},
	{"a cut line is unsent", func(h *honestRail) liar {
		return liar{send: func(ctx context.Context, p processor.Payment) processor.Outcome {
			if o := h.send(ctx, p); o.Result != processor.ResultLost {
				return o
			}
			return processor.Unsent(errors.New("EOF"))
		}}
	}, "a cut line is lost, and the truth is found out if paid"},
	{"after a cut line it is sent again", sendsAgain(false), "a cut line is lost, and the truth is found out if paid"},
	{"it is sent twice", sendsAgain(true), "an approved payment is paid once and stays approved"},
	{"two answers are two payments", sendsAgain(true), "two answers are one payment"},
	{"of many, each is sent twice", sendsAgain(true), "many payments at once are each paid once"},
	{"another type is sent", sendsOther(func(p *processor.Payment) { p.Type = payout.TypeTransfer }), "an approved payment is paid once and stays approved"},
	{"another amount is sent", sendsOther(func(p *processor.Payment) { p.Amount.Minor++ }), "an approved payment is paid once and stays approved"},
	{"a refused connection is lost", sends(noAnswer), "a refused connection is unsent"},
	{"a decline with a code of refused parameters", sends(processor.Declined(payout.CodeRequired, "No")), "a declined payment is never paid"},
	{"a decline with a code that does not exist", sends(processor.Declined(1099, "No")), "a declined payment is never paid"},
	{"a decline that pays", func(h *honestRail) liar {
		return liar{send: func(_ context.Context, p processor.Payment) processor.Outcome {
			h.mu.Lock()
			defer h.mu.Unlock()
			h.pay(p)
			return no
		}}
	}, "a declined payment is never paid"},
	{"a text with the account number", sends(processor.Declined(payout.CodeDeclined, "No account declined here")), "a declined payment is never paid"},
	{"a text with the card number", sends(processor.Declined(payout.CodeDeclined, "No card 4444555566661111")), "a declined payment is never paid"},
	{"a text with the holder", sends(processor.Declined(payout.CodeDeclined, "No such John Smith")), "a declined payment is never paid"},
	{"a cause with the card number", sends(processor.Lost(errors.New("POST /?pan=4444555566661111: EOF"))), "nonsense is lost"},
	{"a decline that breaks", sends(no), "a broken payment is never paid"},
	{"TryNext is forgotten", sends(no), "a decline for this gate alone says so"},
	{"what is accepted is told as lost", sends(noAnswer), "an accepted payment that is declined is never paid"},
	{"what is accepted stays so", asks(processor.Accepted("tx")), "an accepted payment is paid once when decided"},
	{"Status pays", func(h *honestRail) liar {
		return liar{status: func(ctx context.Context, p processor.Payment) processor.Outcome {
			h.send(ctx, p)
			return h.Status(ctx, p)
		}}
	}, "an approved payment is paid once and stays approved"},
	{"Status answers another TxID", asks(processor.Approved("other")), "an approved payment is paid once and stays approved"},
	{"Status answers Unsent", asks(processor.Unsent(errors.New("dial: nobody listens"))), "an approved payment is paid once and stays approved"},
	{"Status guesses at the end", asks(no), "an ended context ends Status"},
	{"an unknown reference is approved", asks(processor.Approved("tx")), "an unknown reference is neither approved nor accepted nor paid"},
	{"an unknown reference is accepted", asks(processor.Accepted("tx")), "an unknown reference is neither approved nor accepted nor paid"},
	{"an unknown reference is refused and then paid", asks(unlearned), "what is refused before it is sent is never paid"},
	{"what is on its way is refused", asks(unlearned), "what is refused while it is sent is never paid"},
	{"it is sent after the end and denied", func(h *honestRail) liar {
		return liar{send: func(_ context.Context, p processor.Payment) processor.Outcome {
			h.send(context.Background(), p)
			return processor.Unsent(errors.New("too late"))
		}}
	}, "an ended context ends Payout and Charge"},
	{"Check pays", func(h *honestRail) liar { return liar{check: h.send} }, "a confirmed check pays nothing"},
	{"Check confirms all", checks(processor.Approved("")), "a declined check pays nothing"},
	{"Check breaks", checks(processor.Broken(payout.CodeProcessorError, "Broken")), "a declined check pays nothing"},
	{"Check guesses at the end", checks(no), "an ended context ends Check"},
}

// chargeLies are those that only a charge can be told.
var chargeLies = []lie{
	{"a text with the card code", sends(processor.Declined(payout.CodeDeclined, "No: cvv2=123")), "a declined payment is never paid"},
	{"a cause with the card code", sends(processor.Lost(errors.New(`POST {"cvv2":"123"}: EOF`))), "nonsense is lost"},
	{"Status quotes the card code", asks(processor.Broken(payout.CodeProcessorError, "No: 123")), "a broken payment is never paid"},
	{"Status wants the card code", func(h *honestRail) liar {
		return liar{status: func(ctx context.Context, p processor.Payment) processor.Outcome {
			if p.CardCode == "" {
				return noAnswer
			}
			return h.Status(ctx, p)
		}}
	}, "an approved payment is paid once and stays approved"},
}

func TestLiarsAreCaught(t *testing.T) {
	for _, kind := range kinds {
		told := lies
		if kind.Charges() {
			told = slices.Concat(lies, chargeLies)
		}
		for _, r := range (&battery{kind: kind}).rules() {
			if !slices.ContainsFunc(told, func(l lie) bool { return l.rule == r.name }) {
				t.Errorf("%s: no lie breaks the rule %q", kind, r.name)
			}
			for _, l := range told {
				if l.rule == r.name {
					t.Run(string(kind)+": "+l.lie, func(t *testing.T) { mustFail(t, r, kind, l) })
				}
			}
		}
	}
}

func mustFail(t *testing.T, r rule, kind payout.TransactionType, told lie) {
	h := newHonestRail()
	l := told.make(h)
	l.honestRail = h
	b := newBattery(railOf(h, l))
	b.kind = kind
	err := b.try(r)
	var skipped skip
	if err == nil || errors.As(err, &skipped) {
		t.Fatalf("the rule %q lets it pass: %v", r.name, err)
	}
	t.Log(err)
}

func TestLiesNameRules(t *testing.T) {
	for _, l := range slices.Concat(lies, chargeLies) {
		if !slices.ContainsFunc(newBattery(Rail{}).rules(), func(r rule) bool { return r.name == l.rule }) {
			t.Errorf("%s: there is no rule %q", l.lie, l.rule)
		}
	}
}

func TestCallThatDoesNotReturnIsCaught(t *testing.T) {
	h := newHonestRail()
	released := make(chan struct{})
	defer close(released)
	hangs := func(context.Context, processor.Payment) processor.Outcome {
		<-released
		return no
	}
	b := newBattery(railOf(h, liar{honestRail: h, send: hangs}))
	b.patience = time.Millisecond
	if err := checkLate(b, b.Payouts.Late); err == nil {
		t.Error("a Payout that does not return is let pass")
	}
}

func TestMissingBehaviourNeedsReason(t *testing.T) {
	h := newHonestRail()
	b := newBattery(railOf(h, liar{honestRail: h}))
	b.Payouts.Twice = Behaviour{}
	r := rules[slices.IndexFunc(rules, func(r rule) bool { return r.name == "two answers are one payment" })]
	err := b.try(r)
	var skipped skip
	if err == nil || errors.As(err, &skipped) {
		t.Errorf("missing behaviour: got %v, want an error", err)
	}
	b.Payouts.Twice.Skip = "it cannot"
	if err := b.try(r); !errors.As(err, &skipped) || string(skipped) != "it cannot" {
		t.Errorf("behaviour with a reason: got %v, want the reason", err)
	}
}

func TestChargeNeedsCardNameAndCode(t *testing.T) {
	h := newHonestRail()
	b := newBattery(railOf(h, liar{honestRail: h}))
	b.kind = payout.TypeSale
	whole := b.Charges[b.kind].Approve
	for what, change := range map[string]func(*Behaviour){
		"card": func(w *Behaviour) { w.Receiver.Card = "" },
		"name": func(w *Behaviour) { w.Receiver.CardName = "" },
		"code": func(w *Behaviour) { w.CardCode = "" },
	} {
		wanted := whole
		change(&wanted)
		b.Charges[b.kind] = Behaviours{Approve: wanted}
		if err := b.try(rules[0]); err == nil {
			t.Errorf("a charge without a %s is let pass", what)
		}
	}
}

func TestLeakIsSeenThroughPunctuation(t *testing.T) {
	p := processor.Payment{CardCode: "123", Receiver: processor.Receiver{AccountNumber: "GB40817810099910004312", Phone: "79031234567",
		Card: "4444555566661111", CardName: "John Smith"}}
	for text, want := range map[string]string{
		"account GB40817810099910004312 is closed": "account number",
		"account gb408178 10099 91000 4312":        "account number",
		"no such phone 79031234567":                "phone",
		"no such phone 8 (903) 123-45-67":          "phone",
		"card 4444-5555-6666-1111":                 "card number",
		"JOHN SMITH has no such card":              "card holder",
		"cvv2=123&amount":                          "card code",
		`{"cvv2":"123"}`:                           "card code",
		"123":                                      "card code",
		"card 444455******1111 of Johnny Smithson": "",
		"account ending in 4312, phone in 4567":    "",
		"PNTEST-6982864 was refused by the bank.":  "",
		"PNTEST-10123, 123f-a123, 533123449626":    "",
	} {
		if got := leaked(p, text); got != want {
			t.Errorf("leaked(%q) = %q, want %q", text, got, want)
		}
	}
	for _, text := range []string{"", " ", "no"} {
		if got := leaked(processor.Payment{}, text); got != "" {
			t.Errorf("leaked(%q) of nothing = %q", text, got)
		}
	}
}
