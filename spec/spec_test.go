package spec

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"payout"
	"payout/sign"
)

func TestNamesAreUniqueWithinACommand(t *testing.T) {
	paths := map[string]bool{}
	for _, c := range Commands {
		if paths[c.Path()] {
			t.Errorf("%s is listed twice", c.Path())
		}
		paths[c.Path()] = true
		names := map[string]bool{}
		for _, u := range c.Params {
			for _, name := range u.Names() {
				if names[name] {
					t.Errorf("%s: %s is the name of two parameters", c.Path(), name)
				}
				names[name] = true
			}
		}
	}
}

func TestEveryParameterIsDocumentedAndItsSampleAccepted(t *testing.T) {
	eachRow(t, func(t *testing.T, c *Command, u Use) {
		if u.Doc.EN == "" || u.Doc.RU == "" || u.Source == "" || u.Sample == "" {
			t.Errorf("a text is missing: Doc %q, Source %q, Sample %q", u.Doc, u.Source, u.Sample)
		}
		if n := utf8.RuneCountInString(u.Sample); n < u.Min || n > u.Length() {
			t.Errorf("sample %q has %d characters, want %d to %d", u.Sample, n, u.Min, u.Length())
		}
		if rule := u.Kind.broken(u.Sample); rule != "" {
			t.Errorf("sample %q: %s", u.Sample, rule)
		}
		if u.Min > u.Length() || u.Length() == 0 {
			t.Errorf("length is %d to %d", u.Min, u.Length())
		}
	})
}

func TestEveryCommandIsDocumented(t *testing.T) {
	for _, c := range Commands {
		if c.Doc.EN == "" || c.Doc.RU == "" || c.Source == "" || c.Reply == nil || c.Auth == "" || len(c.Params) == 0 {
			t.Errorf("%s: Doc, Source, Reply, Auth or Params are missing", c.Path())
		}
		if c.Auth == Control != (c.Version == 2) {
			t.Errorf("%s: version %d with %s", c.Path(), c.Version, c.Auth)
		}
		for _, rule := range c.Rules {
			if rule.Doc.EN == "" || rule.Doc.RU == "" {
				t.Errorf("%s: a rule has no text", c.Path())
			}
		}
		for _, f := range c.Reply.Fields {
			if f.Name == "" || f.Doc.EN == "" || f.Doc.RU == "" {
				t.Errorf("%s: reply field %q has no text", c.Path(), f.Name)
			}
		}
	}
}

// row is a row of a source's table: names, our necessity, and the length that
// the source prints. Each departure is in DIVERGENCES.md.
type row struct {
	names  string
	need   Need
	length int
	want   int // our length, when it departs
}

// sourceRows are the tables as the sources print them; 0 is a length that the
// source leaves open.
var sourceRows = map[*Command][]row{
	Payout: { // 3.26 as far as it can be read (AF 3.1 A)
		{"client_orderid client-order-id", Required, 128, 0}, {"amount", Required, 10, 0}, {"currency", Required, 3, 0}, {"order_desc", Optional, 64, 0},
		{"ipaddress", Conditional, 45, 0}, {"purpose", Conditional, 128, 0}, {"server_callback_url", Optional, 128, 1024},
		// The older table (AF 3.1 B).
		{"account_number", Conditional, 24, 34}, {"bank_name", Conditional, 255, 0}, {"bank_branch", Conditional, 255, 0},
		{"receiver_email email", Conditional, 128, 0}, {"bank_code", Conditional, 3, 16}, {"bank_address1", Conditional, 255, 0},
		{"bank_zip_code", Conditional, 255, 0}, {"routing_number", Conditional, 16, 0}, {"bank_province", Optional, 255, 0},
		{"bank_area", Optional, 255, 0}, {"account_name", Conditional, 128, 0}, {"credit_card_number", Conditional, 20, 19},
		{"card_printed_name", Conditional, 128, 0}, {"expire_month", Conditional, 2, 0}, {"expire_year", Conditional, 4, 0},
	},
	PayoutPay: { // 3.39
		{"client_orderid client-order-id", Required, 0, 0}, {"orderid", Required, 0, 0}, {"login", Required, 0, 0},
	},
	WithdrawalSBP: { // 3.15
		{"client_orderid client-order-id", Required, 128, 0}, {"amount", Required, 10, 0}, {"currency", Required, 3, 0},
		{"receiver_phone phone", Required, 128, 0}, {"merchant_data bank_id", Required, 65536, 0}, {"ipaddress", Optional, 45, 0},
		{"purpose", Optional, 128, 0}, {"receiver_first_name first_name", Optional, 128, 0}, {"receiver_last_name last_name", Optional, 128, 0},
		{"receiver_country_code country", Optional, 3, 0}, {"receiver_state state", Optional, 4, 0}, {"receiver_city city", Optional, 128, 0},
		{"receiver_zip_code zip_code", Optional, 32, 0}, {"receiver_address1 address1", Optional, 256, 0},
		{"receiver_email email", Optional, 128, 0}, {"order_desc", Optional, 64, 0}, {"server_callback_url", Optional, 128, 1024},
	},
	TransferByRef: { // 1.1.5
		{"client_orderid client-order-id", Required, 128, 0}, {"destination-card-no", Conditional, 19, 0}, {"destination-card-ref-id", Conditional, 20, 0},
		{"amount", Required, 10, 0}, {"currency", Required, 3, 0}, {"order_desc", Required, 65536, 0},
		{"receiver_identity_document_series", Optional, 512, 0}, {"receiver_identity_document_number", Optional, 512, 0},
		{"receiver_identity_document_id", Optional, 512, 0}, {"receiver_address1", Conditional, 512, 0}, {"receiver_city", Conditional, 512, 0},
		{"receiver_first_name", Required, 128, 0}, {"receiver_middle_name", Optional, 128, 0}, {"receiver_last_name", Required, 128, 0},
		{"receiver_phone", Optional, 128, 0}, {"receiver_resident", Optional, 5, 0}, {"ipaddress", Optional, 45, 0}, {"first_name", Optional, 128, 0},
		{"middle_name", Optional, 128, 0}, {"last_name", Optional, 128, 0}, {"ssn", Optional, 32, 0}, {"birthday", Optional, 8, 0},
		{"address1", Optional, 50, 0}, {"city", Optional, 50, 0}, {"state", Optional, 3, 0}, {"zip_code", Optional, 10, 0},
		{"receiver_zip_code", Conditional, 10, 0}, {"country", Optional, 2, 0}, {"receiver_country_code", Optional, 2, 0}, {"phone", Optional, 15, 0},
		{"cell_phone", Optional, 15, 0}, {"email", Optional, 50, 0}, {"purpose", Optional, 128, 0}, {"server_callback_url", Optional, 128, 1024},
		{"redirect_url", Optional, 250, 1024}, {"redirect_success_url", Optional, 1024, 0}, {"redirect_fail_url", Optional, 1024, 0},
		{"merchant_data", Optional, 65536, 0},
	},
	PayoutByRef: { // AF 5.2
		{"client_orderid client-order-id", Required, 128, 0}, {"amount", Required, 10, 0}, {"currency", Required, 3, 0},
		{"destination-card-ref-id", Required, 20, 0}, {"order_desc", Optional, 64, 0}, {"ipaddress", Conditional, 45, 0},
		{"purpose", Conditional, 128, 0},
	},
	CreateCardRefV2: { // 1.1.5
		{"login", Required, 0, 0}, {"client_orderid", Required, 0, 0}, {"orderid", Required, 0, 0}, {"control", Required, 0, 0},
	},
	StatusV4: { // AF 8
		{"login", Required, 0, 0}, {"client_orderid client-order-id", Required, 0, 0}, {"orderid", Conditional, 0, 0}, {"by-request-sn", Optional, 0, 0},
	},
	StatusV2: { // 1.1.5
		{"login", Required, 0, 0}, {"client_orderid", Required, 0, 0}, {"orderid", Conditional, 0, 0}, {"by-request-sn", Optional, 0, 0},
		{"control", Required, 0, 0},
	},
}

func TestTablesAreThoseOfTheSources(t *testing.T) {
	for c, rows := range sourceRows {
		for _, row := range rows {
			i := slices.IndexFunc(c.Params, func(u Use) bool { return strings.Join(u.Names(), " ") == row.names })
			if i < 0 {
				t.Errorf("%s has no %q", c.Path(), row.names)
				continue
			}
			want := row.want
			if want == 0 {
				want = row.length
			}
			if u := c.Params[i]; u.Need != row.need || want != 0 && u.Length() != want {
				t.Errorf("%s: %s is %s, %d characters; want %s, %d", c.Path(), u.Name, u.Need, u.Length(), row.need, want)
			}
		}
	}
	if len(Payout.Params) != len(PayoutCheck.Params) || len(Payout.Rules) != len(PayoutCheck.Rules) {
		t.Error("payout-check has another table than payout")
	}
	if WithdrawalSBP.Group { // 3.15 lists no group URL, 3.26 and 3.39 do
		t.Error("withdrawal-sbp is served for groups")
	}
}

// secret is in every value of the test below; no rule's text contains it.
const secret = "4929"

// secrets is a request whose values all show that they are values.
func secrets(c *Command) []sign.Pair {
	form := full(c)
	for i, pair := range form {
		u := c.Params[slices.IndexFunc(c.Params, func(u Use) bool { return u.Name == pair.Name })]
		switch u.Kind {
		case Currency:
		case Serial:
			form[i].Value = "00000000-0000-0000-0000-00000000" + secret
		case URL:
			form[i].Value = "https://example.com/" + secret
		case IP:
			form[i].Value = secret + "::" + secret
		default:
			form[i].Value = secret[:min(len(secret), u.Length())]
		}
	}
	return form
}

func TestErrorTextsNeverContainAValue(t *testing.T) {
	seen := map[payout.ErrCode]bool{}
	eachRow(t, func(t *testing.T, c *Command, u Use) {
		name := u.Name
		for _, values := range [][]string{
			{}, {""}, {secret}, {strings.Repeat(secret, 20000)}, {secret[:2]}, {secret + "\x00"}, {secret + "\n"}, {secret + "x"}, {"x" + secret}, {secret + ".9999"},
			{"-" + secret}, {"https://" + secret + ":" + secret + "@h/"}, {"https://h/ " + secret}, {"https://" + secret + ":port/"}, {"492"}, {secret, secret}, {secret, "x"},
		} {
			var pairs []sign.Pair
			for _, value := range values {
				pairs = append(pairs, sign.Pair{Name: name, Value: value})
			}
			if len(u.Names()) > 1 {
				pairs = append(pairs, sign.Pair{Name: u.Names()[1], Value: secret + secret})
			}
			_, err := c.Parse(append(without(secrets(c), u), pairs...))
			if err == nil {
				continue
			}
			refusal, ok := errors.AsType[*payout.Error](err)
			if !ok {
				t.Fatalf("%v is a %T", err, err)
			}
			seen[refusal.Code] = true
			if text := fmt.Sprintf("%+v %v", *refusal, err); strings.Contains(text, secret) {
				t.Errorf("%d values: the error shows one: %s", len(values), text)
			}
		}
	})
	for _, row := range payout.ErrCodes() {
		if row.Kind == payout.KindValidation && row.Code != payout.CodeCurrencyEndpoint && row.Code != payout.CodeEncoding && row.Code != payout.CodeNotSupported && row.Code != payout.CodeCardExpired && !seen[row.Code] {
			t.Errorf("code %d was never seen", row.Code)
		}
	}
}

// A client sends a command again after a lost answer if the table says that this
// cannot pay twice. Both kinds of promises must hold.
func TestARepeatIsSafeWhereTheTableSaysSo(t *testing.T) {
	for _, c := range Commands {
		u, has := c.Use(ClientOrderID)
		switch {
		case c.Repeat == RepeatReads != (c.Type == ""):
			t.Errorf("%s: transaction type %q, but a repeat %q", c.Path(), c.Type, c.Repeat)
		case c.Repeat == RepeatReplays && (!has || u.Need != Required):
			t.Errorf("%s is replayed by its client_orderid, which is not required", c.Path())
		case c.Repeat == RepeatReplays && c.Type == payout.TypeCardRef:
			t.Errorf("%s gives another reference each time", c.Path())
		}
	}
}
