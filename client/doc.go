// Package client calls a payout gateway: payoutd, or any other install of the
// same wire format.
//
// A payout, from the key to its end:
//
//	key, err := client.ParsePrivateKey(pemText) // whose public key the operator has
//	if err != nil {
//		return err
//	}
//	c := &client.Client{BaseURL: "https://gate.example.com/paynet", Login: "Merchant", Key: key}
//	id := "invoice-4711" // yours; stored before the call, and used for this payout only
//	_, err = c.Payout(ctx, client.Endpoint(39915), client.PayoutRequest{
//		ClientOrderID: id, Amount: "10.42", Currency: "EUR", AccountNumber: "DE89370400440532013000",
//	})
//	if _, lost := errors.AsType[*client.LostError](err); err != nil && !lost {
//		return err // refused: nothing was paid
//	}
//	final, err := c.WaitFinal(ctx, client.Endpoint(39915), id, "") // also tells what became of a lost answer
//	if err == nil && final.Approved() {
//		log.Print("paid ", final.Amount, " ", final.Currency)
//	}
//
// Every command has a method and a type for its request; each field says what
// the gateway demands of it. Commands of version 2 have V2 behind their name. Do
// sends any command by its table. Amounts and ids are strings, as on the wire:
// nothing is rounded on the way.
//
// # Errors
//
// There are two kinds of failure, and money depends on telling them apart.
//
//   - A [LostError] says that nobody knows whether the gateway carried the request
//     out: the connection broke, the time was up, the gateway answered with HTTP 500.
//     It may be paid. Ask for the status by the same client_orderid, as
//     [Client.WaitFinal] does, until it is known.
//   - Any other error says that the request was not carried out. It is an [Error]
//     if the gateway refused it, with errors.Is(err, [ErrDenied]) for HTTP 403.
//
// When the status says that there is no such order, a gateway that replays (see
// below) may be sent the same request again, with the same client_orderid.
// Elsewhere that is safe only when the first request can no longer be accepted: a
// signed one when its timestamp is older than the gateway's window, which is
// minutes; one with a control sum never gets too old, so ask the operator. A new
// client_orderid is never the way to repeat a payout.
//
// How an order ended is no error, but the status in a [StatusResponse].
//
// # What is sent again
//
// Each attempt is signed anew. By itself, the client sends a request again
//
//   - if it surely never left, because no connection was made;
//   - if it was turned away because there is too much to do (payoutd's HTTP 503, a proxy's HTTP 429);
//   - if the command only reads, as status does.
//
// A command that pays is not sent again after a lost answer. The reference's
// gateway promises nothing for a client_orderid that it has seen before: it
// may make a second order of it, and pay twice. Nor does "order not found" prove
// that the first request will not arrive a moment later. So the client
// returns the [LostError], and the caller asks for the status.
//
// payoutd promises more: a repeated client_orderid gets the order that the first
// request made, and an error if any parameter differs. [Client.Replays] tells the
// client so; then it sends the request again, up to [Client.Attempts] times, with
// growing pauses, and returns the first order's answer as if nothing had been
// lost. Do not set it for an endpoint that was added with --repeat allow, nor for
// a gateway whose operator has not promised this.
//
// A definite refusal ends the attempts. If an earlier attempt may have been
// carried out, the error is that one's LostError nevertheless: a refusal of the
// second request says nothing about the first.
//
// # Callbacks and redirects
//
// [CallbackHandler] receives the news of an order's end, [RedirectHandler] the
// browser of the Receiver. Both check the control sum, which needs no RSA key but
// the control key. What the sum does not cover stands at [VerifyCallback].
//
// # Secrets
//
// Requests and replies print with card numbers, accounts, names and phones
// masked, by any verb of fmt and by log/slog, and a Client prints without its
// keys. Fields and [Reply.Get] give the plain values, and so does encoding/json.
//
// # What is promised
//
// The exported names of this package are payoutd's only promised Go API: they
// stay, and keep their meaning. New fields, methods and commands come without
// notice, so write struct literals with field names. Do takes types of packages
// spec and sign; of those, spec.Commands, spec.Command as an argument, and
// sign.Pair are promised, and nothing else. Numbers such as 3.26 after "Source"
// are pages of the reference's documentation; AF and WF mark what was collected
// from other public pages and from recorded replies.
package client

//go:generate go run payout/gen/client
