package storage

import (
	"bytes"
	"encoding/json"
	"maps"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// Parameters are read as they were written, whatever is in them, also when they were
// stored as JSON.
func TestParametersAreReadAsTheyWereWritten(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		params := rapid.MapOf(rapid.String(), rapid.OneOf(rapid.String(), rapid.Just(strings.Repeat("x", 20000)))).Draw(t, "params")
		asJSON, err := json.Marshal(params)
		if err != nil {
			t.Fatal(err)
		}
		for _, plain := range [][]byte{encodeParams(params), asJSON} {
			if got, err := decodeParams(plain); err != nil || !maps.Equal(got, params) {
				t.Errorf("%q were read as %q, %v", params, got, err)
			}
		}
	})
}

func TestWhatIsNoParametersIsNotReadAsSuch(t *testing.T) {
	whole := encodeParams(map[string]string{"amount": "10.42"})
	for cut := range len(whole) {
		if cut == 1 { // none at all
			continue
		}
		if got, err := decodeParams(whole[:cut]); err == nil {
			t.Errorf("the first %d bytes were read as %q", cut, got)
		}
	}
	for _, plain := range [][]byte{nil, {2}, []byte(`{"a":1}`), []byte("["), append(bytes.Clone(whole), 0x80),
		append([]byte{paramsBinary}, bytes.Repeat([]byte{0xff}, 11)...), {paramsBinary, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1}} {
		if got, err := decodeParams(plain); err == nil {
			t.Errorf("%q was read as %q", plain, got)
		}
	}
}

func BenchmarkParams(b *testing.B) {
	params := map[string]string{"client_orderid": "ORDER-1234567", "amount": "10.42", "currency": "USD", "account_number": "1234567890",
		"bank_name": "Bank of Somewhere", "bank_branch": "12", "routing_number": "021000021", "ipaddress": "192.0.2.7",
		"first_name": "John", "last_name": "Smith", "email": "john.smith@example.com", "order_desc": "Payout"}
	b.Run("write", func(b *testing.B) {
		for b.Loop() {
			encodeParams(params)
		}
	})
	plain := encodeParams(params)
	b.Run("read", func(b *testing.B) {
		for b.Loop() {
			if _, err := decodeParams(plain); err != nil {
				b.Fatal(err)
			}
		}
	})
	asJSON, err := json.Marshal(params)
	if err != nil {
		b.Fatal(err)
	}
	b.Run("read JSON", func(b *testing.B) {
		for b.Loop() {
			if _, err := decodeParams(asJSON); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("write JSON", func(b *testing.B) {
		for b.Loop() {
			if _, err := json.Marshal(params); err != nil {
				b.Fatal(err)
			}
		}
	})
}
