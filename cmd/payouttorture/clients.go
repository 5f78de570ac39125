//go:build unix

package main

import (
	"bufio"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"payout"
	"payout/client"
	"payout/processor/simulator"
)

const (
	clientTimeout = 4 * time.Second // longest wait of a client for an answer
	askPause      = 300 * time.Millisecond

	// patientTimeout is that of some clients of long runs: they hear what a transaction
	// comes to that has reached its time limit.
	patientTimeout = 40 * time.Second
)

// A wish is what a client wants paid.
type wish struct {
	ClientOrderID string
	Way           way
	Account       string // or phone, by Way
	Amount        string // EUR
	CallbackURL   string

	gaveUpAfter int  // sends, if none was acknowledged; 0: never
	twice       bool // it is sent to two nodes at the same moment
	abandoned   bool // what was confirmed is not paid
	asksFirst   bool // a lost answer has the client ask for the status before it sends again
}

// A way is how an order is made.
type way string

// The ways.
const (
	byPayout way = "payout"
	byCheck  way = "payout-check" // and payout-pay when the bank has confirmed
	bySBP    way = "withdrawal-sbp"
)

// A record is what a client knows of an order.
type record struct {
	wish
	Sends, Refused, Lost int // of the request that makes the order
	Acknowledged         []payout.OrderID
	Promises             []span           // from sending to each acknowledgement
	Told                 []payout.OrderID // by the status of an order that was not acknowledged
	PaySent, PayAcked    bool             // payout-pay
	Final                payout.Status    // as a status told it, or empty
}

// A span is a time from one moment to another.
type span struct{ from, to time.Time }

// within reports whether a span begins and ends within another.
func (s span) within(other span) bool { return !s.from.Before(other.from) && !s.to.After(other.to) }

// maybeStored reports whether an order may have come of it: it was
// acknowledged, or an answer was lost.
func (r *record) maybeStored() bool { return len(r.Acknowledged) > 0 || r.Lost > 0 }

// askedToPay reports whether the client wants the money to leave.
func (r *record) askedToPay() bool { return r.Way != byCheck || r.PaySent }

// A merchant is one client with a journal of its own.
type merchant struct {
	number    int
	random    *rand.Rand // of what it wishes
	apis      []*client.Client
	terminal  client.Terminal
	receivers []*receiver
	every     time.Duration // between orders
	found     func(rule, what string)

	mu      sync.Mutex
	records []*record
	journal *bufio.Writer
	file    *os.File
	busy    int // answers with 503
}

// newMerchant makes a client of all nodes, with its journal in dir.
func newMerchant(number int, seed uint64, dir string, apis []*client.Client, receivers []*receiver, every time.Duration, found func(rule, what string)) (*merchant, error) {
	file, err := os.Create(filepath.Join(dir, fmt.Sprintf("client-%d.jsonl", number)))
	if err != nil {
		return nil, err
	}
	return &merchant{number: number, random: rand.New(rand.NewPCG(seed, uint64(1000+number))), apis: apis, terminal: client.Endpoint(endpointID), receivers: receivers,
		every: every, found: found, journal: bufio.NewWriter(file), file: file}, nil
}

// close ends the journal.
func (m *merchant) close() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	return errors.Join(m.journal.Flush(), m.file.Close())
}

// An entry is a line of a journal.
type entry struct {
	At            time.Time `json:"at"`
	Node          int       `json:"node"`
	ClientOrderID string    `json:"client_orderid"`
	What          string    `json:"what"`
	Order         string    `json:"order,omitempty"`
	Error         string    `json:"error,omitempty"`
}

// note writes into the journal, and lets change the record at the same moment.
func (m *merchant) note(r *record, node int, what, order string, err error, change func()) {
	e := entry{At: time.Now(), Node: node + 1, ClientOrderID: r.ClientOrderID, What: what, Order: order}
	if err != nil {
		e.Error = err.Error()
	}
	line, jsonErr := json.Marshal(e)
	m.mu.Lock()
	defer m.mu.Unlock()
	if jsonErr == nil {
		_, _ = m.journal.Write(append(line, '\n')) // close tells
	}
	if change != nil {
		change()
	}
}

// scenarios are what the rail does on demand. One is left out: a bank that
// confirms later than the nodes' time limit would never confirm.
var scenarios = slices.DeleteFunc(simulator.Scenarios(), func(s simulator.Scenario) bool { return s.Name == "payout-check slow" })

// wish decides the next order: the same for the same seed.
func (m *merchant) wish(n int) wish {
	w := wish{ClientOrderID: fmt.Sprintf("torture-%d-%d", m.number, n), Way: byPayout, Amount: fmt.Sprintf("%d.%02d", 1+m.random.IntN(900), m.random.IntN(100))}
	scenario := scenarios[m.random.IntN(len(scenarios))]
	misbehaves := m.random.IntN(2) == 0
	w.Account = fmt.Sprintf("77%03d%05d", m.number, n%100000)
	if misbehaves {
		w.Account = scenario.Account
	}
	switch m.random.IntN(6) {
	case 0:
		w.Way = byCheck
	case 1:
		w.Way, w.Account = bySBP, fmt.Sprintf("7911%03d%04d", m.number, n%10000)
		if misbehaves {
			w.Account = scenario.Phone
		}
	}
	w.CallbackURL = m.receivers[m.random.IntN(len(m.receivers))].url
	if m.random.IntN(8) == 0 {
		w.gaveUpAfter = 1 + m.random.IntN(2)
	}
	w.twice, w.abandoned = m.random.IntN(10) == 0, m.random.IntN(8) == 0
	w.asksFirst = m.random.IntN(2) == 0
	return w
}

// run sends orders until sending ends, and sees all of them through until the
// context ends.
func (m *merchant) run(ctx context.Context, sending <-chan struct{}) {
	var under sync.WaitGroup
	defer under.Wait()
	slots := make(chan struct{}, 32) // orders under way
	tick := time.NewTicker(m.every)
	defer tick.Stop()
	for n := 1; ; n++ {
		w := m.wish(n)
		first := m.random.IntN(len(m.apis))
		select {
		case <-sending:
			return
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		select {
		case slots <- struct{}{}:
		case <-sending:
			return
		}
		r := &record{wish: w}
		m.mu.Lock()
		m.records = append(m.records, r)
		m.mu.Unlock()
		under.Go(func() {
			defer func() { <-slots }()
			m.order(ctx, r, first)
		})
	}
}

// order sees one order through.
func (m *merchant) order(ctx context.Context, r *record, first int) {
	if r.twice {
		var other sync.WaitGroup
		defer other.Wait()
		other.Go(func() { m.make(ctx, r, first+1) })
	}
	if !m.make(ctx, r, first) {
		return
	}
	if r.Way != byCheck {
		m.ask(ctx, r, first+2, func(client.StatusResponse) bool { return true })
		return
	}
	confirmed, ok := m.ask(ctx, r, first+2, func(s client.StatusResponse) bool { return s.Confirmed() || s.Final() })
	if !ok || confirmed.Final() || r.abandoned {
		return
	}
	m.pay(ctx, r, first)
}

// make sends the request that makes the order until it is acknowledged, each
// time to the next node; false when the client has given up.
func (m *merchant) make(ctx context.Context, r *record, node int) bool {
	for try := 1; ctx.Err() == nil; try++ {
		node = (node + 1) % len(m.apis)
		began := time.Now()
		m.note(r, node, "sent", "", nil, func() { r.Sends++ })
		reply, err := m.send(ctx, m.apis[node], r)
		if err == nil {
			m.acknowledged(r, node, began, reply)
			return true
		}
		if _, lost := errors.AsType[*client.LostError](err); lost && r.asksFirst {
			m.askFirst(ctx, r, node+1)
		}
		if !m.failed(r, node, "", err) || r.gaveUpAfter > 0 && try >= r.gaveUpAfter {
			return false
		}
		_ = wait(ctx, askPause) // the loop looks at the context
	}
	return false
}

// send sends the request that makes the order.
func (m *merchant) send(ctx context.Context, api *client.Client, r *record) (client.AsyncResponse, error) {
	switch r.Way {
	case byCheck:
		return api.PayoutCheck(ctx, m.terminal, client.PayoutCheckRequest{ClientOrderID: r.ClientOrderID, Amount: r.Amount, Currency: "EUR", AccountNumber: r.Account,
			AccountName: "John Q. Public", ServerCallbackURL: r.CallbackURL})
	case bySBP:
		return api.WithdrawalSBP(ctx, m.terminal, client.WithdrawalSBPRequest{ClientOrderID: r.ClientOrderID, Amount: r.Amount, Currency: "EUR", ReceiverPhone: r.Account,
			MerchantData: "100000000111", ServerCallbackURL: r.CallbackURL})
	}
	return api.Payout(ctx, m.terminal, client.PayoutRequest{ClientOrderID: r.ClientOrderID, Amount: r.Amount, Currency: "EUR", AccountNumber: r.Account,
		AccountName: "John Q. Public", ServerCallbackURL: r.CallbackURL})
}

// acknowledged notes an answer that promises the order.
func (m *merchant) acknowledged(r *record, node int, began time.Time, reply client.AsyncResponse) {
	id, err := payout.ParseOrderID(reply.PaynetOrderID)
	if err != nil || reply.MerchantOrderID != r.ClientOrderID {
		m.found("an acknowledgement names the order", fmt.Sprintf("%s is answered merchant-order-id %q, paynet-order-id %q", r.ClientOrderID, reply.MerchantOrderID, reply.PaynetOrderID))
	}
	m.note(r, node, "acknowledged", reply.PaynetOrderID, nil, func() {
		r.Acknowledged = append(r.Acknowledged, id)
		r.Promises = append(r.Promises, span{began, time.Now()})
	})
}

// askFirst asks once where an order stands whose acknowledgement was lost. An order that
// a status tells of is kept like one that was acknowledged.
func (m *merchant) askFirst(ctx context.Context, r *record, node int) {
	node %= len(m.apis)
	status, err := m.apis[node].StatusV2(ctx, m.terminal, client.StatusV2Request{ClientOrderID: r.ClientOrderID})
	if err != nil {
		return // there is no such order yet, or nobody answers
	}
	id, err := payout.ParseOrderID(status.PaynetOrderID)
	if err != nil {
		m.found("a status names the order", fmt.Sprintf("%s has paynet-order-id %q", r.ClientOrderID, status.PaynetOrderID))
	}
	m.told(r, node, status)
	m.note(r, node, "told", status.PaynetOrderID, nil, func() { r.Told = append(r.Told, id) })
}

// failed notes that a request was refused, was lost or did not leave, and reports
// whether it makes sense to repeat it. prefix names another request than the one
// that makes the order.
func (m *merchant) failed(r *record, node int, prefix string, err error) (again bool) {
	what, makes := "not sent", prefix == ""
	refusal, refused := errors.AsType[*client.Error](err)
	lost, isLost := errors.AsType[*client.LostError](err)
	switch {
	case isLost:
		what = "lost"
		if lost.HTTPStatus == http.StatusForbidden {
			m.found("an order is refused for being late only", r.ClientOrderID+": "+err.Error())
		}
	case refused:
		what = "refused"
		if refusal.HTTPStatus != http.StatusServiceUnavailable {
			m.found("nothing but 503 refuses a good request", r.ClientOrderID+": "+err.Error())
		} else if refusal.RetryAfter <= 0 {
			m.found("503 has Retry-After", r.ClientOrderID+": "+err.Error())
		}
	}
	m.note(r, node, prefix+what, "", err, func() {
		if makes && isLost {
			r.Lost++
		}
		if makes && refused {
			r.Refused++
		}
		if refused {
			m.busy++
		}
	})
	return !refused || refusal.HTTPStatus == http.StatusServiceUnavailable
}

// ask asks where an acknowledged order stands until it is far enough.
func (m *merchant) ask(ctx context.Context, r *record, node int, enough func(client.StatusResponse) bool) (client.StatusResponse, bool) {
	for ctx.Err() == nil {
		node = (node + 1) % len(m.apis)
		status, err := m.apis[node].StatusV2(ctx, m.terminal, client.StatusV2Request{ClientOrderID: r.ClientOrderID})
		refusal, refused := errors.AsType[*client.Error](err)
		switch {
		case err == nil:
			m.told(r, node, status)
			if enough(status) {
				return status, true
			}
		case refused && refusal.HTTPStatus != http.StatusServiceUnavailable:
			m.found("an acknowledged order is known", r.ClientOrderID+": "+err.Error())
			return status, false
		}
		_ = wait(ctx, askPause) // the loop looks at the context
	}
	return client.StatusResponse{}, false
}

// told notes a status. What was final stays as it was.
func (m *merchant) told(r *record, node int, status client.StatusResponse) {
	m.note(r, node, "status "+status.Status, status.PaynetOrderID, nil, func() {
		now := payout.Status(status.Status)
		if r.Final != "" && r.Final != now {
			m.found("what is final stays as it is", fmt.Sprintf("%s was %s and is %s", r.ClientOrderID, r.Final, now))
		}
		if now.Final() {
			r.Final = now
		}
	})
}

// pay lets the money of a confirmed payout-check go.
func (m *merchant) pay(ctx context.Context, r *record, node int) {
	m.mu.Lock()
	order := r.Acknowledged[0].String()
	m.mu.Unlock()
	for ctx.Err() == nil {
		node = (node + 1) % len(m.apis)
		began := time.Now()
		m.note(r, node, "pay sent", order, nil, func() { r.PaySent = true })
		_, err := m.apis[node].PayoutPay(ctx, m.terminal, client.PayoutPayRequest{ClientOrderID: r.ClientOrderID, OrderID: order})
		if err == nil {
			m.note(r, node, "pay acknowledged", order, nil, func() {
				r.PayAcked = true
				r.Promises = append(r.Promises, span{began, time.Now()})
			})
			return
		}
		if !m.failed(r, node, "pay ", err) {
			return
		}
		_ = wait(ctx, askPause) // the loop looks at the context
	}
}

// A tally is what all clients have seen.
type tally struct {
	orders, acknowledged, sends, lost, busy int
}

// tallyOf counts.
func tallyOf(merchants []*merchant) (t tally) {
	for _, m := range merchants {
		m.mu.Lock()
		for _, r := range m.records {
			t.orders++
			t.sends += r.Sends
			t.lost += r.Lost
			t.acknowledged += min(1, len(r.Acknowledged))
		}
		t.busy += m.busy
		m.mu.Unlock()
	}
	return t
}

// journalOf joins the journals of all clients.
func journalOf(merchants []*merchant) []record {
	var all []record
	for _, m := range merchants {
		m.mu.Lock()
		for _, r := range m.records {
			c := *r
			c.Acknowledged, c.Promises, c.Told = slices.Clone(r.Acknowledged), slices.Clone(r.Promises), slices.Clone(r.Told)
			all = append(all, c)
		}
		m.mu.Unlock()
	}
	return all
}

// attempts is how often package client itself sends a request: some clients
// leave repeating to it.
func attempts(number int) int { return cmp.Or(number%3, 3) }
