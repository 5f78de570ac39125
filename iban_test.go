package payout

import (
	"strings"
	"testing"
)

// The check digits tell a typing error from an IBAN; other account numbers are
// not held to them.
func TestIBAN(t *testing.T) {
	for iban, valid := range map[string]bool{
		"GB82WEST12345698765432":         true, // ISO 13616 example
		"DE89370400440532013000":         true,
		"de89370400440532013000":         true,
		"NO9386011117947":                true,  // the shortest
		"NO938601111794":                 false, // one less
		"GB82WEST12345698765423":         false, // two digits exchanged
		"GB83WEST12345698765432":         false,
		"GB82WEST1234569876543?":         false,
		"1234567890123456":               false,
		"GB82" + strings.Repeat("0", 31): false, // 35 characters
	} {
		if got := ValidIBAN(iban); got != valid {
			t.Errorf("ValidIBAN(%s) = %v", iban, got)
		}
	}
	for account, like := range map[string]bool{"GB82WEST12345698765432": true, "GB8212345678901": true, "GB821234567890": false,
		"40702810900000000001": false, "": false} {
		if got := LooksLikeIBAN(account); got != like {
			t.Errorf("LooksLikeIBAN(%s) = %v", account, got)
		}
	}
}
