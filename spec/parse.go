package spec

import (
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"payout"
	"payout/sign"
)

// A Request is a parsed request of one command. Every value in it has the form
// that its row demands, also when Parse refused another one.
type Request struct {
	Command *Command
	Amount  payout.Amount // zero when the command has no amount
	values  []string      // by position in Command.Params; empty means absent
}

// Parse reads a decoded form by the command's table. Names that the table does
// not know are ignored, as the reference does; an empty value counts as absent.
// The error is a *payout.Error that names the parameter and the rule; beside it
// the Request holds what is acceptable, because refusals are remembered too.
func (c *Command) Parse(form []sign.Pair) (*Request, error) {
	r := &Request{Command: c, values: make([]string, len(c.Params))}
	var refusal error
	for i, u := range c.Params {
		value, err := u.read(form)
		if err == nil {
			r.values[i] = value
		} else if refusal == nil {
			refusal = err
		}
	}
	if refusal != nil {
		return r, refusal
	}
	if err := r.parseAmount(); err != nil {
		return r, err
	}
	for _, rule := range c.Rules {
		if err := rule.Check(r); err != nil {
			return r, err
		}
	}
	return r, nil
}

// read finds the value of a row in a form and checks it. The same name twice is
// refused; two names of one parameter are accepted when they agree (3.15 lists
// both merchant_data and bank_id as required, for one value).
func (u Use) read(form []sign.Pair) (value string, err error) {
	name := u.Name // that the value was sent under
	seen := make([]string, 0, 2)
	for _, pair := range form {
		if !u.named(pair.Name) {
			continue
		}
		if slices.Contains(seen, pair.Name) {
			return "", &payout.Error{Code: payout.CodeRepeated, Param: pair.Name}
		}
		seen = append(seen, pair.Name)
		if pair.Value == "" {
			continue
		}
		if value != "" && value != pair.Value {
			return "", payout.Errorf(payout.CodeContradiction, pair.Name, "it differs from %s, which means the same", name)
		}
		name, value = pair.Name, pair.Value
	}
	return value, u.check(name, value)
}

func (u Use) named(name string) bool {
	if name == u.Name {
		return true
	}
	return !u.Strict && slices.Contains(u.Aliases, name)
}

// check tests one value against its row; name is the one it was sent under.
func (u Use) check(name, value string) error {
	if value == "" {
		if u.Need == Required {
			return &payout.Error{Code: payout.CodeRequired, Param: name}
		}
		return nil
	}
	// The reference counts characters, not bytes (AF 0).
	if n := utf8.RuneCountInString(value); n > u.Length() {
		return payout.Errorf(payout.CodeTooLong, name, "at most %d characters", u.Length())
	} else if n < u.Min {
		return payout.Errorf(payout.CodeTooShort, name, "at least %d characters", u.Min)
	}
	if rule := u.Kind.broken(value); rule != "" {
		return payout.Errorf(u.Kind.code(), name, "%s", rule)
	}
	return nil
}

// code is the error-code of a value that does not have the kind's form.
func (k Kind) code() payout.ErrCode {
	switch k {
	case URL:
		return payout.CodeURL
	case Currency:
		return payout.CodeCurrency
	}
	return payout.CodeFormat
}

// broken names the rule that the value breaks, or is empty. Amounts need their
// currency and are parsed afterwards.
func (k Kind) broken(value string) string {
	if strings.IndexByte(value, 0) >= 0 {
		return "it must not contain NUL characters"
	}
	switch k {
	case Line:
		if strings.ContainsFunc(value, unicode.IsControl) {
			return "it must not contain control characters"
		}
	case Digits:
		if strings.Trim(value, "0123456789") != "" {
			return "it must contain digits only"
		}
	case Phone:
		digits := PhoneDigits(value)
		if digits == "" || strings.Trim(strings.TrimPrefix(value, "+"), "0123456789 -()") != "" {
			return "it must contain digits only, with an optional + before them"
		}
	case Currency:
		if _, err := payout.ParseCurrency(value); err != nil {
			return err.Error()
		}
	case IP:
		// A zone (fe80::1%eth0) may be any text, and means something on one machine only.
		if addr, err := netip.ParseAddr(value); err != nil || addr.Zone() != "" {
			return "it must be an IPv4 or IPv6 address"
		}
	case OrderID:
		if _, err := payout.ParseOrderID(value); err != nil {
			return "it " + err.Error()
		}
	case Serial:
		if _, err := payout.ParseSerialNumber(value); err != nil {
			return "it " + err.Error()
		}
	case Card:
		if _, err := payout.ParseCardNumber(value); err != nil {
			return "it " + err.Error()
		}
	case URL:
		return brokenURL(value)
	}
	return k.brokenPersonal(value)
}

// brokenPersonal is broken for the kinds that tell of persons and their cards.
func (k Kind) brokenPersonal(value string) string {
	switch k {
	case Month:
		if n, err := strconv.Atoi(value); err != nil || n < 1 || n > 12 || value[0] == '+' {
			return "it must be a month, 01 to 12"
		}
	case Year:
		if strings.Trim(value, "0123456789") != "" || len(value) != 2 && len(value) != 4 {
			return "it must be a year, such as 2030"
		}
	case Country:
		if !IsCountry(value) {
			return "it must be a country code of two capital letters (ISO 3166-1)"
		}
	case Bool:
		if value != "true" && value != "false" {
			return "it must be true or false"
		}
	case Birthday:
		_, short := time.Parse("010206", value)
		_, long := time.Parse("01022006", value)
		digits := strings.Trim(value, "0123456789") == "" // package time takes "-0" for a year
		if !digits || short != nil && long != nil {
			return "it must be a date as MMDDYY or MMDDYYYY"
		}
	}
	return ""
}

func brokenURL(value string) string {
	u, err := url.Parse(value)
	switch {
	case err != nil:
		return "it cannot be parsed"
	case u.Scheme != "http" && u.Scheme != "https":
		return "it must start with http:// or https://"
	case u.Hostname() == "":
		return "it has no host"
	case u.User != nil:
		return "it must not contain a user name or password"
	case strings.ContainsFunc(value, func(c rune) bool { return unicode.IsSpace(c) || unicode.IsControl(c) }):
		return "it must not contain blanks or control characters"
	}
	return ""
}

// PhoneDigits returns the digits of a phone number, without separators.
func PhoneDigits(phone string) string {
	return strings.Map(func(c rune) rune {
		if c >= '0' && c <= '9' {
			return c
		}
		return -1
	}, phone)
}

// parseAmount reads the amount in its currency.
func (r *Request) parseAmount() error {
	text := r.Text(AmountParam)
	if text == "" && r.Text(CurrencyParam) == "" {
		return nil
	}
	currency, err := payout.ParseCurrency(r.Text(CurrencyParam))
	if err != nil {
		return payout.Errorf(payout.CodeCurrency, CurrencyParam.Name, "%s", err)
	}
	if text == "" {
		r.Amount.Currency = currency // account-verification has no amount
		return nil
	}
	r.Amount, err = payout.ParseAmount(text, currency)
	if err != nil {
		return payout.Errorf(payout.CodeAmount, AmountParam.Name, "%s", err)
	}
	return nil
}

// Text returns a parameter's value, or "" when it is absent or not in the
// command's table.
func (r *Request) Text(p *Param) string {
	for i, u := range r.Command.Params {
		if u.Param == p {
			return r.values[i]
		}
	}
	return ""
}

// Require demands Conditional parameters by name, as a gate lists them. Names
// that the command does not have are not demanded of it.
func (r *Request) Require(names []string) error {
	for i, u := range r.Command.Params {
		if r.values[i] != "" {
			continue
		}
		for _, name := range names {
			if name == u.Name {
				return &payout.Error{Code: payout.CodeRequired, Param: name}
			}
		}
	}
	return nil
}

// Values returns what was sent, by parameter name, aliases resolved: what an
// order remembers. Transient values are not among it.
func (r *Request) Values() map[string]string {
	given := 0 // of the many that the command knows
	for _, value := range r.values {
		if value != "" {
			given++
		}
	}
	values := make(map[string]string, given)
	for i, u := range r.Command.Params {
		if r.values[i] != "" && !u.Transient {
			values[u.Name] = r.values[i]
		}
	}
	return values
}

// Recall rebuilds a Request from an order's remembered values, unchecked.
func (c *Command) Recall(values map[string]string, amount payout.Amount) *Request {
	r := &Request{Command: c, Amount: amount, values: make([]string, len(c.Params))}
	for i, u := range c.Params {
		r.values[i] = values[u.Name]
	}
	return r
}

// Differs names the first parameter in which two requests of the same command
// differ, or returns "". Amounts are compared as money: 10.4 is 10.40.
func (r *Request) Differs(other *Request) string {
	for i, u := range r.Command.Params {
		if u.Transient {
			continue // it is not remembered, and cannot be compared
		}
		if u.Param == AmountParam {
			if r.Amount != other.Amount {
				return u.Name
			}
		} else if r.values[i] != other.values[i] {
			return u.Name
		}
	}
	return ""
}
