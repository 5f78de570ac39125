package processortest

import (
	"context"
	"errors"
	"fmt"

	"payout/processor"
)

const (
	approved = processor.ResultApproved
	declined = processor.ResultDeclined
	accepted = processor.ResultAccepted
	unsent   = processor.ResultUnsent
	broken   = processor.ResultBroken
	lost     = processor.ResultLost
)

// rules are the promises of the seam for all that moves money.
var rules = []rule{
	{"an approved payment is paid once and stays approved", func(b Behaviours) Behaviour { return b.Approve }, checkApproved},
	{"many payments at once are each paid once", func(b Behaviours) Behaviour { return b.Approve }, checkAtOnce},
	{"an ended context ends Payout and Charge", func(b Behaviours) Behaviour { return b.Approve }, checkEndedPay},
	{"an ended context ends Status", func(b Behaviours) Behaviour { return b.Approve }, checkEndedStatus},
	{"an unknown reference is neither approved nor accepted nor paid", func(b Behaviours) Behaviour { return b.Approve }, checkUnknown},
	{"what is refused before it is sent is never paid", func(b Behaviours) Behaviour { return b.Approve }, checkAskedEarly},
	{"what is refused while it is sent is never paid", func(b Behaviours) Behaviour { return b.Approve }, checkAskedMeanwhile},
	{"a declined payment is never paid", func(b Behaviours) Behaviour { return b.Decline }, checkRefusal(declined)},
	{"a decline for this gate alone says so", func(b Behaviours) Behaviour { return b.DeclineTryNext }, checkTryNext},
	{"a broken payment is never paid", func(b Behaviours) Behaviour { return b.Break }, checkRefusal(broken)},
	{"an accepted payment is paid once when decided", func(b Behaviours) Behaviour { return b.AcceptApprove }, checkAcceptApprove},
	{"an accepted payment that is declined is never paid", func(b Behaviours) Behaviour { return b.AcceptDecline }, checkAcceptDecline},
	{"a refused connection is unsent", func(b Behaviours) Behaviour { return b.Refuse }, checkRefuse},
	{"a cut line is lost, and the truth is found out if paid", func(b Behaviours) Behaviour { return b.CutPaid }, checkCutPaid},
	{"a cut line is lost, and never approved if not paid", func(b Behaviours) Behaviour { return b.CutUnpaid }, checkCutUnpaid},
	{"a late answer is lost when the context ends", func(b Behaviours) Behaviour { return b.Late }, checkLate},
	{"nonsense is lost", func(b Behaviours) Behaviour { return b.Nonsense }, checkNonsense},
	{"two answers are one payment", func(b Behaviours) Behaviour { return b.Twice }, checkApproved},
}

// checkRules are the promises of payout-check.
var checkRules = []rule{
	{"a confirmed check pays nothing", func(b Behaviours) Behaviour { return b.CheckApprove }, checkCheck(approved)},
	{"a declined check pays nothing", func(b Behaviours) Behaviour { return b.CheckDecline }, checkCheck(declined)},
	{"an ended context ends Check", func(b Behaviours) Behaviour { return b.CheckApprove }, checkEndedCheck},
}

// send prepares the rail and sends a payment, which it returns as Status is asked about it.
func (b *battery) send(wanted Behaviour, want ...processor.Result) (processor.Payment, processor.Outcome, error) {
	p := b.payment(wanted)
	prepare(wanted)
	o, err := b.pay(context.Background(), p, want...)
	p.TxID = o.TxID
	return p, o, err
}

// prepare has the rail behave for the next payment.
func prepare(wanted Behaviour) {
	if wanted.Prepare != nil {
		wanted.Prepare()
	}
}

// settle lets the rail's time for deciding pass.
func settle(wanted Behaviour) {
	if wanted.Settle != nil {
		wanted.Settle()
	}
}

// ended is a context that has ended.
func ended() context.Context {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	return ctx
}

// atOnce does n things at the same moment.
func atOnce(n int, do func(i int) error) error {
	errs := make(chan error, n)
	for i := range n {
		go func() { errs <- do(i) }()
	}
	var err error
	for range n {
		err = errors.Join(err, <-errs)
	}
	return err
}

// same asks twice and checks that a paid payment keeps its identity and that
// asking pays nothing.
func (b *battery) same(p processor.Payment, txID string) error {
	for range 2 {
		o, err := b.status(context.Background(), p, approved)
		if err != nil {
			return err
		}
		if o.TxID != txID {
			return fmt.Errorf("the TxID was %q and is %q", txID, o.TxID)
		}
		if err := b.paid(p, 1); err != nil {
			return fmt.Errorf("after Status: %w", err)
		}
	}
	return nil
}

func checkApproved(b *battery, wanted Behaviour) error {
	p, o, err := b.send(wanted, approved)
	if err != nil {
		return err
	}
	if o.TxID == "" {
		return errors.New("the outcome Approved has no TxID")
	}
	if err := b.paid(p, 1); err != nil {
		return err
	}
	return b.same(p, o.TxID)
}

// payments makes payments to be sent at the same moment.
func (b *battery) payments(wanted Behaviour) ([]processor.Payment, error) {
	if wanted.Prepare != nil {
		return nil, skip("the rail must be prepared for each payment")
	}
	payments := make([]processor.Payment, many)
	for i := range payments {
		payments[i] = b.payment(wanted)
	}
	return payments, nil
}

func checkAtOnce(b *battery, wanted Behaviour) error {
	payments, err := b.payments(wanted)
	if err != nil {
		return err
	}
	err = atOnce(many, func(i int) error {
		_, err := b.pay(context.Background(), payments[i], approved)
		return err
	})
	for _, p := range payments {
		err = errors.Join(err, b.paid(p, 1))
	}
	return err
}

// checkEndedPay sends nothing when it can help it. Whatever it answers must
// be true.
func checkEndedPay(b *battery, wanted Behaviour) error {
	p := b.payment(wanted)
	prepare(wanted)
	o, err := b.pay(ended(), p, unsent, lost, approved)
	if err != nil {
		return err
	}
	switch o.Result {
	case unsent:
		return b.paid(p, 0)
	case approved:
		return b.paid(p, 1)
	}
	return nil
}

func checkEndedStatus(b *battery, wanted Behaviour) error {
	p, _, err := b.send(wanted, approved)
	if err != nil {
		return err
	}
	if _, err := b.status(ended(), p, lost, approved); err != nil {
		return err
	}
	return b.paid(p, 1)
}

func checkUnknown(b *battery, wanted Behaviour) error {
	p := b.payment(wanted)
	for range 2 {
		if _, err := b.status(context.Background(), p, broken, declined, lost); err != nil {
			return err
		}
		if err := b.paid(p, 0); err != nil {
			return err
		}
	}
	return nil
}

func checkAskedEarly(b *battery, wanted Behaviour) error {
	p := b.payment(wanted)
	asked, err := b.status(context.Background(), p)
	if err != nil {
		return err
	}
	prepare(wanted)
	sent, err := b.pay(context.Background(), p)
	return errors.Join(err, b.agree(p, asked, sent))
}

// checkAskedMeanwhile is as when a node asks about what another one still sends.
func checkAskedMeanwhile(b *battery, wanted Behaviour) error {
	payments, err := b.payments(wanted)
	if err != nil {
		return err
	}
	asked, sent := make([]processor.Outcome, many), make([]processor.Outcome, many)
	err = atOnce(2*many, func(i int) (err error) {
		if n := i / 2; i%2 == 0 {
			asked[n], err = b.status(context.Background(), payments[n])
		} else {
			sent[n], err = b.pay(context.Background(), payments[n])
		}
		return err
	})
	for i, p := range payments {
		err = errors.Join(err, b.agree(p, asked[i], sent[i]))
	}
	return err
}

// agree checks that what Status has refused is not paid, whatever Payout or
// Charge came to.
func (b *battery) agree(p processor.Payment, asked, sent processor.Outcome) error {
	refused := asked.Result == declined || asked.Result == broken
	switch {
	case !refused:
		return nil
	case sent.Result == approved || sent.Result == accepted:
		return fmt.Errorf("it is %s to the question and %s when sent", asked.Result, sent.Result)
	}
	return b.paid(p, 0)
}

// checkRefusal makes the check of a payment that the rail refuses.
func checkRefusal(want processor.Result) func(*battery, Behaviour) error {
	return func(b *battery, wanted Behaviour) error {
		p, _, err := b.send(wanted, want)
		if err != nil {
			return err
		}
		return b.neverPaid(p, declined, broken, lost)
	}
}

// neverPaid asks twice about a payment that was not paid.
func (b *battery) neverPaid(p processor.Payment, want ...processor.Result) error {
	if err := b.paid(p, 0); err != nil {
		return err
	}
	for range 2 {
		if _, err := b.status(context.Background(), p, want...); err != nil {
			return err
		}
		if err := b.paid(p, 0); err != nil {
			return fmt.Errorf("after Status: %w", err)
		}
	}
	return nil
}

func checkTryNext(b *battery, wanted Behaviour) error {
	p, o, err := b.send(wanted, declined)
	if err != nil {
		return err
	}
	if !o.TryNext {
		return errors.New("the outcome Declined has no TryNext")
	}
	return b.neverPaid(p, declined, broken, lost)
}

func checkAcceptApprove(b *battery, wanted Behaviour) error {
	p, o, err := b.send(wanted, accepted)
	if err != nil {
		return err
	}
	if _, err := b.status(context.Background(), p, accepted, approved); err != nil {
		return err
	}
	settle(wanted)
	err = atOnce(many, func(int) error { // as when two nodes ask at the same moment
		_, err := b.status(context.Background(), p, approved)
		return err
	})
	if err != nil {
		return err
	}
	last, err := b.status(context.Background(), p, approved)
	if err != nil {
		return err
	}
	if last.TxID == "" {
		return errors.New("the outcome Approved has no TxID")
	}
	if o.TxID != "" && last.TxID != o.TxID {
		return fmt.Errorf("the TxID was %q when accepted and is %q", o.TxID, last.TxID)
	}
	return b.same(p, last.TxID)
}

func checkAcceptDecline(b *battery, wanted Behaviour) error {
	p, _, err := b.send(wanted, accepted)
	if err != nil {
		return err
	}
	if _, err := b.status(context.Background(), p, accepted, declined, broken); err != nil {
		return err
	}
	settle(wanted)
	return b.neverPaid(p, declined, broken)
}

func checkRefuse(b *battery, wanted Behaviour) error {
	p, _, err := b.send(wanted, unsent)
	if err != nil {
		return err
	}
	return b.paid(p, 0)
}

func checkCutPaid(b *battery, wanted Behaviour) error {
	p, _, err := b.send(wanted, lost)
	if err != nil {
		return err
	}
	if err := b.paid(p, 1); err != nil {
		return err
	}
	settle(wanted)
	o, err := b.status(context.Background(), p, approved)
	if err != nil {
		return err
	}
	return b.same(p, o.TxID)
}

func checkCutUnpaid(b *battery, wanted Behaviour) error {
	p, _, err := b.send(wanted, lost)
	if err != nil {
		return err
	}
	settle(wanted)
	return b.neverPaid(p, declined, broken, lost)
}

func checkLate(b *battery, wanted Behaviour) error {
	p := b.payment(wanted)
	prepare(wanted)
	ctx, cancel := context.WithTimeout(context.Background(), lateDeadline)
	defer cancel()
	o, err := b.pay(ctx, p, lost, unsent)
	if err != nil {
		return err
	}
	if o.Result == unsent { // the context ended before the payment was sent
		return b.paid(p, 0)
	}
	_, err = b.status(context.Background(), p)
	return err
}

func checkNonsense(b *battery, wanted Behaviour) error {
	p, _, err := b.send(wanted, lost)
	if err != nil {
		return err
	}
	_, err = b.status(context.Background(), p)
	return err
}

// checkCheck makes the check of a payout-check that the bank answers so. A bank
// may need time to answer.
func checkCheck(want processor.Result) func(*battery, Behaviour) error {
	return func(b *battery, wanted Behaviour) error {
		p := b.payment(wanted)
		prepare(wanted)
		o, err := b.check(context.Background(), p, want, accepted)
		if err == nil && o.Result == accepted {
			settle(wanted)
			_, err = b.check(context.Background(), p, want)
		}
		return errors.Join(err, b.paid(p, 0))
	}
}

func checkEndedCheck(b *battery, wanted Behaviour) error {
	p := b.payment(wanted)
	_, err := b.check(ended(), p, unsent, lost, approved)
	return errors.Join(err, b.paid(p, 0))
}
