package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"payout"
	"payout/gateway"
	"payout/storage"
	"payout/vault"
)

type partyTokenCmd struct {
	Add    partyTokenAddCmd    `cmd:"" default:"withargs" help:"Make a token, to be handed to one person of the party; it is shown once."`
	List   partyTokenListCmd   `cmd:"" help:"List the tokens of a party."`
	Revoke partyTokenRevokeCmd `cmd:"" help:"Make a token good for nothing, at once."`
}

type partyTokenAddCmd struct {
	stored
	Login     string `arg:"" help:"Login of the party."`
	For       string `placeholder:"NAME" help:"Who gets the token, for the list and for what is done with it (default: the login)."`
	Days      int    `default:"30" help:"Days until it expires, 1 to 366 (default: ${default})."`
	PublicURL string `env:"PAYOUTD_PUBLIC_URL" default:"http://127.0.0.1:8080" placeholder:"URL" help:"Scheme and host that people call (default: ${default}; env $$${env})."`
}

// Run makes a token.
func (c partyTokenAddCmd) Run(ctx context.Context, t terminal) error {
	if c.Days < 1 || c.Days > 366 {
		return errors.New("--days must be 1 to 366")
	}
	if len(c.For) > 128 {
		return errors.New("--for must be at most 128 bytes")
	}
	name := c.For
	if name == "" {
		name = c.Login
	}
	var expires time.Time
	var token payout.Secret
	var id int64
	err := c.change(ctx, func(d *storage.Directory, tx *storage.Tx) error {
		party, err := partyNamed(d, c.Login)
		if err != nil {
			return err
		}
		expires = tx.Now.UTC().AddDate(0, 0, c.Days)
		token, id, err = gateway.NewPanelToken(tx, party.ID, name, expires)
		return err
	})
	if err != nil {
		return err
	}
	t.printf("token %d of party %s, for %s, good until %s\n", id, c.Login, name, expires.Format("2006-01-02 15:04 MST"))
	t.printf("address  %s/panel/\n", strings.TrimSuffix(c.PublicURL, "/"))
	t.printf("token    %s   (shown only now)\n", token.Reveal())
	return nil
}

type partyTokenListCmd struct {
	listing
	Login string `arg:"" help:"Login of the party."`
}

// A tokenView is a token without the token itself.
type tokenView struct {
	ID        string    `json:"id"`
	For       string    `json:"for" doc:"who got it"`
	State     string    `json:"state" doc:"good, expired or revoked"`
	CreatedAt time.Time `json:"created_at"`
	ExpiresAt time.Time `json:"expires_at"`
	UsedAt    time.Time `json:"used_at,omitzero" doc:"latest sign-in"`
	RevokedAt time.Time `json:"revoked_at,omitzero"`
}

func tokenViews(tokens []payout.PanelToken, now time.Time) []tokenView {
	views := []tokenView{}
	for _, k := range tokens {
		v := tokenView{strconv.FormatInt(k.ID, 10), k.Name, "good", k.CreatedAt, k.ExpiresAt, k.UsedAt, k.RevokedAt}
		switch {
		case !k.RevokedAt.IsZero():
			v.State = "revoked"
		case !k.Good(now):
			v.State = "expired"
		}
		views = append(views, v)
	}
	return views
}

// Help tells the shape of the JSON.
func (partyTokenListCmd) Help() string { return shapeOf[[]tokenView]() }

// Run lists tokens.
func (c partyTokenListCmd) Run(ctx context.Context, t terminal) error {
	return c.with(ctx, func(db *storage.DB, _ *vault.Vault) error {
		d, err := db.Directory(ctx)
		if err != nil {
			return err
		}
		party, err := partyNamed(d, c.Login)
		if err != nil {
			return err
		}
		tokens, err := db.PanelTokens(ctx, party.ID)
		if err != nil {
			return err
		}
		views := tokenViews(tokens, time.Now())
		if c.JSON {
			return t.json(views)
		}
		table := tabwriter.NewWriter(t.out, 0, 4, 2, ' ', 0)
		fmt.Fprintln(table, "ID\tFOR\tSTATE\tCREATED\tEXPIRES\tLATEST SIGN-IN")
		for _, v := range views {
			used := "never"
			if !v.UsedAt.IsZero() {
				used = v.UsedAt.Format(time.RFC3339)
			}
			fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\t%s\n", v.ID, v.For, v.State, v.CreatedAt.Format(time.RFC3339), v.ExpiresAt.Format(time.RFC3339), used)
		}
		return table.Flush()
	})
}

type partyTokenRevokeCmd struct {
	stored
	Login string `arg:"" help:"Login of the party."`
	ID    int64  `arg:"" help:"Number of the token, as the list has it."`
}

// Run revokes a token.
func (c partyTokenRevokeCmd) Run(ctx context.Context, t terminal) error {
	return c.change(ctx, func(d *storage.Directory, tx *storage.Tx) error {
		party, err := partyNamed(d, c.Login)
		if err != nil {
			return err
		}
		err = tx.RevokePanelToken(party.ID, c.ID)
		if errors.Is(err, storage.ErrNotFound) {
			return fmt.Errorf("party %s has no token %d that is not revoked", c.Login, c.ID)
		}
		if err == nil {
			t.printf("token %d is revoked\n", c.ID)
		}
		return err
	})
}
