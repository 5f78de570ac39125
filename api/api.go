// Package api is the signed, form-encoded API: the first door of the house. It
// reads a request, proves who sends it, calls one method of the gateway and
// writes the reply.
//
// routes.go has the table of commands, request.go reads, authenticate.go
// proves, reply.go writes.
package api

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/otel/trace"

	"payout"
	"payout/gateway"
	"payout/sign"
	"payout/spec"
	"payout/storage"
)

// A Handler serves {ContextPath}/api/. Its exported fields do not change.
type Handler struct {
	Gateway     *gateway.Gateway
	ContextPath string // such as /paynet, without a slash at the end
	PublicURL   string // scheme and host that clients sign; empty: taken from the request
	// TimestampWindow is how far an oauth_timestamp may be from the clock; 0
	// switches the check off.
	TimestampWindow time.Duration
	Location        *time.Location // zone of dates in replies; nil is UTC
	Log             *slog.Logger
	Metrics         *Metrics     // nil: nothing is counted
	Tracer          trace.Tracer // nil: no spans are made
	// AtOnce is how many requests are answered at once, from when their body is there; those
	// beyond it are told to come again before anything of them is looked at. 0: any number.
	AtOnce int
	// Pay, when not nil, stands in for Gateway.Payout: payoutbench measures the
	// door alone by it.
	Pay func(context.Context, *gateway.Call, *spec.Request) (*payout.Order, error)
	// Stand, when not nil, stands in for Gateway.Status, for the same purpose.
	Stand func(context.Context, *gateway.Call, *spec.Request) (gateway.Standing, error)

	underWay atomic.Int64 // requests
}

// An exchange is one request on its way to its reply.
type exchange struct {
	gateway.Call
	w     http.ResponseWriter
	r     *http.Request
	route route
	form  []sign.Pair
	// unread is why form could not be read, or nil.
	unread error
	began  time.Time
	span   trace.Span // nil: there is none

	request *spec.Request // nil until the form has been parsed

	reply *spec.Reply // as it was written; nil when access was denied

	reason gateway.Denial // why access was denied; for the log and the journal only
	denied string         // the same for people
	detail string         // more about it: a parameter's name or a size
}

// ServeHTTP answers one request.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	e := &exchange{w: w, r: r, began: h.Gateway.Now()}
	e.Now, e.RemoteAddress = e.began, remoteAddress(r)
	e.form, e.unread = readForm(w, r)
	full := h.underWay.Add(1) > int64(h.AtOnce) && h.AtOnce > 0 // who sends slowly takes nobody's place
	defer h.underWay.Add(-1)
	ctx := r.Context()
	if h.Tracer != nil {
		ctx, e.span = h.Tracer.Start(ctx, "request", trace.WithSpanKind(trace.SpanKindServer))
	}
	if full {
		e.route, _ = h.find(r) // for log and metrics; what is wrong with the path is told when there is room
		e.Command, e.EndpointID, e.GroupID = e.route.command, e.route.endpoint, e.route.group
		h.answer(e, nil, errFull)
		return
	}
	reply, err := h.serve(ctx, e)
	h.answer(e, reply, err)
}

// errFull says that as many requests are under way as may be: a database that hangs
// must not gather them without end.
var errFull = errors.New("too many requests are under way")

// serve takes a request through the door, step by step.
func (h *Handler) serve(ctx context.Context, e *exchange) (*spec.Reply, error) {
	var err error
	if e.Serial, err = h.Gateway.DB.NextSerial(); err != nil {
		return nil, err
	}
	if e.route, err = h.find(e.r); err != nil {
		return nil, err
	}
	e.Command, e.EndpointID, e.GroupID = e.route.command, e.route.endpoint, e.route.group
	if e.unread != nil {
		return nil, e.unread
	}
	if err := h.Gateway.Fit(); err != nil {
		return nil, err // before the timestamp is judged
	}
	if e.Command.Auth == spec.OAuthRSA {
		if err := h.authenticate(e); err != nil {
			return nil, err
		}
	}
	e.request, err = e.Command.Parse(e.form)
	err = cmp.Or(checkQuery(e), err) // what stands in the URL may seem to be missing
	if err == nil && e.Command.Auth == spec.Control {
		err = h.checkControl(e, e.request)
	}
	var reply *spec.Reply
	if err == nil {
		reply, err = e.route.handle(h, ctx, e, e.request)
	}
	var refusal *payout.Error
	if errors.As(err, &refusal) && e.Party != nil {
		err = h.Gateway.Refused(&e.Call, e.clientOrderID(), refusal)
	}
	return reply, err
}

// errDenied is answered by the page "Access is denied"; exchange.denied has the reason.
var errDenied = errors.New("access is denied")

func (e *exchange) deny(reason gateway.Denial, format string, args ...any) error {
	e.reason, e.denied = reason, fmt.Sprintf(format, args...)
	return errDenied
}

// denyFor denies for what package sign found wrong.
func (e *exchange) denyFor(err error, format string, args ...any) error {
	reason := gateway.DeniedQuery
	if failure, ok := errors.AsType[*sign.Failure](err); ok {
		reason, e.detail = gateway.Denial(failure.Rule), failure.Detail
	}
	return e.deny(reason, format, args...)
}

// answer writes the reply and the request's line in the log.
func (h *Handler) answer(e *exchange, reply *spec.Reply, err error) {
	if errors.Is(err, gateway.ErrNonceUsed) {
		err = e.deny(gateway.DeniedNonce, "oauth_nonce was used before")
	}
	level, verdict, status, code := slog.LevelInfo, payout.VerdictOK, http.StatusOK, payout.ErrCode(0)
	var refusal *payout.Error
	switch {
	case err == nil:
		status = writeReply(e, reply, http.StatusOK)
	case errors.Is(err, errDenied):
		level, verdict, status = slog.LevelWarn, payout.VerdictDenied, writeDenied(e.w)
	case errors.As(err, &refusal):
		verdict, code = payout.VerdictRefused, refusal.Code
		status = h.writeError(e, refusal)
	case errors.Is(err, errFull), errors.Is(err, storage.ErrBusy), errors.Is(err, storage.ErrUnavailable), errors.Is(err, gateway.ErrUnfit):
		level, verdict, code = slog.LevelError, payout.VerdictBusy, payout.CodeBusy
		status = h.writeError(e, &payout.Error{Code: code})
	case errors.Is(err, context.Canceled) && e.r.Context().Err() != nil: // the client did not wait: no fault of ours
		level, verdict, code = slog.LevelWarn, payout.VerdictBusy, payout.CodeBusy
		status = h.writeError(e, &payout.Error{Code: code})
	default:
		level, verdict, code = slog.LevelError, payout.VerdictFailed, payout.CodeInternal
		status = h.writeError(e, &payout.Error{Code: code})
	}
	e.traced(verdict, status, code)
	h.Metrics.answered(e.Command, verdict, h.Gateway.Now().Sub(e.began))
	h.log(e, level, verdict, status, code, err)
	h.journal(e, verdict, status, code)
}

// log writes one line per request. It has ids and verdicts, never parameters.
func (h *Handler) log(e *exchange, level slog.Level, verdict payout.Verdict, status int, code payout.ErrCode, err error) {
	attrs := []slog.Attr{slog.String("serial", e.Serial.String()), slog.String("verdict", string(verdict)), slog.Int("http_status", status),
		slog.Duration("took", h.Gateway.Now().Sub(e.began)), slog.String("remote", e.RemoteAddress)}
	if e.Command != nil {
		attrs = append(attrs, slog.String("command", e.Command.Path()))
	}
	if e.EndpointID != 0 {
		attrs = append(attrs, slog.Int64("endpoint", int64(e.EndpointID)))
	}
	if e.GroupID != 0 {
		attrs = append(attrs, slog.Int64("group", int64(e.GroupID)))
	}
	if e.Party != nil {
		attrs = append(attrs, slog.String("login", e.Party.Login))
	}
	if code != 0 {
		attrs = append(attrs, slog.Int("error_code", int(code)))
	}
	if e.denied != "" {
		attrs = append(attrs, slog.String("reason", e.denied))
	} else if err != nil {
		attrs = append(attrs, slog.String("error", err.Error()))
	}
	var refusal *payout.Error
	if errors.As(err, &refusal) && refusal.Err != nil {
		attrs = append(attrs, slog.String("cause", refusal.Err.Error()))
	}
	if e.Note != "" {
		attrs = append(attrs, slog.String("note", e.Note))
	}
	h.Log.LogAttrs(e.r.Context(), level, "request", attrs...)
}

// remoteAddress is the caller's address without the port.
func remoteAddress(r *http.Request) string {
	if i := strings.LastIndexByte(r.RemoteAddr, ':'); i > 0 {
		return r.RemoteAddr[:i]
	}
	return r.RemoteAddr
}
