// Package gateway is what the gateway does: the use cases of the API (Payout,
// PayoutPay, Status) and the workers that carry accepted orders to their end
// and tell the outcome.
//
// payout.go shows how a request becomes an order, work.go how an order is
// paid, callbacks.go how the outcome is told. Every change of an order goes
// through the table of moves in package payout.
package gateway

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/otel/trace"

	"payout"
	"payout/callback"
	"payout/processor"
	"payout/storage"
	"payout/vault"
)

// ErrNonceUsed says that the request's nonce was used before: the request is
// not authentic, and nothing was stored.
var ErrNonceUsed = errors.New("nonce was used before")

// ErrUnfit says that this node takes no requests now, though others may. Nothing was
// stored.
var ErrUnfit = errors.New("this node takes no requests now")

// Busy reports whether an error says that nothing was stored, and that the same may be
// asked again in a moment.
func Busy(err error) bool {
	return !errors.Is(err, storage.ErrUnknown) &&
		(errors.Is(err, ErrUnfit) || errors.Is(err, storage.ErrBusy) || errors.Is(err, storage.ErrUnavailable))
}

// A Gateway has all use cases. Its fields are set before Run and not changed.
type Gateway struct {
	DB         *storage.DB
	Vault      *vault.Vault
	Processors map[string]processor.Processor // by the name that gates use
	Callbacks  *callback.Sender
	URLs       callback.Policy // which callback URLs are accepted
	Settings   Settings
	Now        func() time.Time
	Random     func() float64 // in [0, 1), for jitter
	Log        *slog.Logger
	Metrics    *Metrics
	Tracer     trace.Tracer // nil: no spans are made
	Unfit      func() error // why Fit refuses, or nil; it is asked for every request. Nil: never

	directory atomic.Pointer[storage.Directory]
	wakeups   sync.Map // payout.GateID to chan struct{}: an order of the gate became due
	callWake  chan struct{}
	wakeOnce  sync.Once
	codes     cardCodes
	journal   journal
	underWay  sync.Map // payout.OrderID to true: orders that runGate's workers have now

	workers    sync.Map                // payout.GateID to *gateWorker
	courier    atomic.Pointer[courier] // nil until Run
	delivering atomic.Int64            // callbacks

	runs atomic.Pointer[<-chan struct{}] // closed when the workers are to end; nil until Run
}

// Settings are the operator's choices. The zero value of each means its default.
type Settings struct {
	RailTimeout         time.Duration // longest call to a rail, at most RailTimeoutMost; default 60 s
	ConfirmWithin       time.Duration // a payout-check without payout-pay is declined after this; default 24 h
	FormWithin          time.Duration // a payout form that is not sent is declined after this; default 30 min
	PollFirst, PollMost time.Duration // wait before the first question to a rail, and the longest; default 1 s, 5 min
	CallbackTimeout     time.Duration // longest delivery of one callback; default 30 s
	CallbackConcurrency int           // deliveries at once; default 512
	CallbackPerReceiver int           // deliveries to one receiver at once; default 32
	ReloadEvery         time.Duration // how often a changed set-up is looked for; default 2 s
	NoJournal           bool          // no journal is kept of the parties' requests
}

func or[T comparable](value, fallback T) T {
	var zero T
	if value == zero {
		return fallback
	}
	return value
}

func (s Settings) railTimeout() time.Duration     { return or(s.RailTimeout, time.Minute) }
func (s Settings) confirmWithin() time.Duration   { return or(s.ConfirmWithin, 24*time.Hour) }
func (s Settings) formWithin() time.Duration      { return or(s.FormWithin, 30*time.Minute) }
func (s Settings) pollMost() time.Duration        { return or(s.PollMost, 5*time.Minute) }
func (s Settings) callbackTimeout() time.Duration { return or(s.CallbackTimeout, 30*time.Second) }

// deliveryLease is how long a claimed callback belongs to its courier: longer than a
// delivery and what has to be stored after it.
func (s Settings) deliveryLease() time.Duration { return s.callbackTimeout() + 15*time.Second }

// leaseMargin is the time to store the intent before a call to a rail and the outcome
// after it.
const leaseMargin = 5 * time.Second

// RailTimeoutMost is the longest RailTimeout: nodes that have another one judge by it
// how long an order may be somebody's.
const RailTimeoutMost = 10 * time.Minute

// ClocksMost is how far a fit node's clock may be from the database's.
const ClocksMost = 5 * time.Second

// leaseBeyond is how much longer than a call to a rail a lease is. Who claims judges it by
// a clock that may be ahead of the database's, and who has it by one that may be behind.
const leaseBeyond = leaseMargin + 2*ClocksMost

// lease is how long a claimed order belongs to its worker: longer than any
// step that the worker takes, so that a lease that ends means a dead worker.
func (s Settings) lease() time.Duration { return s.railTimeout() + leaseBeyond }

// Fit tells whether this node may take requests, and claim work: an error, ErrUnfit, says
// why not. What is under way is seen through.
func (g *Gateway) Fit() error {
	if g.Unfit == nil {
		return nil
	}
	if why := g.Unfit(); why != nil {
		return fmt.Errorf("%w: %w", ErrUnfit, why)
	}
	return nil
}

// Directory returns the set-up as last read.
func (g *Gateway) Directory() *storage.Directory { return g.directory.Load() }

// Reload reads the set-up and the master key if they have changed. Run calls it
// now and then; it must be called once before the first request.
func (g *Gateway) Reload(ctx context.Context) error {
	return errors.Join(g.DB.FollowKey(ctx), g.reloadSetUp(ctx))
}

func (g *Gateway) reloadSetUp(ctx context.Context) error {
	version, err := g.DB.DirectoryVersion(ctx)
	if err != nil {
		return err
	}
	if d := g.directory.Load(); d != nil && d.Version == version {
		return nil
	}
	d, err := g.DB.Directory(ctx)
	if err != nil {
		return err
	}
	g.directory.Store(d)
	return nil
}

// Run works until the context ends, and then until each worker has finished
// its step. Reload must have succeeded before.
func (g *Gateway) Run(ctx context.Context) {
	ending := ctx.Done()
	g.runs.Store(&ending)
	var workers sync.WaitGroup
	workers.Go(func() { g.every(ctx, or(g.Settings.ReloadEvery, 2*time.Second), "reload", g.Reload) })
	workers.Go(func() { g.every(ctx, forgetPause, "forget nonces", g.forgetNonces) })
	workers.Go(func() {
		g.every(ctx, time.Minute, "wipe card codes", func(context.Context) error { g.codes.sweep(g.Now()); return nil })
	})
	workers.Go(func() { g.every(ctx, hastenEvery, "hasten what was put off", g.Hasten) })
	workers.Go(func() { g.every(ctx, journalSweep, "forget journal", g.forgetJournal) })
	workers.Go(func() { g.runJournal(ctx) })
	workers.Go(func() { g.runCallbacks(ctx) })
	workers.Go(func() { g.runGates(ctx) })
	workers.Wait()
}

// every runs a chore until the context ends. A chore that fails or panics is
// logged and run again at its next time.
func (g *Gateway) every(ctx context.Context, pause time.Duration, chore string, run func(context.Context) error) {
	tick := time.NewTicker(pause)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		err := g.guarded(func() error { return run(ctx) })
		if err != nil && ctx.Err() == nil {
			g.Log.Error(chore+" failed", "error", err)
		}
	}
}

// guarded turns a panic into an error, at the outermost loop of a worker. What
// the worker held is released by the end of its lease.
func (g *Gateway) guarded(fn func() error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v", p)
			g.Log.Error("panic in a worker", "panic", fmt.Sprint(p), "stack", stack())
		}
	}()
	return fn()
}

const (
	forgetAtOnce = 1000        // nonces looked at in one transaction, so that it stays short
	forgetPause  = time.Minute // between sweeps
)

// forgetNonces deletes expired nonces, a few at a time.
func (g *Gateway) forgetNonces(ctx context.Context) error {
	for {
		var deleted int64
		err := g.DB.Transact(ctx, g.Now(), func(tx *storage.Tx) (err error) {
			deleted, err = tx.ForgetNonces(forgetAtOnce)
			return err
		})
		if err != nil || deleted == 0 || pause(ctx, 50*time.Millisecond) != nil { // many are forgotten at leisure
			return err
		}
	}
}

// wake tells a gate's worker that an order is due.
func (g *Gateway) wake(gate payout.GateID) {
	select {
	case g.wakeup(gate) <- struct{}{}:
	default: // it has been told already
	}
}

func (g *Gateway) wakeup(gate payout.GateID) chan struct{} {
	if c, ok := g.wakeups.Load(gate); ok {
		return c.(chan struct{})
	}
	c, _ := g.wakeups.LoadOrStore(gate, make(chan struct{}, 1))
	return c.(chan struct{})
}

// callbackWakeup is signalled when a callback became due.
func (g *Gateway) callbackWakeup() chan struct{} {
	g.wakeOnce.Do(func() { g.callWake = make(chan struct{}, 1) })
	return g.callWake
}

func (g *Gateway) wakeCallbacks() {
	select {
	case g.callbackWakeup() <- struct{}{}:
	default:
	}
}

// jitter shortens or lengthens a wait by up to a fifth, so that what failed
// together is not tried again together.
func (g *Gateway) jitter(d time.Duration) time.Duration {
	return time.Duration(float64(d) * (0.8 + 0.4*g.Random()))
}

// backoff doubles a wait with each time n (from 0), up to most.
func (g *Gateway) backoff(first, most time.Duration, n int) time.Duration {
	d := first
	for range n {
		if d *= 2; d >= most {
			d = most
			break
		}
	}
	return g.jitter(d)
}

// pause waits, or returns the error of the context.
func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return ctx.Err()
	case <-ctx.Done():
		return ctx.Err()
	}
}
