package panel

import (
	"errors"

	"payout"
	"payout/storage"
)

// requestView is one request.
type requestView struct {
	payout.JournalEntry
	Kept     bool // the journal has it; else only what is remembered for good is known
	Endpoint string
	Known    bool           // the command is one of ours
	Code     payout.CodeRow // of ErrorCode
	CodeDoc  string
	Message  string // of a remembered refusal
	Hints    *hints // why it was denied; or nil
}

// request answers for one request by its serial-number: from the journal or, if
// that has left it out, from what is remembered for good.
func (h *Handler) request(v *visit, text string) (*page, error) {
	serial, err := payout.ParseSerialNumber(text)
	if err != nil {
		return nil, storage.ErrNotFound
	}
	view := &requestView{Kept: true}
	view.JournalEntry, err = h.Gateway.DB.JournalEntry(v.r.Context(), v.visitor.Party.ID, serial)
	if errors.Is(err, storage.ErrNotFound) {
		view.Kept = false
		err = h.remembered(v, view, serial)
	}
	if err != nil {
		return nil, err
	}
	view.Endpoint = endpointOf(view.EndpointID, view.GroupID)
	view.Known = h.command(view.Command) != nil
	if view.ErrorCode != 0 {
		view.Code = view.ErrorCode.Row()
		view.CodeDoc = view.Code.Doc.In(string(v.lang))
	}
	if view.Kept {
		view.Hints = h.hints(v, view.JournalEntry)
	}
	return &page{template: "request.html", title: "request.title", view: view}, nil
}

// remembered fills in what storage keeps of a request for good.
func (h *Handler) remembered(v *visit, view *requestView, serial payout.SerialNumber) error {
	q, err := h.Gateway.DB.RequestBySerial(v.r.Context(), v.visitor.Party.ID, serial)
	if err != nil {
		return err
	}
	view.Serial, view.At, view.Command, view.EndpointID, view.GroupID = q.Serial, q.At, q.Command, q.EndpointID, q.GroupID
	view.ClientOrderID, view.OrderID, view.ErrorCode, view.RemoteAddress = q.ClientOrderID, q.OrderID, q.ErrorCode, q.RemoteAddress
	view.Message, view.Content.Note, view.Verdict = q.ErrorMessage, q.Note, payout.VerdictOK
	if q.ErrorCode != 0 {
		view.Verdict = payout.VerdictRefused
	}
	return nil
}
