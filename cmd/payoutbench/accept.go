package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"payout/spec"
)

const ceilingRequests = 2000

type acceptCmd struct {
	common
	Command   string        `default:"payout" enum:"payout,transfer-by-ref" help:"What is sent: payout to an account, or transfer-by-ref to a card reference (default: ${default})."`
	Duration  time.Duration `default:"1s" help:"Length of each measurement (default: ${default})."`
	Rounds    int           `default:"9" help:"Measurements of everything, in turn; medians are printed (default: ${default})."`
	Bits      []int         `default:"2048" enum:"2048,3072,4096" help:"RSA key lengths (default: ${default})."`
	Parties   []int         `default:"1" help:"Connecting Parties that send, such as 1,50 (default: ${default})."`
	Nodes     []int         `default:"1" help:"Gateways on one PostgreSQL, such as 1,3 (default: ${default})."`
	PerSecond int           `default:"17000" help:"Requests to sign beforehand for each second (default: ${default})."`
	Work      bool          `help:"Pay the orders meanwhile. By default their gate is switched off and they wait."`
}

// Validate is called when the flags have been read.
func (c acceptCmd) Validate() error {
	if len(c.Parties) == 0 || slices.Min(c.Parties) < 1 || slices.Max(c.Parties) > 1000 {
		return errors.New("--parties must be from 1 to 1000")
	}
	if len(c.Bits) == 0 {
		return errors.New("--bits needs a key length")
	}
	return errors.Join(checkRounds(c.Rounds, c.Duration), c.checkNodes(c.Nodes), c.common.Validate())
}

func checkRounds(rounds int, duration time.Duration) error {
	if rounds < 1 || rounds > 10000 {
		return errors.New("--rounds must be from 1 to 10000")
	}
	if duration < time.Millisecond || duration > 24*time.Hour {
		return errors.New("--duration must be from 1ms to 24h")
	}
	return nil
}

// Run measures.
func (c acceptCmd) Run(ctx context.Context, t terminal) (err error) {
	gate := gateWaiting
	if c.Work {
		gate = gatePaying
	}
	l, err := c.open(ctx, t, fmt.Sprintf("accept: how fast %s is accepted", c.Command), c.Bits, most(c.Parties))
	defer func() { err = l.finish(err) }()
	if err != nil {
		return err
	}
	if err := l.openHouses(ctx, most(c.Nodes)); err != nil {
		return err
	}
	processes := 1
	for _, k := range c.cases(l) {
		processes = max(processes, k.nodes)
	}
	ceilings, err := l.openCeilings(ctx, processes)
	if err != nil {
		return err
	}
	l.report.set("orders", map[bool]string{true: "are paid meanwhile", false: "wait"}[c.Work])
	if processes > 1 {
		l.report.set("ceiling", "each case's is as many processes as it has nodes")
	}
	l.describe(c.Duration, c.Rounds)
	entries, err := c.entries(ctx, l, ceilings, gate)
	if err != nil {
		return err
	}
	scores, err := l.contest(ctx, "Accepted orders", "ceiling", c.Rounds, entries)
	if err != nil {
		return err
	}
	c.compareAll(l, scores)
	return l.memory()
}

// describe tells in the report how requests are sent.
func (l *lab) describe(duration time.Duration, rounds int) {
	l.report.set("connections", fmt.Sprint(l.Connections))
	arrivals := "each connection sends when it was answered"
	if l.Rate > 0 {
		arrivals = fmt.Sprintf("%g a second, waits count from the intended time", l.Rate)
	}
	l.report.set("arrivals", arrivals)
	l.report.set("rounds", fmt.Sprintf("%d of %s", rounds, duration))
	for _, s := range l.report.Settings {
		fmt.Fprintf(l.report.out, "  %-12s %s\n", s.Name, s.Value)
	}
}

// An acceptCase is one way to send payouts.
type acceptCase struct {
	house                *house
	bits, parties, nodes int
}

func (c acceptCase) label() string {
	label := fmt.Sprintf("%s, RSA-%d, %s", c.house.name, c.bits, plural(c.parties, "party", "parties"))
	if c.nodes > 1 {
		label += fmt.Sprintf(", %d nodes", c.nodes)
	}
	return label
}

func plural(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}

func bitsGroup(bits int) string { return fmt.Sprintf("RSA-%d", bits) }

// ceilingLabel names the ceiling of so many processes.
func ceilingLabel(bits, processes int) string {
	if processes > 1 {
		return fmt.Sprintf("ceiling, RSA-%d, %d processes", bits, processes)
	}
	return fmt.Sprintf("ceiling, RSA-%d: nothing stored", bits)
}

func (c acceptCmd) cases(l *lab) []acceptCase {
	var all []acceptCase
	for _, h := range l.houses {
		for _, bits := range c.Bits {
			for _, parties := range c.Parties {
				for _, nodes := range c.Nodes {
					if nodes <= len(h.nodes) {
						all = append(all, acceptCase{h, bits, parties, nodes})
					}
				}
			}
		}
	}
	return all
}

// entries are the ceilings, of as many processes as a case has nodes, and then all cases.
func (c acceptCmd) entries(ctx context.Context, l *lab, ceilings []*process, gate string) ([]entry, error) {
	var entries []entry
	for _, h := range l.houses {
		entries = append(entries, l.storeEntry(h, c.Connections, c.Duration)...)
	}
	command := commandOf(c.Command)
	for _, bits := range c.Bits {
		again := &magazine{again: true}
		merchants := l.of(bits, 1)
		if err := again.fill(ctx, min(ceilingRequests, int(float64(c.PerSecond)*c.Duration.Seconds())+c.Connections), l.payouts(command, merchants, gate)); err != nil {
			return nil, err
		}
		for _, count := range c.Nodes {
			if count > len(ceilings) {
				continue // no engine has so many nodes
			}
			processes := ceilings[:count]
			entries = append(entries, entry{label: ceilingLabel(bits, count), group: bitsGroup(bits), measure: func(ctx context.Context) (measurement, error) {
				closed := loop{connections: c.Connections, duration: c.Duration}
				return measure(ctx, closed, processes, target{dial: dialer(addresses(processes), asyncAnswer), next: again.take})
			}})
		}
	}
	for _, k := range c.cases(l) {
		entries = append(entries, c.caseEntry(k, l, l.payouts(command, l.of(k.bits, k.parties), gate)))
	}
	return entries, nil
}

// caseEntry measures one case. Each request is sent once.
func (c acceptCmd) caseEntry(k acceptCase, l *lab, make1 func(int) (shot, error)) entry {
	var once magazine
	nodes := k.house.nodes[:k.nodes]
	wanted := int(float64(c.PerSecond)*c.Duration.Seconds()) + c.Connections
	if c.Rate > 0 {
		wanted = c.loop(c.Duration).arrivals()
	}
	return entry{label: k.label(), group: bitsGroup(k.bits), ceiling: ceilingLabel(k.bits, k.nodes), store: storeLabel(k.house),
		ready: func(ctx context.Context) error { return once.fill(ctx, wanted, make1) },
		measure: func(ctx context.Context) (measurement, error) {
			m, err := measure(ctx, c.loop(c.Duration), nodes, target{dial: dialer(addresses(nodes), asyncAnswer), next: once.take})
			if c.Rate == 0 && once.left() == 0 {
				l.progress.clear()
				fmt.Fprintf(l.report.out, "  all %d requests were sent after %s: raise --per-second\n", wanted, m.took.Round(time.Millisecond))
			}
			return m, err
		}}
}

// payouts makes requests to pay, by each merchant in turn.
func (l *lab) payouts(command *spec.Command, merchants []*merchant, gate string) func(i int) (shot, error) {
	return func(i int) (shot, error) {
		id, clientOrderID := l.invoices.next()
		bytes, err := merchants[i%len(merchants)].payoutTo(command, gate, clientOrderID, "")
		return shot{bytes, id}, err
	}
}

func commandOf(name string) *spec.Command {
	for _, c := range spec.Commands {
		if c.Name == name && c.Version == 4 {
			return c
		}
	}
	return spec.Payout
}

// compareAll compares the cases that differ in one thing.
func (c acceptCmd) compareAll(l *lab, scores []*score) {
	if len(c.Parties)+len(c.Nodes)+len(c.Bits)+len(l.houses) == 4 {
		return // one case
	}
	t := l.comparisons()
	for _, bits := range c.Bits {
		for _, nodes := range c.Nodes[1:] { // what it costs to be several processes, whatever they do
			a, b := ceilingLabel(bits, nodes), ceilingLabel(bits, c.Nodes[0])
			compare(t, a+" / "+b, scoreOf(scores, a), scoreOf(scores, b))
		}
	}
	cases := c.cases(l)
	first := func(k acceptCase) bool { return k.parties == c.Parties[0] && k.nodes == c.Nodes[0] }
	for _, of := range []func(k acceptCase) acceptCase{
		func(k acceptCase) acceptCase { k.parties = c.Parties[0]; return k },
		func(k acceptCase) acceptCase { k.nodes = c.Nodes[0]; return k },
		func(k acceptCase) acceptCase { k.bits = c.Bits[0]; return k },
		func(k acceptCase) acceptCase { k.house = l.houses[0]; return k },
	} {
		for _, k := range cases {
			base := of(k)
			if base == k || !first(k) && (base.bits != k.bits || base.house != k.house) {
				continue // parties and nodes are compared everywhere, the others once
			}
			compare(t, k.label()+" / "+base.label(), scoreOf(scores, k.label()), scoreOf(scores, base.label()))
		}
	}
}

// memory reports the most memory that each gateway has had.
func (l *lab) memory() error {
	t := l.report.table("Peak memory of the gateways", whatColumn, column{"memory", size, 10})
	for _, h := range l.houses {
		for n, p := range h.nodes {
			peak, err := p.memory("VmHWM")
			if err != nil {
				return err
			}
			t.add(fmt.Sprintf("%s, node %d", h.name, n+1), peak)
		}
	}
	return nil
}

func most(values []int) int {
	m := 1
	for _, v := range values {
		m = max(m, v)
	}
	return m
}
