package callback

import (
	"testing"

	"payout"
	"payout/sign"
)

// The final redirect has the names of the reference in its order; an empty error
// is the word null.
func TestRedirectHasTheReferencesFields(t *testing.T) {
	m := Message{Status: payout.StatusApproved, OrderID: 1788082, ClientOrderID: "test", Type: payout.TypePayout,
		Amount: payout.Amount{Minor: 10000, Currency: "USD"}, ProcessorTxID: "PNTEST-1788082", CardBIN: "444455", ControlKey: "key"}
	want := []sign.Pair{{Name: "status", Value: "approved"}, {Name: "orderid", Value: "1788082"}, {Name: "merchant_order", Value: "test"},
		{Name: "client_orderid", Value: "test"}, {Name: "error_message", Value: "null"},
		{Name: "control", Value: sign.CallbackControl("approved", "1788082", "test", "key")}, {Name: "descriptor"},
		{Name: "processor-tx-id", Value: "PNTEST-1788082"}, {Name: "amount", Value: "100.00"}, {Name: "bin", Value: "444455"},
		{Name: "type", Value: "payout"}, {Name: "card-type"}, {Name: "phone"}, {Name: "last-four-digits"}, {Name: "card-holder-name"}, {Name: "error_code"}}
	got := Redirect(m)
	for i := range max(len(got), len(want)) {
		if i >= len(got) || i >= len(want) || got[i] != want[i] {
			t.Fatalf("field %d: %v, want %v", i, got, want)
		}
	}
	m.Status, m.ErrorCode, m.ErrorMessage = payout.StatusDeclined, 1000, "Declined"
	for _, p := range Redirect(m) {
		if p.Name == "error_message" && p.Value != "Declined" || p.Name == "error_code" && p.Value != "1000" {
			t.Errorf("%s is %q", p.Name, p.Value)
		}
	}
}
