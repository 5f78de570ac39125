package payout

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"
)

// An Amount is money: a number of minor units of a currency, such as 1042 USD
// cents. It is exact and never a float. The zero value is no amount.
type Amount struct {
	Minor    int64 // in minor units: cents of USD, yen of JPY, fils of KWD
	Currency Currency
}

// amountMax is the length of the request parameter amount (api-facts 3.1).
// Ten digits and a currency's decimals are far from the end of int64.
const amountMax = 10 // characters

var (
	errAmountCurrency = errors.New("must have a known currency")
	errAmountLength   = fmt.Errorf("must be at most %d characters", amountMax)
	errAmountForm     = errors.New("must be digits with '.' as decimal separator")
	errAmountZero     = errors.New("must be greater than zero")
)

// ParseAmount reads the request parameter amount: major units of the currency
// with '.' before the decimals, Numeric, at most 10 characters (api-facts 3.1
// and 14). It wants at least one digit on both sides of the '.', no more
// decimals than the currency has, and more than zero; leading zeros are
// accepted. The error names the rule, and neither the parameter nor the value.
func ParseAmount(s string, c Currency) (Amount, error) {
	row, ok := c.row()
	if !ok {
		return Amount{}, errAmountCurrency
	}
	if utf8.RuneCountInString(s) > amountMax {
		return Amount{}, errAmountLength
	}
	major, decimals, hasPoint := strings.Cut(s, ".")
	if !digits(major) || hasPoint && !digits(decimals) {
		return Amount{}, errAmountForm
	}
	if len(decimals) > int(row.exponent) {
		return Amount{}, errDecimals(row)
	}

	var minor int64
	for i := range len(major) {
		minor = minor*10 + int64(major[i]-'0')
	}
	for i := range int(row.exponent) {
		minor *= 10
		if i < len(decimals) {
			minor += int64(decimals[i] - '0')
		}
	}
	if minor == 0 {
		return Amount{}, errAmountZero
	}
	return Amount{Minor: minor, Currency: row.code}, nil
}

// digits reports whether s is one ASCII digit or more, and nothing else.
func digits(s string) bool {
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return s != ""
}

func errDecimals(row currencyRow) error {
	if row.exponent == 0 {
		return fmt.Errorf("must have no decimals in %s", row.code)
	}
	return fmt.Errorf("must have at most %d decimals in %s", row.exponent, row.code)
}

// String returns the amount in major units with all decimals of the currency
// and without its code: "10.42" in USD, "100" in JPY, "1.500" in KWD. Status
// and callback print it so. It panics where Currency.Exponent does.
func (a Amount) String() string {
	exponent := a.Currency.Exponent()
	if exponent == 0 {
		return a.MinorString()
	}
	sign, minor := "", uint64(a.Minor)
	if a.Minor < 0 {
		sign, minor = "-", -minor
	}
	text := strconv.FormatUint(minor, 10)
	if missing := exponent + 1 - len(text); missing > 0 {
		text = strings.Repeat("0", missing) + text
	}
	point := len(text) - exponent
	return sign + text[:point] + "." + text[point:]
}

// MinorString returns the amount in minor units, "1042" for 10.42 USD: what the
// strings under a control hold (api-facts 2).
func (a Amount) MinorString() string { return strconv.FormatInt(a.Minor, 10) }
