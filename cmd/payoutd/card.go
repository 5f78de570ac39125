package main

import (
	"context"
	"fmt"
	"text/tabwriter"
	"time"

	"payout"
	"payout/storage"
	"payout/vault"
)

type cardCmd struct {
	List   cardListCmd   `cmd:"" help:"List a party's card references, masked, the newest first."`
	Delete cardDeleteCmd `cmd:"" help:"Delete a card reference: its card is forgotten, and requests that name it are refused."`
}

type cardListCmd struct {
	listing
	Login string `arg:"" help:"Login of the party."`
	Limit int    `default:"100" help:"How many (default: ${default})."`
}

// Help tells the shape of the JSON.
func (cardListCmd) Help() string { return shapeOf[[]cardView]() }

// Run lists card references.
func (c cardListCmd) Run(ctx context.Context, t terminal) error {
	return c.with(ctx, func(db *storage.DB, _ *vault.Vault) error {
		d, err := db.Directory(ctx)
		if err != nil {
			return err
		}
		party, err := partyNamed(d, c.Login)
		if err != nil {
			return err
		}
		cards, err := db.CardRefs(ctx, party.ID, c.Limit)
		if err != nil {
			return err
		}
		views := cardViews(cards)
		if c.JSON {
			return t.json(views)
		}
		table := tabwriter.NewWriter(t.out, 0, 4, 2, ' ', 0)
		fmt.Fprintln(table, "CARD-REF-ID\tCARD\tUNQ-CARD-REF-ID\tORDER\tCREATED\tSTATE")
		for _, card := range views {
			state := "active"
			if !card.DeletedAt.IsZero() {
				state = "deleted " + card.DeletedAt.Format(time.RFC3339)
			}
			fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\t%s\n", card.ID, card.Card, card.Unique, card.OrderID, card.CreatedAt.Format(time.RFC3339), state)
		}
		return table.Flush()
	})
}

type cardDeleteCmd struct {
	stored
	Ref string `arg:"" name:"card-ref-id" help:"The card-ref-id."`
}

// Run deletes a card reference.
func (c cardDeleteCmd) Run(ctx context.Context, t terminal) error {
	id, err := payout.ParseCardRefID(c.Ref)
	if err != nil {
		return fmt.Errorf("the card-ref-id %w", err)
	}
	return c.change(ctx, func(_ *storage.Directory, tx *storage.Tx) error {
		if err := tx.DeleteCardRef(id); err != nil {
			return err
		}
		t.printf("card reference %s is deleted\n", id)
		return nil
	})
}
