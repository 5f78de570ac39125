package client

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"

	"payout"
)

// The timetable of polling: 3 to 5 seconds apart for the first five minutes (AF 8).
const (
	pollMin = 3 * time.Second
	pollMax = 5 * time.Second
	waitMax = 5 * time.Minute // default of Client.WaitMax
)

// statusFiltered is a final status of other installs: refused by their control of
// fraud (AF 11). payoutd does not use it.
const statusFiltered = "filtered"

// Final reports whether the order has ended. An unknown status is not final, nor
// is one that this package has never heard of: nobody knows what it promises.
func (s StatusResponse) Final() bool {
	return payout.Status(s.Status).Final() || s.Status == statusFiltered
}

// Approved reports whether the order ended with the money paid.
func (s StatusResponse) Approved() bool { return s.Status == string(payout.StatusApproved) }

// Confirmed reports whether a payout-check waits for its payout-pay.
func (s StatusResponse) Confirmed() bool {
	return s.OrderStage == payout.Held.OrderStage(payout.TypePayout)
}

// An OpenError says that the wait is over and the order is not: it is neither
// paid nor refused yet. Its end comes by callback, and by status later.
type OpenError struct {
	ClientOrderID string
	Last          StatusResponse // the last one that was read; empty if none was
	Err           error          // why the last question had no answer, or the context's error; may be nil
}

// Error tells how far the order has come.
func (e *OpenError) Error() string {
	text := fmt.Sprintf("client: order %s is still open (status %q)", e.ClientOrderID, e.Last.Status)
	if e.Err != nil {
		text += ": " + e.Err.Error()
	}
	return text
}

// Unwrap returns the context's error, or the last question's.
func (e *OpenError) Unwrap() error { return e.Err }

// WaitFinal asks for an order's status until it is final, every 3 to 5 seconds, for
// at most Client.WaitMax. orderID is the paynet-order-id; it may be empty if
// the client_orderid is unique. Questions without an answer are asked again.
// The error is an *OpenError when the order is still open at the end, or what
// refused the question.
//
// It is also the way to find out what became of a request whose answer was lost.
func (c *Client) WaitFinal(ctx context.Context, terminal Terminal, clientOrderID, orderID string) (StatusResponse, error) {
	return c.Wait(ctx, terminal, clientOrderID, orderID, StatusResponse.Final)
}

// Wait is like WaitFinal, and ends as soon as done says so: with
// StatusResponse.Confirmed it waits for the bank's confirmation of a
// payout-check. It ends at a final status in any case.
func (c *Client) Wait(ctx context.Context, terminal Terminal, clientOrderID, orderID string, done func(StatusResponse) bool) (StatusResponse, error) {
	open := &OpenError{ClientOrderID: clientOrderID}
	longest := c.WaitMax
	if longest == 0 {
		longest = waitMax
	}
	for end := c.now().Add(longest); ; {
		status, err := c.ask(ctx, terminal, clientOrderID, orderID)
		switch {
		case err == nil:
			open.Last, open.Err = status, nil
			if done(status) || status.Final() {
				return status, nil
			}
		case !passing(err):
			return open.Last, err
		default:
			open.Err = err
		}
		next := pollMin + rand.N(pollMax-pollMin)
		if c.now().Add(next).After(end) {
			return open.Last, open
		}
		if err := c.sleep(ctx, next); err != nil {
			open.Err = err
			return open.Last, open
		}
	}
}

// ask asks for a status by the version that the client has a key for.
func (c *Client) ask(ctx context.Context, terminal Terminal, clientOrderID, orderID string) (StatusResponse, error) {
	if c.Key == nil {
		return c.StatusV2(ctx, terminal, StatusV2Request{ClientOrderID: clientOrderID, OrderID: orderID})
	}
	return c.Status(ctx, terminal, StatusRequest{ClientOrderID: clientOrderID, OrderID: orderID})
}
