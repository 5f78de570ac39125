package gateway

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"sync"
	"time"

	"payout"
	"payout/processor"
	"payout/spec"
	"payout/storage"
)

const (
	claimMost = 64                    // orders claimed at once by one gate's worker
	idleMost  = storage.LookAhead     // longest sleep of an idle worker: other nodes' orders become due unannounced
	idleLeast = 20 * time.Millisecond // shortest sleep of a worker that claimed nothing

	underWayPause = 250 * time.Millisecond // until an order that this process still has is looked at again
)

func stack() string { return string(debug.Stack()) }

// runGates keeps one worker per gate, also for gates that are added later, and shares
// the gates with other nodes until all workers have ended.
func (g *Gateway) runGates(ctx context.Context) {
	sharing, stop := context.WithCancel(context.WithoutCancel(ctx))
	var shares, workers sync.WaitGroup
	defer func() {
		workers.Wait()
		stop()
		shares.Wait()
	}()
	news := make(chan struct{}, 1)
	running := make(map[payout.GateID]bool)
	start := func(context.Context) error {
		for id := range g.Directory().Gates {
			if !running[id] {
				running[id] = true
				worker := newGateWorker(news)
				g.workers.Store(id, worker)
				workers.Go(func() { g.runGate(ctx, id, worker) })
			}
		}
		return nil
	}
	_ = start(ctx) // it has no errors
	shares.Go(func() { g.runShares(sharing, news) })
	g.every(ctx, idleMost, "start gates", start)
}

// runGate claims a gate's due orders and works on them, as many at once as the
// gate allows, until the context ends; then it waits for those under way.
func (g *Gateway) runGate(ctx context.Context, id payout.GateID, worker *gateWorker) {
	defer worker.slots.close()
	failures := 0 // to claim, in a row
	for ctx.Err() == nil {
		var c claim
		err := g.guarded(func() (err error) {
			c, err = g.gateClaims(ctx, id, worker)
			return err
		})
		switch {
		case err != nil:
			g.Log.Error("claim orders failed", "gate", id, "error", err)
			_ = pause(ctx, g.afterFailure(failures)) // the loop looks at the context
			failures++
			continue
		case c.claimed == 0:
			g.idle(ctx, id, c, worker)
		}
		failures = 0
	}
}

// A claim is how one went.
type claim struct {
	which   storage.Which
	room    bool // orders could be claimed
	claimed int
}

// gateClaims claims as many due orders of a gate as its worker has room for, and
// begins to work on them.
func (g *Gateway) gateClaims(ctx context.Context, id payout.GateID, worker *gateWorker) (c claim, err error) {
	if g.Fit() != nil {
		worker.behind.Store(true)
		return c, nil // idle looks again
	}
	gate := g.Directory().Gates[id]
	want := claimMost
	// A gate that is switched off or rests sees through what was sent; what was not, waits.
	c.which = storage.Which(!gate.Enabled)
	if sendable := worker.circuit.allows(g.Now(), int(worker.sends.Load())); sendable == 0 {
		c.which = storage.SentDue
	} else {
		want = min(want, sendable)
	}
	free := worker.take(want, gate)
	defer func() { worker.slots.giveBack(free - c.claimed) }()
	if c.room = free > 0; !c.room {
		worker.behind.Store(true) // somebody may wait: who is new must not go first
		return c, nil
	}
	orders, err := g.claim(ctx, worker.lookout(c.which), id, c.which, free)
	if err != nil {
		return c, err
	}
	worker.behind.Store(len(orders) == free || c.which == storage.SentDue)
	for _, o := range orders {
		worker.use(o.Stage, func() { g.workOnce(gate, o, &worker.circuit) })
	}
	c.claimed = len(orders)
	return c, nil
}

// workOnce works on a claimed order, unless this process still does: its lease
// ends early when the clock jumps, and the first worker's outcome is the better one.
func (g *Gateway) workOnce(gate *payout.Gate, o storage.ClaimedOrder, c *circuit) {
	if _, busy := g.underWay.LoadOrStore(o.ID, true); busy {
		// Its first worker is also seen here in the moment between its last write and its end.
		if err := g.DB.Postpone(o.Order, o.Polls, g.Now().Add(underWayPause)); err != nil {
			g.Log.Error("postpone order failed", "order", o.ID, "error", err)
		}
		return
	}
	defer g.underWay.Delete(o.ID)
	g.work(gate, o, c)
}

// afterFailure is the wait after a failure to claim, longer each time.
func (g *Gateway) afterFailure(failures int) time.Duration {
	return g.backoff(idleMost, 30*time.Second, failures)
}

// claim takes due orders; it first asks, without writing, whether there are any.
func (g *Gateway) claim(ctx context.Context, l *storage.Lookout, id payout.GateID, which storage.Which, limit int) ([]storage.ClaimedOrder, error) {
	now := g.Now()
	due, err := g.DB.LookForOrders(ctx, l, id, which, now)
	if err != nil || due.IsZero() || due.After(now) {
		return nil, ignoreEnd(ctx, err)
	}
	return g.DB.ClaimOrders(l, id, which, now, g.Settings.lease(), limit)
}

// ignoreEnd drops the error of a read that the end of the context cut short.
func ignoreEnd(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return nil
	}
	return err
}

// idle waits until there may be something to claim: an order became due, a slot
// became free when none was, or a while has passed.
func (g *Gateway) idle(ctx context.Context, id payout.GateID, c claim, worker *gateWorker) {
	wakeup, freed := g.wakeup(id), worker.slots.freed
	if !c.room || c.which == storage.SentDue {
		wakeup = nil // a new order cannot be claimed now
	} else {
		freed = nil // there was room for more than was due
	}
	wait := idleMost
	if c.room {
		now := g.Now()
		if due, err := g.DB.LookForOrders(ctx, worker.lookout(c.which), id, c.which, now); err == nil && !due.IsZero() {
			wait = min(wait, max(due.Sub(now), idleLeast))
		}
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	case <-wakeup:
	case <-freed:
	}
}

// work takes one claimed order one step on. Each step ends in a Move or a
// Postpone, which give the order back; if neither happens, because something
// failed or panicked, the lease ends and the order is looked at again.
func (g *Gateway) work(gate *payout.Gate, claimed storage.ClaimedOrder, c *circuit) {
	o := claimed.Order
	err := g.guarded(func() error {
		rail := g.Processors[gate.Processor]
		switch {
		case claimed.Err != nil:
			return g.rest(o, claimed.Err.Error())
		case rail == nil:
			return g.rest(o, fmt.Sprintf("gate %s names the unknown processor %s", gate.Name, gate.Processor))
		}
		if g.restored(o) && (o.Stage == payout.Starting || o.Stage == payout.Checking || o.Stage == payout.Held || o.Stage == payout.AtForm) {
			return g.presumeSent(o)
		}
		switch o.Stage {
		case payout.Checking:
			return g.check(rail, gate, o, c)
		case payout.Held:
			return g.expire(o, payout.CodeNotPaidInTime)
		case payout.AtForm:
			return g.expire(o, payout.CodeFormExpired)
		case payout.Starting:
			if o.Type.Charges() {
				return g.charge(rail, gate, o, c)
			}
			return g.send(rail.Payout, gate, o, c)
		default:
			return g.ask(rail, gate, o, c)
		}
	})
	if err != nil {
		g.Log.Error("work on order failed", "order", o.ID, "stage", o.Stage, "error", err)
	}
}

// rest leaves an order that cannot be worked on as things are; the operator is told.
func (g *Gateway) rest(o *payout.Order, why string) error {
	g.Log.Warn("order waits", "order", o.ID, "why", why)
	return g.DB.Postpone(o, o.Polls+1, g.Now().Add(g.backoff(time.Second, 30*time.Second, o.Polls)))
}

// send pays an order that has surely not been paid: the intent is stored, then
// the rail is called, then the outcome is stored.
func (g *Gateway) send(pay func(context.Context, processor.Payment) processor.Outcome, gate *payout.Gate, o *payout.Order, c *circuit) error {
	now := g.Now()
	intent := g.intent(o, gate.ID, now)
	intent.DueAt = now.Add(g.Settings.lease())
	moved, err := g.DB.Move(*intent)
	unknown := errors.Is(err, storage.ErrUnknown)
	if !moved && !unknown {
		return err // nil: another worker has the order
	}
	o.Stage, o.Version, o.Attempts, o.Polls = payout.Sending, o.Version+1, intent.Attempts, 0

	if unknown {
		// If the intent has been stored after all, this takes it back.
		return g.record(o, intent.Opens, processor.Unsent(err))
	}
	if late := g.Now().Sub(now); late > leaseMargin/2 || late < -leaseMargin/2 {
		// The disk was slow, or the clock jumped: the lease could end during the call, and
		// another worker would ask about a payment that is still on its way.
		return g.record(o, intent.Opens, processor.Unsent(fmt.Errorf("the intent was stored only after %s", late)))
	}
	outcome := g.call(pay, gate, o, "")
	c.record(outcome, g.Now(), g.Random())
	return g.record(o, intent.Opens, outcome)
}

// intent prepares the move that is stored before an order is sent to a gate.
func (g *Gateway) intent(o *payout.Order, gate payout.GateID, now time.Time) *storage.Move {
	m := g.move(o, payout.Send, now)
	m.Attempts = o.Attempts + 1
	m.Opens = &payout.Transaction{OrderID: o.ID, Attempt: m.Attempts, GateID: gate,
		Reference: payout.Reference(o.ID, m.Attempts), Stage: payout.Sending, StartedAt: now}
	return m
}

// ask finds out what became of an order that may have been paid. It never
// sends: no answer is asked for again, later and later.
func (g *Gateway) ask(rail processor.Processor, gate *payout.Gate, o *payout.Order, c *circuit) error {
	ctx, cancel := context.WithTimeout(context.Background(), leaseMargin/2)
	defer cancel()
	transactions, err := g.DB.Transactions(ctx, o.ID)
	if err != nil {
		return err
	}
	asked := &payout.Transaction{OrderID: o.ID, Attempt: o.Attempts, GateID: gate.ID}
	if n := len(transactions); n > 0 {
		asked = &transactions[n-1]
	}
	outcome := g.call(rail.Status, gate, o, asked.ProcessorTxID)
	c.asked(outcome)
	if outcome.Result == processor.ResultUnsent {
		// Only the call that sent can know that nothing left.
		outcome = processor.Lost(outcome.Err)
	}
	if g.mayHaveFollowed(o, transactions, outcome) {
		return g.askOn(o, asked, outcome)
	}
	return g.record(o, asked, outcome)
}

// check has the bank confirm a payout-check, if the rail can do that.
func (g *Gateway) check(rail processor.Processor, gate *payout.Gate, o *payout.Order, c *circuit) error {
	if !g.Now().Before(o.ExpiresAt) {
		return g.expire(o, payout.CodeNotPaidInTime)
	}
	outcome := processor.Approved("")
	if checker, ok := rail.(processor.Checker); ok {
		outcome = g.call(checker.Check, gate, o, "")
		c.record(outcome, g.Now(), g.Random())
	}
	now := g.Now()
	switch outcome.Result {
	case processor.ResultApproved:
		m := g.move(o, payout.Confirm, now)
		m.DueAt = o.ExpiresAt
		_, err := g.DB.Move(*m)
		return err
	case processor.ResultDeclined, processor.ResultBroken:
		_, err := g.finish(o, payout.Decline, payout.CodeCheckDeclined, outcome.Text, nil)
		return err
	}
	g.logOutcome(o, outcome)
	return g.postpone(o, o.ExpiresAt)
}

// expire declines an order for which payout-pay, or the Receiver's form, did not come.
func (g *Gateway) expire(o *payout.Order, code payout.ErrCode) error {
	_, err := g.finish(o, payout.Expire, code, "", nil)
	return err
}

// call calls a rail with everything it may need to know, within the time limit.
// It does not end with the worker: a payment that was begun is seen through.
func (g *Gateway) call(method func(context.Context, processor.Payment) processor.Outcome, gate *payout.Gate, o *payout.Order, txID string) processor.Outcome {
	ctx, cancel := context.WithTimeout(context.Background(), g.Settings.railTimeout())
	defer cancel()
	started := g.Now()
	payment := payment(o, gate, started)
	payment.TxID = txID
	ctx, ended := g.traceCall(ctx, gate, o)
	outcome := presentable(o, method(ctx, payment))
	ended(outcome)
	g.Metrics.called(gate, outcome, g.Now().Sub(started))
	return outcome
}

// record stores what a rail said of an order's transaction: an outcome that the table
// of moves has for the order's stage moves it; any other leaves it to be asked about
// again. What cannot be stored as a move is kept as evidence.
func (g *Gateway) record(o *payout.Order, t *payout.Transaction, outcome processor.Outcome) error {
	next, gate := g.nextGate(o)
	if _, known := g.codes.get(o.ID, g.Now()); o.Type.Charges() && gate != nil && !g.restored(o) && (!known || !g.hasPart(gate.ID)) {
		gate = nil // no other gate could charge the card without its code, nor another node
	}
	event := eventOf(outcome, gate != nil)
	to, ok := o.Stage.Next(event)
	if !ok {
		g.logOutcome(o, outcome)
		return g.postpone(o, time.Time{})
	}
	if outcome.Result == processor.ResultUnsent || outcome.Result == processor.ResultLost || outcome.Err != nil {
		g.logOutcome(o, outcome)
	}
	if event != payout.Unsent && event != payout.DeclineChain {
		g.codes.wipe(o.ID) // only what will be sent again needs its card code again
	}
	now := g.Now()
	closes := told(t, outcome)
	closes.Stage = to
	if to.Final() {
		closes.EndedAt = now
		if moved, err := g.finish(o, event, outcome.Code, outcome.Text, closes); err != nil || !moved {
			g.lost(o, outcome, err)
		}
		return nil
	}
	m := g.move(o, event, now)
	m.Closes = closes
	switch event {
	case payout.DeclineChain:
		closes.Stage, closes.EndedAt = payout.Declined, now
		m.GatePosition, m.GateID, m.DueAt = next, gate.ID, now
		m.Note = outcome.Text
	case payout.Unsent:
		closes.EndedAt = now
		m.DueAt = now.Add(g.backoff(or(g.Settings.PollFirst, time.Second), time.Minute, o.Attempts-1))
	default:
		m.DueAt = now.Add(g.jitter(or(g.Settings.PollFirst, time.Second)))
	}
	if moved, err := g.insistOn(m, nil); err != nil || !moved {
		g.lost(o, outcome, err)
		return nil
	}
	if event == payout.DeclineChain && g.restored(o) { // it may have been sent to the next gate too
		o.Stage, o.Version, o.GatePosition, o.GateID = m.To, o.Version+1, m.GatePosition, m.GateID
		return g.presumeSent(o)
	}
	g.wake(m.GateID)
	return nil
}

// told is a transaction after what a rail has told of it. What it has told once stays
// when a later answer leaves it out.
func told(t *payout.Transaction, outcome processor.Outcome) *payout.Transaction {
	after := *t
	after.ProcessorTxID = or(outcome.TxID, t.ProcessorTxID)
	after.RRN = or(outcome.RRN, t.RRN)
	after.ApprovalCode = or(outcome.ApprovalCode, t.ApprovalCode)
	after.ECI = or(outcome.ECI, t.ECI)
	after.Advice = or(outcome.Advice, t.Advice)
	after.ErrorCode, after.ErrorMessage = outcome.Code, outcome.Text
	return &after
}

// finish ends an order: its outcome and the callback that is owed are stored
// in one commit, which is insisted on. A code of 0 is the event's usual one. moved is false when
// somebody else was faster.
func (g *Gateway) finish(o *payout.Order, event payout.Event, code payout.ErrCode, text string, closes *payout.Transaction) (moved bool, err error) {
	g.codes.wipe(o.ID)
	m := g.move(o, event, g.Now())
	m.Closes = closes
	if m.To != payout.Approved {
		if code == 0 {
			code = payout.CodeDeclined
			if m.To == payout.Failed {
				code = payout.CodeProcessorError
			}
		}
		if text == "" {
			text = code.Row().Text
		}
		m.ErrorCode, m.ErrorMessage = code, text
		if closes != nil {
			closes.ErrorCode, closes.ErrorMessage = code, text
		}
	}
	g.ends(m, o)
	c := g.takeDelivery(m.Callback)
	leave := func() {
		if c != nil {
			c.leave(m.Callback.Receiver)
			c = nil
		}
	}
	defer func() {
		if !moved {
			leave()
		}
	}()
	moved, err = g.insistOn(m, func() {
		// Insisting may outlast the lease, and nobody knows whether the first try was stored
		// with it: the callback is delivered by who claims it.
		leave()
		if m.Callback != nil {
			m.Callback.DueAt, m.Callback.LeasedUntil = m.At, time.Time{}
		}
	})
	if err != nil || !moved {
		return false, err
	}
	if g.Now().Sub(m.At) > leaseMargin {
		leave() // the lease could end during the delivery
	}
	g.Metrics.finished(o, m.To, m.At)
	g.Log.Info("order is final", "order", o.ID, "stage", m.To, "error_code", int(m.ErrorCode))
	switch {
	case c != nil:
		known := g.endOf(m, o)
		c.slots.use(func() { g.deliverSeated(c, *m.Callback, known) })
	case m.Callback != nil:
		g.wakeCallbacks()
	}
	return true, nil
}

// endOf is where an order stands after its last move; nil when that closes no
// transaction: then nobody here knows the latest one.
func (g *Gateway) endOf(m *storage.Move, o *payout.Order) *Standing {
	if m.Closes == nil {
		return nil
	}
	ended := *o
	ended.Stage, ended.Version, ended.FinalAt = m.To, o.Version+1, m.At
	ended.ErrorCode, ended.ErrorMessage = m.ErrorCode, m.ErrorMessage
	return &Standing{Order: &ended, Transaction: m.Closes, Gate: g.Directory().Gates[m.Closes.GateID], Receipt: m.Receipt}
}

// lost keeps an outcome that did not move its order: it came after another worker had
// moved it, or, for a reason, the database did not take the move. One that says that money
// left is for people to look at. The database may come to have it twice.
func (g *Gateway) lost(o *payout.Order, outcome processor.Outcome, why error) {
	about := []any{"order", o.ID, "attempt", o.Attempts, "stage", o.Stage, "result", outcome.Result, "processor_tx_id", outcome.TxID}
	level := slog.LevelWarn
	switch outcome.Result {
	case processor.ResultApproved, processor.ResultAccepted:
		level = slog.LevelError
	}
	switch {
	case why != nil:
		g.Log.Log(context.Background(), level, "an outcome could not be stored", append(about, "error", why)...)
	case outcome.Result != processor.ResultUnsent:
		g.Metrics.late(outcome)
		g.Log.Log(context.Background(), level, "an outcome came late", about...)
	}
	if outcome.Result == processor.ResultUnsent || why != nil && outcome.Result == processor.ResultLost {
		return // it changes nothing
	}
	late := payout.LateOutcome{OrderID: o.ID, Attempt: o.Attempts, GateID: o.GateID, SeenStage: o.Stage, Result: string(outcome.Result),
		ProcessorTxID: outcome.TxID, RRN: outcome.RRN, ErrorCode: outcome.Code, ErrorMessage: outcome.Text}
	now := g.Now()
	failed := func(err error) {
		g.Log.Warn("an outcome could not be kept yet; it is tried again", append(about, "error", err)...)
	}
	err := g.insist(failed, func() error {
		return g.DB.Transact(context.Background(), now, func(tx *storage.Tx) error { return tx.AddLateOutcome(late) })
	})
	if err != nil {
		g.Log.Error("an outcome could not be kept", append(about, "error", err)...)
	}
}

// postpone has an unmoved order asked about again, later each time, but not
// after limit when that is set.
func (g *Gateway) postpone(o *payout.Order, limit time.Time) error {
	due := g.Now().Add(g.backoff(or(g.Settings.PollFirst, time.Second), g.Settings.pollMost(), o.Polls))
	if !limit.IsZero() && due.After(limit) {
		due = limit
	}
	return g.DB.Postpone(o, o.Polls+1, due)
}

func (g *Gateway) logOutcome(o *payout.Order, outcome processor.Outcome) {
	err := outcome.Err
	if err == nil {
		err = errors.New("none")
	}
	g.Log.Warn("rail gave no outcome", "order", o.ID, "attempt", o.Attempts, "gate", o.GateID, "stage", o.Stage,
		"result", outcome.Result, "error", err)
}

// nextGate finds the gate to try after the order's present one; nil when the
// chain has ended.
func (g *Gateway) nextGate(o *payout.Order) (int, *payout.Gate) {
	d := g.Directory()
	endpoint := d.Endpoints[o.EndpointID]
	if endpoint == nil {
		return -1, nil
	}
	return gateAfter(d, endpoint, o.GatePosition, o.Amount.Currency)
}

// eventOf gives a rail's answer its name in the table of moves. What is not a
// clear answer is no answer.
func eventOf(o processor.Outcome, another bool) payout.Event {
	switch o.Result {
	case processor.ResultApproved:
		return payout.Approve
	case processor.ResultDeclined:
		if o.TryNext && another {
			return payout.DeclineChain
		}
		return payout.Decline
	case processor.ResultAccepted:
		return payout.Accept
	case processor.ResultUnsent:
		return payout.Unsent
	case processor.ResultBroken:
		return payout.Fail
	}
	return payout.Lose
}

// ends gives an order's last move what every end has: the receipt, and the
// callback that is owed.
func (g *Gateway) ends(m *storage.Move, o *payout.Order) {
	m.Callback = g.owed(o, m.At)
	m.Receipt = g.receiptID(o.ID)
}

// owed makes the callback that an order owes at its end, or nil when nobody
// wants one.
func (g *Gateway) owed(o *payout.Order, at time.Time) *payout.Callback {
	url := o.Params[spec.ServerCallbackURL.Name]
	if url == "" {
		url = o.Params[spec.NotifyURL.Name]
	}
	if endpoint := g.Directory().Endpoints[o.EndpointID]; url == "" && endpoint != nil {
		url = endpoint.CallbackURL
	}
	if url == "" {
		return nil
	}
	return &payout.Callback{OrderID: o.ID, Receiver: g.receiverOf(url), URL: payout.Secret(url), DueAt: at,
		State: payout.CallbackDue}
}
