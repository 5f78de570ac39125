package client

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"slices"
	"strings"

	"payout/sign"
)

// ErrControl says that a callback or redirect was not made with the control key:
// it is forged, changed on its way, or of another Connecting Party.
var ErrControl = errors.New("client: the control sum is wrong")

const redirectMax = 1 << 20 // bytes of a redirect's form

// The parameters that the control sum covers, and the sum.
const (
	nameStatus        = "status"
	nameOrderID       = "orderid"
	nameMerchantOrder = "merchant_order"
	nameClientOrderID = "client_orderid"
	nameControl       = "control"
)

// Identity tells whether two callbacks are the same news: a gateway may deliver
// one twice. It is made of status, type and both ids of the order.
func (c Callback) Identity() string {
	return strings.Join([]string{c.Status, c.Type, c.OrderID, c.ClientOrderID}, "\n")
}

// VerifyCallback reads the query of a callback and checks its control sum.
//
// The sum covers status, orderid and client_orderid, and nothing else: take the
// amount from your own books or from a status. It joins the ids without a
// separator, so a good sum for orderid 12 and client_orderid 3 is one for
// orderid 1 and client_orderid 23 too: find your order by both ids together,
// never by client_orderid alone.
func VerifyCallback(controlKey, query string) (Callback, error) {
	reply, err := verify(controlKey, query)
	var callback Callback
	if err == nil {
		fill(&callback, reply)
	}
	return callback, err
}

// VerifyRedirect reads the form that the Receiver's browser posts at the end, and
// checks its control sum, of which the same is to be said as of a callback's.
// Even a good one is no proof of payment: it went through the browser, and
// whoever has that can post an older one again. Show it; act on the callback or
// the status.
func VerifyRedirect(controlKey, form string) (Redirect, error) {
	reply, err := verify(controlKey, form)
	var redirect Redirect
	if err == nil {
		fill(&redirect, reply)
	}
	return redirect, err
}

// verify checks the control sum of form-encoded text.
func verify(controlKey, text string) (Reply, error) {
	if controlKey == "" {
		return Reply{}, errors.New("client: the control key is empty: everybody could make such a sum")
	}
	pairs, err := sign.ParseForm(text)
	if err != nil {
		return Reply{}, fmt.Errorf("client: %w", err)
	}
	for _, name := range []string{nameStatus, nameOrderID, nameClientOrderID, nameMerchantOrder, nameControl} {
		if count(pairs, name) > 1 {
			return Reply{}, fmt.Errorf("client: %s is given more than once: it is open which one counts", name)
		}
	}
	// One of the two names may be missing; both must say the same.
	id, merchant := valueOf(pairs, nameClientOrderID), valueOf(pairs, nameMerchantOrder)
	if id == "" {
		id = merchant
		pairs = slices.Insert(pairs, 0, sign.Pair{Name: nameClientOrderID, Value: id})
	}
	if merchant != "" && merchant != id {
		return Reply{}, fmt.Errorf("client: %s and %s differ", nameMerchantOrder, nameClientOrderID)
	}
	status, order := valueOf(pairs, nameStatus), valueOf(pairs, nameOrderID)
	if status == "" || order == "" || id == "" {
		return Reply{}, errors.New("client: status, orderid or client_orderid is missing")
	}
	// A status of letters and an id of digits: no other pair joins to the same text.
	if strings.Trim(status, "abcdefghijklmnopqrstuvwxyz_-") != "" || strings.Trim(order, "0123456789") != "" {
		return Reply{}, ErrControl
	}
	if !sign.EqualControl(valueOf(pairs, nameControl), sign.CallbackControl(status, order, id, controlKey)) {
		return Reply{}, ErrControl
	}
	return Reply{HTTPStatus: http.StatusOK, fields: pairs}, nil
}

func count(form []sign.Pair, name string) int {
	n := 0
	for _, p := range form {
		if p.Name == name {
			n++
		}
	}
	return n
}

// A CallbackHandler is the door for callbacks. It answers 200 only when Handle
// returned nil; after any other answer the gateway sends the callback again,
// for days. So Handle returns nil when the news is stored, and when it was
// stored before (see Callback.Identity), and an error when it could not be.
type CallbackHandler struct {
	ControlKey string
	Handle     func(context.Context, Callback) error
	Log        *slog.Logger // what was refused and what failed, without parameters; nil: nobody is told
}

// ServeHTTP answers one callback.
func (h *CallbackHandler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet {
		w.Header().Set("Allow", http.MethodGet)
		http.Error(w, "callbacks come by GET", http.StatusMethodNotAllowed)
		return
	}
	callback, err := VerifyCallback(h.ControlKey, r.URL.RawQuery)
	if err != nil {
		refuse(w, r, h.ControlKey, h.Log, err)
		return
	}
	if err := h.Handle(r.Context(), callback); err != nil {
		note(r.Context(), h.Log, slog.LevelError, "callback was not handled", slog.String("orderid", callback.OrderID), slog.Any("error", err))
		http.Error(w, "not handled", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	_, _ = w.Write([]byte("OK\n")) // the gateway looks at the status alone
}

// A RedirectHandler is the page that the Receiver's browser comes back to at the
// end, by POST. Show writes the page; see VerifyRedirect for what it must not do.
type RedirectHandler struct {
	ControlKey string
	Show       func(http.ResponseWriter, *http.Request, Redirect)
	Log        *slog.Logger
}

// ServeHTTP shows the page of one redirect.
func (h *RedirectHandler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodPost {
		w.Header().Set("Allow", http.MethodPost)
		http.Error(w, "redirects come by POST", http.StatusMethodNotAllowed)
		return
	}
	var body strings.Builder
	if _, err := io.Copy(&body, http.MaxBytesReader(w, r.Body, redirectMax)); err != nil {
		http.Error(w, "the form cannot be read", http.StatusBadRequest)
		return
	}
	redirect, err := VerifyRedirect(h.ControlKey, body.String())
	if err != nil {
		refuse(w, r, h.ControlKey, h.Log, err)
		return
	}
	h.Show(w, r, redirect)
}

// refuse answers what is not verified: 500 if that is the receiver's own fault,
// so that the news is sent again, else 403 or 400.
func refuse(w http.ResponseWriter, r *http.Request, controlKey string, log *slog.Logger, err error) {
	status := http.StatusBadRequest
	switch {
	case controlKey == "":
		status = http.StatusInternalServerError
	case errors.Is(err, ErrControl):
		status = http.StatusForbidden
	}
	note(r.Context(), log, slog.LevelWarn, "callback or redirect refused", slog.Any("error", err), slog.String("from", r.RemoteAddr))
	http.Error(w, http.StatusText(status), status)
}

func note(ctx context.Context, log *slog.Logger, level slog.Level, message string, attrs ...slog.Attr) {
	if log != nil {
		log.LogAttrs(ctx, level, message, attrs...)
	}
}
