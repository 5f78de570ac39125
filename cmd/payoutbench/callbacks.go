package main

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"payout"
	"payout/spec"
	"payout/storage"
	"payout/vault"
)

type callbacksCmd struct {
	common
	Hanging   int           `default:"10000" help:"Callbacks of the receiver that hangs (default: ${default})."`
	Duration  time.Duration `default:"20s" help:"Length of each measurement of the others (default: ${default})."`
	Receivers int           `default:"16" help:"Other receivers (default: ${default})."`
	PerSecond int           `default:"12000" help:"Requests to sign beforehand for each second (default: ${default})."`
}

// othersRate is how many orders of the others arrive in a second, unless --rate says.
const othersRate = 50

// Validate is called when the flags have been read.
func (c callbacksCmd) Validate() error {
	switch {
	case c.Hanging < 1 || c.Hanging > 1_000_000:
		return errors.New("--hanging must be from 1 to 1000000")
	case c.Receivers < 1 || c.Receivers > 1000:
		return errors.New("--receivers must be from 1 to 1000")
	}
	return errors.Join(checkRounds(1, c.Duration), c.common.Validate())
}

// Run measures.
func (c callbacksCmd) Run(ctx context.Context, t terminal) (err error) {
	if c.Rate == 0 {
		c.Rate = othersRate
	}
	l, err := c.open(ctx, t, fmt.Sprintf("callbacks: what a receiver that hangs, with %d callbacks, costs the others", c.Hanging), []int{2048}, 2)
	defer func() { err = l.finish(err) }()
	if err != nil {
		return err
	}
	if err := l.openHouses(ctx, 1); err != nil {
		return err
	}
	l.describe(c.Duration, 1)
	table := l.report.table("Time from an order's end to its callback", append([]column{whatColumn, {"callbacks", count, 10}, {"errors", count, 6}}, waitColumns...)...)
	var curves []series
	for _, h := range l.houses {
		found, err := c.house(ctx, l, h, table)
		if err != nil {
			return err
		}
		curves = append(curves, found...)
	}
	l.report.plot(plot{Title: "Time from an order's end to its callback", X: axis{"percentile", nines}, Y: axis{"milliseconds", logarithmic}, Series: curves})
	return l.memory()
}

// house measures the others of one house before and while a receiver hangs.
func (c callbacksCmd) house(ctx context.Context, l *lab, h *house, table *table) ([]series, error) {
	l.progress.show(h.name+", others alone", 0, 3)
	alone, err := c.others(ctx, l, h)
	if err != nil {
		return nil, err
	}
	c.tell(table, h.name+", others alone", alone)
	hanging, err := c.hang(ctx, l, h)
	if err != nil {
		return nil, err
	}
	l.progress.show(h.name+", others beside it", 2, 3)
	beside, err := c.others(ctx, l, h)
	if err = errors.Join(err, hanging.close()); err != nil {
		return nil, err
	}
	c.tell(table, h.name+", others beside it", beside)
	table.note("%s: the slowest of the others is %s later than before.", h.name, wait.show(max(0, beside.waits.most()-alone.waits.most())))
	return []series{{Name: h.name + ", alone", Points: alone.waits.curve(), reference: true}, {Name: h.name + ", beside it", Points: beside.waits.curve()}}, nil
}

func (c callbacksCmd) tell(t *table, what string, m measurement) {
	t.add(append([]any{what, m.done, m.failures()}, waitsOf(m.waits)...)...)
	if m.first != nil {
		t.note("first error: %v", m.first)
	}
}

// others sends orders of the other receivers, and measures the time from the end of
// each to its callback.
func (c callbacksCmd) others(ctx context.Context, l *lab, h *house) (measurement, error) {
	var mu sync.Mutex
	came := make(map[string]time.Time) // by order id
	f, err := newFlights(l.invoices, 0, c.Receivers, func(t callbackTold) {
		mu.Lock()
		defer mu.Unlock()
		came[t.orderID] = t.at
	})
	if err != nil {
		return measurement{}, err
	}
	var m magazine
	err = m.fill(ctx, c.loop(c.Duration).arrivals(), f.payouts(l.merchants[:1], gatePaying))
	var found measurement
	if err == nil {
		found, err = f.measure(ctx, c.loop(c.Duration), h.nodes, m.take)
	}
	if err = errors.Join(err, f.receivers.close()); err != nil {
		return found, err
	}
	found.done, found.waits = 0, new(latencies)
	return found, h.with(ctx, func(db *storage.DB, _ *vault.Vault) error {
		for text, at := range came {
			id, err := payout.ParseOrderID(text)
			if err != nil {
				return err
			}
			order, err := db.Order(ctx, id)
			if err != nil {
				return err
			}
			found.done++
			found.waits.add(at.Sub(order.FinalAt))
		}
		return nil
	})
}

// hang has orders paid whose callbacks go to a receiver that never answers, until
// all of them have ended and owe their callback.
func (c callbacksCmd) hang(ctx context.Context, l *lab, h *house) (*receivers, error) {
	r, err := newReceivers(1, true, nil)
	if err != nil {
		return nil, err
	}
	sent := 0
	for sent < c.Hanging && err == nil {
		var m magazine
		if err = m.fill(ctx, min(c.Hanging-sent, c.PerSecond), func(i int) (shot, error) {
			id, clientOrderID := l.invoices.next()
			bytes, err := l.merchants[1].payoutTo(spec.Payout, gatePaying, clientOrderID, r.url(id))
			return shot{bytes, id}, err
		}); err != nil {
			break
		}
		closed := loop{connections: l.Connections, duration: time.Hour} // ends with the requests
		got := closed.run(ctx, target{dial: dialer(addresses(h.nodes), asyncAnswer), next: m.take})
		if err = ctx.Err(); err == nil && got.errors > 0 {
			err = fmt.Errorf("orders of the receiver that hangs: %w", got.first)
		}
		sent += got.done
	}
	if err == nil {
		err = c.untilFinal(ctx, l, h)
	}
	if err != nil {
		return nil, errors.Join(err, r.close())
	}
	return r, nil
}

// untilFinal waits until all orders have come to their end.
func (c callbacksCmd) untilFinal(ctx context.Context, l *lab, h *house) error {
	return h.with(ctx, func(db *storage.DB, _ *vault.Vault) error {
		tick := time.NewTicker(50 * time.Millisecond)
		defer tick.Stop()
		for {
			counts, err := db.CountByStage(ctx)
			if err != nil {
				return err
			}
			left := 0
			for _, n := range counts {
				left += int(n)
			}
			if left == 0 {
				return nil
			}
			l.progress.show(h.name+", orders of the receiver that hangs", c.Hanging-left, c.Hanging)
			select {
			case <-tick.C:
			case <-ctx.Done():
				return ctx.Err()
			}
		}
	})
}
