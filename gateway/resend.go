package gateway

import (
	"context"
	"errors"
	"fmt"
	"time"

	"payout"
	"payout/callback"
	"payout/storage"
)

// ResendPause is the least time between two wishes to have the same callback sent
// again: its receiver must not be hammered.
const ResendPause = 30 * time.Second

// leaseNever is a time from now at which no delivery's lease ends, whatever the node has
// for its --callback-timeout.
func (s Settings) leaseNever() time.Duration { return max(time.Hour, 2*s.deliveryLease()) }

// ErrResendLater says that a callback is being sent at this moment, or was asked
// for just before.
var ErrResendLater = errors.New("the callback is under way already")

// ResendCallback sends a callback of a party once more, as soon as a worker is
// free: one that was delivered or given up, too, or one that waits for its next
// time. by is who asked, for the order's history. storage.ErrNotFound when the
// party has no such callback. Asked twice, it is sent once.
func (g *Gateway) ResendCallback(ctx context.Context, party payout.PartyID, id payout.CallbackID, by string) error {
	if err := g.Fit(); err != nil {
		return err
	}
	now, again := g.Now(), false
	err := g.DB.Transact(ctx, now, func(tx *storage.Tx) (err error) {
		again, err = tx.ResendCallback(party, id, by, now.Add(-ResendPause), now.Add(g.Settings.leaseNever()))
		return err
	})
	if err != nil {
		return err
	}
	if !again {
		return ErrResendLater
	}
	g.Log.Info("callback is sent again", "callback", int64(id), "party", party.String(), "by", by)
	g.wakeCallbacks()
	return nil
}

// CallbackShown is what the callback of an order tells, masked, without its
// control sum.
func (g *Gateway) CallbackShown(ctx context.Context, id payout.OrderID) ([]payout.JournalPair, error) {
	m, err := g.message(ctx, id, nil)
	if err != nil {
		return nil, fmt.Errorf("show callback of order %s: %w", id, err)
	}
	hidden := m
	hidden.Name, hidden.Email, hidden.Cardholder = stars(m.Name), stars(m.Email), stars(m.Cardholder)
	hidden.Phone, hidden.MerchantData = maskNumber(m.Phone), payout.MaskCards(clipTo(m.MerchantData, maskedValue))
	hidden.ControlKey = ""
	sent, shown := callback.Params(m), callback.Params(hidden)
	pairs := make([]payout.JournalPair, len(shown))
	for i, p := range shown {
		pairs[i] = payout.JournalPair{Name: p.Name, Value: p.Value, Masked: p.Value != sent[i].Value}
		if p.Name == "control" {
			pairs[i].Value = ""
		}
	}
	return pairs, nil
}
