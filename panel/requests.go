package panel

import (
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"payout"
	"payout/storage"
)

const (
	listLength  = 50 // requests on one page
	foundOrders = 20 // orders that have the client_orderid that was searched for
)

// requestsView is the list of the latest requests.
type requestsView struct {
	Verdicts      []payout.Verdict
	Verdict       payout.Verdict
	ClientOrderID string
	OrderID       string
	Filtered      bool
	Problem       string // key of a message about the filter, or empty
	Orders        []orderLine
	Requests      []requestLine
	Older         string // address of the next page, or empty
	First         bool   // it is the first page
}

// requestLine is one request of the list.
type requestLine struct {
	payout.JournalEntry
	Endpoint string // or group, as in the path
}

// orderLine is one order of a list.
type orderLine struct {
	ID         payout.OrderID
	Status     payout.Status
	OrderStage string
	CreatedAt  time.Time
}

// requests answers the start: the latest requests, or those that fit a filter.
func (h *Handler) requests(v *visit) (*page, error) {
	query := v.r.URL.Query()
	view := &requestsView{Verdicts: payout.Verdicts(), ClientOrderID: strings.TrimSpace(query.Get("client_orderid")),
		OrderID: strings.TrimSpace(query.Get("order"))}
	filter := storage.JournalFilter{ClientOrderID: view.ClientOrderID}
	if verdict := payout.Verdict(query.Get("verdict")); slices.Contains(view.Verdicts, verdict) {
		view.Verdict, filter.Verdict = verdict, verdict
	}
	if view.OrderID != "" {
		id, err := payout.ParseOrderID(view.OrderID)
		if err != nil {
			view.Problem = "filter.order.wrong"
		}
		filter.OrderID = id
	}
	view.Filtered = filter != storage.JournalFilter{} || view.Problem != ""
	filter.Before, filter.BeforeSerial = placeOf(query.Get("before"))
	view.First = filter.Before.IsZero()
	p := &page{template: "requests.html", title: "requests.title", view: view}
	if view.Problem != "" {
		p.status = http.StatusUnprocessableEntity
		return p, nil
	}
	entries, err := h.Gateway.DB.Journal(v.r.Context(), v.visitor.Party.ID, filter, listLength+1)
	if err != nil {
		return nil, err
	}
	if len(entries) > listLength {
		entries = entries[:listLength]
		last := entries[listLength-1]
		query.Set("before", strconv.FormatInt(last.At.UnixMicro(), 10)+"-"+last.Serial.String())
		view.Older = v.root() + "?" + query.Encode()
	}
	for _, e := range entries {
		view.Requests = append(view.Requests, requestLine{e, endpointOf(e.EndpointID, e.GroupID)})
	}
	if view.ClientOrderID != "" && view.First {
		view.Orders, err = h.ordersOf(v, view.ClientOrderID)
	}
	return p, err
}

// ordersOf lists the visitor's orders that have a client_orderid: also those whose
// requests the journal does not have any more.
func (h *Handler) ordersOf(v *visit, clientOrderID string) ([]orderLine, error) {
	orders, err := h.Gateway.DB.OrdersByClientID(v.r.Context(), v.visitor.Party.ID, clientOrderID, foundOrders)
	if err != nil {
		return nil, err
	}
	lines := make([]orderLine, len(orders))
	for i, o := range orders {
		lines[i] = orderLine{o.ID, o.Stage.Status(), o.Stage.OrderStage(o.Type), o.CreatedAt}
	}
	return lines, nil
}

// placeOf reads where a list is to go on; the zero time for a list from its start.
func placeOf(text string) (time.Time, payout.SerialNumber) {
	moment, number, _ := strings.Cut(text, "-")
	us, err1 := strconv.ParseInt(moment, 10, 64)
	serial, err2 := payout.ParseSerialNumber(number)
	if err1 != nil || err2 != nil || us <= 0 {
		return time.Time{}, 0
	}
	return time.UnixMicro(us), serial
}

// endpointOf is what the path of a request names.
func endpointOf(endpoint payout.EndpointID, group payout.GroupID) string {
	switch {
	case group != 0:
		return "group/" + group.String()
	case endpoint != 0:
		return endpoint.String()
	}
	return ""
}

// find goes to what somebody searches for: a request by its serial-number, an
// order by its number, or everything with a client_orderid.
func (h *Handler) find(v *visit) error {
	text := strings.TrimSpace(v.r.URL.Query().Get("q"))
	to := v.root()
	if serial, err := payout.ParseSerialNumber(text); err == nil {
		to += "requests/" + serial.String()
	} else if own, err := h.ownOrder(v, text); err == nil {
		to += "orders/" + own.ID.String()
	} else if !errors.Is(err, storage.ErrNotFound) {
		return err
	} else if text != "" {
		to += "?" + url.Values{"client_orderid": {text}}.Encode()
	}
	http.Redirect(v.w, v.r, to, http.StatusSeeOther)
	return nil
}

// ownOrder finds an order of the visitor's party. One of another party is as
// unknown as one that does not exist.
func (h *Handler) ownOrder(v *visit, number string) (*payout.Order, error) {
	id, err := payout.ParseOrderID(number)
	if err != nil {
		return nil, storage.ErrNotFound
	}
	order, err := h.Gateway.DB.Order(v.r.Context(), id)
	if err == nil && order.PartyID != v.visitor.Party.ID {
		return nil, storage.ErrNotFound
	}
	return order, err
}
