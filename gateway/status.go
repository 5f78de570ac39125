package gateway

import (
	"context"
	"errors"
	"time"

	"payout"
	"payout/spec"
	"payout/storage"
)

// A Standing is where an order stands, as a status reply tells it.
type Standing struct {
	Order       *payout.Order
	Transaction *payout.Transaction // the latest attempt, or nil
	Gate        *payout.Gate        // of the latest attempt, or the one that is next
	Receipt     payout.ReceiptID
	Card        payout.UniqueCardID // of the card that the money goes to; 0 when it goes elsewhere
}

// Status finds an order of the caller and tells where it stands.
func (g *Gateway) Status(ctx context.Context, c *Call, r *spec.Request) (Standing, error) {
	if c.nonce != nil {
		if _, err := g.accept(c, storage.Acceptance{}); err != nil {
			return Standing{}, err
		}
	}
	if err := g.ownEndpoint(g.Directory(), c); err != nil {
		return Standing{}, err
	}
	read := g.DB.RecentStanding
	if r.Text(spec.ByRequestSN) != "" {
		read = g.DB.Standing // the order's requests have gone when it is archived
	}
	found, err := g.findOrder(ctx, c.Party, r, read)
	if err != nil {
		return Standing{}, err
	}
	if err := g.belongs(ctx, r, found.Order); err != nil {
		return Standing{}, err
	}
	return g.standing(found), nil
}

// belongs checks by-request-sn: the request must be one that made or paid the
// order. The order's state is then that request's transaction's.
func (g *Gateway) belongs(ctx context.Context, r *spec.Request, order *payout.Order) error {
	text := r.Text(spec.ByRequestSN)
	if text == "" {
		return nil
	}
	serial, err := payout.ParseSerialNumber(text)
	if err != nil {
		return payout.Errorf(payout.CodeFormat, spec.ByRequestSN.Name, "it %s", err)
	}
	_, err = g.DB.Request(ctx, order.ID, serial)
	switch {
	case errors.Is(err, storage.ErrNotFound) && order.Archived: // of its requests only the first is left
		return &payout.Error{Code: payout.CodeOrderArchived}
	case errors.Is(err, storage.ErrNotFound):
		return &payout.Error{Code: payout.CodeRequestUnknown}
	}
	return err
}

// A standingReader reads where an order stands, by its id.
type standingReader func(ctx context.Context, now time.Time, id payout.OrderID) (storage.Standing, error)

// findOrder finds the party's order by client_orderid and, when given, orderid.
// An order of another party is as unknown as one that does not exist.
func (g *Gateway) findOrder(ctx context.Context, party *payout.ConnectingParty, r *spec.Request, read standingReader) (storage.Standing, error) {
	none, unknown := storage.Standing{}, &payout.Error{Code: payout.CodeOrderUnknown}
	clientOrderID := r.Text(spec.ClientOrderID)
	text := r.Text(spec.OrderNumber)
	if text == "" {
		found, err := g.DB.StandingsByClientID(ctx, g.Now(), party.ID, clientOrderID)
		switch {
		case err != nil:
			return none, err
		case len(found) == 0:
			return none, unknown
		case len(found) > 1:
			return none, &payout.Error{Code: payout.CodeOrderNotUnique, Param: spec.OrderNumber.Name}
		}
		return theirs(found[0], party, clientOrderID)
	}
	id, err := payout.ParseOrderID(text)
	if err != nil {
		return none, payout.Errorf(payout.CodeFormat, spec.OrderNumber.Name, "it %s", err)
	}
	found, err := read(ctx, g.Now(), id)
	if errors.Is(err, storage.ErrNotFound) {
		return none, unknown
	}
	if err != nil {
		return none, err
	}
	return theirs(found, party, clientOrderID)
}

// theirs is an order that was found, unless it is another party's or another one's.
func theirs(found storage.Standing, party *payout.ConnectingParty, clientOrderID string) (storage.Standing, error) {
	if found.Order.PartyID != party.ID || found.Order.ClientOrderID != clientOrderID {
		return storage.Standing{}, &payout.Error{Code: payout.CodeOrderUnknown}
	}
	return found, nil
}

// StandingOf tells where an order stands.
func (g *Gateway) StandingOf(ctx context.Context, order *payout.Order) (Standing, error) {
	transactions, err := g.DB.Transactions(ctx, order.ID)
	if err != nil {
		return Standing{}, err
	}
	found := storage.Standing{Order: order}
	if n := len(transactions); n > 0 {
		found.Latest = &transactions[n-1]
	}
	return g.standing(found), nil
}

// standing adds to what is stored what follows from it.
func (g *Gateway) standing(found storage.Standing) Standing {
	s := Standing{Order: found.Order, Transaction: found.Latest, Gate: g.Directory().Gates[found.Order.GateID]}
	if found.Latest != nil {
		s.Gate = g.Directory().Gates[found.Latest.GateID]
	}
	s.Receipt = g.receiptID(s.Order.ID)
	if card := s.Order.Card(); card != "" {
		s.Card = g.uniqueCard(s.Order.PartyID, card)
	}
	return s
}

func (g *Gateway) receiptID(id payout.OrderID) payout.ReceiptID {
	return payout.NewReceiptID(g.Vault.Hash("receipt", id.String()))
}
