package storage

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/otel/trace"

	"payout"
	"payout/vault"
)

const (
	queueMax = 4096             // writes waiting before callers are told ErrBusy
	batchMax = 256              // writes in one commit
	waitMost = 5 * time.Second  // for a commit's beginning, before new requests are told ErrBusy
	endMost  = 30 * time.Second // for the end of one that has begun, before they are told ErrUnknown
)

// A committer lets writes share commits. A commit costs half a millisecond of
// disk and a row microseconds, so writes that arrive while a commit is running
// go into the next one together. And since those who have been answered tend to
// come back, a commit waits a moment for about as many as write at this time, or
// until it is large: under load that makes few large commits of many small ones, and
// a caller who has been alone for a moment does not wait. When the database refuses a
// batch for what one write in it may be the cause of, its writes are tried again one by
// one: a caller whose own rows are refused fails alone.
type committer struct {
	engine engine
	vault  *vault.Vault
	queue  *writeQueue
	orders atomic.Int32 // new requests under way that store more than a nonce
	done   sync.WaitGroup

	waitMost atomic.Int64 // nanoseconds that a new request may wait for its commit to begin
	endMost  atomic.Int64 // nanoseconds that it may then wait for its end

	metrics atomic.Pointer[metrics]
	tracer  atomic.Pointer[trace.Tracer]
}

// An op is one caller's part of a batch: exactly one of the pointers is set,
// and its results are valid after done has received nil.
type op struct {
	accept   *acceptOp
	move     *moveOp
	postpone *postponeOp
	attempt  *attemptOp
	claim    *claimOp
	unsealed error // why the op was left out of its batch: it cannot be sealed as it must be
	done     chan error

	state atomic.Int32 // one of opWaiting ...
}

// An op waits until a committer takes it into a batch or, if that takes too long,
// its caller withdraws it: one of the two, whoever is first. Only what was taken
// can be stored.
const (
	opWaiting = iota
	opTaken
	opWithdrawn
)

func (o *op) take() bool     { return o.state.CompareAndSwap(opWaiting, opTaken) }
func (o *op) withdraw() bool { return o.state.CompareAndSwap(opWaiting, opWithdrawn) }

// rank sorts new requests before what the workers write.
func (o *op) rank() int {
	if o.accept != nil {
		return 0
	}
	return 1
}

func startCommitter(e engine, v *vault.Vault, p pace) *committer {
	c := &committer{engine: e, vault: v, queue: newWriteQueue(p)}
	c.waitMost.Store(int64(waitMost))
	c.endMost.Store(int64(endMost))
	for range p.atOnce {
		c.done.Go(c.run)
	}
	return c
}

// stop lets the queued writes finish.
func (c *committer) stop() {
	c.queue.close()
	c.done.Wait()
}

// submit queues an op and waits until its commit is on disk. New requests are
// told at once when the queue is full, or later when their commit has not begun in
// time, and then nothing of them is stored, now or ever; what the workers have to
// record waits for its place. Whose commit has begun waits for its end, which alone
// can tell; one that hangs is ErrUnknown at last, because it may still be stored.
func (c *committer) submit(o *op) error {
	o.done = make(chan error, 1)
	if o.accept != nil && !o.accept.NonceAlone() {
		c.orders.Add(1)
		defer c.orders.Add(-1)
	}
	if err := c.enqueue(o); err != nil {
		return err
	}
	if o.accept == nil {
		return <-o.done
	}
	patience := time.NewTimer(time.Duration(c.waitMost.Load()))
	defer patience.Stop()
	select {
	case err := <-o.done:
		return err
	case <-patience.C:
	}
	if o.withdraw() {
		c.metrics.Load().refusedLate()
		return ErrBusy
	}
	most := time.Duration(c.endMost.Load())
	patience.Reset(most)
	select {
	case err := <-o.done:
		return err
	case <-patience.C:
		return fmt.Errorf("%w: its commit has not ended within %s", ErrUnknown, most)
	}
}

// LimitWait sets how long a new request may wait for its commit to begin before it
// is told ErrBusy; 5 seconds unless it is set.
func (db *DB) LimitWait(most time.Duration) { db.commits.waitMost.Store(int64(most)) }

func (c *committer) enqueue(o *op) error {
	ok, full := c.queue.add(o, o.accept == nil)
	if full {
		c.metrics.Load().refusedFull()
	}
	if !ok {
		return ErrBusy
	}
	return nil
}

// run stores commit after commit until the queue is closed and empty.
func (c *committer) run() {
	for batch := c.queue.next(); batch != nil; batch = c.queue.next() {
		watch := startStopwatch()
		c.store(batch)
		c.queue.ended(batch, watch.took())
	}
}

// store commits a batch and tells each of its callers how that ended.
func (c *committer) store(batch []*op) {
	err := c.commit(batch)
	alone := len(batch) > 1 && c.ofOne(err)
	if alone {
		// What the workers write may wait for a held row once more, each as long as the server
		// lets it, and comes again: new requests do not wait for that.
		slices.SortStableFunc(batch, func(a, b *op) int { return cmp.Compare(a.rank(), b.rank()) })
	}
	for _, o := range batch {
		if o.unsealed != nil {
			o.done <- o.unsealed // nothing of it is stored
			continue
		}
		if alone {
			err = c.commit([]*op{o})
			// One that is not this write's own will meet the others too.
			alone = err == nil || c.ofOne(err)
		}
		o.done <- cmp.Or(o.unsealed, c.told(err))
	}
}

// ofOne reports whether a batch may have been refused for one write in it: for its rows, or
// for one that another transaction holds. What else passes, such as a full disk or a server
// that takes no writes, meets every write alike: to try each of them would only keep those
// who wait, and burden a server that is in trouble.
func (c *committer) ofOne(err error) bool {
	return c.refused(err) && (!c.engine.passes(err) || c.engine.held(err))
}

// refused reports whether the database has said no to a batch.
func (c *committer) refused(err error) bool {
	return err != nil && !errors.Is(err, ErrUnavailable) && !errors.Is(err, ErrUnknown) && c.engine.refused(err)
}

// told is the error of a batch as its callers are told: what passes is ErrUnavailable.
func (c *committer) told(err error) error {
	if c.refused(err) && c.engine.passes(err) {
		return fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	return err
}

// attemptsMost is how often a transaction is tried that others stand in the way of.
const attemptsMost = 5

// tries runs a transaction until others no longer stand in its way, or it has
// been tried often enough.
func tries(e engine, transaction func() error) error {
	for attempt := 1; ; attempt++ {
		err := transaction()
		if err == nil || attempt == attemptsMost || errors.Is(err, ErrUnknown) || !e.again(err) {
			return err
		}
	}
}

// commit stores a batch in one transaction, without the ops that have become
// unsealed. After an error nothing of it is stored, unless the error is ErrUnknown.
func (c *committer) commit(batch []*op) error {
	return tries(c.engine, func() error {
		for {
			err := c.transact(batch)
			if !errors.Is(err, errUnsealed) {
				return err
			}
			batch = slices.DeleteFunc(slices.Clone(batch), func(o *op) bool { return o.unsealed != nil })
		}
	})
}

// errUnsealed says that ops of a batch cannot be sealed as they must be.
var errUnsealed = errors.New("not sealed under the wanted key")

func (c *committer) transact(batch []*op) (err error) {
	m := c.metrics.Load()
	began, writes, counting := m.now(), len(batch), new(countingConn)
	ended := c.trace(writes, counting)
	defer func() {
		m.committed(began, writes, counting.rows, err)
		ended(err)
	}()
	begun, ctx, err := begin(c.engine)
	if err != nil {
		return err
	}
	counting.conn = begun
	tx := conn(counting)
	defer tx.rollback()
	if err := c.apply(ctx, tx, batch); err != nil {
		if !errors.Is(err, errUnsealed) && !c.engine.refused(err) {
			// The database has gone in the middle: nothing was committed, so nothing is stored.
			err = fmt.Errorf("%w: %w", ErrUnavailable, err)
		}
		return err
	}
	if err := commit(ctx, c.engine, tx); err != nil {
		return err
	}
	m.noncesStored(fresh(batch))
	return nil
}

// fresh counts the nonces that a batch has stored.
func fresh(batch []*op) (n int) {
	for _, o := range batch {
		if o.accept != nil && o.accept.Nonce != nil && !o.accept.result.NonceUsed {
			n++
		}
	}
	return n
}

// apply writes a batch table by table, one statement for each however many callers
// share the commit. A transaction that hopes goes to the database as a whole, if no claim
// is in it: nonces and orders are hoped to be new, moves and attempts to be in time, and
// all to be sealed under the key that is wanted. One that does not hope sends the nonces
// first, and waits for what became of each kind. Where there is nothing
// but nonces of questions, they go together with the commit, which need not wait for the
// disk: a question that is asked again after a crash is answered again, and does nothing.
func (c *committer) apply(ctx context.Context, tx conn, batch []*op) error {
	accepts, moves, postpones, attempts := sorted(batch)
	if !slices.ContainsFunc(batch, func(o *op) bool { return o.accept == nil || !o.accept.NonceAlone() }) {
		tx.relax()
	}
	if err := applyNonces(ctx, c.engine, tx, accepts); err != nil {
		return err
	}
	if err := c.sealed(ctx, tx, batch); err != nil {
		return err
	}
	accepts = slices.DeleteFunc(accepts, (*acceptOp).NonceAlone)
	if len(accepts) > 0 {
		if err := tx.flush(ctx); err != nil {
			return fmt.Errorf("store nonces: %w", err)
		}
	}
	accepted := slices.DeleteFunc(accepts, func(a *acceptOp) bool { return a.result.NonceUsed })
	// Moves that belong to an accepted request (payout-pay) join the others.
	for _, a := range accepted {
		if a.move != nil {
			a.move.lost = false
			moves = append(moves, a.move)
		}
	}
	if err := applyOrders(ctx, tx, accepted); err != nil {
		return err
	}
	if err := applyMoves(ctx, tx, moves); err != nil {
		return err
	}
	if err := applyRequests(ctx, tx, accepted); err != nil {
		return err
	}
	if err := applyCardRefs(ctx, tx, accepted); err != nil {
		return err
	}
	if err := applyPostpones(ctx, tx, postpones); err != nil {
		return err
	}
	if err := applyAttempts(ctx, tx, attempts); err != nil {
		return err
	}
	for _, o := range batch {
		if o.claim != nil {
			if err := o.claim.apply(ctx, tx); err != nil {
				return err
			}
		}
	}
	return nil
}

// sorted tells the ops of a batch apart, and forgets what an earlier try has found.
func sorted(batch []*op) (accepts []*acceptOp, moves []*moveOp, postpones []*postponeOp, attempts []*attemptOp) {
	for _, o := range batch {
		switch {
		case o.accept != nil:
			o.accept.result = Accepted{}
			accepts = append(accepts, o.accept)
		case o.move != nil:
			o.move.lost = false
			moves = append(moves, o.move)
		case o.postpone != nil:
			postpones = append(postpones, o.postpone)
		case o.attempt != nil:
			o.attempt.late = false
			attempts = append(attempts, o.attempt)
		}
	}
	return accepts, moves, postpones, attempts
}

// place names an order in seals and errors; the row itself may hold what nobody
// should read.
func place(id payout.OrderID) string { return "order " + id.String() }
