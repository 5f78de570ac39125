package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"payout"
	"payout/callback"
	"payout/gateway"
	"payout/storage"
	"payout/vault"
)

type orderCmd struct {
	Show    orderShowCmd    `cmd:"" help:"Show an order's whole history: requests, moves, transactions, callbacks."`
	List    orderListCmd    `cmd:"" help:"List the latest orders, masked."`
	Decline orderDeclineCmd `cmd:"" help:"End an order that has not been sent and cannot be; the callback is sent as usual."`
}

type orderShowCmd struct {
	stored
	printed
	ID       int64  `arg:"" help:"The paynet-order-id."`
	TimeZone string `default:"UTC" env:"PAYOUTD_TIME_ZONE" help:"Zone of the times (default: ${default}; env $$${env})."`
}

// Help tells the shape of the JSON.
func (orderShowCmd) Help() string { return shapeOf[historyView]() }

// Run shows an order.
func (c orderShowCmd) Run(ctx context.Context, t terminal) error {
	zone, err := time.LoadLocation(c.TimeZone)
	if err != nil {
		return fmt.Errorf("time zone %q is not known", c.TimeZone)
	}
	return c.with(ctx, func(db *storage.DB, _ *vault.Vault) error {
		h, err := historyOf(ctx, db, payout.OrderID(c.ID))
		if errors.Is(err, storage.ErrNotFound) {
			return fmt.Errorf("there is no order %d", c.ID)
		}
		if err != nil {
			return err
		}
		if c.JSON {
			return t.json(h)
		}
		h.print(t, zone)
		return nil
	})
}

type orderListCmd struct {
	listing
	Limit    int    `default:"20" help:"How many (default: ${default})."`
	Stage    string `placeholder:"STAGE" complete:"stage" help:"Only orders at this stage, such as doubtful."`
	Receiver string `env:"PAYOUTD_RECEIVER" placeholder:"NUMBER" help:"Only orders to this account or phone number (env $$${env})."`
}

// Help tells the shape of the JSON.
func (orderListCmd) Help() string { return shapeOf[[]orderView]() }

// Run lists orders.
func (c orderListCmd) Run(ctx context.Context, t terminal) error {
	if c.Stage != "" && !knownStage(c.Stage) {
		return fmt.Errorf("--stage %s: the stages are %s", c.Stage, strings.Join(stageNames(), ", "))
	}
	return c.with(ctx, func(db *storage.DB, v *vault.Vault) error {
		d, err := db.Directory(ctx)
		if err != nil {
			return err
		}
		var orders []*payout.Order
		if c.Receiver != "" {
			orders, err = db.OrdersByReceiver(ctx, v.Hash("receiver", c.Receiver), c.Limit)
		} else {
			orders, err = db.LatestOrders(ctx, payout.Stage(c.Stage), c.Limit)
		}
		if err != nil {
			return err
		}
		views := make([]orderView, len(orders))
		for i, o := range orders {
			views[i] = viewOf(o, d)
		}
		if c.JSON {
			return t.json(views)
		}
		for _, view := range views {
			t.printf("%s  %s  %-26s %12s %s  %-14s %-12s %q\n", view.ID, view.CreatedAt.Format(time.DateTime), view.OrderStage,
				view.Amount, view.Currency, view.Receiver, view.Party, view.ClientOrderID)
		}
		return nil
	})
}

func stageNames() []string {
	var names []string
	for _, row := range payout.Stages() {
		names = append(names, string(row.Stage))
	}
	return names
}

func knownStage(name string) bool {
	for _, row := range payout.Stages() {
		if string(row.Stage) == name {
			return true
		}
	}
	return false
}

type orderDeclineCmd struct {
	stored
	ID     int64  `arg:"" help:"The paynet-order-id."`
	Reason string `placeholder:"TEXT" help:"What the Connecting Party is told (default: that no gate can pay the order)."`
}

// Run declines an order, also while the gateway serves.
func (c orderDeclineCmd) Run(ctx context.Context, t terminal) error {
	return c.with(ctx, func(db *storage.DB, v *vault.Vault) error {
		g := &gateway.Gateway{DB: db, Vault: v, URLs: callback.Policy{AllowLoopback: true}, Now: time.Now, Log: slog.New(slog.DiscardHandler)}
		if err := g.Reload(ctx); err != nil {
			return err
		}
		err := g.Decline(ctx, payout.OrderID(c.ID), c.Reason)
		if errors.Is(err, storage.ErrNotFound) {
			return fmt.Errorf("there is no order %d", c.ID)
		}
		if err != nil {
			return err
		}
		t.printf("order %d is declined\n", c.ID)
		return nil
	})
}
