package payout

import (
	"cmp"
	"errors"
	"slices"
)

//go:generate go run ./gen/currencies

// A Currency is an ISO 4217 alphabetic code that the table knows, such as USD.
// It comes from ParseCurrency. The zero value is no currency.
type Currency string

// A currencyRow is one row of the generated currencyTable.
type currencyRow struct {
	code     Currency
	exponent uint8 // decimals of the minor unit
}

var errCurrency = errors.New("must be three upper-case letters of a current ISO 4217 currency")

// ParseCurrency reads the request parameter currency: exactly three upper-case
// letters of a currency that can be paid out (api-facts 3.1 and 14; ISO 4217).
// Funds, metals, testing codes and ended currencies are refused. The error
// names the rule, and neither the parameter nor the value.
func ParseCurrency(code string) (Currency, error) {
	row, ok := Currency(code).row()
	if !ok {
		return "", errCurrency
	}
	return row.code, nil // the table's string: the request's memory is not held
}

// Currencies returns all currencies of the table, sorted by code. The slice is
// the caller's own.
func Currencies() []Currency {
	all := make([]Currency, len(currencyTable))
	for i, row := range currencyTable {
		all[i] = row.code
	}
	return all
}

// Code returns the three letters of ISO 4217; empty for no currency.
func (c Currency) Code() string { return string(c) }

// String returns the code, as Code does.
func (c Currency) String() string { return string(c) }

// Exponent returns the number of decimals of the minor unit by ISO 4217: 0 for
// JPY, 2 for USD, 3 for KWD, and 0 for no currency. It panics for a code that
// is not in the table, because any number would move the decimal point of
// somebody's money; ParseCurrency never returns such a code.
func (c Currency) Exponent() int {
	if c == "" {
		return 0
	}
	row, ok := c.row()
	if !ok {
		panic("payout: Exponent of a currency that is not in the ISO 4217 table")
	}
	return int(row.exponent)
}

func (c Currency) row() (currencyRow, bool) {
	i, ok := slices.BinarySearchFunc(currencyTable[:], c, func(row currencyRow, c Currency) int {
		return cmp.Compare(row.code, c)
	})
	if !ok {
		return currencyRow{}, false
	}
	return currencyTable[i], true
}
