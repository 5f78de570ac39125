package gateway

import (
	"context"
	"errors"

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
	order, err := g.findOrder(ctx, c.Party, r)
	if err != nil {
		return Standing{}, err
	}
	if err := g.belongs(ctx, r, order); err != nil {
		return Standing{}, err
	}
	return g.StandingOf(ctx, order)
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

// findOrder finds the party's order by client_orderid and, when given, orderid.
// An order of another party is as unknown as one that does not exist.
func (g *Gateway) findOrder(ctx context.Context, party *payout.ConnectingParty, r *spec.Request) (*payout.Order, error) {
	unknown := &payout.Error{Code: payout.CodeOrderUnknown}
	clientOrderID := r.Text(spec.ClientOrderID)
	text := r.Text(spec.OrderNumber)
	if text == "" {
		found, err := g.DB.OrdersByClientID(ctx, party.ID, clientOrderID, 2)
		switch {
		case err != nil:
			return nil, err
		case len(found) == 0:
			return nil, unknown
		case len(found) > 1:
			return nil, &payout.Error{Code: payout.CodeOrderNotUnique, Param: spec.OrderNumber.Name}
		}
		return found[0], nil
	}
	id, err := payout.ParseOrderID(text)
	if err != nil {
		return nil, payout.Errorf(payout.CodeFormat, spec.OrderNumber.Name, "it %s", err)
	}
	order, err := g.DB.Order(ctx, id)
	if errors.Is(err, storage.ErrNotFound) {
		return nil, unknown
	}
	if err != nil {
		return nil, err
	}
	if order.PartyID != party.ID || order.ClientOrderID != clientOrderID {
		return nil, unknown
	}
	return order, nil
}

// StandingOf tells where an order stands.
func (g *Gateway) StandingOf(ctx context.Context, order *payout.Order) (Standing, error) {
	s := Standing{Order: order, Gate: g.Directory().Gates[order.GateID]}
	transactions, err := g.DB.Transactions(ctx, order.ID)
	if err != nil {
		return s, err
	}
	if n := len(transactions); n > 0 {
		s.Transaction = &transactions[n-1]
		s.Gate = g.Directory().Gates[s.Transaction.GateID]
	}
	if s.Receipt, err = g.receiptID(order.ID); err != nil {
		return s, err
	}
	if card := order.Card(); card != "" {
		s.Card, err = g.uniqueCard(order.PartyID, card)
	}
	return s, err
}

func (g *Gateway) receiptID(id payout.OrderID) (payout.ReceiptID, error) {
	hash, err := g.Vault.Hash("receipt", id.String())
	if err != nil {
		return "", err
	}
	return payout.NewReceiptID(hash), nil
}
