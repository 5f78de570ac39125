package main

import (
	"context"
	"fmt"
	"html"
	"io"
	"net/http"
	"net/url"
	"strings"

	"payout"
	"payout/gateway"
	"payout/sign"
)

// form asks for a form and returns its order's id and its address.
func (d *demo) form(ctx context.Context, endpoint payout.EndpointID, id, amount, currency string) (order, address string, err error) {
	reply, err := d.ask(ctx, "v4/payout-form", endpoint, []sign.Pair{{Name: "client_orderid", Value: id}, {Name: "amount", Value: amount},
		{Name: "currency", Value: currency}, {Name: "order_desc", Value: "Winnings"}, {Name: "redirect_url", Value: d.site},
		{Name: "server_callback_url", Value: d.receiver}}, true)
	return reply.Get("paynet-order-id"), reply.Get("redirect-url"), err
}

// formTour lets the Receiver fill in a form, as a browser without JavaScript would.
func (d *demo) formTour(ctx context.Context) error {
	id := demoOrderID()
	d.chapter("The payout form: the Receiver says where the money goes")
	order, address, err := d.form(ctx, gateway.SandboxEndpoint, id, "10.42", "USD")
	if err != nil {
		return err
	}
	typed := url.Values{"account_name": {"John Q. Public"}, "account_number": {"1234567890"}}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, address, strings.NewReader(typed.Encode()))
	if err != nil {
		return err
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		return err
	}
	if err := response.Body.Close(); err != nil {
		return err
	}
	d.t.printf("The Receiver's browser sends the form: HTTP %s\n\n", response.Status)
	if err := d.approved(ctx, id, order, true); err != nil {
		return err
	}
	d.t.printf("\nThe payout by the form is approved and its callback is verified.\n")
	return nil
}

// forms prints addresses that one can open and complete by hand.
func (d *demo) forms(ctx context.Context) error {
	d.chapter("Forms to open in a browser")
	quiet := *d
	quiet.t.out = io.Discard
	for _, f := range []struct {
		endpoint                   payout.EndpointID
		what, amount, currency, or string
	}{
		{gateway.SandboxEndpoint, "bank account", "25.00", "EUR", "1234567890 is approved, 0987654321 declined"},
		{gateway.SandboxCardForm, "card", "120.50", "USD", "4444555566661111 is approved"},
		{gateway.SandboxPhoneForm, "phone (SBP)", "1500.00", "RUB", "+7 903 123-45-67 is approved"},
	} {
		_, address, err := quiet.form(ctx, f.endpoint, demoOrderID(), f.amount, f.currency)
		if err != nil {
			return err
		}
		d.t.printf("  %-13s %s\n%16s%s; more: payoutd scenarios\n", f.what, address, "", f.or)
	}
	return nil
}

// done is the merchant's page that the Receiver's browser returns to.
func (d *demo) done(w http.ResponseWriter, r *http.Request) {
	if err := r.ParseForm(); err != nil {
		http.Error(w, "no form", http.StatusBadRequest)
		return
	}
	verdict := "its control sum is right"
	get := r.PostForm.Get
	if get("control") != sign.CallbackControl(get("status"), get("orderid"), get("client_orderid"), d.control) {
		verdict = "its control sum is WRONG"
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'")
	fmt.Fprintf(w, "<!doctype html><meta name=viewport content='width=device-width'><title>Merchant</title>"+
		"<body style='font:1rem/1.6 system-ui;margin:3rem auto;max-width:36rem;padding:0 1rem'><h1>Back at the merchant's site</h1>"+
		"<p>The gateway's POST says: order %s is <b>%s</b>; %s.</p>", html.EscapeString(get("client_orderid")), html.EscapeString(get("status")), verdict)
}
