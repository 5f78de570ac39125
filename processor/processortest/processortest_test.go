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
	paid    map[string]int
	settled bool
	taken   map[string]string // reference to account number
}

func newHonestRail() *honestRail {
	return &honestRail{paid: make(map[string]int), taken: make(map[string]string)}
}

func (h *honestRail) Payout(ctx context.Context, p processor.Payment) processor.Outcome {
	h.mu.Lock()
	defer h.mu.Unlock()
	account := p.Receiver.AccountNumber
	if ctx.Err() != nil || account == "refused" {
		return processor.Unsent(errors.New("dial: nobody listens"))
	}
	h.taken[p.Reference] = account
	switch account {
	case "approved", "late", "cut, paid":
		h.paid[p.Reference]++
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
	account := h.taken[p.Reference]
	switch {
	case account == "accepted, paid" && !h.settled, account == "accepted, declined" && !h.settled:
		return processor.Accepted("tx")
	case account == "accepted, paid" && h.paid[p.Reference] == 0:
		h.paid[p.Reference]++
	}
	return h.know(p)
}

func (h *honestRail) know(p processor.Payment) processor.Outcome {
	if h.paid[p.Reference] > 0 {
		return processor.Approved("tx")
	}
	switch h.taken[p.Reference] {
	case "declined", "accepted, declined":
		return processor.Declined(payout.CodeDeclined, "No")
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

func (h *honestRail) count(reference string) int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.paid[reference]
}

// A liar is an honest rail with some methods told differently.
type liar struct {
	*honestRail
	payout, status, check method
}

func (l liar) Payout(ctx context.Context, p processor.Payment) processor.Outcome {
	return or(l.payout, l.honestRail.Payout)(ctx, p)
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
		return Behaviour{Receiver: processor.Receiver{AccountNumber: account}}
	}
	settling := func(account string) Behaviour {
		b := to(account)
		b.Prepare = func() { h.settle(false) }
		b.Settle = func() { h.settle(true) }
		return b
	}
	return Rail{Processor: p, Amount: payout.Amount{Minor: 1042, Currency: "USD"}, At: time.Unix(1_700_000_000, 0), Paid: h.count,
		Approve: to("approved"), Decline: to("declined"), DeclineTryNext: to("next"), Break: to("broken"),
		AcceptApprove: settling("accepted, paid"), AcceptDecline: settling("accepted, declined"), Refuse: to("refused"),
		CutPaid: to("cut, paid"), CutUnpaid: to("cut, unpaid"), Late: to("late"), Nonsense: to("nonsense"),
		Twice: Behaviour{Skip: "the honest rail answers once"}, CheckApprove: to("approved"), CheckDecline: to("check declined")}
}

func (h *honestRail) settle(done bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.settled = done
}

func TestHonestRailPasses(t *testing.T) {
	h := newHonestRail()
	Run(t, railOf(h, h))
}

func TestRailWithoutBooksPasses(t *testing.T) {
	h := newHonestRail()
	rail := railOf(h, h)
	rail.Paid = nil
	Run(t, rail)
}

// always answers the same.
func always(o processor.Outcome) method {
	return func(context.Context, processor.Payment) processor.Outcome { return o }
}

var no = processor.Declined(payout.CodeDeclined, "No")

// lies break each promise once; each names the rule that must fail.
var lies = []struct {
	lie  string
	make func(*honestRail) liar
	rule string
}{
	{"the zero Outcome", func(*honestRail) liar { return liar{payout: always(processor.Outcome{})} }, "nonsense is lost"},
	{"a Result of its own", func(*honestRail) liar { return liar{payout: always(processor.Outcome{Result: "maybe"})} }, "nonsense is lost"},
	{"Lost without a cause", func(*honestRail) liar { return liar{payout: always(processor.Lost(nil))} }, "nonsense is lost"},
	{"nonsense is declined", func(*honestRail) liar { return liar{payout: always(no)} }, "nonsense is lost"},
	{"a cut line is declined", func(*honestRail) liar { return liar{payout: always(no)} }, "a cut line is lost, and never approved if not paid"},
	{"a cut line is unsent", func(h *honestRail) liar {
		return liar{payout: func(ctx context.Context, p processor.Payment) processor.Outcome {
			if o := h.Payout(ctx, p); o.Result != processor.ResultLost {
				return o
			}
			return processor.Unsent(errors.New("EOF"))
		}}
	}, "a cut line is lost, and the truth is found out if paid"},
	{"a refused connection is lost", func(*honestRail) liar {
		return liar{payout: always(processor.Lost(errors.New("dial: nobody listens")))}
	}, "a refused connection is unsent"},
	{"a decline with a code of refused parameters", func(*honestRail) liar {
		return liar{payout: always(processor.Declined(payout.CodeRequired, "No"))}
	}, "a declined payment is never paid"},
	{"a decline with a code that does not exist", func(*honestRail) liar {
		return liar{payout: always(processor.Declined(1099, "No"))}
	}, "a declined payment is never paid"},
	{"a decline that pays", func(h *honestRail) liar {
		return liar{payout: func(_ context.Context, p processor.Payment) processor.Outcome {
			h.mu.Lock()
			defer h.mu.Unlock()
			h.paid[p.Reference]++
			return no
		}}
	}, "a declined payment is never paid"},
	{"a text with the account number", func(*honestRail) liar {
		return liar{payout: always(processor.Declined(payout.CodeDeclined, "No account declined here"))}
	}, "a declined payment is never paid"},
	{"TryNext is forgotten", func(*honestRail) liar { return liar{payout: always(no)} }, "a decline for this gate alone says so"},
	{"Status pays", func(h *honestRail) liar {
		return liar{status: func(ctx context.Context, p processor.Payment) processor.Outcome {
			h.Payout(ctx, p)
			return h.Status(ctx, p)
		}}
	}, "an approved payment is paid once and stays approved"},
	{"Status answers another TxID", func(*honestRail) liar { return liar{status: always(processor.Approved("other"))} }, "an approved payment is paid once and stays approved"},
	{"Status answers Unsent", func(*honestRail) liar {
		return liar{status: always(processor.Unsent(errors.New("dial: nobody listens")))}
	}, "an approved payment is paid once and stays approved"},
	{"an unknown reference is approved", func(*honestRail) liar { return liar{status: always(processor.Approved("tx"))} }, "an unknown reference is neither approved nor accepted nor paid"},
	{"an unknown reference is accepted", func(*honestRail) liar { return liar{status: always(processor.Accepted("tx"))} }, "an unknown reference is neither approved nor accepted nor paid"},
	{"Payout sends after the end and denies it", func(h *honestRail) liar {
		return liar{payout: func(_ context.Context, p processor.Payment) processor.Outcome {
			h.Payout(context.Background(), p)
			return processor.Unsent(errors.New("too late"))
		}}
	}, "an ended context ends Payout"},
	{"Check pays", func(h *honestRail) liar { return liar{check: h.Payout} }, "a confirmed check pays nothing"},
	{"Check confirms all", func(*honestRail) liar { return liar{check: always(processor.Approved(""))} }, "a declined check pays nothing"},
	{"Check breaks", func(*honestRail) liar {
		return liar{check: always(processor.Broken(payout.CodeProcessorError, "Broken"))}
	}, "a declined check pays nothing"},
}

func TestLiarsAreCaught(t *testing.T) {
	for _, tt := range lies {
		t.Run(tt.lie, func(t *testing.T) {
			h := newHonestRail()
			l := tt.make(h)
			l.honestRail = h
			b := &battery{Rail: railOf(h, l), patience: patience}
			i := slices.IndexFunc(rules, func(r rule) bool { return r.name == tt.rule })
			if i < 0 {
				t.Fatalf("there is no rule %q", tt.rule)
			}
			err := b.try(rules[i])
			var skipped skip
			if err == nil || errors.As(err, &skipped) {
				t.Fatalf("the rule %q lets it pass: %v", tt.rule, err)
			}
			t.Log(err)
		})
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
	b := &battery{Rail: railOf(h, liar{honestRail: h, payout: hangs}), patience: time.Millisecond}
	if err := checkLate(b, b.Late); err == nil {
		t.Error("a Payout that does not return is let pass")
	}
}

func TestMissingBehaviourNeedsReason(t *testing.T) {
	h := newHonestRail()
	rail := railOf(h, h)
	rail.Twice = Behaviour{}
	b := &battery{Rail: rail, patience: patience}
	r := rules[slices.IndexFunc(rules, func(r rule) bool { return r.name == "two answers are one payment" })]
	err := b.try(r)
	var skipped skip
	if err == nil || errors.As(err, &skipped) {
		t.Errorf("missing behaviour: got %v, want an error", err)
	}
	b.Twice.Skip = "it cannot"
	if err := b.try(r); !errors.As(err, &skipped) || string(skipped) != "it cannot" {
		t.Errorf("behaviour with a reason: got %v, want the reason", err)
	}
}

func TestLeakIsSeenThroughPunctuation(t *testing.T) {
	r := processor.Receiver{AccountNumber: "40817810099910004312", Phone: "79031234567"}
	for text, want := range map[string]string{
		"account 40817810099910004312 is closed":  "account number",
		"account 408178 10099 91000 4312":         "account number",
		"no such phone 79031234567":               "phone",
		"no such phone 8 (903) 123-45-67":         "phone",
		"account ending in 4312, phone in 4567":   "",
		"PNTEST-6982864 was refused by the bank.": "",
	} {
		if got := leaked(r, text); got != want {
			t.Errorf("leaked(%q) = %q, want %q", text, got, want)
		}
	}
}
