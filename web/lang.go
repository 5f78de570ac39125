// Package web is the kit for pages: languages and messages, money and dates as
// people write them, static files, and the headers that keep a page safe. It
// knows no use case.
package web

import (
	"fmt"
	"strings"
	"time"

	"golang.org/x/text/language"

	"payout"
)

// A Lang is a language of the pages.
type Lang string

// The languages.
const (
	English Lang = "en"
	Russian Lang = "ru"
)

// A locale is how a language writes things.
type locale struct {
	lang    Lang
	name    string // of the language, in itself
	group   string // between thousands
	decimal string // before the decimals
	symbols map[payout.Currency]string
	months  [12]string // as they stand in a date
	date    string     // day, month, year
}

// noBreak keeps a number and its currency on one line.
const noBreak = "\u00a0"

// locales has one row for each language, the default first. English keeps the
// currency's code, because $ alone may be American, Canadian or Australian;
// Russian has symbols where they mean one currency only.
var locales = []locale{
	{lang: English, name: "English", group: ",", decimal: ".", date: "%d" + noBreak + "%s" + noBreak + "%d",
		months: [12]string{"January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November", "December"}},
	{lang: Russian, name: "Русский", group: noBreak, decimal: ",", date: "%d" + noBreak + "%s" + noBreak + "%d" + noBreak + "г.",
		symbols: map[payout.Currency]string{"RUB": "₽", "EUR": "€"},
		months:  [12]string{"января", "февраля", "марта", "апреля", "мая", "июня", "июля", "августа", "сентября", "октября", "ноября", "декабря"}},
}

// Languages returns all languages, the default first. The slice is the caller's
// own.
func Languages() []Lang {
	all := make([]Lang, len(locales))
	for i, row := range locales {
		all[i] = row.lang
	}
	return all
}

// locale returns the row of a language; of the default one when it is unknown.
func (l Lang) locale() locale {
	for _, row := range locales {
		if row.lang == l {
			return row
		}
	}
	return locales[0]
}

// Name returns the language's name in the language itself.
func (l Lang) Name() string { return l.locale().name }

// Choose picks the language of a page: what the address asks for (?lang=), if
// we have it; else the one that the browser likes best (Accept-Language, RFC
// 9110 section 12.5.4); else the fallback.
func Choose(query, acceptLanguage string, fallback Lang) Lang {
	for _, row := range locales {
		if string(row.lang) == query {
			return row.lang
		}
	}
	wanted, weights, err := language.ParseAcceptLanguage(acceptLanguage)
	if err != nil {
		return fallback
	}
	for i, tag := range wanted { // sorted by weight
		base, _ := tag.Base()
		for _, row := range locales {
			if weights[i] > 0 && base.String() == string(row.lang) {
				return row.lang
			}
		}
	}
	return fallback
}

// Money writes an amount as readers of the language do, with all decimals of
// the currency and without a place to break the line: "1,234.50 USD" and
// "1 234,50 ₽".
func (l Lang) Money(a payout.Amount) string {
	row := l.locale()
	number, sign := strings.CutPrefix(a.String(), "-")
	major, decimals, hasDecimals := strings.Cut(number, ".")
	text := grouped(major, row.group)
	if hasDecimals {
		text += row.decimal + decimals
	}
	if sign {
		text = "\u2212" + text
	}
	unit := a.Currency.Code()
	if symbol, ok := row.symbols[a.Currency]; ok {
		unit = symbol
	}
	if unit == "" {
		return text
	}
	return text + noBreak + unit
}

// grouped puts a separator before each three digits, from the right.
func grouped(digits, separator string) string {
	var b strings.Builder
	for i, d := range digits {
		if i > 0 && (len(digits)-i)%3 == 0 {
			b.WriteString(separator)
		}
		b.WriteRune(d)
	}
	return b.String()
}

// Time writes a date and time with its zone: "21 November 2026, 14:30 UTC". The
// zone is the one that t is in.
func (l Lang) Time(t time.Time) string {
	row := l.locale()
	date := fmt.Sprintf(row.date, t.Day(), row.months[t.Month()-1], t.Year())
	return date + ", " + t.Format("15:04") + noBreak + zone(t)
}

// zone names a zone by its distance from UTC: abbreviations such as CST mean
// several.
func zone(t time.Time) string {
	_, seconds := t.Zone()
	if seconds == 0 {
		return "UTC"
	}
	sign := "+"
	if seconds < 0 {
		sign, seconds = "\u2212", -seconds
	}
	name := fmt.Sprintf("UTC%s%d", sign, seconds/3600)
	if minutes := seconds / 60 % 60; minutes != 0 {
		name += fmt.Sprintf(":%02d", minutes)
	}
	return name
}
