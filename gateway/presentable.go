package gateway

import (
	"cmp"
	"errors"
	"regexp"
	"slices"
	"strings"
	"sync"
	"unicode"
	"unicode/utf8"

	"payout"
	"payout/processor"
	"payout/spec"
	"payout/vault"
)

const railTextMost = 255 // characters of a rail's text that are kept

// presentable makes what a rail wrote fit to be stored, logged and told: valid
// UTF-8 without control characters, not long, and without the Receiver's data,
// which some rails quote in their refusals.
func presentable(o *payout.Order, outcome processor.Outcome) processor.Outcome {
	hider := sync.OnceValue(func() *strings.Replacer { return receiverHider(o) })
	hide := func(text string) string {
		if text == "" {
			return "" // as of nearly all payments
		}
		return clean(hider().Replace(printable(text)))
	}
	outcome.TxID, outcome.RRN, outcome.ApprovalCode = clean(outcome.TxID), clean(outcome.RRN), clean(outcome.ApprovalCode)
	outcome.ECI = clean(outcome.ECI)
	outcome.Text, outcome.Advice = hide(outcome.Text), hide(outcome.Advice)
	if outcome.Err != nil {
		// The error itself could be printed with what it wraps.
		outcome.Err = errors.New(hide(outcome.Err.Error()))
	}
	return outcome
}

// withoutCode hides the card code where a rail quotes it, as a number of its own:
// it may be stored nowhere, and the order does not know it.
func withoutCode(outcome processor.Outcome, code payout.Secret) processor.Outcome {
	alone := regexp.MustCompile(`(^|[^0-9])` + regexp.QuoteMeta(code.Reveal()) + `($|[^0-9])`)
	hide := func(text string) string { return alone.ReplaceAllString(text, "$1***$2") }
	for _, text := range []*string{&outcome.TxID, &outcome.RRN, &outcome.ApprovalCode, &outcome.ECI, &outcome.Advice, &outcome.Text} {
		*text = hide(*text)
	}
	if outcome.Err != nil {
		outcome.Err = errors.New(hide(outcome.Err.Error()))
	}
	return outcome
}

// printable drops what no text may have.
func printable(text string) string {
	return strings.Map(func(r rune) rune {
		if r == utf8.RuneError || unicode.IsControl(r) {
			return -1
		}
		return r
	}, text)
}

// clean is a text that is printable and not long.
func clean(text string) string {
	text = printable(text)
	if runes := []rune(text); len(runes) > railTextMost {
		text = string(runes[:railTextMost])
	}
	return text
}

// receiverHider replaces the sensitive values of an order by their masks. Values
// of less than four characters stay: they are in every other word.
func receiverHider(o *payout.Order) *strings.Replacer {
	const least = 4
	var secrets []string
	for name, value := range o.Params {
		if !spec.IsSensitive(name) && name != payout.ParamCard {
			continue
		}
		values := []string{value}
		if name == spec.ReceiverPhone.Name || name == spec.SenderPhone.Name || name == spec.SenderCellPhone.Name {
			values = append(values, spec.PhoneDigits(value))
		}
		for _, v := range values {
			if utf8.RuneCountInString(v) >= least {
				secrets = append(secrets, v)
			}
		}
	}
	// The longest first: one may be the beginning of another.
	slices.SortFunc(secrets, func(a, b string) int { return cmp.Or(len(b)-len(a), strings.Compare(a, b)) })
	var pairs []string
	for _, v := range secrets {
		pairs = append(pairs, v, vault.Mask(v))
	}
	return strings.NewReplacer(pairs...)
}
