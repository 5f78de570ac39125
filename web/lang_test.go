package web

import (
	"strings"
	"testing"
	"time"

	"payout"
)

// plain shows no-break spaces as '_'.
func plain(s string) string { return strings.ReplaceAll(s, noBreak, "_") }

func TestMoneyAsReadersWriteIt(t *testing.T) {
	for _, test := range []struct {
		minor            int64
		currency         payout.Currency
		english, russian string
	}{
		{1042, "USD", "10.42_USD", "10,42_USD"},
		{5, "USD", "0.05_USD", "0,05_USD"},
		{99999, "EUR", "999.99_EUR", "999,99_€"},
		{100000, "EUR", "1,000.00_EUR", "1_000,00_€"},
		{123450, "RUB", "1,234.50_RUB", "1_234,50_₽"},
		{100, "JPY", "100_JPY", "100_JPY"},
		{1000000, "JPY", "1,000,000_JPY", "1_000_000_JPY"},
		{1500, "KWD", "1.500_KWD", "1,500_KWD"},
		{-1042, "USD", "−10.42_USD", "−10,42_USD"},
	} {
		a := payout.Amount{Minor: test.minor, Currency: test.currency}
		if got := plain(English.Money(a)); got != test.english {
			t.Errorf("English: %s, want %s", got, test.english)
		}
		if got := plain(Russian.Money(a)); got != test.russian {
			t.Errorf("Russian: %s, want %s", got, test.russian)
		}
	}
}

func TestTimeNamesItsZone(t *testing.T) {
	at := time.Date(2026, time.November, 21, 9, 5, 0, 0, time.UTC)
	for _, test := range []struct {
		zone             *time.Location
		english, russian string
	}{
		{time.UTC, "21_November_2026, 09:05_UTC", "21_ноября_2026_г., 09:05_UTC"},
		{time.FixedZone("MSK", 3*3600), "21_November_2026, 12:05_UTC+3", "21_ноября_2026_г., 12:05_UTC+3"},
		{time.FixedZone("", -(3*3600 + 1800)), "21_November_2026, 05:35_UTC−3:30", "21_ноября_2026_г., 05:35_UTC−3:30"},
	} {
		if got := plain(English.Time(at.In(test.zone))); got != test.english {
			t.Errorf("English: %s, want %s", got, test.english)
		}
		if got := plain(Russian.Time(at.In(test.zone))); got != test.russian {
			t.Errorf("Russian: %s, want %s", got, test.russian)
		}
	}
}

func TestChooseAsksTheAddressThenTheBrowser(t *testing.T) {
	for _, test := range []struct {
		query, header string
		fallback      Lang
		want          Lang
	}{
		{"ru", "en", English, Russian},
		{"en", "ru", Russian, English},
		{"de", "ru", English, Russian},
		{"", "ru-RU,ru;q=0.9,en;q=0.8", English, Russian},
		{"", "en;q=0.8,ru;q=0.9", English, Russian},
		{"", "de,fr;q=0.9,ru;q=0.1", English, Russian},
		{"", "ru;q=0,de", English, English},
		{"", "de", Russian, Russian},
		{"", "", Russian, Russian},
		{"", "*", Russian, Russian},
		{"", "\x00;;q=x", Russian, Russian},
		{"RU", "", English, English},
	} {
		if got := Choose(test.query, test.header, test.fallback); got != test.want {
			t.Errorf("Choose(%q, %q, %q) is %s, want %s", test.query, test.header, test.fallback, got, test.want)
		}
	}
}

func TestLanguagesAreTheCallersOwn(t *testing.T) {
	Languages()[0] = "xx"
	if all := Languages(); len(all) != 2 || all[0] != English || all[1] != Russian || English.Name() != "English" {
		t.Errorf("languages %v", all)
	}
}
