package payout

import (
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestMaskCardsHidesWhatLooksLikeACard(t *testing.T) {
	for text, want := range map[string]string{
		"":                                     "",
		"order 12":                             "order 12",
		"4444555566661111":                     "444455******1111",
		"card 4444 5555 6666 1111 of John":     "card 4444 55** **** 1111 of John",
		"4444-5555-6666-1111":                  "4444-55**-****-1111",
		"12 4444555566661111":                  "12 444455******1111",
		"4444555566661111 12":                  "444455******1111 12",
		"{\"pan\":\"4444555566661111\"}":       "{\"pan\":\"444455******1111\"}",
		"4444555566661112":                     "444455******1112", // the scheme is known, the check digit wrong
		"9999999999999999":                     "9999999999999999", // neither
		"378282246310005":                      "378282*****0005",  // 15 digits
		"378282246310006":                      "378282246310006",
		"4222222222222":                        "422222***2222", // 13 digits
		"422222222222":                         "422222222222",  // 12
		"6304000000000000000":                  "630400*********0000",
		"44445555666611110000":                 "44445555666611110000", // 20: an account
		"0000555566661111":                     "0000555566661111",
		"4444  5555 6666 1111":                 "4444  5555 6666 1111", // not as people write it
		"00000000-0000-0000-0000-000002e2c322": "00000000-0000-0000-0000-000002e2c322",
		"4444555566661111,4444555566661111":    "444455******1111,444455******1111",
	} {
		if got := MaskCards(text); got != want {
			t.Errorf("%q becomes %q, want %q", text, got, want)
		}
	}
}

func TestMaskCardsLeavesNoCardThatIsAccepted(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		digits := rapid.StringMatching(`[1-9][0-9]{14,17}`).Draw(t, "digits")
		for d := '0'; d <= '9'; d++ {
			card, err := ParseCardNumber(digits + string(d))
			if err != nil {
				continue
			}
			before, after := rapid.StringMatching(`[^0-9 \-]{0,5}`).Draw(t, "before"), rapid.StringMatching(`[^0-9 \-]{0,5}`).Draw(t, "after")
			text := before + card.Reveal() + after
			if got := MaskCards(text); strings.Contains(got, card.Reveal()) || len(got) != len(text) {
				t.Fatalf("%q becomes %q", text, got)
			}
		}
	})
}
