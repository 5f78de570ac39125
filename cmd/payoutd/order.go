package main

import (
	"context"
	"encoding/json"
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
	ID       int64  `arg:"" help:"The paynet-order-id."`
	JSON     bool   `help:"Print JSON."`
	TimeZone string `default:"UTC" env:"PAYOUTD_TIME_ZONE" help:"Zone of the times (default: ${default}; env $$${env})."`
}

// An orderHistory is everything known of an order, without what is sealed.
type orderHistory struct {
	Order        orderView                `json:"order"`
	Requests     []payout.Request         `json:"requests"`
	Moves        []payout.Moved           `json:"moves"`
	Transactions []payout.Transaction     `json:"transactions"`
	Callbacks    []payout.Callback        `json:"callbacks"`
	Attempts     []payout.CallbackAttempt `json:"callback_attempts"`
}

// An orderView is an order as people may see it.
type orderView struct {
	ID            payout.OrderID    `json:"paynet_order_id"`
	ClientOrderID string            `json:"client_orderid"`
	Party         string            `json:"party"`
	Endpoint      payout.EndpointID `json:"endpoint"`
	Group         payout.GroupID    `json:"group,omitempty"`
	Command       string            `json:"command"`
	Amount        string            `json:"amount"`
	Currency      string            `json:"currency"`
	Receiver      string            `json:"receiver"`
	Stage         payout.Stage      `json:"stage"`
	Status        payout.Status     `json:"status"`
	OrderStage    string            `json:"order_stage"`
	ErrorCode     payout.ErrCode    `json:"error_code,omitempty"`
	ErrorMessage  string            `json:"error_message,omitempty"`
	CreatedAt     time.Time         `json:"created_at"`
	FinalAt       time.Time         `json:"final_at,omitzero"`
}

func viewOf(o *payout.Order, d *storage.Directory) orderView {
	v := orderView{ID: o.ID, ClientOrderID: o.ClientOrderID, Endpoint: o.EndpointID, Group: o.GroupID, Command: o.Command,
		Amount: o.Amount.String(), Currency: o.Amount.Currency.Code(), Receiver: o.ReceiverMask, Stage: o.Stage,
		Status: o.Stage.Status(), OrderStage: o.Stage.OrderStage(o.Type), ErrorCode: o.ErrorCode, ErrorMessage: o.ErrorMessage,
		CreatedAt: o.CreatedAt, FinalAt: o.FinalAt}
	if p := d.Parties[o.PartyID]; p != nil {
		v.Party = p.Login
	}
	return v
}

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
			encoder := json.NewEncoder(t.out)
			encoder.SetIndent("", "  ")
			return encoder.Encode(h)
		}
		h.print(t, zone)
		return nil
	})
}

func historyOf(ctx context.Context, db *storage.DB, id payout.OrderID) (h orderHistory, err error) {
	o, err := db.Order(ctx, id)
	if err != nil {
		return h, err
	}
	d, err := db.Directory(ctx)
	if err != nil {
		return h, err
	}
	h.Order = viewOf(o, d)
	if h.Requests, err = db.Requests(ctx, id); err != nil {
		return h, err
	}
	if h.Moves, err = db.History(ctx, id); err != nil {
		return h, err
	}
	if h.Transactions, err = db.Transactions(ctx, id); err != nil {
		return h, err
	}
	h.Callbacks, h.Attempts, err = db.Callbacks(ctx, id)
	return h, err
}

func (h orderHistory) print(t terminal, zone *time.Location) {
	at := func(when time.Time) string {
		if when.IsZero() {
			return "-"
		}
		return when.In(zone).Format("2006-01-02 15:04:05.000 MST")
	}
	o := h.Order
	t.printf("order %s  %s  %s %s to %s\n", o.ID, o.OrderStage, o.Amount, o.Currency, o.Receiver)
	t.printf("  party %s  endpoint %s  client_orderid %q  %s\n", o.Party, o.Endpoint, o.ClientOrderID, o.Command)
	t.printf("  status %s  created %s  final %s\n", o.Status, at(o.CreatedAt), at(o.FinalAt))
	if o.ErrorCode != 0 {
		t.printf("  error %d: %s\n", o.ErrorCode, o.ErrorMessage)
	}
	t.printf("\nrequests\n")
	for _, r := range h.Requests {
		t.printf("  %s  %s  %s  from %s", at(r.At), r.Serial, r.Command, r.RemoteAddress)
		if r.Note != "" {
			t.printf("  (%s)", r.Note)
		}
		t.printf("\n")
	}
	t.printf("\nmoves\n")
	for _, m := range h.Moves {
		t.printf("  %s  %-9s -> %-9s  by %s", at(m.At), m.From, m.To, m.Event)
		if m.Serial != 0 {
			t.printf("  request %s", m.Serial)
		}
		if m.Note != "" {
			t.printf("  (%s)", m.Note)
		}
		t.printf("\n")
	}
	t.printf("\ntransactions\n")
	for _, x := range h.Transactions {
		t.printf("  %s  attempt %d on gate %d  reference %s  %s", at(x.StartedAt), x.Attempt, x.GateID, x.Reference, x.Stage)
		for _, part := range [][2]string{{"tx", x.ProcessorTxID}, {"rrn", x.RRN}, {"approval", x.ApprovalCode}, {"error", x.ErrorMessage}} {
			if part[1] != "" {
				t.printf("  %s %s", part[0], part[1])
			}
		}
		t.printf("  ended %s\n", at(x.EndedAt))
	}
	t.printf("\ncallbacks\n")
	for _, c := range h.Callbacks {
		t.printf("  to %s  %s  attempts %d  next %s\n", c.Receiver, c.State, c.Attempts, at(c.DueAt))
		for _, a := range h.Attempts {
			if a.CallbackID == c.ID {
				t.printf("    %s  attempt %d  HTTP %d  %s  %s\n", at(a.At), a.Attempt, a.HTTPStatus, a.Duration, a.Error)
			}
		}
	}
}

type orderListCmd struct {
	stored
	Limit    int    `default:"20" help:"How many (default: ${default})."`
	Stage    string `placeholder:"STAGE" help:"Only orders at this stage, such as doubtful."`
	Receiver string `env:"PAYOUTD_RECEIVER" placeholder:"NUMBER" help:"Only orders to this account or phone number (env $$${env})."`
}

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
			var hash []byte
			if hash, err = v.Hash("receiver", c.Receiver); err != nil {
				return err
			}
			orders, err = db.OrdersByReceiver(ctx, hash, c.Limit)
		} else {
			orders, err = db.LatestOrders(ctx, payout.Stage(c.Stage), c.Limit)
		}
		if err != nil {
			return err
		}
		for _, o := range orders {
			view := viewOf(o, d)
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
