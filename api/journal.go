package api

import (
	"net/http"
	"regexp"
	"slices"
	"strings"

	"payout"
	"payout/gateway"
	"payout/sign"
	"payout/spec"
)

// journal puts a request into the journal of the party that sent it or, when
// nobody knows who did, of the party that it names.
func (h *Handler) journal(e *exchange, verdict payout.Verdict, status int, code payout.ErrCode) {
	share := payout.ShareChanges
	party := e.Party
	switch {
	case party == nil || verdict == payout.VerdictDenied:
		share = payout.ShareUnproven
		if party == nil {
			party = h.named(e)
		}
	case verdict == payout.VerdictOK && e.Command.Type == "":
		share = payout.ShareReads
	}
	if party == nil || e.Serial == 0 {
		return
	}
	h.Gateway.Journal(party.ID, share, e.began, func() payout.JournalEntry {
		return h.journalEntry(e, verdict, status, code)
	})
}

// named is the party that a request seems to be of: by the login in its header or
// its body or, when nobody has that, by the endpoint or group of its path.
func (h *Handler) named(e *exchange) *payout.ConnectingParty {
	d := h.Gateway.Directory()
	if party := d.PartyByLogin(sign.DecodeAuthorization(e.r.Header.Get("Authorization")).ConsumerKey); party != nil {
		return party
	}
	for _, pair := range e.form {
		if pair.Name == spec.Login.Name {
			if party := d.PartyByLogin(pair.Value); party != nil {
				return party
			}
		}
	}
	if group := d.Groups[e.route.group]; group != nil {
		return d.Parties[group.PartyID]
	}
	if endpoint := d.Endpoints[e.route.endpoint]; endpoint != nil {
		return d.Parties[endpoint.PartyID]
	}
	return nil
}

// journalEntry is what people of the party may see of a request.
func (h *Handler) journalEntry(e *exchange, verdict payout.Verdict, status int, code payout.ErrCode) payout.JournalEntry {
	entry := payout.JournalEntry{Serial: e.Serial, Took: h.Gateway.Now().Sub(e.began), EndpointID: e.route.endpoint, GroupID: e.route.group,
		ClientOrderID: payout.MaskCards(e.sentClientOrderID()), Verdict: verdict, HTTPStatus: status, ErrorCode: code,
		Reason: string(e.reason), RemoteAddress: e.RemoteAddress}
	c := &entry.Content
	c.Method, c.Detail, c.Note = e.r.Method, e.detail, e.Note
	if e.route.command != nil {
		entry.Command = e.route.command.Path()
		c.URL = h.shownURL(e)
	}
	if query, err := sign.ParseForm(e.r.URL.RawQuery); err == nil {
		c.Query, _ = gateway.MaskForm(e.route.command, query)
	}
	c.Form, c.Left = gateway.MaskForm(e.route.command, e.form)
	if e.route.command != nil && e.route.command.Auth == spec.OAuthRSA {
		c.OAuth = h.shownOAuth(e.r)
	}
	if e.reply != nil {
		c.Reply = gateway.MaskReply(e.reply)
		if id, err := payout.ParseOrderID(e.reply.Get(spec.FieldPaynetOrder)); err == nil {
			entry.OrderID = id
		}
	}
	return entry
}

// shownURL is the URL that the signature was checked against, without the query;
// empty for a path that is not a command's with its id.
func (h *Handler) shownURL(e *exchange) string {
	path := payout.MaskCards(h.publicURL(e.r)) + h.ContextPath + "/api/" + e.route.command.Path()
	switch {
	case e.route.group != 0:
		return path + "/group/" + e.route.group.String()
	case e.route.endpoint != 0:
		return path + "/" + e.route.endpoint.String()
	}
	return ""
}

// sentClientOrderID is the order identifier that was sent, if it is acceptable,
// also of a request that came no further than its signature.
func (e *exchange) sentClientOrderID() string {
	if e.request == nil && e.route.command != nil {
		r, _ := e.route.command.Parse(e.form) // what is acceptable of it
		return r.Text(spec.ClientOrderID)
	}
	return e.clientOrderID()
}

// shownOAuth is what may be shown of the Authorization header: the parameters of
// the protocol but for the signature. With it, and the public key, a masked value
// could be found by trying.
func (h *Handler) shownOAuth(r *http.Request) []payout.JournalPair {
	oauth := sign.DecodeAuthorization(r.Header.Get("Authorization"))
	var shown []payout.JournalPair
	for _, pair := range oauth.Pairs {
		i := slices.IndexFunc(shownParameters, func(p shownParameter) bool { return p.name == pair.Name })
		if i < 0 {
			shown = append(shown, payout.JournalPair{Name: "oauth_…", Masked: true})
			continue
		}
		value := payout.JournalPair{Name: pair.Name, Value: pair.Value}
		if !shownParameters[i].shown(h, pair.Value) {
			value.Value, value.Masked = "", true
		}
		shown = append(shown, value)
	}
	return shown
}

// A shownParameter is a parameter of the header and the values of it that are shown:
// anything might stand there by mistake.
type shownParameter struct {
	name  string
	shown func(*Handler, string) bool
}

// nonceLike is what nonces look like.
var nonceLike = regexp.MustCompile(`^[A-Za-z0-9_\-]{1,64}$`)

var shownParameters = []shownParameter{
	{"oauth_consumer_key", func(h *Handler, value string) bool { return h.Gateway.Directory().PartyByLogin(value) != nil }},
	{"oauth_nonce", func(_ *Handler, value string) bool {
		return nonceLike.MatchString(value) && payout.MaskCards(value) == value
	}},
	{"oauth_signature", func(*Handler, string) bool { return false }},
	{"oauth_signature_method", func(_ *Handler, value string) bool {
		return len(value) <= 16 && (strings.HasPrefix(value, "RSA-") || strings.HasPrefix(value, "HMAC-") || value == "PLAINTEXT")
	}},
	{"oauth_timestamp", func(_ *Handler, value string) bool {
		return len(value) <= 13 && strings.Trim(value, "0123456789") == ""
	}},
	{"oauth_version", func(_ *Handler, value string) bool { return len(value) <= 4 }},
}
