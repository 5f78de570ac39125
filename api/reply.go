package api

import (
	"net/http"
	"strconv"
	"strings"

	"payout"
	"payout/spec"
)

const (
	formType = "text/html;charset=utf-8" // of form-encoded replies, as the reference sends them (seed 3.26)
	jsonType = "application/vnd.pay+json"
)

// setHeaders sets the headers of the reference's replies (seed 3.26).
func setHeaders(header http.Header) {
	header.Set("Server", "server")
	header.Set("Vary", "Accept-Encoding")
	header.Set("X-XSS-Protection", "1")
	header.Set("X-Content-Type-Options", "nosniff")
	header.Set("Strict-Transport-Security", "max-age=31536000")
	header.Set("Content-Language", "en-US")
}

// wantsJSON reports whether the client asks for JSON replies.
func wantsJSON(r *http.Request) bool {
	return strings.Contains(r.Header.Get("Accept"), jsonType)
}

// writeReply writes a reply in the encoding that the client asked for and
// returns the HTTP status.
func writeReply(e *exchange, reply *spec.Reply, status int) int {
	contentType, encode := formType, reply.Form
	if wantsJSON(e.r) {
		contentType, encode = jsonType, reply.JSON
	}
	body, err := encode()
	if err != nil {
		// Only a reply that its table does not list: a fault of the program.
		http.Error(e.w, "Internal error", http.StatusInternalServerError)
		return http.StatusInternalServerError
	}
	e.reply = reply
	setHeaders(e.w.Header())
	e.w.Header().Set("Content-Type", contentType)
	e.w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	e.w.WriteHeader(status)
	_, _ = e.w.Write(body) // the client is gone; what was stored stays stored
	return status
}

// writeError writes a refusal. In form mode it goes with HTTP 200, because
// clients take any other status for a failure of the transport (wire-facts
// 2.2); only what is no answer of a command keeps its HTTP status.
func (h *Handler) writeError(e *exchange, refusal *payout.Error) int {
	row := refusal.Code.Row()
	reply := spec.ErrorReply.New().
		Set(spec.FieldType, string(row.Kind)).
		Set(spec.FieldSerial, e.Serial.String()).
		Set(spec.FieldMerchantOrder, e.clientOrderID()).
		Set(spec.FieldErrorMessage, refusal.Error()).
		Set(spec.FieldErrorCode, strconv.Itoa(int(row.Code)))
	status := http.StatusOK
	switch {
	case wantsJSON(e.r):
		status = row.HTTP
	case row.Transport:
		status = row.HTTP
	}
	switch row.Code {
	case payout.CodeMethod:
		e.w.Header().Set("Allow", http.MethodPost)
	case payout.CodeBusy:
		e.w.Header().Set("Retry-After", "1") // seconds
	}
	return writeReply(e, reply, status)
}

// clientOrderID is the request's order identifier, when an acceptable one was sent.
func (e *exchange) clientOrderID() string {
	if e.request == nil {
		return ""
	}
	return e.request.Text(spec.ClientOrderID)
}

// writeDenied answers a request that is not authentic, in JSON mode too.
func writeDenied(w http.ResponseWriter) int {
	header := w.Header()
	header.Set("Server", "server")
	header.Set("Content-Type", "text/html")
	header.Set("Content-Length", strconv.Itoa(len(spec.AccessDenied)))
	header.Set("X-XSS-Protection", "1")
	header.Set("X-Content-Type-Options", "nosniff")
	header.Set("Strict-Transport-Security", "max-age=31536000")
	w.WriteHeader(http.StatusForbidden)
	_, _ = w.Write([]byte(spec.AccessDenied)) // the client is gone
	return http.StatusForbidden
}
