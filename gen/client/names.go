package main

import (
	"strconv"
	"strings"
	"unicode"

	"payout/spec"
)

// words are the words of the wire that Go spells in another way. Any other word
// begins with a capital letter.
var words = map[string]string{
	"orderid": "OrderID", "id": "ID", "ipaddress": "IPAddress", "ip": "IP", "url": "URL", "sn": "SN", "sbp": "SBP", "ssn": "SSN",
	"cvv2": "CVV2", "bin": "BIN", "rrn": "RRN", "eci": "ECI", "tx": "Tx", "merchantdata": "MerchantData", "cardholder": "Cardholder",
	"unq": "Unique", "dest": "Destination", "no": "Number", "exp": "Expiry", "html": "HTML", "arn": "ARN",
}

// reserved are the names that package client has already: a command of such a name
// gets "Command" behind it.
var reserved = []string{"Client", "Do", "Wait", "WaitFinal", "Format", "BaseURL", "Login", "Key", "ControlKey", "HTTP", "JSON", "Replays",
	"Attempts", "WaitMax", "Now", "Nonce", "Sleep", "Reply", "Error", "LostError", "OpenError", "Terminal", "Endpoint", "Group", "Callback", "Redirect"}

// goName makes an exported Go name of a name of the wire: by-request-sn is ByRequestSN.
func goName(wire string) string {
	var b strings.Builder
	for _, word := range strings.FieldsFunc(wire, func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) }) {
		if special, ok := words[word]; ok {
			b.WriteString(special)
			continue
		}
		b.WriteString(strings.ToUpper(word[:1]) + word[1:])
	}
	if name := b.String(); name == "" || unicode.IsLetter(rune(name[0])) {
		return name
	}
	return "X" + b.String()
}

// methodName names a command: v4/payout-form is PayoutForm, v2/status is
// StatusV2. It depends on the command alone, so that a new one never renames
// another.
func methodName(c *spec.Command) string {
	if c.Version == 4 {
		return goName(c.Name)
	}
	return goName(c.Name) + "V" + strconv.Itoa(c.Version)
}

// fieldNames are the names that a type has already.
type fieldNames map[string]bool

// of gives a field its name. One that is taken gets "Param" behind it.
func (taken fieldNames) of(wire string) string {
	name := goName(wire)
	for taken[name] || name == "" {
		name += "Param"
	}
	taken[name] = true
	return name
}
