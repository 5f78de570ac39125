package main

import (
	"context"
	"errors"
	"io/fs"
	"net/http"
	"os"

	"payout/sign"
	"payout/spec"
)

type statusCmd struct {
	ClientOrderID string `arg:"" name:"client_orderid" help:"Your id of the order."`
	OrderID       string `arg:"" optional:"" name:"orderid" help:"The gateway's id, paynet-order-id; needed where client_orderid is not unique."`
	ByControl     bool   `help:"Ask by v2/status with a control sum (default: v4/status, signed, when there is a private key)."`
	ByRequestSN   string `name:"by-request-sn" placeholder:"SERIAL" help:"Ask for the transaction of the request that had this serial-number."`
	waiting
	printed
	connection `embed:"" group:"Which gateway, and as whom:"`
}

// Help tells the exit codes and the shape of the JSON.
func (statusCmd) Help() string { return outcomesHelp + shapeOf[sentView]() }

// Run asks.
func (c statusCmd) Run(ctx context.Context, t terminal) error {
	if c.Wait && c.ByRequestSN != "" {
		return wrongUsage("--wait waits for the order; it cannot be given with --by-request-sn")
	}
	if err := c.checkTimes(); err != nil {
		return err
	}
	command := c.command()
	caller, err := c.client(command.Auth)
	if err != nil {
		return err
	}
	seen := new(recorder)
	caller.HTTP = &http.Client{Transport: seen, Timeout: sendTimeout}
	view := sentView{Command: command.Path(), ClientOrderID: c.ClientOrderID}
	people := t.forPeople(c.printed)
	reply, err := caller.Do(ctx, command, c.terminal(), c.form())
	if err := view.judge(reply, err); err != nil {
		return c.unsent(err)
	}
	view.noticed(seen)
	view.print(people, false)
	if c.Wait && view.open() {
		if err := c.wait(ctx, people, caller, c.terminal(), &view, ""); err != nil {
			view.lose(err)
		} else {
			view.Reply, view.Status = view.Status, nil
		}
	}
	return view.finish(t, c.printed)
}

// command is the status command that the keys at hand fit.
func (c statusCmd) command() *spec.Command {
	if c.ByControl {
		return spec.StatusV2
	}
	if _, err := os.Stat(c.PrivateKey); errors.Is(err, fs.ErrNotExist) {
		if _, err := c.readControlKey(); err == nil {
			return spec.StatusV2
		}
	}
	return spec.StatusV4
}

func (c statusCmd) form() []sign.Pair {
	form := []sign.Pair{{Name: spec.ClientOrderID.Name, Value: c.ClientOrderID}}
	for _, p := range []sign.Pair{{Name: spec.OrderNumber.Name, Value: c.OrderID}, {Name: spec.ByRequestSN.Name, Value: c.ByRequestSN}} {
		if p.Value != "" {
			form = append(form, p)
		}
	}
	return form
}
