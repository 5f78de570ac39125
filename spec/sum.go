package spec

import (
	"strconv"

	"payout"
	"payout/sign"
)

// A SumPart is one value that goes into a control sum: a parameter by its name,
// or one of the constants below. The control key comes last and is not listed.
type SumPart string

// The parts that are no parameters (AF 2).
const (
	SumID    SumPart = "ENDPOINTID"   // the id in the URL: the endpoint's, or the group's
	SumMinor SumPart = "amount_minor" // the amount in minor units of its currency
)

// The formulas of control sums (AF 2).
var (
	orderSum        = []SumPart{SumPart(Login.Name), SumPart(ClientOrderID.Name), SumPart(OrderNumber.Name)}
	saleSum         = []SumPart{SumID, SumPart(ClientOrderID.Name), SumMinor, SumPart(SenderEmail.Name)}
	verificationSum = []SumPart{SumID, SumPart(ClientOrderID.Name), SumPart(SenderEmail.Name)}
)

// SumParts returns the values that the control sum of a form is made of, without
// the control key; id is the endpoint's or the group's, as it stands in the URL.
// A value that is absent, or an amount that is none, is empty.
func (c *Command) SumParts(id string, form []sign.Pair) []string {
	text := func(name string) string {
		for _, pair := range form {
			if pair.Name == name {
				return pair.Value
			}
		}
		return ""
	}
	minor := ""
	if currency, err := payout.ParseCurrency(text(CurrencyParam.Name)); err == nil {
		if amount, err := payout.ParseAmount(text(AmountParam.Name), currency); err == nil {
			minor = strconv.FormatInt(amount.Minor, 10)
		}
	}
	return c.sumParts(id, text, minor)
}

// Control returns the control sum of a form, keyed by the control key.
func (c *Command) Control(id string, form []sign.Pair, key string) string {
	return sign.Control(append(c.SumParts(id, form), key)...)
}

// Control returns the control sum that the request must carry.
func (r *Request) Control(id, key string) string {
	text := func(name string) string {
		for i, u := range r.Command.Params {
			if u.Name == name {
				return r.values[i]
			}
		}
		return ""
	}
	return sign.Control(append(r.Command.sumParts(id, text, strconv.FormatInt(r.Amount.Minor, 10)), key)...)
}

func (c *Command) sumParts(id string, text func(name string) string, minor string) []string {
	parts := make([]string, len(c.Sum), len(c.Sum)+1)
	for i, part := range c.Sum {
		switch part {
		case SumID:
			parts[i] = id
		case SumMinor:
			parts[i] = minor
		default:
			parts[i] = text(string(part))
		}
	}
	return parts
}
