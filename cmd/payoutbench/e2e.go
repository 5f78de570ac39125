package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"payout/spec"
)

// orderFlags say how orders are sent that are paid and end with a callback.
type orderFlags struct {
	InFlight  int   `default:"256" help:"Orders between request and callback at once, unless --rate says how many come (default: ${default})."`
	Receivers int   `default:"16" help:"Receivers of callbacks, each with a port of its own (default: ${default})."`
	Bits      int   `default:"2048" enum:"2048,3072,4096" help:"RSA key length (default: ${default})."`
	Parties   int   `default:"1" help:"Connecting Parties that send (default: ${default})."`
	Nodes     []int `default:"1" help:"Gateways on one PostgreSQL, such as 1,3 (default: ${default})."`
}

func (f orderFlags) check() error {
	switch {
	case f.InFlight < 1 || f.InFlight > 100_000:
		return errors.New("--in-flight must be from 1 to 100000")
	case f.Receivers < 1 || f.Receivers > 1000:
		return errors.New("--receivers must be from 1 to 1000")
	case f.Parties < 1 || f.Parties > 1000:
		return errors.New("--parties must be from 1 to 1000")
	}
	return nil
}

// openFlights opens the receivers; in an open loop as many orders fly as come.
func (l *lab) openFlights(f orderFlags) (*flights, error) {
	most := f.InFlight
	if l.Rate > 0 {
		most = 0
	}
	orders, err := newFlights(l.invoices, most, f.Receivers, nil)
	if err != nil {
		return nil, err
	}
	l.later(orders.receivers.close)
	return orders, nil
}

type e2eCmd struct {
	common
	orderFlags
	Duration  time.Duration `default:"5s" help:"Length of each measurement (default: ${default})."`
	Rounds    int           `default:"5" help:"Measurements of everything, in turn; medians are printed (default: ${default})."`
	PerSecond int           `default:"12000" help:"Requests to sign beforehand for each second (default: ${default})."`
}

// Validate is called when the flags have been read.
func (c e2eCmd) Validate() error {
	return errors.Join(checkRounds(c.Rounds, c.Duration), c.check(), c.checkNodes(c.Nodes), c.common.Validate())
}

// Run measures.
func (c e2eCmd) Run(ctx context.Context, t terminal) (err error) {
	l, err := c.open(ctx, t, "e2e: from the request until the order is paid and its callback answered", []int{c.Bits}, c.Parties)
	defer func() { err = l.finish(err) }()
	if err != nil {
		return err
	}
	if err := l.openHouses(ctx, most(c.Nodes)); err != nil {
		return err
	}
	l.describe(c.Duration, c.Rounds)
	l.report.set("in flight at most", fmt.Sprint(c.InFlight))
	l.report.set("rail", "the simulator, which answers at once")
	orders, err := l.openFlights(c.orderFlags)
	if err != nil {
		return err
	}
	var entries []entry
	for _, h := range l.houses {
		for _, nodes := range c.Nodes {
			if nodes <= len(h.nodes) {
				entries = append(entries, c.pair(l, h, h.nodes[:nodes], orders)...)
			}
		}
	}
	if _, err := l.contest(ctx, "Orders from request to callback", "accepts", c.Rounds, entries); err != nil {
		return err
	}
	return l.memory()
}

// pair measures accepts alone, of orders that wait, and orders that end.
func (c e2eCmd) pair(l *lab, h *house, nodes []*process, orders *flights) []entry {
	label := h.name
	if len(nodes) > 1 {
		label += fmt.Sprintf(", %d nodes", len(nodes))
	}
	merchants := l.of(c.Bits, c.Parties)
	var waiting, paying magazine
	wanted := int(float64(c.PerSecond)*c.Duration.Seconds()) + c.Connections
	arrivals := wanted
	if c.Rate > 0 {
		arrivals = c.loop(c.Duration).arrivals()
	}
	return []entry{
		{label: label + ", accepts", ready: func(ctx context.Context) error {
			return waiting.fill(ctx, wanted, l.payouts(spec.Payout, merchants, gateWaiting))
		},
			measure: func(ctx context.Context) (measurement, error) {
				closed := loop{connections: c.Connections, duration: c.Duration}
				return measure(ctx, closed, nodes, target{dial: dialer(addresses(nodes), asyncAnswer), next: waiting.take})
			}},
		{label: label + ", e2e", ceiling: label + ", accepts",
			ready: func(ctx context.Context) error {
				return paying.fill(ctx, arrivals, orders.payouts(merchants, gatePaying))
			},
			measure: func(ctx context.Context) (measurement, error) {
				return orders.measure(ctx, c.loop(c.Duration), nodes, paying.take)
			}},
	}
}
