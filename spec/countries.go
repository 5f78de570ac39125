package spec

import (
	"slices"
	"strings"

	"golang.org/x/text/language"

	"payout"
)

// extraCountries are codes outside ISO 3166-1 that clients of the reference
// send (AF 14).
var extraCountries = []string{"XK", "AN", "EU", "AP", "A1", "A2"}

// IsCountry reports whether a code is a country of ISO 3166-1 alpha-2, or one
// of the extras that clients of the reference know.
func IsCountry(code string) bool {
	if slices.Contains(extraCountries, code) {
		return true
	}
	if len(code) != 2 || strings.ToUpper(code) != code {
		return false
	}
	region, err := language.ParseRegion(code)
	return err == nil && region.IsCountry() && region.Canonicalize().String() == code
}

// states lists the states of the countries for which a state is sent (seed
// 1.1.5, AF 14): ISO 3166-2:US, :CA and :AU.
var states = map[string][]string{
	"AU": strings.Fields("ACT NSW NT QLD SA TAS VIC WA"),
	"CA": strings.Fields("AB BC MB NB NL NS NT NU ON PE QC SK YT"),
	"US": strings.Fields(`AL AK AZ AR CA CO CT DE FL GA HI ID IL IN IA KS KY LA ME MD MA MI MN MS MO MT NE NV NH NJ NM NY NC
		ND OH OK OR PA RI SC SD TN TX UT VT VA WA WV WI WY DC AS GU MP PR UM VI`),
}

// stateOf demands a state of the country where there are states, and none
// elsewhere.
func stateOf(state, country *Param) Rule {
	return Rule{
		Tie: State, Params: []*Param{state, country},
		Doc: T(state.Name+" is required for US, CA and AU, and not accepted for other countries.",
			"Параметр "+state.Name+" обязателен для US, CA и AU и не принимается для других стран."),
		Check: func(r *Request) error {
			value, of := r.Text(state), r.Text(country)
			known := states[of]
			switch {
			case value == "" && known == nil:
				return nil
			case value == "":
				return &payout.Error{Code: payout.CodeRequired, Param: state.Name}
			case known == nil:
				return payout.Errorf(payout.CodeContradiction, state.Name, "only US, CA and AU have states here; see %s", country.Name)
			case !slices.Contains(known, value):
				return payout.Errorf(payout.CodeFormat, state.Name, "it is not a state of %s", of)
			}
			return nil
		},
	}
}
