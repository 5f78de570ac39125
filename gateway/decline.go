package gateway

import (
	"context"
	"fmt"

	"payout"
)

// Decline ends an order that has not been sent and that nobody will send, such
// as one whose gate has been switched off for good; the callback is owed as at
// every end. An order that may have been sent is left alone: only its rail can
// say how it ends. The reason is for the Connecting Party's eyes; it is masked
// like what a rail says.
func (g *Gateway) Decline(ctx context.Context, id payout.OrderID, reason string) error {
	o, err := g.DB.Order(ctx, id)
	if err != nil {
		return fmt.Errorf("decline order %s: %w", id, err)
	}
	switch {
	case o.Stage.Final():
		return fmt.Errorf("decline order %s: it has ended already: %s", id, o.Stage)
	case o.Stage == payout.Held:
		return fmt.Errorf("decline order %s: it waits for payout-pay and is declined by itself at %s", id, o.ExpiresAt)
	case g.restored(o):
		return fmt.Errorf("decline order %s: it comes from a restored backup and may have been sent since; only the rail can tell how it ends", id)
	case o.Stage != payout.Starting && o.Stage != payout.Checking && o.Stage != payout.AtForm:
		return fmt.Errorf("decline order %s: it is %s and may have been sent; only the rail can tell how it ends", id, o.Stage)
	}
	m := g.move(o, payout.Decline, g.Now())
	m.ErrorCode, m.ErrorMessage = payout.CodeNoGate, or(clean(receiverHider(o).Replace(printable(reason))), payout.CodeNoGate.Row().Text)
	m.Note = "declined by the operator"
	g.ends(m, o)
	moved, err := g.DB.Move(*m)
	if err != nil {
		return fmt.Errorf("decline order %s: %w", id, err)
	}
	if !moved {
		return fmt.Errorf("decline order %s: it has just been moved: look at it again", id)
	}
	g.wakeCallbacks()
	return nil
}
