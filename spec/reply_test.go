package spec

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
)

func formText(t *testing.T, r *Reply) string {
	t.Helper()
	b, err := r.Form()
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// success is the success reply of page 3.26, set in another order than the table's.
func success() *Reply {
	return AsyncReply.New().
		Set(FieldEndpoint, "39915").
		Set(FieldPaynetOrder, "6982864").
		Set(FieldMerchantOrder, "1").
		Set(FieldSerial, "00000000-0000-0000-0000-000002e2c322")
}

func TestFormWritesTheSuccessReplyOfThePayoutPage(t *testing.T) {
	const want = "type=async-response\n" +
		"&serial-number=00000000-0000-0000-0000-000002e2c322\n" +
		"&merchant-order-id=1\n" +
		"&paynet-order-id=6982864\n" +
		"&end-point-id=39915\n"
	got := formText(t, success())
	if got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	if len(got) != 137+len("\n") { // the page's Content-Length does not count the last LF
		t.Errorf("it has %d bytes", len(got))
	}
}

func TestFormWritesTheStatusReplyOfTheStatusPage(t *testing.T) {
	reply := StatusReply.New().
		Set(FieldTransactionDate, "2023-01-10 12:46:28 MSK").
		Set(FieldSerial, "00000000-0000-0000-0000-00000aa68276").
		Set(FieldMerchantOrder, "pg1sbw").
		Set(FieldProcessorTxID, "15222817").
		Set(FieldPaynetOrder, "15222817").
		Set(FieldStatus, "approved").
		Set(FieldAmount, "20000.00").
		Set(FieldDescriptor, "no").
		Set(FieldTransactionType, "transfer").
		Set(FieldReceipt, "18042926-d652-331c-b5a0-3e1dbacf69b2").
		Set(FieldEmail, "gmail.com").
		Set(FieldLastName, "Smith").
		Set(FieldFirstName, "John").
		Set(FieldRRN, "187722741").
		Set(FieldApprovalCode, "610669").
		Set(FieldOrderStage, "transfer_approved").
		Set(FieldPhone, "+79633014273").
		Set(FieldProcessingDate, "2015-04-06 22:00:27 MSK").
		Set(FieldByRequestSN, "00000000-0000-0000-0000-00000a8d3992").
		Set(FieldInitialAmount, "20000.00").
		Set(FieldMerchantData, "SAP—Platinum Mastercard® Salary– Immediate Debit")
	const want = "type=status-response\n" +
		"&serial-number=00000000-0000-0000-0000-00000aa68276\n" +
		"&merchant-order-id=pg1sbw\n" +
		"&processor-tx-id=15222817\n" +
		"&paynet-order-id=15222817\n" +
		"&status=approved\n" +
		"&amount=20000.00\n" +
		"&descriptor=no\n" +
		"&transaction-type=transfer\n" +
		"&receipt-id=18042926-d652-331c-b5a0-3e1dbacf69b2\n" +
		"&email=gmail.com\n" +
		"&last-name=Smith\n" +
		"&first-name=John\n" +
		"&processor-rrn=187722741\n" +
		"&approval-code=610669\n" +
		"&order-stage=transfer_approved\n" +
		"&phone=%2B79633014273\n" +
		"&paynet-processing-date=2015-04-06+22%3A00%3A27+MSK\n" +
		"&by-request-sn=00000000-0000-0000-0000-00000a8d3992\n" +
		"&initial-amount=20000.00\n" +
		"&merchantdata=SAP%E2%80%94Platinum+Mastercard%C2%AE+Salary%E2%80%93+Immediate+Debit\n" +
		"&transaction-date=2023-01-10+12%3A46%3A28+MSK\n"
	if got := formText(t, reply); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestFormWritesARecordedValidationError(t *testing.T) {
	reply := ErrorReply.New().
		Set(FieldType, "validation-error").
		Set(FieldErrorCode, "1").
		Set(FieldErrorMessage, "Parameter credit_card_number is required").
		Set(FieldMerchantOrder, "2121").
		Set(FieldSerial, "00000000-0000-0000-0000-000002231f99")
	const want = "type=validation-error\n" + // wire-facts 1
		"&serial-number=00000000-0000-0000-0000-000002231f99\n" +
		"&merchant-order-id=2121\n" +
		"&error-message=Parameter+credit_card_number+is+required\n" +
		"&error-code=1\n"
	if got := formText(t, reply); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestFormEncodesWhatWouldBreakALine(t *testing.T) {
	for value, want := range map[string]string{
		" ": "+", "&": "%26", "=": "%3D", "+": "%2B", "\n": "%0A", "\r": "%0D", "%": "%25", "%26": "%2526", "\x00": "%00",
		"ж": "%D0%B6", "–": "%E2%80%93", "®": "%C2%AE", "🏦": "%F0%9F%8F%A6", "<": "%3C", "\"": "%22", "AZaz09-_.~": "AZaz09-_.~",
	} {
		reply := (&ReplySpec{Type: "x", Fields: []*Field{FieldType, FieldPurpose}}).New().Set(FieldPurpose, value)
		if got := formText(t, reply); got != "type=x\n&purpose="+want+"\n" {
			t.Errorf("%q is written as %q, want %q", value, got, want)
		}
	}
}

func TestEmptyFieldsAreLeftOut(t *testing.T) {
	reply := AsyncReply.New().Set(FieldSerial, "").Set(FieldMerchantOrder, "1")
	if got, want := formText(t, reply), "type=async-response\n&merchant-order-id=1\n"; got != want {
		t.Errorf("form is %q, want %q", got, want)
	}
	b, err := reply.JSON()
	if want := `{"type":"async-response","merchant-order-id":"1"}`; err != nil || string(b) != want {
		t.Errorf("JSON is %s, %v; want %s", b, err, want)
	}
	if got, want := formText(t, ErrorReply.New().Set(FieldErrorCode, "1")), "error-code=1\n"; got != want {
		t.Errorf("form is %q, want %q: no & before the first field", got, want)
	}
}

func TestFieldThatTheTableDoesNotListIsRefused(t *testing.T) {
	for _, value := range []string{"approved", ""} {
		reply := success().Set(FieldStatus, value)
		if b, err := reply.Form(); err == nil {
			t.Errorf("form with status %q is written: %q", value, b)
		}
		if b, err := reply.JSON(); err == nil {
			t.Errorf("JSON with status %q is written: %s", value, b)
		}
	}
}

func TestFieldsOfAReplyAreNamedOnceAndBeginWithType(t *testing.T) {
	for _, s := range []*ReplySpec{AsyncReply, StatusReply, ErrorReply} {
		if s.Fields[0] != FieldType || s.Fields[1] != FieldSerial {
			t.Errorf("%s does not begin with type and serial-number", s.Type)
		}
		names := map[string]bool{}
		for _, f := range s.Fields {
			if names[f.Name] {
				t.Errorf("%s lists %s twice", s.Type, f.Name)
			}
			names[f.Name] = true
		}
	}
}

func TestJSONHasTheFormsNamesAndStringsButForErrorCode(t *testing.T) {
	for _, s := range []*ReplySpec{AsyncReply, StatusReply, ErrorReply} {
		reply := s.New()
		for _, f := range s.Fields {
			reply.Set(f, "a\"\\\n&=+–® \u2028<ж")
		}
		reply.Set(FieldType, "t")
		if slices.Contains(s.Fields, FieldErrorCode) {
			reply.Set(FieldErrorCode, "398")
		}
		b, err := reply.JSON()
		if err != nil {
			t.Fatal(err)
		}
		var got map[string]any
		if err := json.Unmarshal(b, &got); err != nil {
			t.Fatalf("%s: %v", b, err)
		}
		if len(got) != len(s.Fields) {
			t.Errorf("%s has %d names, want %d", b, len(got), len(s.Fields))
		}
		for _, f := range s.Fields {
			want := any(reply.Get(f))
			if f == FieldErrorCode {
				want = 398.0
			}
			if got[f.Name] != want {
				t.Errorf("%s is %#v, want %#v", f.Name, got[f.Name], want)
			}
		}
	}
}

func TestJSONKeepsTheOrderOfTheForm(t *testing.T) {
	b, err := success().JSON()
	const want = `{"type":"async-response","serial-number":"00000000-0000-0000-0000-000002e2c322","merchant-order-id":"1",` +
		`"paynet-order-id":"6982864","end-point-id":"39915"}`
	if err != nil || string(b) != want {
		t.Errorf("got %s, %v\nwant %s", b, err, want)
	}
	if strings.Count(formText(t, success()), "\n") != 5 {
		t.Error("form and JSON differ in their number of fields")
	}
}
