package payout

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"regexp"
	"strings"
	"testing"
)

func TestOrderIDIsANumberOfAtMost18Digits(t *testing.T) {
	for text, want := range map[string]OrderID{"1": 1, "6982864": 6982864, "999999999999999999": OrderIDMax} {
		if got, err := ParseOrderID(text); err != nil || got != want || got.String() != text {
			t.Errorf("%s: %d, %v", text, got, err)
		}
	}
	for _, text := range []string{"", "0", "-1", "+1", "1000000000000000000", "99999999999999999999", "1a", " 1", "1.0"} {
		if got, err := ParseOrderID(text); err == nil {
			t.Errorf("%q was read as %d", text, got)
		}
	}
}

func TestSerialNumberHasTheSeedsShape(t *testing.T) {
	for n, want := range map[SerialNumber]string{0x2e2c322: "00000000-0000-0000-0000-000002e2c322", 1: "00000000-0000-0000-0000-000000000001",
		1<<48 - 1: "00000000-0000-0000-0000-ffffffffffff", 1 << 48: "00000000-0000-0000-0001-000000000000"} {
		if n.String() != want {
			t.Errorf("%d is %s, want %s", n, n, want)
		}
		for _, text := range []string{want, strings.ToUpper(want)} {
			if got, err := ParseSerialNumber(text); err != nil || got != n {
				t.Errorf("%s is read as %d, %v", text, got, err)
			}
		}
	}
	for _, text := range []string{"", "1", "00000000-0000-0000-0000-00000000000", "00000000-0000-0000-0000-0000000000000", "00000001-0000-0000-0000-000000000000",
		"00000000-0000-0000-0000-00000000000g", "00000000-0000-0000-ffff-ffffffffffff", "00000000-0000-0000-0000+000000000000"} {
		if got, err := ParseSerialNumber(text); err == nil {
			t.Errorf("%q was read as %d", text, got)
		}
	}
}

func TestReceiptIDIsANameBasedUUID(t *testing.T) {
	hash := []byte("0123456789abcdef and more")
	id := NewReceiptID(hash)
	if !regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-3[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`).MatchString(string(id)) {
		t.Errorf("%s is no UUID of version 3", id)
	}
	if NewReceiptID(hash) != id || NewReceiptID([]byte("1123456789abcdef")) == id {
		t.Error("a receipt id must depend on the hash alone, and on all of it")
	}
}

func TestSecretNeverPrintsItself(t *testing.T) {
	secret := Secret("B17F59B4")
	encoded, err := json.Marshal(struct{ Key Secret }{secret})
	if err != nil {
		t.Fatal(err)
	}
	var log strings.Builder
	slog.New(slog.NewJSONHandler(&log, nil)).Info("x", "key", secret, "party", ConnectingParty{ControlKey: secret})
	slog.New(slog.NewTextHandler(&log, nil)).Info("x", "key", secret, "party", ConnectingParty{ControlKey: secret})
	printed := fmt.Sprintf("%v %s %q %#v %+v %x", secret, secret, secret, secret, ConnectingParty{ControlKey: secret}, secret)
	for what, text := range map[string]string{"fmt": printed, "json": string(encoded), "slog": log.String()} {
		if strings.Contains(text, "B17F59B4") || strings.Contains(text, fmt.Sprintf("%x", "B17F59B4")) {
			t.Errorf("%s shows the secret: %s", what, text)
		}
	}
	if secret.Reveal() != "B17F59B4" {
		t.Error("Reveal does not return the secret")
	}
}

func TestReferenceNamesOrderAndAttempt(t *testing.T) {
	if got := Reference(6982864, 2); got != "6982864-2" {
		t.Error(got)
	}
}
