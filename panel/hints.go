package panel

import (
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"payout"
	"payout/gateway"
	"payout/sign"
	"payout/spec"
)

// hints help to find out why a request was not taken for the party's own.
type hints struct {
	Reason   string            // key of a message; empty: the caller was told the reason
	Advice   string            // key of a message
	Offset   string            // how far the clock of the sender is from ours, in seconds; or empty
	Behind   bool              // it is behind ours
	Window   string            // the greatest distance that is accepted, in seconds; or empty
	Keys     []payout.PartyKey // that may sign, when the signature was looked at
	KeysNone bool              // the signature was looked at, and no key may sign
	URL      string            // that the signature was checked against
	Params   []string          // the signed parameters in their order, encoded once
	Base     string            // the base string
	Hidden   bool              // some characters of Params and Base are hidden
	Formula  []string          // of the control sum: its parts, masked; nil when there is none
}

// keyDenials are the reasons that have to do with the party's keys.
var keyDenials = []gateway.Denial{gateway.Denial(sign.RuleKey), gateway.Denial(sign.RuleSignatureLength), gateway.Denial(sign.RuleSignature)}

// hints finds out what helps with a request; nil when nothing does.
func (h *Handler) hints(v *visit, e payout.JournalEntry) *hints {
	switch {
	case e.Verdict == payout.VerdictDenied:
	case e.ErrorCode == payout.CodeControl:
		return h.controlHints(e)
	default:
		return nil
	}
	found := &hints{Reason: "reason.unknown", Advice: "advice.unknown"}
	reason := gateway.Denial(e.Reason)
	if slices.Contains(gateway.Denials(), reason) {
		found.Reason, found.Advice = "reason."+e.Reason, "advice."+e.Reason
	}
	if reason == gateway.DeniedTimestamp {
		found.offset(h.Window, e)
	}
	if slices.Contains(keyDenials, reason) {
		for _, key := range v.visitor.Party.Keys {
			if key.Enabled {
				found.Keys = append(found.Keys, key)
			}
		}
		found.KeysNone = len(found.Keys) == 0
	}
	if reason == gateway.Denial(sign.RuleSignature) || reason == gateway.Denial(sign.RuleSignatureLength) {
		found.baseString(e.Content)
	}
	return found
}

// offset tells how far the sender's clock is from ours.
func (f *hints) offset(window time.Duration, e payout.JournalEntry) {
	for _, p := range e.Content.OAuth {
		timestamp, err := strconv.ParseInt(p.Value, 10, 64)
		if p.Name != "oauth_timestamp" || err != nil {
			continue
		}
		off := e.At.Sub(time.Unix(timestamp, 0)).Round(time.Second)
		f.Behind, f.Offset = off > 0, seconds(off.Abs())
	}
	if window > 0 {
		f.Window = seconds(window)
	}
}

// seconds writes a duration without its unit.
func seconds(d time.Duration) string { return strconv.FormatInt(int64(d/time.Second), 10) }

// hiddenCharacter stands in base strings for each one that is hidden: it is not
// percent-encoded, so that the rest keeps its place.
const hiddenCharacter = "X"

// unhidden is a value as it goes into a base string.
func unhidden(p payout.JournalPair, hidden *bool) string {
	if !p.Masked {
		return p.Value
	}
	*hidden = true
	if p.Value == "" {
		return strings.Repeat(hiddenCharacter, 3) // not even its length is known
	}
	return strings.ReplaceAll(p.Value, "*", hiddenCharacter)
}

// baseString composes the base string that the gateway has computed from what the
// journal has kept of the request. It stays empty when too much is missing.
func (f *hints) baseString(c payout.JournalContent) {
	if f.URL = c.URL; c.URL == "" || c.Left > 0 {
		return
	}
	var header []string
	for _, p := range c.OAuth {
		switch {
		case p.Name == "oauth_signature":
			continue // it is not signed
		case p.Masked:
			return
		}
		header = append(header, p.Name+`="`+sign.Encode(p.Value)+`"`)
	}
	if len(c.Query) > 0 {
		var pairs []string
		for _, p := range c.Query {
			pairs = append(pairs, url.QueryEscape(strings.ReplaceAll(p.Name, "*", hiddenCharacter))+"="+url.QueryEscape(unhidden(p, &f.Hidden)))
		}
		f.URL += "?" + strings.Join(pairs, "&")
	}
	form := make([]sign.Pair, len(c.Form))
	for i, p := range c.Form {
		form[i] = sign.Pair{Name: strings.ReplaceAll(p.Name, "*", hiddenCharacter), Value: unhidden(p, &f.Hidden)}
	}
	report := sign.Explain(sign.Request{Method: c.Method, URL: f.URL, Form: form, Authorization: "OAuth " + strings.Join(header, ", ")}, nil)
	if f.Base = report.BaseString; f.Base != "" {
		f.Params = strings.Split(report.NormalizedParams, "&")
	}
}

// controlHints tell what a wrong control sum should have been made of.
func (h *Handler) controlHints(e payout.JournalEntry) *hints {
	command := h.command(e.Command)
	if command == nil || command.Auth != spec.Control {
		return nil
	}
	form := make([]sign.Pair, len(e.Content.Form))
	for i, p := range e.Content.Form {
		form[i] = sign.Pair{Name: p.Name, Value: p.Value}
	}
	id := e.EndpointID.String()
	if e.GroupID != 0 {
		id = e.GroupID.String()
	}
	found := &hints{Advice: "advice.control"}
	for i, part := range command.SumParts(id, form) {
		found.Formula = append(found.Formula, string(command.Sum[i])+" = "+part)
	}
	return found
}
