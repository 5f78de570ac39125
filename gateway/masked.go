package gateway

import (
	"net/url"
	"regexp"
	"strings"
	"sync"
	"unicode/utf8"

	"payout"
	"payout/sign"
	"payout/spec"
	"payout/vault"
)

// What people may see of a request: what a table calls Sensitive is masked, and so
// is what no table knows, and what looks like a card number wherever it stands.
// Transient values, such as control sums and card codes, leave nothing.

const (
	maskedPairs = 100 // parameters of one request that are kept
	maskedValue = 512 // characters of one value that are kept
	maskedStars = 32  // stars at most, for a value of which nothing is shown
)

// A privacy says how much of a parameter's value people may see.
type privacy int

const (
	unknownName privacy = iota // no table has it
	public
	address   // a URL: its query, which may have a password, does not stay
	number    // the last four digits stay
	sensitive // nothing stays
	transient // not even its length stays
)

// names has the greatest privacy that any command's table gives to a name.
var names = sync.OnceValue(func() map[string]privacy {
	found := make(map[string]privacy)
	for _, c := range spec.Commands {
		addNames(found, c)
	}
	return found
})

func addNames(found map[string]privacy, c *spec.Command) {
	for _, u := range c.Params {
		how := public
		switch {
		case u.Kind == spec.URL:
			how = address
		case u.Transient:
			how = transient
		case u.Sensitive && (u.Kind == spec.Card || u.Kind == spec.Phone || u.Kind == spec.Digits || u.Param == spec.AccountNumber):
			how = number
		case u.Sensitive:
			how = sensitive
		}
		for _, name := range u.Names() {
			found[name] = max(found[name], how)
		}
	}
}

// MaskForm masks the parameters of a request to a command, which may be nil. left
// tells how many were too many to keep.
func MaskForm(c *spec.Command, form []sign.Pair) (masked []payout.JournalPair, left int) {
	var own map[string]privacy
	if c != nil {
		own = make(map[string]privacy, len(c.Params))
		addNames(own, c)
	}
	if len(form) > maskedPairs {
		form, left = form[:maskedPairs], len(form)-maskedPairs
	}
	masked = make([]payout.JournalPair, len(form))
	for i, pair := range form {
		masked[i] = maskPair(pair, max(names()[pair.Name], own[pair.Name]))
	}
	return masked, left
}

// MaskReply masks the fields of a reply, in the order of the wire.
func MaskReply(r *spec.Reply) []payout.JournalPair {
	if r == nil {
		return nil
	}
	var masked []payout.JournalPair
	for _, f := range r.Spec.Fields {
		value := r.Get(f)
		if value == "" {
			continue
		}
		how := public
		switch {
		case made[f]:
			masked = append(masked, payout.JournalPair{Name: f.Name, Value: value})
			continue
		case f.Sensitive:
			how = sensitive
		}
		masked = append(masked, maskPair(sign.Pair{Name: f.Name, Value: value}, how))
	}
	return masked
}

// made are the fields whose values the gateway makes itself, long numbers among
// them: none is a card's.
var made = map[*spec.Field]bool{spec.FieldPaynetOrder: true, spec.FieldCardRef: true, spec.FieldUniqueCard: true,
	spec.FieldCardHash: true, spec.FieldDestCardHash: true, spec.FieldSerial: true, spec.FieldReceipt: true, spec.FieldEndpoint: true}

func maskPair(p sign.Pair, how privacy) payout.JournalPair {
	switch how {
	case public:
		value := clipTo(p.Value, maskedValue)
		shown := payout.MaskCards(value)
		return payout.JournalPair{Name: p.Name, Value: shown, Masked: shown != p.Value}
	case address:
		shown := maskURL(p.Value)
		return payout.JournalPair{Name: p.Name, Value: shown, Masked: shown != p.Value}
	case number:
		return payout.JournalPair{Name: p.Name, Value: maskNumber(p.Value), Masked: p.Value != ""}
	case sensitive:
		return payout.JournalPair{Name: p.Name, Value: stars(p.Value), Masked: p.Value != ""}
	case transient:
		return payout.JournalPair{Name: p.Name, Masked: p.Value != ""}
	}
	return payout.JournalPair{Name: maskName(p.Name), Value: stars(p.Value), Masked: p.Value != ""}
}

// plainName is what names of parameters look like.
var plainName = regexp.MustCompile(`^[A-Za-z][A-Za-z_.\-]{0,63}$`)

// maskName hides a name that no table knows, unless it can only be a name: a
// broken body may have a value in its place.
func maskName(name string) string {
	if plainName.MatchString(name) {
		return name
	}
	return stars(name)
}

// maskNumber leaves the last four characters of what is a number, and nothing of
// anything else that was sent in its place.
func maskNumber(value string) string {
	digits := len(spec.PhoneDigits(value))
	if n := utf8.RuneCountInString(value); digits*2 < n || n > maskedStars {
		return stars(value)
	}
	return vault.Mask(value)
}

// maskURL leaves scheme, host and path.
func maskURL(value string) string {
	u, err := url.Parse(value)
	if err != nil || u.Host == "" {
		return stars(value)
	}
	if u.RawQuery != "" {
		u.RawQuery = "..."
	}
	if u.User != nil {
		u.User = url.User("...")
	}
	u.Fragment = ""
	return payout.MaskCards(clipTo(u.String(), maskedValue))
}

// stars tells how long a value is, up to a point.
func stars(value string) string {
	return strings.Repeat("*", min(utf8.RuneCountInString(value), maskedStars))
}

// clipTo shortens a text to a number of characters.
func clipTo(text string, most int) string {
	if utf8.RuneCountInString(text) <= most {
		return text
	}
	return string([]rune(text)[:most])
}
