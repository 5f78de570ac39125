package gateway_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"payout"
	"payout/gateway"
	"payout/sign"
	"payout/spec"
)

func maskedOne(t *testing.T, c *spec.Command, name, value string) payout.JournalPair {
	t.Helper()
	masked, left := gateway.MaskForm(c, []sign.Pair{{Name: name, Value: value}})
	if len(masked) != 1 || left != 0 {
		t.Fatal(masked, left)
	}
	return masked[0]
}

// What a table calls sensitive is masked under each of its names, in a request to
// any command; what is Transient leaves nothing at all.
func TestSensitiveParametersAreMasked(t *testing.T) {
	seen := 0
	for _, c := range spec.Commands {
		for _, u := range c.Params {
			for _, name := range u.Names() {
				for _, to := range []*spec.Command{c, spec.StatusV2, nil} {
					got := maskedOne(t, to, name, "Secret-9876543210-Value")
					switch {
					case u.Transient:
						if got.Value != "" || !got.Masked {
							t.Errorf("%s leaves %q", name, got.Value)
						}
					case u.Sensitive:
						seen++
						if !got.Masked || strings.ContainsAny(got.Value, "Secret9876") {
							t.Errorf("%s is shown as %q", name, got.Value)
						}
					}
				}
			}
		}
	}
	if seen < 50 {
		t.Errorf("only %d parameters were looked at", seen)
	}
}

func TestWhatIsShownOfValues(t *testing.T) {
	for _, test := range []struct {
		name, value, want string
		masked            bool
	}{
		{"client_orderid", "INV-1", "INV-1", false},
		{"client_orderid", "4444555566661111", "444455******1111", true},
		{"amount", "10.42", "10.42", false},
		{"merchant_data", "card 4444 5555 6666 1111", "card 4444 55** **** 1111", true},
		{"merchant_data", strings.Repeat("я", 513), strings.Repeat("я", 512), true},
		{"merchant_data", strings.Repeat("я", 512), strings.Repeat("я", 512), false},
		{"account_number", "1234567890", "******7890", true},
		{"account_number", "DE89370400440532013000", "******************3000", true},
		{"account_number", "1234567", "*******", true},
		{"account_number", "John Q. Public", "**************", true},
		{"credit_card_number", "4444555566661111", "************1111", true},
		{"receiver_phone", "+7 903 123-45-67", "************5-67", true},
		{"phone", "89031234567", "*******4567", true},
		{"account_name", "John Q. Public", "**************", true},
		{"receiver_email", strings.Repeat("a", 100), strings.Repeat("*", 32), true},
		{"birthday", "12311976", "********", true},
		{"cvv2", "123", "", true},
		{"control", "c52cfb609f20a3677eb280cc4709278ea8f7024c", "", true},
		{"account_name", "", "", false},
		{"server_callback_url", "https://shop.example/cb/1?token=a&b=c#d", "https://shop.example/cb/1?...", true},
		{"server_callback_url", "https://user:word@shop.example/", "https://...@shop.example/", true},
		{"server_callback_url", "https://shop.example/cb", "https://shop.example/cb", false},
		{"server_callback_url", "https://shop.example/4444555566661111", "https://shop.example/444455******1111", true},
		{"redirect_url", "token in it", "***********", true},
		{"nobody_knows", "value", "*****", true},
		{"control_key", "key", "***", true},
	} {
		if got := maskedOne(t, spec.Payout, test.name, test.value); got != (payout.JournalPair{Name: test.name, Value: test.want, Masked: test.masked}) {
			t.Errorf("%s=%s: %+v", test.name, test.value, got)
		}
	}
}

// A broken body may have a value in the place of a name.
func TestNamesThatMayBeValuesAreHidden(t *testing.T) {
	for name, want := range map[string]string{"my-name_x.y": "my-name_x.y", "4444555566661111": "****************", "John Public": "***********",
		"": "", "x1": "**", strings.Repeat("a", 65): strings.Repeat("*", 32), "Имя": "***"} {
		if got := maskedOne(t, nil, name, ""); got.Name != want {
			t.Errorf("%q is shown as %q, want %q", name, got.Name, want)
		}
	}
}

// A command that is not in the list of all masks its own parameters all the same.
func TestParametersOfAnyCommandAreMasked(t *testing.T) {
	secret := &spec.Param{Name: "fictitious", Aliases: []string{"made_up"}, Kind: spec.Line, Max: 20, Sensitive: true}
	shown := &spec.Param{Name: "shown", Kind: spec.Line, Max: 20}
	c := &spec.Command{Version: 4, Name: "fictitious", Params: []spec.Use{{Param: secret}, {Param: shown}}}
	for name, want := range map[string]string{"fictitious": "*****", "made_up": "*****", "shown": "value"} {
		if got := maskedOne(t, c, name, "value"); got.Value != want {
			t.Errorf("%s is shown as %q", name, got.Value)
		}
	}
}

func TestManyParametersAreLeftOut(t *testing.T) {
	var form []sign.Pair
	for i := range 101 {
		form = append(form, sign.Pair{Name: "amount", Value: fmt.Sprint(i)})
	}
	for n, want := range map[int]int{100: 0, 101: 1} {
		if masked, left := gateway.MaskForm(spec.Payout, form[:n]); len(masked) != 100 || left != want {
			t.Errorf("of %d parameters %d are kept and %d left", n, len(masked), left)
		}
	}
}

func TestRepliesAreMaskedByTheirTables(t *testing.T) {
	if gateway.MaskReply(nil) != nil {
		t.Error("no reply has fields")
	}
	r := spec.StatusReply.New()
	for _, f := range spec.StatusReply.Fields[1:] {
		r.Set(f, "Secret-4444555566661111")
	}
	for i, got := range gateway.MaskReply(r) {
		f := spec.StatusReply.Fields[i]
		if got.Name != f.Name {
			t.Fatalf("field %d is %s, want %s", i, got.Name, f.Name)
		}
		made := slices.Contains([]string{"serial-number", "paynet-order-id", "card-hash-id", "destination-card-hash-id", "receipt-id"}, f.Name)
		switch {
		case f == spec.FieldType || made:
			if got.Masked {
				t.Errorf("%s is masked", f.Name)
			}
		case f.Sensitive && strings.Contains(got.Value, "Secret"), strings.Contains(got.Value, "4444555566661111"):
			t.Errorf("%s is shown as %q", f.Name, got.Value)
		}
	}
}
