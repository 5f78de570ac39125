package client

import (
	"context"
	"errors"
	"math/rand/v2"
	"net/http"
	"strconv"
	"time"

	"payout/sign"
	"payout/spec"
)

// The limits of retries.
const (
	attemptsMax   = 3                      // default of Client.Attempts
	pauseFirst    = 250 * time.Millisecond // before the second attempt, on average; twice as long before each further one
	pauseMax      = 5 * time.Second
	retryAfterMax = 30 * time.Second // a gateway that asks for more is not waited for
)

// send sends a request, and sends it again where that cannot pay twice. Each
// attempt has a nonce and a timestamp of its own.
func (c *Client) send(ctx context.Context, cmd command, to Terminal, form []sign.Pair) (Reply, error) {
	var lost *LostError // of the first attempt that the gateway may have carried out
	for attempt := 1; ; attempt++ {
		reply, err := c.once(ctx, cmd, to, form)
		if err == nil {
			return reply, nil
		}
		if later, ok := errors.AsType[*LostError](err); ok {
			later.Attempts = attempt
			if lost == nil {
				lost = later
			}
		}
		if attempt < c.attempts() && c.mayRepeat(cmd, err) && c.sleep(ctx, pause(attempt, err)) == nil {
			continue
		}
		// What refused a later attempt says nothing about the one before it.
		if lost != nil && cmd.repeat != spec.RepeatReads {
			lost.Attempts = attempt
			return Reply{}, lost
		}
		return Reply{}, err
	}
}

func (c *Client) attempts() int {
	if c.Attempts > 0 {
		return c.Attempts
	}
	return attemptsMax
}

// mayRepeat reports whether the request may be sent again after an error.
func (c *Client) mayRepeat(cmd command, err error) bool {
	if _, lost := errors.AsType[*LostError](err); lost && cmd.repeat != spec.RepeatReads {
		return c.Replays && cmd.repeat == spec.RepeatReplays
	}
	refusal, ok := errors.AsType[*Error](err)
	return passing(err) && !(ok && refusal.RetryAfter > retryAfterMax)
}

// pause is how long to wait before the attempt after this one: at least as long
// as the gateway asks for, and never the same for all clients.
func pause(attempt int, err error) time.Duration {
	longest := min(2*pauseFirst<<min(attempt-1, 10), 2*pauseMax)
	d := rand.N(longest)
	if refusal, ok := errors.AsType[*Error](err); ok {
		d += refusal.RetryAfter
	}
	return d
}

// retryAfter reads Retry-After: seconds, or a date (RFC 9110 10.2.3).
func (c *Client) retryAfter(header http.Header) time.Duration {
	text := header.Get("Retry-After")
	if seconds, err := strconv.Atoi(text); err == nil {
		return min(time.Duration(max(seconds, 0)), time.Duration(1<<31)) * time.Second
	}
	if date, err := http.ParseTime(text); err == nil {
		return max(date.Sub(c.now()), 0)
	}
	return 0
}
