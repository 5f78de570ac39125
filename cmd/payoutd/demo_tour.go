package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	"payout"
	"payout/gateway"
	"payout/sign"
	"payout/spec"
)

// tour shows what the demo was asked to show.
func (d *demo) tour(ctx context.Context) error {
	d.t.printf("payoutd sandbox: %s   login %s, endpoint %s, group %s\nlog: %s\n", d.base, gateway.SandboxLogin, gateway.SandboxEndpoint, gateway.SandboxGroup, d.logFile())
	for _, chapter := range []struct {
		name string
		show func(context.Context) error
	}{{"payout", d.payoutTour}, {"cards", d.cardsTour}, {"form", d.formTour}} {
		if d.Tour == chapter.name || d.Tour == "all" {
			if err := chapter.show(ctx); err != nil {
				return err
			}
		}
	}
	return nil
}

// payoutTour sends the seed's payout, polls its status and waits for its callback.
func (d *demo) payoutTour(ctx context.Context) error {
	id := demoOrderID()
	d.chapter("The payout: signed with OAuth RSA-SHA256")
	order, err := d.order(ctx, "v4/payout", []sign.Pair{{Name: "account_name", Value: "1234"}, {Name: "account_number", Value: "1234567890"},
		{Name: "amount", Value: "10.42"}, {Name: "client_orderid", Value: id}, {Name: "currency", Value: "USD"},
		{Name: "routing_number", Value: "15"}, {Name: "server_callback_url", Value: d.receiver}}, true)
	if err != nil {
		return err
	}
	if err := d.approved(ctx, id, order, true); err != nil {
		return err
	}
	d.t.printf("\nThe order is approved and its callback is verified.\n")
	return nil
}

// cardsTour makes a deposit to a card in the three steps of seed 1.1.5.
func (d *demo) cardsTour(ctx context.Context) error {
	sale := demoOrderID()
	d.chapter("Deposit to card, step 1: an initial payment verifies the card")
	form := []sign.Pair{{Name: "client_orderid", Value: sale}, {Name: "amount", Value: "10.42"}, {Name: "currency", Value: "USD"},
		{Name: "email", Value: "john.smith@example.com"}, {Name: "credit_card_number", Value: "4444555566661111"}, {Name: "card_printed_name", Value: "JOHN SMITH"},
		{Name: "expire_month", Value: "12"}, {Name: "expire_year", Value: "2099"}, {Name: "cvv2", Value: "123"}}
	control := spec.Sale.Control(gateway.SandboxEndpoint.String(), form, d.control)
	order, err := d.order(ctx, spec.Sale.Path(), append(form, sign.Pair{Name: spec.ControlSum.Name, Value: control}), false)
	if err != nil {
		return err
	}
	if err := d.approved(ctx, sale, order, false); err != nil {
		return err
	}
	d.chapter("Step 2: the card is registered, and a reference stands for it")
	reply, err := d.post(ctx, "/api/v2/create-card-ref/"+gateway.SandboxEndpoint.String(), []sign.Pair{{Name: "login", Value: gateway.SandboxLogin}, {Name: "client_orderid", Value: sale},
		{Name: "orderid", Value: order}, {Name: "control", Value: sign.StatusControl(gateway.SandboxLogin, sale, order, d.control)}}, false)
	if err != nil {
		return err
	}
	ref := reply.Get("card-ref-id")
	if ref == "" {
		return fmt.Errorf("the card was not registered: %s", reply.Get("error-message"))
	}
	d.chapter("Step 3: money is transferred to the reference")
	transfer := demoOrderID()
	order, err = d.order(ctx, "v4/transfer-by-ref", []sign.Pair{{Name: "client_orderid", Value: transfer}, {Name: "destination-card-ref-id", Value: ref},
		{Name: "amount", Value: "250.00"}, {Name: "currency", Value: "USD"}, {Name: "order_desc", Value: "Winnings"}, {Name: "receiver_first_name", Value: "John"},
		{Name: "receiver_last_name", Value: "Smith"}, {Name: "server_callback_url", Value: d.receiver}}, true)
	if err != nil {
		return err
	}
	if err := d.approved(ctx, transfer, order, true); err != nil {
		return err
	}
	d.t.printf("\nThe transfer to the card is approved and its callback is verified.\n")
	return nil
}

func demoOrderID() string { return "demo-" + strings.ToLower(rand.Text()[:8]) }

// order sends a request that makes an order, and returns its paynet-order-id.
func (d *demo) order(ctx context.Context, command string, form []sign.Pair, oauth bool) (string, error) {
	reply, err := d.ask(ctx, command, gateway.SandboxEndpoint, form, oauth)
	return reply.Get("paynet-order-id"), err
}

// ask sends a request that makes an order to an endpoint, and returns the reply.
func (d *demo) ask(ctx context.Context, command string, endpoint payout.EndpointID, form []sign.Pair, oauth bool) (url.Values, error) {
	reply, err := d.post(ctx, "/api/"+command+"/"+endpoint.String(), form, oauth)
	if err == nil && reply.Get("type") != "async-response" && reply.Get("type") != "async-form-response" {
		err = fmt.Errorf("the %s was refused: %s", command, reply.Get("error-message"))
	}
	return reply, err
}

// approved waits for an order's end, and for its callback if it has one.
func (d *demo) approved(ctx context.Context, clientOrderID, orderID string, callback bool) error {
	d.chapter("The status: authenticated by the SHA-1 control sum")
	status, err := d.pollStatus(ctx, clientOrderID, orderID)
	if err != nil {
		return err
	}
	if callback {
		d.chapter("The callback: GET to server_callback_url")
		if err := d.awaitCallback(ctx, orderID, clientOrderID); err != nil {
			return err
		}
	}
	if status != string(payout.StatusApproved) {
		return fmt.Errorf("the order ended %s, not approved", status)
	}
	return nil
}

// chapter prints the next chapter's title.
func (d *demo) chapter(title string) {
	d.chapters++
	d.t.printf("\n── %d. %s\n\n", d.chapters, title)
}

// pollStatus asks until the status is final.
func (d *demo) pollStatus(ctx context.Context, clientOrderID, orderID string) (string, error) {
	form := []sign.Pair{{Name: "login", Value: gateway.SandboxLogin}, {Name: "client_orderid", Value: clientOrderID}, {Name: "orderid", Value: orderID},
		{Name: "control", Value: sign.StatusControl(gateway.SandboxLogin, clientOrderID, orderID, d.control)}}
	for range 120 {
		reply, err := d.post(ctx, "/api/v2/status/"+gateway.SandboxEndpoint.String(), form, false)
		if err != nil {
			return "", err
		}
		if status := reply.Get("status"); status != string(payout.StatusProcessing) && status != string(payout.StatusUnknown) {
			return status, nil
		}
		select {
		case <-ctx.Done():
			return "", ctx.Err()
		case <-time.After(250 * time.Millisecond):
		}
	}
	return "", errors.New("the order did not end within 30 seconds")
}

// awaitCallback waits for the order's callback and verifies its control.
func (d *demo) awaitCallback(ctx context.Context, orderID, clientOrderID string) error {
	wait, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	for {
		select {
		case <-wait.Done():
			return errors.New("no callback came within 30 seconds")
		case got := <-d.callbacks:
			if got.Get("orderid") != orderID {
				continue
			}
			for _, pair := range strings.Split(got.Encode(), "&") {
				d.t.printf("  %s\n", pair)
			}
			want := sign.CallbackControl(got.Get("status"), orderID, clientOrderID, d.control)
			if !sign.EqualControl(got.Get("control"), want) {
				return errors.New("the callback's control is wrong")
			}
			d.t.printf("\n  control = sha1(status + orderid + client_orderid + control key): verified\n")
			return nil
		}
	}
}
