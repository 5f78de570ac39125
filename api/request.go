package api

import (
	"errors"
	"io"
	"mime"
	"net/http"
	"slices"
	"strings"

	"payout"
	"payout/sign"
)

const bodyMax = 1 << 20 // bytes

// readForm reads the body's parameters, in their order and with repetitions.
// The query is not mixed in: it is signed, but parameters come in the body.
func readForm(w http.ResponseWriter, r *http.Request) ([]sign.Pair, error) {
	contentType, params, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || contentType != "application/x-www-form-urlencoded" || !isUTF8(params["charset"]) {
		return nil, &payout.Error{Code: payout.CodeContentType}
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, bodyMax))
	var tooLarge *http.MaxBytesError
	if errors.As(err, &tooLarge) {
		return nil, &payout.Error{Code: payout.CodeBodyTooLarge}
	}
	if err != nil {
		return nil, &payout.Error{Code: payout.CodeEncoding, Detail: "it ended early", Err: err}
	}
	form, err := sign.ParseForm(string(body))
	if err != nil {
		return nil, &payout.Error{Code: payout.CodeEncoding, Detail: err.Error()}
	}
	return form, nil
}

// checkQuery refuses parameters of the command in the URL's query. A signature
// covers query and body as one list (RFC 5849 section 3.4.1.3), so who moves a
// parameter from one to the other does not break it; read from the body alone,
// the parameter would silently be gone.
func checkQuery(e *exchange) error {
	query, err := sign.ParseForm(e.r.URL.RawQuery)
	if err != nil {
		return &payout.Error{Code: payout.CodeEncoding, Detail: "the query cannot be read"}
	}
	for _, pair := range query {
		for _, use := range e.Command.Params {
			if slices.Contains(use.Names(), pair.Name) {
				return payout.Errorf(payout.CodeNotSupported, pair.Name, "send it in the body, not in the URL")
			}
		}
	}
	return nil
}

// isUTF8 accepts the charset of the content type; none means UTF-8.
func isUTF8(charset string) bool {
	return charset == "" || strings.EqualFold(charset, "utf-8") || strings.EqualFold(charset, "utf8")
}
