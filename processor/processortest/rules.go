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

// rules are the promises of the seam.
var rules = []rule{
	{"an approved payment is paid once and stays approved", func(r *Rail) *Behaviour { return &r.Approve }, checkApproved},
	{"many payments at once are each paid once", func(r *Rail) *Behaviour { return &r.Approve }, checkAtOnce},
	{"an ended context ends Payout", func(r *Rail) *Behaviour { return &r.Approve }, checkEndedPayout},
	{"an ended context ends Status", func(r *Rail) *Behaviour { return &r.Approve }, checkEndedStatus},
	{"an unknown reference is neither approved nor accepted nor paid", func(r *Rail) *Behaviour { return &r.Approve }, checkUnknown},
	{"a declined payment is never paid", func(r *Rail) *Behaviour { return &r.Decline }, checkRefusal(declined)},
	{"a decline for this gate alone says so", func(r *Rail) *Behaviour { return &r.DeclineTryNext }, checkTryNext},
	{"a broken payment is never paid", func(r *Rail) *Behaviour { return &r.Break }, checkRefusal(broken)},
	{"an accepted payment is paid once when decided", func(r *Rail) *Behaviour { return &r.AcceptApprove }, checkAcceptApprove},
	{"an accepted payment that is declined is never paid", func(r *Rail) *Behaviour { return &r.AcceptDecline }, checkAcceptDecline},
	{"a refused connection is unsent", func(r *Rail) *Behaviour { return &r.Refuse }, checkRefuse},
	{"a cut line is lost, and the truth is found out if paid", func(r *Rail) *Behaviour { return &r.CutPaid }, checkCutPaid},
	{"a cut line is lost, and never approved if not paid", func(r *Rail) *Behaviour { return &r.CutUnpaid }, checkCutUnpaid},
	{"a late answer is lost when the context ends", func(r *Rail) *Behaviour { return &r.Late }, checkLate},
	{"nonsense is lost", func(r *Rail) *Behaviour { return &r.Nonsense }, checkNonsense},
	{"two answers are one payment", func(r *Rail) *Behaviour { return &r.Twice }, checkApproved},
	{"a confirmed check pays nothing", func(r *Rail) *Behaviour { return &r.CheckApprove }, checkCheck(approved)},
	{"a declined check pays nothing", func(r *Rail) *Behaviour { return &r.CheckDecline }, checkCheck(declined)},
	{"an ended context ends Check", func(r *Rail) *Behaviour { return &r.CheckApprove }, checkEndedCheck},
}

// send prepares the rail and sends a payment.
func (b *battery) send(wanted Behaviour, want ...processor.Result) (processor.Payment, processor.Outcome, error) {
	p := b.payment(wanted)
	if wanted.Prepare != nil {
		wanted.Prepare()
	}
	o, err := b.payout(context.Background(), p, want...)
	return p, o, err
}

// settle lets the rail's time for deciding pass.
func settle(wanted Behaviour) {
	if wanted.Settle != nil {
		wanted.Settle()
	}
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

func checkAtOnce(b *battery, wanted Behaviour) error {
	if wanted.Prepare != nil {
		return skip("the rail must be prepared for each payment")
	}
	payments := make([]processor.Payment, atOnce)
	for i := range payments {
		payments[i] = b.payment(wanted)
	}
	errs := make(chan error, atOnce)
	for _, p := range payments {
		go func() {
			_, err := b.payout(context.Background(), p, approved)
			errs <- err
		}()
	}
	var err error
	for range payments {
		err = errors.Join(err, <-errs)
	}
	for _, p := range payments {
		err = errors.Join(err, b.paid(p, 1))
	}
	return err
}

// checkEndedPayout sends nothing when it can help it. Whatever it answers must
// be true.
func checkEndedPayout(b *battery, wanted Behaviour) error {
	p := b.payment(wanted)
	if wanted.Prepare != nil {
		wanted.Prepare()
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	o, err := b.payout(ctx, p, unsent, lost, approved)
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
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := b.status(ctx, p, lost, approved); err != nil {
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
	errs := make(chan error, atOnce) // as when two nodes ask at the same moment
	for range atOnce {
		go func() {
			_, err := b.status(context.Background(), p, approved)
			errs <- err
		}()
	}
	for range atOnce {
		err = errors.Join(err, <-errs)
	}
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
	if wanted.Prepare != nil {
		wanted.Prepare()
	}
	ctx, cancel := context.WithTimeout(context.Background(), lateDeadline)
	defer cancel()
	o, err := b.payout(ctx, p, lost, unsent)
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
		if wanted.Prepare != nil {
			wanted.Prepare()
		}
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
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	_, err := b.check(ctx, p, unsent, lost, approved)
	return errors.Join(err, b.paid(p, 0))
}
