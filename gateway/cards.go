package gateway

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"

	"payout"
	"payout/spec"
	"payout/storage"
)

// CreateCardRef registers the card of an approved order of the caller and gives
// a new reference to it, with the order. The same card may be registered as often as one likes.
func (g *Gateway) CreateCardRef(ctx context.Context, c *Call, r *spec.Request) (payout.CardRef, *payout.Order, error) {
	if err := g.ownEndpoint(g.Directory(), c); err != nil {
		return payout.CardRef{}, nil, err
	}
	found, err := g.findOrder(ctx, c.Party, r, g.DB.Standing)
	if err != nil {
		return payout.CardRef{}, nil, err
	}
	order := found.Order
	switch {
	case order.Archived:
		return payout.CardRef{}, nil, &payout.Error{Code: payout.CodeOrderArchived}
	case order.Stage != payout.Approved:
		return payout.CardRef{}, nil, &payout.Error{Code: payout.CodeNotApproved}
	case order.Card() == "":
		return payout.CardRef{}, nil, &payout.Error{Code: payout.CodeNoCard}
	}
	var random [8]byte
	rand.Read(random[:]) // it never fails
	ref := payout.CardRef{ID: payout.NewCardRefID(random), PartyID: c.Party.ID, OrderID: order.ID, Card: order.Card(), CreatedAt: c.Now}
	ref.Unique = g.uniqueCard(c.Party.ID, ref.Card)
	_, err = g.accept(c, storage.Acceptance{Request: c.request(order.ClientOrderID, order.ID), CardRef: &ref})
	return ref, order, err
}

// uniqueCard names a card within a party: the same card has the same id, and
// nobody can tell the card from it or compare it with another party's.
func (g *Gateway) uniqueCard(party payout.PartyID, card payout.CardNumber) payout.UniqueCardID {
	return payout.NewUniqueCardID(g.Vault.Hash("card of party "+party.String(), card.Reveal()))
}

// destination finds the card that a request names, by number or by reference;
// empty when it names none.
func (g *Gateway) destination(ctx context.Context, c *Call, r *spec.Request) (payout.CardNumber, error) {
	if number := cmp.Or(r.Text(spec.CreditCardNumber), r.Text(spec.DestinationCardNo)); number != "" {
		return payout.ParseCardNumber(number)
	}
	text := r.Text(spec.DestinationCardRef)
	if text == "" {
		return "", nil
	}
	unknown := &payout.Error{Code: payout.CodeCardRefUnknown, Param: spec.DestinationCardRef.Name}
	id, err := payout.ParseCardRefID(text)
	if err != nil {
		return "", unknown
	}
	ref, err := g.DB.CardRef(ctx, c.Party.ID, id)
	if errors.Is(err, storage.ErrNotFound) {
		return "", unknown
	}
	return ref.Card, err
}
