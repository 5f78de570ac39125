package api

import (
	"net/http"
	"time"

	"payout"
	"payout/gateway"
	"payout/sign"
	"payout/spec"
)

// authenticate proves by the OAuth header who sends the request. The cheap
// checks come first; the caller never learns which one failed.
func (h *Handler) authenticate(e *exchange) error {
	headers := e.r.Header.Values("Authorization")
	if len(headers) > 1 {
		return e.deny(gateway.DeniedHeaders, "several Authorization headers")
	}
	oauth, err := sign.ParseAuthorization(e.r.Header.Get("Authorization"))
	if err != nil {
		return e.denyFor(err, "%s", err)
	}
	party := h.Gateway.Directory().PartyByLogin(oauth.ConsumerKey)
	if party == nil {
		return e.deny(gateway.DeniedLogin, "no party has the login in oauth_consumer_key")
	}
	if !party.Enabled {
		return e.deny(gateway.DeniedParty, "party %s is disabled", party.Login)
	}
	timestamp := time.Unix(oauth.Timestamp, 0)
	if off := e.Now.Sub(timestamp); h.TimestampWindow > 0 && off.Abs() > h.TimestampWindow {
		return e.deny(gateway.DeniedTimestamp, "oauth_timestamp is %s away from the clock, at most %s is accepted", off.Round(time.Second), h.TimestampWindow)
	}
	request := sign.Request{Method: e.r.Method, URL: h.signedURL(e.r), Form: e.form}
	if err := sign.Verify(request, oauth, party.ActiveKeys()); err != nil {
		return e.denyFor(err, "party %s: %s", party.Login, err)
	}
	e.Party = party
	e.UseNonce(oauth.Nonce, timestamp, h.TimestampWindow)
	e.noteLogin()
	return nil
}

// noteLogin notes a login in the body that differs from the signer: authority
// comes from oauth_consumer_key alone, and the reference's own example of
// payout-pay carries two spellings (seed 3.39).
func (e *exchange) noteLogin() {
	for _, pair := range e.form {
		if pair.Name == spec.Login.Name && pair.Value != e.Party.Login {
			e.Note = "login in the body differs from oauth_consumer_key"
		}
	}
}

// signedURL is the URL that the client sees: behind a proxy its scheme and host
// are not those of the connection.
func (h *Handler) signedURL(r *http.Request) string {
	url := h.publicURL(r) + r.URL.EscapedPath()
	if r.URL.RawQuery != "" {
		url += "?" + r.URL.RawQuery
	}
	return url
}

// publicURL is scheme and host as the client sees them.
func (h *Handler) publicURL(r *http.Request) string {
	switch {
	case h.PublicURL != "":
		return h.PublicURL
	case r.TLS != nil:
		return "https://" + r.Host
	}
	return "http://" + r.Host
}

// checkControl proves by the control sum who sends the request. An unknown
// login is told the same as a wrong sum.
func (h *Handler) checkControl(e *exchange, r *spec.Request) error {
	wrong := &payout.Error{Code: payout.CodeControl}
	party := h.controlParty(e, r)
	if party == nil {
		return wrong
	}
	want := controlOf(e, r, party)
	if !sign.EqualControl(r.Text(spec.ControlSum), want) {
		return wrong
	}
	if !party.Enabled {
		return e.deny(gateway.DeniedParty, "party %s is disabled", party.Login)
	}
	e.Party = party
	return nil
}

// controlParty is who seems to send a request with a control sum: the party of
// the login or, for initial payments, which have none, the endpoint's or group's.
func (h *Handler) controlParty(e *exchange, r *spec.Request) *payout.ConnectingParty {
	d := h.Gateway.Directory()
	if !r.Command.Type.Charges() {
		return d.PartyByLogin(r.Text(spec.Login))
	}
	if group := d.Groups[e.GroupID]; group != nil {
		return d.Parties[group.PartyID]
	}
	if endpoint := d.Endpoints[e.EndpointID]; endpoint != nil {
		return d.Parties[endpoint.PartyID]
	}
	return nil
}

// controlOf is the sum that a request of the party must have (AF 2).
func controlOf(e *exchange, r *spec.Request, party *payout.ConnectingParty) string {
	id := e.EndpointID.String()
	if e.GroupID != 0 {
		id = e.GroupID.String()
	}
	return r.Control(id, party.ControlKey.Reveal())
}
