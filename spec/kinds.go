package spec

import (
	"slices"

	"payout"
)

// patterns has the form of each kind as a regular expression; exact tells that
// the whole rule of the kind is in it, and not a part.
var patterns = map[Kind]struct {
	pattern string
	exact   bool
}{
	String:   {`^[^\x00]*$`, true},
	Line:     {`^[^\x00-\x1f\x7f-\x9f]*$`, true},
	Digits:   {`^[0-9]+$`, true},
	Phone:    {`^\+?[0-9 ()-]*[0-9][0-9 ()-]*$`, true},
	Amount:   {`^([0-9]*[1-9][0-9]*(\.[0-9]+)?|[0-9]+\.[0-9]*[1-9][0-9]*)$`, false}, // the currency limits the decimals
	Currency: {`^[A-Z]{3}$`, false},
	URL:      {`^[Hh][Tt][Tt][Pp][Ss]?://[^\x00-\x20\x7f-\xa0/?#@]+([/?#][^\x00-\x20\x7f-\xa0]*)?$`, false},
	IP:       {`^[0-9A-Fa-f:.]+$`, false},
	OrderID:  {`^0*[1-9][0-9]{0,17}$`, true},
	Serial:   {`^00000000-0000-0000-[0-7][0-9A-Fa-f]{3}-[0-9A-Fa-f]{12}$`, true},
	Card:     {`^[1-9][0-9]{15,18}$`, false}, // and the check digit
	Month:    {`^0*([1-9]|1[0-2])$`, true},
	Year:     {`^([0-9]{2}|[0-9]{4})$`, true},
	Country:  {`^[A-Z][A-Z0-9]$`, false},
	Bool:     {`^(true|false)$`, true},
	Birthday: {`^(0[1-9]|1[0-2])(0[1-9]|[12][0-9]|3[01])([0-9]{2}|[0-9]{4})$`, false}, // and the lengths of months
}

// Pattern is a regular expression for values of the kind, in the syntax that RE2
// and ECMA-262 share. It never refuses what the gateway accepts: a value that it
// does not match is refused. The converse holds for most kinds only, because no
// expression knows check digits, calendars and currencies.
func (k Kind) Pattern() string { return patterns[k].pattern }

// Values lists the values of a kind that has few enough to list, sorted; nil for
// the others.
func (k Kind) Values() []string {
	var values []string
	switch k {
	case Currency:
		for _, c := range payout.Currencies() {
			values = append(values, c.Code())
		}
	case Country:
		values = countries()
	case Bool:
		values = []string{"false", "true"}
	}
	return values
}

// countries lists every code that IsCountry knows.
func countries() []string {
	codes := slices.Clone(extraCountries)
	for a := 'A'; a <= 'Z'; a++ {
		for b := 'A'; b <= 'Z'; b++ {
			if code := string([]rune{a, b}); IsCountry(code) {
				codes = append(codes, code)
			}
		}
	}
	slices.Sort(codes)
	return slices.Compact(codes)
}
