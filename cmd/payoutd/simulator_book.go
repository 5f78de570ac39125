package main

import (
	"context"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"

	"payout"
	"payout/processor/simulator"
	"payout/storage"
)

// A simulatorBook is the book of the simulator rail while a database is compared with it.
type simulatorBook struct {
	file   string
	copied bool // the database is a copy, which does not know what came later
	found  func(storage.Finding)

	payments map[payout.OrderID][]simulator.Entry
	known    map[string]bool           // references that are attempts, or of archived orders
	unpaid   map[string]payout.OrderID // approved, and not in payments
}

// The rules of the rail's book.
const (
	rulePaidOnce     = "an order is paid at most once"
	rulePaidApproved = "an approved order was paid by the rail"
	ruleNotPaid      = "an attempt that ended unpaid was not paid by the rail"
	rulePaidOrdered  = "the rail has paid what was ordered, and to whom"
	rulePaidKnown    = "what the rail has paid is an attempt of an order"
)

// compare compares the attempts with what the simulator has paid. It tells how many
// payments a copy cannot know of.
func (s *simulatorBook) compare(ctx context.Context, db *storage.DB) (later int, err error) {
	d, err := db.Directory(ctx)
	if err != nil {
		return 0, err
	}
	var gates []payout.GateID
	for _, gate := range d.Gates {
		if gate.Processor == "simulator" {
			gates = append(gates, gate.ID)
		}
	}
	// The payments first: each of them is of an attempt that is stored already.
	if err := s.read(ctx); err != nil {
		return 0, err
	}
	s.known, s.unpaid = make(map[string]bool), make(map[string]payout.OrderID)
	for id, payments := range s.payments {
		if len(payments) > 1 {
			s.breaks(rulePaidOnce, id)
		}
	}
	if err := db.Attempts(ctx, gates, s.attempt); err != nil {
		return 0, err
	}
	if later, err = s.unknown(ctx, db); err != nil {
		return 0, err
	}
	return later, s.again(ctx)
}

// again looks again for the payments of approved attempts that had none: what was
// approved since the book was read was paid since.
func (s *simulatorBook) again(ctx context.Context) error {
	if len(s.unpaid) == 0 {
		return nil
	}
	if err := s.read(ctx); err != nil {
		return err
	}
	for _, key := range slices.Sorted(maps.Keys(s.unpaid)) {
		if id := s.unpaid[key]; len(s.of(id, key)) == 0 {
			s.breaks(rulePaidApproved, id)
		}
	}
	return nil
}

func (s *simulatorBook) breaks(rule string, id payout.OrderID) {
	s.found(storage.Finding{Rule: rule, What: "order " + id.String()})
}

func (s *simulatorBook) read(ctx context.Context) error {
	if _, err := os.Stat(s.file); err != nil {
		return fmt.Errorf("open the simulator's book: %w", err)
	}
	s.payments = make(map[payout.OrderID][]simulator.Entry)
	return simulator.Payments(ctx, s.file, func(e simulator.Entry) { s.payments[e.OrderID] = append(s.payments[e.OrderID], e) })
}

// archivedKey stands for the reference of an archived order, which has kept none.
func archivedKey(id payout.OrderID) string { return id.String() + "-" }

// of are the payments of an attempt, or of an archived order.
func (s *simulatorBook) of(id payout.OrderID, key string) (paid []simulator.Entry) {
	for _, e := range s.payments[id] {
		if e.Reference == key || key == archivedKey(id) {
			paid = append(paid, e)
		}
	}
	return paid
}

// attempt compares an attempt.
func (s *simulatorBook) attempt(a storage.Attempted) {
	key, archived := a.Reference, a.Reference == ""
	if archived {
		key = archivedKey(a.OrderID)
	}
	s.known[key] = true
	paid := s.of(a.OrderID, key)
	switch {
	case a.Stage == payout.Approved && len(paid) == 0:
		s.unpaid[key] = a.OrderID
	case a.Ended && a.Stage != payout.Approved && len(paid) > 0:
		s.breaks(ruleNotPaid, a.OrderID)
	}
	for _, e := range paid {
		// Both masks leave the last four characters, if any.
		if e.Amount != a.Amount || !archived && strings.TrimLeft(e.Receiver, "*") != strings.TrimLeft(a.ReceiverMask, "*") {
			s.breaks(rulePaidOrdered, a.OrderID)
		}
	}
}

// unknown looks at the payments that are of no attempt.
func (s *simulatorBook) unknown(ctx context.Context, db *storage.DB) (later int, err error) {
	last, err := db.LastMove(ctx)
	if err != nil {
		return 0, err
	}
	for _, id := range slices.Sorted(maps.Keys(s.payments)) {
		for _, e := range s.payments[id] {
			switch {
			case s.known[e.Reference] || s.known[archivedKey(id)]:
			case s.copied && e.At.After(last):
				later++
			default:
				s.breaks(rulePaidKnown, id)
			}
		}
	}
	return later, nil
}
