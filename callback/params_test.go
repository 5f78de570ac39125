package callback

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"payout"
	"payout/sign"
)

func fullMessage() Message {
	return Message{
		Status: payout.StatusDeclined, OrderID: 6982864, ClientOrderID: "902B4FF5", Type: payout.TypePayout,
		Amount: payout.Amount{Minor: 1042, Currency: "USD"}, ErrorCode: payout.CodeDeclined, ErrorMessage: "Declined by the processor",
		Descriptor: "PAYOUT TEST", ProcessorTxID: "PNTEST-6982864", RRN: "510458047886", ApprovalCode: "242805",
		Name: "John Smith", Email: "john.smith@gmail.com", Phone: "+12063582043",
		CardBIN: "444455", CardLastFour: "1111", CardType: "VISA", Cardholder: "JOHN SMITH", MerchantData: "VIP customer",
		Serial: 0x2e2c322, ControlKey: "test-merchant-control",
	}
}

func TestParamsOfFullMessage(t *testing.T) {
	want := []sign.Pair{
		{Name: "status", Value: "declined"},
		{Name: "orderid", Value: "6982864"},
		{Name: "merchant_order", Value: "902B4FF5"},
		{Name: "client_orderid", Value: "902B4FF5"},
		{Name: "type", Value: "payout"},
		{Name: "amount", Value: "10.42"},
		{Name: "currency", Value: "USD"},
		{Name: "error_code", Value: "1000"},
		{Name: "error_message", Value: "Declined by the processor"},
		{Name: "descriptor", Value: "PAYOUT TEST"},
		{Name: "processor-tx-id", Value: "PNTEST-6982864"},
		{Name: "processor-rrn", Value: "510458047886"},
		{Name: "approval-code", Value: "242805"},
		{Name: "name", Value: "John Smith"},
		{Name: "email", Value: "john.smith@gmail.com"},
		{Name: "phone", Value: "+12063582043"},
		{Name: "dest-bin", Value: "444455"},
		{Name: "dest-last-four-digits", Value: "1111"},
		{Name: "dest-card-type", Value: "VISA"},
		{Name: "merchantdata", Value: "VIP customer"},
		{Name: "serial-number", Value: "00000000-0000-0000-0000-000002e2c322"},
		{Name: "control", Value: sign.CallbackControl("declined", "6982864", "902B4FF5", "test-merchant-control")},
	}
	if diff := cmp.Diff(want, Params(fullMessage())); diff != "" {
		t.Error(diff)
	}
}

func TestParamsLeaveOutWhatIsNotKnown(t *testing.T) {
	m := Message{Status: payout.StatusApproved, OrderID: 7, ClientOrderID: "a", Type: payout.TypePayout,
		Amount: payout.Amount{Minor: 100, Currency: "JPY"}}
	var got []string
	for _, p := range Params(m) {
		got = append(got, p.Name+"="+p.Value)
	}
	want := []string{"status=approved", "orderid=7", "merchant_order=a", "client_orderid=a", "type=payout", "amount=100",
		"currency=JPY", "error_message=", "control=" + sign.CallbackControl("approved", "7", "a", "")}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func value(params []sign.Pair, name string) (string, bool) {
	for _, p := range params {
		if p.Name == name {
			return p.Value, true
		}
	}
	return "", false
}

func TestErrorIsToldOfRefusedOrdersOnly(t *testing.T) {
	for status, told := range map[payout.Status]bool{
		payout.StatusDeclined: true, payout.StatusError: true,
		payout.StatusApproved: false, payout.StatusUnknown: false, payout.StatusProcessing: false,
	} {
		m := fullMessage()
		m.Status = status
		params := Params(m)
		code, hasCode := value(params, "error_code")
		text, hasText := value(params, "error_message")
		if hasCode != told || (code == "1000") != told || !hasText || (text != "") != told {
			t.Errorf("%s: error_code %q (%v), error_message %q (%v)", status, code, hasCode, text, hasText)
		}
	}
	m := fullMessage()
	m.ErrorCode = 0
	if _, has := value(Params(m), "error_code"); has {
		t.Error("error_code 0 is sent")
	}
}

func TestAmountIsCanonical(t *testing.T) {
	for _, c := range []struct {
		amount payout.Amount
		want   string
	}{
		{payout.Amount{Minor: 1050, Currency: "USD"}, "10.50"},
		{payout.Amount{Minor: 1, Currency: "RUB"}, "0.01"},
		{payout.Amount{Minor: 1500, Currency: "KWD"}, "1.500"},
		{payout.Amount{Minor: 1500, Currency: "JPY"}, "1500"},
	} {
		m := fullMessage()
		m.Amount = c.amount
		if got, _ := value(Params(m), "amount"); got != c.want {
			t.Errorf("%v: got %q, want %q", c.amount, got, c.want)
		}
	}
}

func TestMerchantDataHasALimit(t *testing.T) {
	for _, c := range []struct {
		data string
		sent bool
	}{
		{strings.Repeat("x", merchantDataMax), true},
		{strings.Repeat("x", merchantDataMax+1), false},
		{strings.Repeat("ж", merchantDataMax/6), true}, // six characters each in a URL
		{strings.Repeat("ж", merchantDataMax/6+1), false},
	} {
		m := fullMessage()
		m.MerchantData = c.data
		if got, has := value(Params(m), "merchantdata"); has != c.sent || has && got != c.data {
			t.Errorf("%d bytes: sent is %v", len(c.data), has)
		}
	}
}

// The vectors of shared/vectors/control.json and api-facts 2, by Control of the
// order's id where it is a number.
func TestControlVectors(t *testing.T) {
	for _, c := range []struct {
		status   payout.Status
		orderID  payout.OrderID
		clientID string
		key      payout.Secret
		want     string
	}{
		{"approved", 1234567, "hf-abc", "test-merchant-control", "652ace404c4dfe8bba069ecee594ec23a89340e1"},
		{"approved", 123, "invoice-1", "AF4B5DE6-3468-424C-A922-C1DAD7CB4509", "5bc8ee48f9ba37c0fd1e0b052a9bc105c6df87e1"},
	} {
		m := fullMessage()
		m.Status, m.OrderID, m.ClientOrderID, m.ControlKey = c.status, c.orderID, c.clientID, c.key
		params := Params(m)
		if got := params[len(params)-1]; got != (sign.Pair{Name: "control", Value: c.want}) {
			t.Errorf("%s: got %v", c.clientID, got)
		}
	}
	if got := sign.CallbackControl("", "", "", "test-merchant-control"); got != "1a66987ac24e927ff2979f83a41cb818936a9e62" {
		t.Errorf("all empty: got %s", got)
	}
}

func TestControlKeyIsNeverShown(t *testing.T) {
	m := fullMessage()
	text := fmt.Sprintf("%v %+v %#v %v", m, m, m, Params(m))
	if strings.Contains(text, m.ControlKey.Reveal()) {
		t.Error("the control key is printed")
	}
}

// The sample of each row is a message's value, so that the docs cannot lie.
func TestFieldsAreComplete(t *testing.T) {
	seen := map[string]bool{}
	for _, f := range RedirectFields {
		if f.Name == "" || f.Doc.EN == "" || f.Doc.RU == "" || f.Sample == "" || f.Source == "" || f.value == nil {
			t.Errorf("row %q of the redirect is not complete", f.Name)
		}
	}
	for _, f := range Fields {
		if f.Name == "" || f.Doc.EN == "" || f.Doc.RU == "" || f.Sample == "" || f.Source == "" || f.value == nil {
			t.Errorf("row %q is not complete", f.Name)
		}
		if seen[f.Name] {
			t.Errorf("row %q is there twice", f.Name)
		}
		seen[f.Name] = true
		if f.Name == "status" || f.Name == "control" {
			continue
		}
		m := fullMessage()
		m.Charged = f.value(m) == "" // the card's fields have other names then
		if got := f.value(m); got != f.Sample {
			t.Errorf("%s: sample %q, value %q", f.Name, f.Sample, got)
		}
	}
	if Fields[0].Name != "status" || Fields[len(Fields)-1].Name != "control" {
		t.Error("status opens and control closes a callback")
	}
}

func TestCardIsToldAsDestinationOrAsCharged(t *testing.T) {
	for charged, want := range map[bool][]string{false: {"dest-bin", "dest-last-four-digits", "dest-card-type"},
		true: {"bin", "last-four-digits", "card-type", "card-holder-name"}} {
		m := fullMessage()
		m.Charged = charged
		var got []string
		for _, p := range Params(m) {
			if p.Value == "444455" || p.Value == "1111" || p.Value == "VISA" || p.Value == "JOHN SMITH" {
				got = append(got, p.Name)
			}
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("charged %v: %s", charged, diff)
		}
	}
}
