package panel

import (
	"errors"
	"net/http"
	"strconv"
	"time"

	"payout"
	"payout/gateway"
	"payout/storage"
)

// orderView is one order and everything that happened to it.
type orderView struct {
	*payout.Order
	Status       payout.Status
	OrderStage   string
	StageDoc     string
	Code         payout.CodeRow // of ErrorCode
	CodeDoc      string
	Moves        []moveLine
	Transactions []payout.Transaction
	Requests     []payout.Request
	Callbacks    []callbackPart
	Content      []payout.JournalPair // what the callback tells, masked
	Note         string               // key of a message about a wish, or empty
}

// moveLine is one line of the order's history.
type moveLine struct {
	payout.Moved
	OrderStage string
	Doc        string // what happened
}

// callbackPart is one callback of the order.
type callbackPart struct {
	payout.Callback
	UnderWay bool
	Attempts []payout.CallbackAttempt
	Wishes   []payout.Resend
}

// notes are what may be told of a wish, by the query of the page's address.
var notes = map[string]string{"sent": "resend.sent", "later": "resend.later"}

// order answers for one order.
func (h *Handler) order(v *visit, number string) (*page, error) {
	order, err := h.ownOrder(v, number)
	if err != nil {
		return nil, err
	}
	lang := string(v.lang)
	view := &orderView{Order: order, Status: order.Stage.Status(), OrderStage: order.Stage.OrderStage(order.Type),
		StageDoc: stageDoc(order.Stage).In(lang), Note: notes[v.r.URL.Query().Get("callback")]}
	if order.ErrorCode != 0 {
		view.Code = order.ErrorCode.Row()
		view.CodeDoc = view.Code.Doc.In(lang)
	}
	ctx, db := v.r.Context(), h.Gateway.DB
	moves, err := db.History(ctx, order.ID)
	if err != nil {
		return nil, err
	}
	for _, m := range moves {
		view.Moves = append(view.Moves, moveLine{m, m.To.OrderStage(order.Type), eventDoc(m.Event).In(lang)})
	}
	if view.Transactions, err = db.Transactions(ctx, order.ID); err != nil {
		return nil, err
	}
	if view.Requests, err = db.Requests(ctx, order.ID); err != nil {
		return nil, err
	}
	if view.Callbacks, err = h.callbacksOf(v, order.ID); err != nil {
		return nil, err
	}
	if len(view.Callbacks) > 0 {
		view.Content, err = h.Gateway.CallbackShown(ctx, order.ID)
	}
	return &page{template: "order.html", title: "order.title", view: view}, err
}

func (h *Handler) callbacksOf(v *visit, id payout.OrderID) ([]callbackPart, error) {
	callbacks, attempts, err := h.Gateway.DB.Callbacks(v.r.Context(), id)
	if err != nil {
		return nil, err
	}
	wishes, err := h.Gateway.DB.Resends(v.r.Context(), id)
	if err != nil {
		return nil, err
	}
	var parts []callbackPart
	for _, c := range callbacks {
		part := callbackPart{Callback: c, UnderWay: c.LeasedUntil.After(v.began)}
		for _, a := range attempts {
			if a.CallbackID == c.ID {
				part.Attempts = append(part.Attempts, a)
			}
		}
		for _, w := range wishes {
			if w.CallbackID == c.ID {
				part.Wishes = append(part.Wishes, w)
			}
		}
		parts = append(parts, part)
	}
	return parts, nil
}

// Next is when a callback that waits is sent next; zero when it does not wait.
func (c callbackPart) Next() time.Time {
	if c.UnderWay || c.State != payout.CallbackDue {
		return time.Time{}
	}
	return c.DueAt
}

// resend has a callback sent again and goes back to its order.
func (h *Handler) resend(v *visit, number string) error {
	id, err := strconv.ParseInt(number, 10, 64)
	if err != nil {
		return storage.ErrNotFound
	}
	order, err := h.ownOrder(v, v.r.PostFormValue("order"))
	if err != nil {
		return err
	}
	if !h.limits.Allow("resend "+strconv.FormatInt(v.visitor.Token.ID, 10), resendsPerToken, v.began) {
		return errTooMany
	}
	note := "sent"
	err = h.Gateway.ResendCallback(v.r.Context(), v.visitor.Party.ID, payout.CallbackID(id), v.visitor.Token.Name)
	if errors.Is(err, gateway.ErrResendLater) {
		note, err = "later", nil
	}
	if err != nil {
		return err
	}
	http.Redirect(v.w, v.r, v.root()+"orders/"+order.ID.String()+"?callback="+note+"#callbacks", http.StatusSeeOther)
	return nil
}

func stageDoc(s payout.Stage) payout.Text {
	for _, row := range payout.Stages() {
		if row.Stage == s {
			return row.Doc
		}
	}
	return payout.Text{}
}

func eventDoc(e payout.Event) payout.Text {
	for _, row := range payout.Events() {
		if row.Event == e {
			return row.Doc
		}
	}
	return payout.Text{}
}
