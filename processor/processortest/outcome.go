package processortest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode"

	"payout"
	"payout/processor"
)

// The results that each method may answer: only the call that sends can know
// that nothing was sent, and a payout-check cannot break.
var (
	sendResults = []processor.Result{processor.ResultApproved, processor.ResultDeclined, processor.ResultAccepted,
		processor.ResultUnsent, processor.ResultBroken, processor.ResultLost}
	statusResults = []processor.Result{processor.ResultApproved, processor.ResultDeclined, processor.ResultAccepted,
		processor.ResultBroken, processor.ResultLost}
	checkResults = []processor.Result{processor.ResultApproved, processor.ResultDeclined, processor.ResultAccepted,
		processor.ResultUnsent, processor.ResultLost}
)

// A method is Payout, Charge, Status or Check.
type method func(context.Context, processor.Payment) processor.Outcome

// pay calls Payout or Charge, as the gateway does.
func (b *battery) pay(ctx context.Context, p processor.Payment, want ...processor.Result) (processor.Outcome, error) {
	if p.Type.Charges() {
		return b.called(ctx, "Charge", b.Processor.(processor.Acquirer).Charge, p, sendResults, want)
	}
	return b.called(ctx, "Payout", b.Processor.Payout, p, sendResults, want)
}

// status calls Status, which is not told the card code.
func (b *battery) status(ctx context.Context, p processor.Payment, want ...processor.Result) (processor.Outcome, error) {
	ask := func(ctx context.Context, p processor.Payment) processor.Outcome {
		p.CardCode = ""
		return b.Processor.Status(ctx, p)
	}
	return b.called(ctx, "Status", ask, p, statusResults, want)
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
	case !slices.Contains(sendResults, o.Result):
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
	shown := map[string]string{"TxID": o.TxID, "RRN": o.RRN, "ApprovalCode": o.ApprovalCode, "ECI": o.ECI, "Advice": o.Advice, "Text": o.Text}
	if o.Err != nil {
		shown["Err"] = o.Err.Error()
	}
	for field, text := range shown {
		if name := leaked(p, text); name != "" {
			return fmt.Errorf("%s of %s shows the %s", field, o.Result, name)
		}
	}
	return nil
}

// leaked names what a text tells of the Receiver or the card, if anything. A
// phone number is also recognized without its country code, and all numbers
// without their punctuation. A card code is so short that it must stand alone.
func leaked(p processor.Payment, text string) string {
	text = strings.ToLower(text)
	digits := strings.Map(func(c rune) rune {
		if strings.ContainsRune(" -()+.", c) {
			return -1
		}
		return c
	}, text)
	phone := p.Receiver.Phone
	if len(phone) > 10 {
		phone = phone[len(phone)-10:]
	}
	for _, secret := range []struct{ name, value string }{{"account number", p.Receiver.AccountNumber}, {"phone", phone},
		{"card number", p.Receiver.Card.Reveal()}, {"card holder", p.Receiver.CardName}} {
		value := strings.ToLower(secret.value)
		if len(value) > 4 && (strings.Contains(text, value) || strings.Contains(digits, value)) {
			return secret.name
		}
	}
	words := strings.FieldsFunc(text, func(c rune) bool { return !unicode.IsLetter(c) && !unicode.IsDigit(c) })
	if slices.Contains(words, p.CardCode.Reveal()) { // no word is empty
		return "card code"
	}
	return ""
}
