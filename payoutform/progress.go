package payoutform

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"payout"
	"payout/spec"
	"payout/storage"
)

// slowAfter is when a payment takes longer than usual, counted from the moment at
// which the form was sent.
const slowAfter = 20 * time.Second

const (
	lookEvery = 500 * time.Millisecond // at an order, for an open stream
	lookMost  = 50 * time.Second       // life of a stream; the browser opens the next one
)

// sentAt tells when the Receiver sent the form of an order; sent is false for
// one that ended without that.
func (h *Handler) sentAt(v *visit) (at time.Time, sent bool, err error) {
	history, err := h.Gateway.DB.History(v.r.Context(), v.order.ID)
	if err != nil {
		return time.Time{}, false, err
	}
	for _, m := range history {
		if m.Event == payout.Submit {
			return m.At, true, nil
		}
	}
	return v.order.CreatedAt, false, nil
}

// waiting is what the wait page tells of an order, or empty when its time is over.
func (h *Handler) waiting(o *payout.Order, since, now time.Time) WaitState {
	passed := now.Sub(since)
	switch {
	case o.Stage.Final(), o.Stage == payout.AtForm, o.Stage == payout.Doubtful && passed >= cmp.Or(h.UnknownAfter, time.Minute):
		return ""
	case o.Stage == payout.Doubtful, passed >= slowAfter:
		return WaitSlow
	case o.Stage == payout.Starting:
		return WaitAccepted
	}
	return WaitPaying
}

func (h *Handler) showWait(v *visit, state WaitState) error {
	view := WaitView{Frame: h.frame(v, v.order), State: state, Amount: v.order.Amount, To: v.order.ReceiverMask,
		Events: h.self(v, "/events"), Poll: h.self(v, "/state"), Self: h.self(v, "")}
	return h.draw(v, http.StatusOK, func(w io.Writer) error { return h.Pages.Wait(w, view) })
}

// showFinish shows the end, and sends the browser back to the Connecting Party.
// A form that was never sent has expired, also in the moment before a worker
// declines its order.
func (h *Handler) showFinish(v *visit, sent bool) error {
	o := v.order
	view := FinishView{Frame: h.frame(v, o), Outcome: outcomeOf(o, sent), Amount: o.Amount, To: o.ReceiverMask, At: o.FinalAt, Number: o.ClientOrderID}
	if o.FinalAt.IsZero() {
		view.At = v.began
	}
	if o.Stage.Final() && sent {
		s, err := h.Gateway.StandingOf(v.r.Context(), o)
		if err != nil {
			return err
		}
		view.Receipt = h.ContextPath + "/view-receipt/" + o.EndpointID.String() + "/" + string(s.Receipt) + "/"
	}
	var actions []string
	if o.Stage != payout.AtForm {
		address, params, err := h.Gateway.Redirect(v.r.Context(), o)
		if err != nil {
			return err
		}
		if target, err := url.Parse(address); address != "" && err == nil {
			view.Return = &Return{URL: address}
			for _, p := range params {
				view.Return.Fields = append(view.Return.Fields, NameValue(p))
			}
			actions = append(actions, target.Scheme+"://"+target.Host)
		}
	}
	return h.draw(v, http.StatusOK, func(w io.Writer) error { return h.Pages.Finish(w, view) }, actions...)
}

func outcomeOf(o *payout.Order, sent bool) Outcome {
	switch {
	case !sent && (o.Stage == payout.AtForm || o.ErrorCode == payout.CodeFormExpired):
		return OutcomeExpired
	case o.Stage == payout.Approved:
		return OutcomeApproved
	case o.Stage.Final():
		return OutcomeDeclined
	}
	return OutcomeUnknown
}

// receipt shows the receipt of a final order.
func (h *Handler) receipt(v *visit, endpoint, receipt string) error {
	id, err := strconv.ParseInt(endpoint, 10, 64)
	if err != nil {
		return storage.ErrNotFound
	}
	s, err := h.Gateway.OrderOfReceipt(v.r.Context(), payout.EndpointID(id), payout.ReceiptID(receipt))
	if err != nil {
		return h.missed(v, err)
	}
	o := s.Order
	v.order = o
	view := ReceiptView{Frame: h.frame(v, o), Outcome: outcomeOf(o, true), Amount: o.Amount, To: o.ReceiverMask, At: o.FinalAt,
		Description: o.Params[spec.OrderDesc.Name], Number: o.ClientOrderID, OrderNumber: o.ID.String(), ReceiptID: receipt, Reason: o.ErrorMessage}
	if o.Stage == payout.Approved {
		view.Reason = ""
	}
	if t := s.Transaction; t != nil {
		view.RRN, view.Approval = t.RRN, t.ApprovalCode
	}
	return h.draw(v, http.StatusOK, func(w io.Writer) error { return h.Pages.Receipt(w, view) })
}

// progress is what the wait page asks for: a WaitState, or "done" when the page
// is to be read again.
func (h *Handler) progress(v *visit, since time.Time) string {
	if state := h.waiting(v.order, since, h.Gateway.Now()); state != "" {
		return string(state)
	}
	return "done"
}

// stateJSON is the answer to both ways of asking.
func stateJSON(state string) []byte {
	text, err := json.Marshal(map[string]string{"state": state})
	if err != nil {
		panic(err) // two strings
	}
	return text
}

// state answers a browser that polls.
func (h *Handler) state(v *visit) error {
	since, _, err := h.sentAt(v)
	if err != nil {
		return err
	}
	v.w.Header().Set("Content-Type", "application/json")
	v.w.Header().Set("Cache-Control", "no-store")
	_, _ = v.w.Write(stateJSON(h.progress(v, since))) // a browser that is gone sees nothing
	return nil
}

// events streams the state to a browser until the order's end, the stream's or
// the server's.
func (h *Handler) events(v *visit) error {
	since, _, err := h.sentAt(v)
	if err != nil {
		return err
	}
	header := v.w.Header()
	header.Set("Content-Type", "text/event-stream")
	header.Set("Cache-Control", "no-store")
	header.Set("X-Accel-Buffering", "no") // proxies are to pass it on at once
	out := http.NewResponseController(v.w)
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	said := ""
	for looks := 0; looks < int(lookMost/lookEvery); looks++ {
		if state := h.progress(v, since); state != said {
			said = state
			if _, err := fmt.Fprintf(v.w, "event: state\ndata: %s\n\n", stateJSON(state)); err != nil || out.Flush() != nil || state == "done" {
				return nil
			}
		}
		select {
		case <-v.r.Context().Done():
			return nil
		case <-h.Stopping:
			return nil
		case <-tick.C:
		}
		if v.order, err = h.Gateway.DB.Order(v.r.Context(), v.order.ID); err != nil {
			return nil // the browser asks again
		}
	}
	return nil
}
