package client_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"time"

	"payout/client"
	"payout/sign"
	"payout/spec"
)

// sandboxClient returns the client of a merchant of a sandbox that runs beside
// the examples. In your program it is
//
//	&client.Client{BaseURL: "https://gate.example.com/paynet", Login: "Merchant", Key: key, ControlKey: controlKey}
func sandboxClient() *client.Client {
	s, err := shared()
	if err != nil {
		log.Fatal(err)
	}
	return s.client()
}

// A payout from the request to its end. The client_orderid is the caller's own
// and is stored before the request is sent.
func Example() {
	c, ctx := sandboxClient(), context.Background()
	id := newOrderID()
	_, err := c.Payout(ctx, client.Endpoint(39915), client.PayoutRequest{
		ClientOrderID: id, Amount: "10.42", Currency: "USD", AccountNumber: "1234567890", AccountName: "John Q. Public",
	})
	if _, lost := errors.AsType[*client.LostError](err); err != nil && !lost {
		log.Fatal(err) // refused: nothing was paid
	}
	final, err := c.WaitFinal(ctx, client.Endpoint(39915), id, "") // also tells what became of a lost answer
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(final.Status, final.Amount, final.Currency)
	// Output: approved 10.42 USD
}

// A refusal names the code and the parameter.
func ExampleError() {
	_, err := sandboxClient().Payout(context.Background(), client.Endpoint(39915), client.PayoutRequest{ClientOrderID: newOrderID(), Currency: "USD"})
	if refusal, ok := errors.AsType[*client.Error](err); ok {
		fmt.Println(refusal.Type, refusal.Code, refusal.Param)
		fmt.Println(refusal.Message)
	}
	// Output:
	// validation-error 1 amount
	// Parameter amount is required
}

// The connection breaks when the gateway has the request. That is no refusal: the
// status tells what became of it.
func ExampleLostError() {
	c, ctx, id := sandboxClient(), context.Background(), newOrderID()
	c.HTTP, _ = lossy(1) // loses the first answer
	_, err := c.Payout(ctx, client.Endpoint(39915), client.PayoutRequest{ClientOrderID: id, Amount: "10.42", Currency: "USD", AccountNumber: "1234567890"})
	if lost, ok := errors.AsType[*client.LostError](err); ok {
		fmt.Println("no answer to", lost.Command)
		final, err := c.WaitFinal(ctx, client.Endpoint(39915), id, "")
		fmt.Println(final.Status, err)
	}
	// Output:
	// no answer to v4/payout
	// approved <nil>
}

// payoutd answers a repeated client_orderid with the first order. Whoever says so
// never sees a lost answer, unless every attempt is lost.
func ExampleClient_replays() {
	c, ctx, id := sandboxClient(), context.Background(), newOrderID()
	c.Replays = true
	c.HTTP, _ = lossy(1) // loses the first answer
	made, err := c.Payout(ctx, client.Endpoint(39915), client.PayoutRequest{ClientOrderID: id, Amount: "10.42", Currency: "USD", AccountNumber: "1234567890"})
	fmt.Println(made.Type, err)
	// Output: async-response <nil>
}

// Do sends any command by its table, with whatever parameters.
func ExampleClient_Do() {
	reply, err := sandboxClient().Do(context.Background(), spec.Payout, client.Group(77), []sign.Pair{
		{Name: "client_orderid", Value: newOrderID()}, {Name: "amount", Value: "10.42"}, {Name: "currency", Value: "USD"},
		{Name: "account_number", Value: "1234567890"}})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(reply.Get("type"), reply.Get("end-point-id"))
	// Output: async-response 39915
}

// A payout in two steps: the bank confirms it, then the money is let go.
func ExampleClient_Wait() {
	c, ctx, to, id := sandboxClient(), context.Background(), client.Endpoint(39915), newOrderID()
	made, err := c.PayoutCheck(ctx, to, client.PayoutCheckRequest{ClientOrderID: id, Amount: "10.42", Currency: "USD", AccountNumber: "1234567890"})
	if err != nil {
		log.Fatal(err)
	}
	status, err := c.Wait(ctx, to, id, made.PaynetOrderID, client.StatusResponse.Confirmed)
	if err != nil || !status.Confirmed() {
		log.Fatal(status.Status, err)
	}
	fmt.Println(status.OrderStage)
	if _, err := c.PayoutPay(ctx, to, client.PayoutPayRequest{ClientOrderID: id, OrderID: made.PaynetOrderID}); err != nil {
		log.Fatal(err)
	}
	final, err := c.WaitFinal(ctx, to, id, made.PaynetOrderID)
	fmt.Println(final.OrderStage, err)
	// Output:
	// payout_check_validated
	// payout_approved <nil>
}

// An order that has not ended when the wait is over is neither paid nor refused.
func ExampleOpenError() {
	c, ctx, id := sandboxClient(), context.Background(), newOrderID()
	c.WaitMax = time.Nanosecond
	_, err := c.PayoutForm(ctx, client.Endpoint(39915), client.PayoutFormRequest{ClientOrderID: id, Amount: "10.42", Currency: "USD"})
	if err != nil {
		log.Fatal(err)
	}
	_, err = c.WaitFinal(ctx, client.Endpoint(39915), id, "")
	if open, ok := errors.AsType[*client.OpenError](err); ok {
		fmt.Println(open.Last.Status, open.Last.OrderStage)
	}
	// Output: processing payout_form_processing
}

// The door for callbacks: the order is found by both of its ids, a callback that
// came before is not handled again, and the amount is taken from the own books.
func ExampleCallbackHandler() {
	type order struct{ paynetOrderID, status string }
	orders := map[string]*order{"902B4FF5": {paynetOrderID: "6982864"}} // a database, with its transactions
	h := &client.CallbackHandler{ControlKey: "r45a019070772d1c4c2b503bbdc0fa22", Handle: func(_ context.Context, news client.Callback) error {
		o := orders[news.ClientOrderID]
		if o == nil || o.paynetOrderID != news.OrderID {
			return errors.New("no such order") // the gateway will tell it again
		}
		if o.status == "" {
			o.status = news.Status
			fmt.Println("order", news.ClientOrderID, news.Status)
		}
		return nil
	}}

	query := url.Values{"status": {"approved"}, "orderid": {"6982864"}, "client_orderid": {"902B4FF5"}, "type": {"payout"},
		"control": {sign.CallbackControl("approved", "6982864", "902B4FF5", "r45a019070772d1c4c2b503bbdc0fa22")}}.Encode()
	for _, q := range []string{query, query, strings.Replace(query, "approved", "declined", 1)} {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/callback?"+q, nil))
		fmt.Println("answered", w.Code)
	}
	// Output:
	// order 902B4FF5 approved
	// answered 200
	// answered 200
	// answered 403
}

// VerifyCallback is for programs that have a door of their own.
func ExampleVerifyCallback() {
	news, err := client.VerifyCallback("test-merchant-control",
		"status=approved&orderid=1234567&client_orderid=hf-abc&control=652ace404c4dfe8bba069ecee594ec23a89340e1")
	fmt.Println(news.Status, news.ClientOrderID, err)
	_, err = client.VerifyCallback("test-merchant-control",
		"status=approved&orderid=1234567&client_orderid=hf-abd&control=652ace404c4dfe8bba069ecee594ec23a89340e1")
	fmt.Println(errors.Is(err, client.ErrControl))
	// Output:
	// approved hf-abc <nil>
	// true
}

// The page that the Receiver comes back to. It shows; it does not pay.
func ExampleRedirectHandler() {
	http.Handle("/done", &client.RedirectHandler{ControlKey: "the control key",
		Show: func(w http.ResponseWriter, _ *http.Request, came client.Redirect) {
			fmt.Fprintf(w, "Your payout %s is %s.", came.ClientOrderID, came.Status)
		}})
}
