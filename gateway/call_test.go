package gateway_test

import (
	"errors"
	"strconv"
	"testing"
	"time"

	"payout/gateway"
	"payout/sign"
	"payout/spec"
	"payout/storage"
	"payout/storage/storagetest"
)

// A request that was checked and then stood still, with its node, for longer than its nonce
// is kept makes no order: another node may have made one of the same request, and forgotten
// its nonce.
func TestRequestThatStoodStillMakesNoOrder(t *testing.T) {
	const window = 5 * time.Minute
	for i, test := range []struct {
		signed, stood time.Duration // after it came
		want          error
		kept          bool
	}{
		{stood: window},
		{stood: window + 1, want: storage.ErrBusy},
		{signed: time.Minute, stood: window + time.Minute}, // by a clock that is ahead
		{signed: time.Minute, stood: window + time.Minute + time.Second, want: storage.ErrBusy},
		{signed: -time.Minute, stood: window},
		{stood: time.Hour, kept: true}, // no window: the nonce is kept for ever
	} {
		h := newHouse(t, storagetest.Open(t, storagetest.SQLite(t)), nil, gateway.Settings{})
		c, r := h.call(spec.Payout, sign.Pair{Name: "client_orderid", Value: strconv.Itoa(i)}, sign.Pair{Name: "amount", Value: "1.00"},
			sign.Pair{Name: "currency", Value: "USD"}, sign.Pair{Name: "account_number", Value: "1"})
		c.Now = c.Now.Truncate(time.Second)
		came := c.Now
		within := window
		if test.kept {
			within = 0
		}
		c.UseNonce("nonce", came.Add(test.signed), within)
		h.Now = func() time.Time { return came.Add(test.stood) }
		order, err := h.Payout(t.Context(), c, r)
		if !errors.Is(err, test.want) || (order == nil) != (test.want != nil) {
			t.Errorf("%+v: order %v, error %v", test, order, err)
		}
		if found, err := h.db.OrdersByClientID(t.Context(), c.Party.ID, strconv.Itoa(i), 1); err != nil || (len(found) == 0) != (test.want != nil) {
			t.Errorf("%+v: %d orders are stored (%v)", test, len(found), err)
		}
	}
}
