package payout

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
)

func TestCardNumberHas16To19DigitsAndARightCheckDigit(t *testing.T) {
	for _, s := range []string{"4444555566661111", "5555555555554444", "2200000000000004", "6200000000000005", "62000000000000000",
		"620000000000000005", "6200000000000000000"} {
		if n, err := ParseCardNumber(s); err != nil || n.Reveal() != s {
			t.Errorf("%s: %v", s, err)
		}
	}
	for s, rule := range map[string]string{
		"":                     "16 to 19",
		"378282246310005":      "16 to 19", // 15 digits
		"62000000000000000005": "16 to 19", // 20 digits
		"4444555566661112":     "check digit",
		"0000000000000000":     "begin with 0",
		"4444555566661121":     "check digit", // two digits changed places
		"4444 5555 6666 1111":  "digits only",
		"4444-5555-6666-1111":  "digits only",
		"444455556666111١":     "digits only",
	} {
		if _, err := ParseCardNumber(s); err == nil || !strings.Contains(err.Error(), rule) {
			t.Errorf("%q: %v, want an error about %q", s, err, rule)
		} else if s != "" && strings.Contains(err.Error(), s) {
			t.Errorf("the error quotes the number: %s", err)
		}
	}
}

func TestEveryWrongDigitIsNoticed(t *testing.T) {
	const good = "4444555566661111"
	for i := range good {
		for d := '0'; d <= '9'; d++ {
			bad := good[:i] + string(d) + good[i+1:]
			if _, err := ParseCardNumber(bad); (err == nil) != (bad == good) {
				t.Errorf("%s: %v", bad, err)
			}
		}
	}
}

func TestCardNumberPrintsMasked(t *testing.T) {
	n, err := ParseCardNumber("4444555566661111")
	if err != nil {
		t.Fatal(err)
	}
	encoded, err := json.Marshal(map[string]any{"card": n})
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{fmt.Sprint(n), fmt.Sprintf("%#v", n), fmt.Sprintf("%q %s %v", n, n, []CardNumber{n}), string(encoded)} {
		if strings.Contains(text, "5566") || !strings.Contains(text, "444455******1111") {
			t.Errorf("printed as %s", text)
		}
	}
	if n.BIN() != "444455" || n.LastFour() != "1111" || CardNumber("").BIN() != "" || CardNumber("123").LastFour() != "" || CardNumber("12345").String() != "***" {
		t.Errorf("parts: %s %s", n.BIN(), n.LastFour())
	}
}

func TestBrandGoesByNumberRange(t *testing.T) {
	for number, want := range map[string]CardBrand{
		"4444555566661111": "VISA", "5099999999999999": "MAESTRO", "5100000000000000": "MASTERCARD", "5599999999999999": "MASTERCARD",
		"5600000000000000": "MAESTRO", "5614000000000000": "UZCARD", "2199000000000000": "", "2200000000000000": "MIR",
		"2204999999999999": "MIR", "2205000000000000": "", "2220999999999999": "", "2221000000000000": "MASTERCARD",
		"2720999999999999": "MASTERCARD", "2721000000000000": "", "3527000000000000": "", "3528000000000000": "JCB",
		"3589000000000000": "JCB", "3590000000000000": "", "6011000000000000": "DISCOVER", "6221260000000000": "UNIONPAY",
		"6390000000000000": "MAESTRO", "6440000000000000": "DISCOVER", "8600000000000000": "UZCARD", "9860000000000000": "HUMO",
		"9999000000000000": "", "": "",
	} {
		if got := CardNumber(number).Brand(); got != want {
			t.Errorf("%s: %q, want %q", number, got, want)
		}
	}
}

func TestCardIDsHaveTheirLengthAndAreReadBack(t *testing.T) {
	for _, random := range [][8]byte{{}, {255, 255, 255, 255, 255, 255, 255, 255}, {1, 2, 3, 4, 5, 6, 7, 8}} {
		id := NewCardRefID(random)
		if got, err := ParseCardRefID(id.String()); err != nil || got != id || len(id.String()) != 19 {
			t.Errorf("card-ref-id %s: %v, %v", id, got, err)
		}
		if unique := NewUniqueCardID(random[:]); len(unique.String()) != 18 {
			t.Errorf("unq-card-ref-id %s has not 18 digits", unique)
		}
	}
	for _, s := range []string{"", "0", "1", "999999999999999999", "+1000000000000000000", "-1000000000000000000", "99999999999999999999", "x"} {
		if _, err := ParseCardRefID(s); err == nil {
			t.Errorf("%q was accepted", s)
		}
	}
	if _, err := ParseCardRefID("1000000000000000000"); err != nil {
		t.Error(err)
	}
}
