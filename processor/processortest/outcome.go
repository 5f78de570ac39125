package processortest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"payout"
	"payout/processor"
)

// The results that each method may answer: only the call that sends can know
// that nothing was sent, and a payout-check cannot break.
var (
	payoutResults = []processor.Result{processor.ResultApproved, processor.ResultDeclined, processor.ResultAccepted,
		processor.ResultUnsent, processor.ResultBroken, processor.ResultLost}
	statusResults = []processor.Result{processor.ResultApproved, processor.ResultDeclined, processor.ResultAccepted,
		processor.ResultBroken, processor.ResultLost}
	checkResults = []processor.Result{processor.ResultApproved, processor.ResultDeclined, processor.ResultAccepted,
		processor.ResultUnsent, processor.ResultLost}
)

// A method is Payout, Status or Check.
type method func(context.Context, processor.Payment) processor.Outcome

func (b *battery) payout(ctx context.Context, p processor.Payment, want ...processor.Result) (processor.Outcome, error) {
	return b.called(ctx, "Payout", b.Processor.Payout, p, payoutResults, want)
}

func (b *battery) status(ctx context.Context, p processor.Payment, want ...processor.Result) (processor.Outcome, error) {
	return b.called(ctx, "Status", b.Processor.Status, p, statusResults, want)
}

func (b *battery) check(ctx context.Context, p processor.Payment, want ...processor.Result) (processor.Outcome, error) {
	checker, ok := b.Processor.(processor.Checker)
	if !ok {
		return processor.Outcome{}, skip("the connector is no processor.Checker")
	}
	return b.called(ctx, "Check", checker.Check, p, checkResults, want)
}

// called calls a method, and checks that it returns and that the outcome is
// proper, one that the method may answer, and one of those wanted; none given
// means any.
func (b *battery) called(ctx context.Context, name string, m method, p processor.Payment, may, want []processor.Result) (processor.Outcome, error) {
	answers := make(chan processor.Outcome, 1)
	go func() { answers <- m(ctx, p) }()
	timer := time.NewTimer(b.patience)
	defer timer.Stop()
	var o processor.Outcome
	select {
	case o = <-answers:
	case <-timer.C:
		return o, fmt.Errorf("%s has not returned after %s", name, b.patience)
	}
	if err := proper(p, o); err != nil {
		return o, fmt.Errorf("%s: %w", name, err)
	}
	if !slices.Contains(may, o.Result) {
		return o, fmt.Errorf("%s may not answer %s", name, o.Result)
	}
	if len(want) > 0 && !slices.Contains(want, o.Result) {
		return o, fmt.Errorf("%s answers %s, want one of %v", name, o.Result, want)
	}
	return o, nil
}

// proper checks what is true of every outcome.
func proper(p processor.Payment, o processor.Outcome) error {
	refusal := o.Result == processor.ResultDeclined || o.Result == processor.ResultBroken
	switch {
	case o.Result == "":
		return errors.New("the zero Outcome says nothing about money")
	case !slices.Contains(payoutResults, o.Result):
		return fmt.Errorf("the Result %q does not exist", string(o.Result))
	case refusal && (o.Code.Row().Code != o.Code || o.Code.Row().Kind != payout.KindOutcome):
		return fmt.Errorf("%s has the code %d, which is none of the codes of outcomes", o.Result, o.Code)
	case refusal && o.Text == "":
		return fmt.Errorf("%s has no Text", o.Result)
	case !refusal && o.Code != 0:
		return fmt.Errorf("%s has the code %d; only refusals have one", o.Result, o.Code)
	case o.TryNext && o.Result != processor.ResultDeclined:
		return fmt.Errorf("%s has TryNext; only %s may have it", o.Result, processor.ResultDeclined)
	case (o.Result == processor.ResultUnsent || o.Result == processor.ResultLost) && o.Err == nil:
		return fmt.Errorf("%s has no Err: the log must tell why", o.Result)
	}
	shown := map[string]string{"TxID": o.TxID, "RRN": o.RRN, "ApprovalCode": o.ApprovalCode, "Text": o.Text}
	if o.Err != nil {
		shown["Err"] = o.Err.Error()
	}
	for field, text := range shown {
		if name := leaked(p.Receiver, text); name != "" {
			return fmt.Errorf("%s of %s shows the Receiver's %s", field, o.Result, name)
		}
	}
	return nil
}

// leaked names what a text tells of the Receiver, if anything. A phone number is
// also recognized without its country code, and both without their punctuation.
func leaked(r processor.Receiver, text string) string {
	digits := strings.Map(func(c rune) rune {
		if strings.ContainsRune(" -()+.", c) {
			return -1
		}
		return c
	}, text)
	phone := r.Phone
	if len(phone) > 10 {
		phone = phone[len(phone)-10:]
	}
	for _, secret := range []struct{ name, value string }{{"account number", r.AccountNumber}, {"phone", phone}} {
		if len(secret.value) > 4 && (strings.Contains(text, secret.value) || strings.Contains(digits, secret.value)) {
			return secret.name
		}
	}
	return ""
}
