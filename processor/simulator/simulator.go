// Package simulator is the test rail: it pays nobody, and misbehaves on demand.
// The Receiver's account number, or phone number for SBP, chooses what happens;
// see Scenarios.
//
// It is a rail that forgets nothing and forgives nothing. What it paid stands in
// a book of its own, an append-only SQLite file that several nodes may share and
// that survives kill -9. It does not deduplicate, as many real rails do not: a
// Payout that is repeated with the same reference pays again, and the book shows
// both payments.
package simulator

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"payout"
	"payout/processor"
)

var (
	errRefused     = errors.New("simulator: connection refused")
	errSilent      = errors.New("simulator: no answer, and the line was cut")
	errClosed      = errors.New("simulator: the reference was closed, because Status had been asked before it was known")
	errNoReference = errors.New("simulator: the payment has no reference")
)

var _ processor.Checker = (*Simulator)(nil)

// A Simulator is the test rail. It implements processor.Processor,
// processor.Checker and processor.Acquirer, and may be used by many goroutines at
// once.
type Simulator struct {
	book  *book
	now   func() time.Time
	sleep func(context.Context, time.Duration) error
}

// Options are what a Simulator takes from its surroundings.
type Options struct {
	// Now is the rail's clock. It is required.
	Now func() time.Time
	// Sleep waits, or returns the context's error when the context ends first.
	// nil waits in real time.
	Sleep func(context.Context, time.Duration) error
}

// Open opens the book at path, or makes a new one; folders that are missing are
// made too. An empty path or ":memory:" gives a private book in memory.
func Open(path string, o Options) (*Simulator, error) {
	if o.Now == nil {
		return nil, errors.New("open simulator: Options.Now is missing")
	}
	if o.Sleep == nil {
		o.Sleep = sleep
	}
	b, err := openBook(path)
	if err != nil {
		return nil, fmt.Errorf("open the simulator's book: %w", err)
	}
	return &Simulator{book: b, now: o.Now, sleep: o.Sleep}, nil
}

// Close waits for the payment that is being entered and closes the book. Later
// calls pay nothing. It may be called twice.
func (s *Simulator) Close() error { return s.book.close() }

// sleep waits in real time.
func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// Payout does what the Receiver's scenario says. The deed comes first and the
// wait after it: when the context ends during the wait the answer is Lost, and
// what was paid stays paid.
func (s *Simulator) Payout(ctx context.Context, p processor.Payment) processor.Outcome {
	return s.react(ctx, p, scenarioOf(p.Receiver).reaction(p.Attempt))
}

// react does one deed and answers.
func (s *Simulator) react(ctx context.Context, p processor.Payment, r reaction) processor.Outcome {
	set, err := readSettings(p)
	if err != nil {
		return processor.Unsent(err)
	}
	if r.refused {
		return s.answer(ctx, set.latency, processor.Unsent(errRefused))
	}
	outcome, refused, err := s.enter(ctx, p, r, set)
	switch {
	case errors.Is(err, errUnwritten):
		return processor.Unsent(err)
	case err != nil:
		return processor.Lost(err)
	case refused:
		return s.answer(ctx, set.latency, outcome)
	case r.silent:
		return s.answer(ctx, set.silence, processor.Lost(errSilent))
	case r.late:
		return s.answerLate(ctx, outcome)
	}
	return s.answer(ctx, r.wait+set.latency, outcome)
}

// enter writes a reaction into the book. refused tells that the rail has
// answered before that it will never pay under this reference: then it does not.
func (s *Simulator) enter(ctx context.Context, p processor.Payment, r reaction, set settings) (processor.Outcome, bool, error) {
	now := s.now()
	var (
		outcome processor.Outcome
		refused bool
	)
	err := s.book.write(ctx, func() error {
		rows, err := s.book.decided(p.Reference, now)
		if err != nil {
			return err
		}
		if refusal, ok := refusalOf(rows); ok {
			outcome, refused = refusal, true
			return nil
		}
		if r.enters == "" {
			return nil
		}
		e := rowOf(p, r.enters, now)
		e.TxID, e.code, e.tryNext, e.will = txID(p.OrderID), r.code, r.tryNext, r.will
		if r.will != "" {
			e.decideAt = now.Add(set.decideAfter)
		}
		outcome = e.outcome()
		return s.book.insert(e)
	})
	if err != nil {
		return processor.Outcome{}, false, err
	}
	return outcome, refused, nil
}

// Status tells the truth of the book. An accepted payment whose time has come is
// decided here, once. A reference that the book does not know is closed: it will
// never be paid, so the answer can be Broken with payout.CodeUnknownToRail.
func (s *Simulator) Status(ctx context.Context, p processor.Payment) processor.Outcome {
	set, err := readSettings(p)
	if err != nil {
		return processor.Lost(err)
	}
	now := s.now()
	var outcome processor.Outcome
	err = s.book.write(ctx, func() error {
		rows, err := s.book.decided(p.Reference, now)
		if err != nil {
			return err
		}
		var known bool
		if outcome, known = verdict(rows); known {
			return nil
		}
		tombstone := rowOf(p, StateClosed, now)
		tombstone.code = payout.CodeUnknownToRail
		outcome = tombstone.outcome()
		return s.book.insert(tombstone)
	})
	if err != nil {
		return processor.Lost(err)
	}
	return s.answer(ctx, set.latency, outcome)
}

// Check confirms or declines a payout-check as the Receiver's scenario says. It
// leaves no trace in the book.
func (s *Simulator) Check(ctx context.Context, p processor.Payment) processor.Outcome {
	set, err := readSettings(p)
	if err != nil {
		return processor.Unsent(err)
	}
	if err := ctx.Err(); err != nil {
		return processor.Unsent(err)
	}
	sc := scenarioOf(p.Receiver)
	outcome := processor.Approved("")
	if sc.checkCode != 0 {
		outcome = processor.Declined(sc.checkCode, sc.checkCode.Row().Text)
	}
	return s.answer(ctx, sc.checkWait+set.latency, outcome)
}

// answer waits and answers. Nobody hears an answer after the context has ended;
// only that nothing was sent stays certain.
func (s *Simulator) answer(ctx context.Context, wait time.Duration, o processor.Outcome) processor.Outcome {
	if wait <= 0 {
		return o
	}
	err := s.sleep(ctx, wait)
	if err == nil || o.Result == processor.ResultUnsent {
		return o
	}
	return processor.Lost(fmt.Errorf("wait for the simulator's answer: %w", err))
}

// lateBy is how much later than the end of its context an answer comes that is late: a
// gateway has another node ask after 5 seconds.
const lateBy = 8 * time.Second

// answerLate answers when the context has ended and somebody else may have asked, as a
// connector does that cannot be interrupted. Who sets no limit is answered at once.
func (s *Simulator) answerLate(ctx context.Context, o processor.Outcome) processor.Outcome {
	if ctx.Done() == nil {
		return o
	}
	_ = s.sleep(ctx, settingMost) // until the caller gives up
	_ = s.sleep(context.WithoutCancel(ctx), lateBy)
	return o
}

// txID is the rail's id of a payment. Source: api-facts 13.
func txID(id payout.OrderID) string { return "PNTEST-" + id.String() }

// approved is the answer for a payment that was paid; the same for ever.
func approved(reference, txID string) processor.Outcome {
	sum := sha256.Sum256([]byte(reference))
	o := processor.Approved(txID)
	o.RRN = fmt.Sprintf("%012d", binary.BigEndian.Uint64(sum[:8])%1e12)
	o.ApprovalCode = fmt.Sprintf("%06d", binary.BigEndian.Uint64(sum[8:16])%1e6)
	return o
}
