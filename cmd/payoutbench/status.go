package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"payout/spec"
)

// askedMost is how many different orders are asked for: fewer than a gateway remembers.
const askedMost = 10_000

// askedWithin is the longest time to ask for each of them once.
const askedWithin = 2 * time.Minute

type statusCmd struct {
	common
	Version   []string      `default:"v4,v2" enum:"v4,v2" help:"Which status command is sent: v4 is signed and stores its nonce, v2 has a control sum and stores nothing (default: ${default})."`
	Duration  time.Duration `default:"1s" help:"Length of each measurement (default: ${default})."`
	Rounds    int           `default:"9" help:"Measurements of everything, in turn; medians are printed (default: ${default})."`
	Bits      []int         `default:"2048" enum:"2048,3072,4096" help:"RSA key lengths (default: ${default})."`
	Fresh     bool          `help:"Ask by client_orderid alone: those orders are read from the database each time, while final ones that are asked for by their id are remembered."`
	Orders    int           `default:"10000" help:"Final orders that are stored before, and asked for (default: ${default})."`
	PerSecond int           `default:"17000" help:"Requests to sign beforehand for each second (default: ${default})."`
}

// Validate is called when the flags have been read.
func (c statusCmd) Validate() error {
	if c.Orders < 1 || c.Orders > 10_000_000 {
		return errors.New("--orders must be from 1 to 10000000")
	}
	return errors.Join(checkRounds(c.Rounds, c.Duration), c.common.Validate())
}

// Run measures.
func (c statusCmd) Run(ctx context.Context, t terminal) (err error) {
	l, err := c.open(ctx, t, "status: how fast questions are answered", c.Bits, 1)
	defer func() { err = l.finish(err) }()
	if err != nil {
		return err
	}
	ceilings, err := l.openCeilings(ctx, 1)
	if err != nil {
		return err
	}
	if err := l.openHouses(ctx, 1); err != nil {
		return err
	}
	l.describe(c.Duration, c.Rounds)
	asked := make(map[*house][]pastOrder)
	for _, h := range l.houses {
		if err := h.fillPast(ctx, l.merchants, c.Orders, l.progress); err != nil {
			return err
		}
		if asked[h], err = h.pastOrders(ctx, l.merchants, c.Orders, askedMost); err != nil {
			return err
		}
		if c.Fresh {
			asked[h] = withoutIDs(asked[h])
		}
	}
	for _, h := range l.houses { // when all are filled: what is remembered is for a while only
		if err := c.askOnce(ctx, h, asked[h]); err != nil {
			return err
		}
	}
	if _, err := l.contest(ctx, "Answered questions", "ceiling", c.Rounds, c.entries(l, ceilings[0], asked)); err != nil {
		return err
	}
	if err := c.beside(ctx, l, asked); err != nil {
		return err
	}
	return l.memory()
}

// askOnce asks for each order, so that before anything is measured the gateway remembers
// all of them that are asked for by their id: for ten minutes, and the measurement is
// shorter by default. Otherwise the first rounds would be different from the others.
func (c statusCmd) askOnce(ctx context.Context, h *house, orders []pastOrder) error {
	var questions magazine
	if err := questions.fill(ctx, len(orders), statuses(spec.StatusV2, orders)); err != nil {
		return err
	}
	m := loop{connections: c.Connections, duration: askedWithin}.run(ctx, target{dial: dialer(addresses(h.nodes), statusAnswer), next: questions.take})
	if m.done < len(orders) {
		return fmt.Errorf("%d of %d orders on %s answered before the measurement: %w", m.done, len(orders), h.name, cmp.Or(m.first, ctx.Err(), context.DeadlineExceeded))
	}
	return nil
}

func (c statusCmd) wanted() int {
	if c.Rate > 0 {
		return c.loop(c.Duration).arrivals()
	}
	return int(float64(c.PerSecond)*c.Duration.Seconds()) + c.Connections
}

func versionOf(version string) *spec.Command {
	if version == "v2" {
		return spec.StatusV2
	}
	return spec.StatusV4
}

func versionLabel(version string, bits int) string {
	if version == "v2" {
		return "v2"
	}
	return fmt.Sprintf("v4, RSA-%d", bits)
}

// of are the orders of merchants with keys of a length.
func ordersOf(orders []pastOrder, bits int) []pastOrder {
	var found []pastOrder
	for _, o := range orders {
		if o.merchant.bits == bits {
			found = append(found, o)
		}
	}
	return found
}

// entries are the ceilings, and then the houses.
func (c statusCmd) entries(l *lab, ceiling *process, asked map[*house][]pastOrder) []entry {
	var entries []entry
	for _, version := range c.Version {
		for i, bits := range c.Bits {
			if version == "v2" && i > 0 {
				continue // it has no key
			}
			group := versionLabel(version, bits)
			command, of := versionOf(version), "ceiling, "+group+": nothing read"
			closed := loop{connections: c.Connections, duration: c.Duration}
			entries = append(entries, c.entry(group, of, "", closed, ceiling, statuses(command, ordersOf(asked[l.houses[0]], bits)), true))
			for _, h := range l.houses {
				entries = append(entries, c.entry(group, h.name+", "+group, of, c.loop(c.Duration), h.nodes[0],
					statuses(command, ordersOf(asked[h], bits)), version == "v2"))
			}
		}
	}
	return entries
}

// entry measures one server. What stores no nonce can be sent again and again.
func (c statusCmd) entry(group, label, ceiling string, how loop, p *process, make1 func(int) (shot, error), again bool) entry {
	m := &magazine{again: again}
	return entry{label: label, group: group, ceiling: ceiling,
		ready: func(ctx context.Context) error { return m.fill(ctx, c.wanted(), make1) },
		measure: func(ctx context.Context) (measurement, error) {
			return measure(ctx, how, []*process{p}, target{dial: dialer([]string{p.address}, statusAnswer), next: m.take})
		}}
}

// beside measures what polls at full speed cost the accepts of the same party.
func (c statusCmd) beside(ctx context.Context, l *lab, asked map[*house][]pastOrder) error {
	var entries []entry
	for _, h := range l.houses {
		merchants := l.of(c.Bits[0], 1)
		var accepts, polls magazine
		closed := loop{connections: c.Connections, duration: c.Duration}
		accept := func(ctx context.Context) (measurement, error) {
			return measure(ctx, closed, h.nodes, target{dial: dialer(addresses(h.nodes), asyncAnswer), next: accepts.take})
		}
		fill := func(ctx context.Context) error {
			return accepts.fill(ctx, c.wanted(), l.payouts(spec.Payout, merchants, gateWaiting))
		}
		var polled measurement
		entries = append(entries,
			entry{label: h.name + ", accepts alone", group: h.name, ready: fill, measure: accept},
			entry{label: h.name + ", accepts beside polls", group: h.name, ceiling: h.name + ", accepts alone",
				ready: func(ctx context.Context) error {
					return errors.Join(fill(ctx), polls.fill(ctx, c.wanted(), statuses(spec.StatusV4, ordersOf(asked[h], c.Bits[0]))))
				},
				measure: func(ctx context.Context) (measurement, error) {
					var wait sync.WaitGroup
					wait.Go(func() {
						polled = closed.run(ctx, target{dial: dialer(addresses(h.nodes), statusAnswer), next: polls.take})
					})
					m, err := accept(ctx)
					wait.Wait()
					m.cpu = 0 // that of both
					return m, err
				}},
			entry{label: h.name + ", those polls", group: h.name, measure: func(context.Context) (measurement, error) { return polled, nil }})
	}
	_, err := l.contest(ctx, "Accepts beside the same party's polls", "alone", c.Rounds, entries)
	return err
}
