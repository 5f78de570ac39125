package gateway

import (
	"errors"
	"strings"
	"testing"

	"payout"
	"payout/processor"
)

// Rails quote what they were sent, and send what no column and no reply can hold.
func TestWhatARailWritesIsMadeFit(t *testing.T) {
	o := &payout.Order{Params: map[string]string{"account_number": "1234567890", "account_name": "John Q. Public",
		"receiver_phone": "+7 (916) 123-45-67", "phone": "+1 206 358-20-43", "cell_phone": "+1 206 358-20-44", "receiver_first_name": "Al", "order_desc": "Rent for May"}}
	for _, test := range []struct{ text, want string }{
		{"Insufficient funds", "Insufficient funds"},
		{"account 1234567890 of John Q. Public", "account ******7890 of **********blic"},
		{"no phone 79161234567", "no phone *******4567"},
		{"no phone +7 (916) 123-45-67", "no phone **************5-67"},
		{"sender 12063582043 or 12063582044", "sender *******2043 or *******2044"},
		{"Al paid Rent for May", "Al paid Rent for May"}, // too short to hide; not sensitive
		{"a\x00b\r\nc\xffd\u0085e", "abcde"},
		{"account 12345\n67890 of John\x00 Q. Public", "account ******7890 of **********blic"},
		{strings.Repeat("ы", 255), strings.Repeat("ы", 255)},
		{strings.Repeat("ы", 256), strings.Repeat("ы", 255)},
	} {
		got := presentable(o, processor.Outcome{Text: test.text, Advice: test.text, Err: errors.New(test.text)})
		if got.Text != test.want || got.Advice != test.want || got.Err.Error() != test.want {
			t.Errorf("%q became %q and the error %q, want %q", test.text, got.Text, got.Err, test.want)
		}
	}
	got := presentable(o, processor.Outcome{TxID: "a\x00b", RRN: strings.Repeat("1", 300), ApprovalCode: "\n610669"})
	if got.TxID != "ab" || len(got.RRN) != 255 || got.ApprovalCode != "610669" || got.Err != nil {
		t.Errorf("ids became %+v", got)
	}
}

func TestLongerValueIsHiddenBeforeOneThatBeginsIt(t *testing.T) {
	o := &payout.Order{Params: map[string]string{"account_number": "40817810", "receiver_phone": "40817810999"}}
	if got := presentable(o, processor.Outcome{Text: "no 40817810999, no 40817810"}).Text; got != "no *******0999, no ****7810" {
		t.Errorf("%q", got)
	}
}

// A card code is hidden as a number of its own, not within another one.
func TestQuotedCardCodeIsHidden(t *testing.T) {
	for text, want := range map[string]string{"123": "***", "wrong code 123.": "wrong code ***.", "cvv=123 of 1234": "cvv=*** of 1234",
		"ref 9123": "ref 9123", "": ""} {
		got := withoutCode(processor.Outcome{Text: text, Advice: text, RRN: text, TxID: text, ApprovalCode: text, Err: errors.New(text)}, "123")
		if got.Text != want || got.Advice != want || got.RRN != want || got.TxID != want || got.ApprovalCode != want || got.Err.Error() != want {
			t.Errorf("%q became %+v, want %q", text, got, want)
		}
	}
}
