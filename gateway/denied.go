package gateway

import "payout/sign"

// A Denial names why a request was not authentic. The caller is not told: it
// stands in the log and in the journal. It is a sign.Rule or one of these.
type Denial string

// The denials that are no rules of signing.
const (
	DeniedHeaders   Denial = "authorization-repeated" // several Authorization headers
	DeniedLogin     Denial = "login-unknown"          // no party has the login
	DeniedParty     Denial = "party-disabled"
	DeniedTimestamp Denial = "timestamp-window" // too far from the clock
	DeniedNonce     Denial = "nonce-used"
	DeniedQuery     Denial = "query-malformed"
)

// Denials lists every reason for which a request may be denied.
func Denials() []Denial {
	all := []Denial{DeniedHeaders, DeniedLogin, DeniedParty, DeniedTimestamp, DeniedNonce, DeniedQuery}
	for _, row := range sign.Rules() {
		all = append(all, Denial(row.Rule))
	}
	return all
}
