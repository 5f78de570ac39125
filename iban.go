package payout

import "strings"

// IBAN lengths in characters (ISO 13616-1:2020, section 5).
const ibanMin, ibanMax = 15, 34

// LooksLikeIBAN reports whether an account number begins like an IBAN: two
// letters and two digits, and long enough to be one.
func LooksLikeIBAN(account string) bool {
	if len(account) < ibanMin {
		return false
	}
	letter := func(c byte) bool { return c >= 'A' && c <= 'Z' || c >= 'a' && c <= 'z' }
	digit := func(c byte) bool { return c >= '0' && c <= '9' }
	return letter(account[0]) && letter(account[1]) && digit(account[2]) && digit(account[3])
}

// ValidIBAN checks an IBAN's characters and check digits (ISO 7064 MOD 97-10),
// not the country's own layout. It has no blanks.
func ValidIBAN(iban string) bool {
	if !LooksLikeIBAN(iban) || len(iban) > ibanMax {
		return false
	}
	iban = strings.ToUpper(iban)
	rest := 0
	for _, c := range []byte(iban[4:] + iban[:4]) {
		switch {
		case c >= '0' && c <= '9':
			rest = (rest*10 + int(c-'0')) % 97
		case c >= 'A' && c <= 'Z':
			rest = (rest*100 + int(c-'A') + 10) % 97
		default:
			return false
		}
	}
	return rest == 1
}
