package spec

import (
	"errors"
	"slices"
	"strconv"
	"strings"
	"testing"

	"payout"
	"payout/sign"
)

// full is a request with the sample of every row that the command accepts.
// notify_url is left out, because it excludes server_callback_url.
func full(c *Command) []sign.Pair {
	var form []sign.Pair
	for _, u := range c.Params {
		if _, both := c.Use(instead[u.Param]); !both {
			form = append(form, sign.Pair{Name: u.Name, Value: u.Sample})
		}
	}
	return form
}

// instead are the parameters that stand for another one and exclude it.
var instead = map[*Param]*Param{NotifyURL: ServerCallbackURL, CreditCardNumber: AccountNumber, DestinationCardRef: DestinationCardNo}

// without leaves out a row of a form, under any of its names, and what it excludes.
func without(form []sign.Pair, u Use) []sign.Pair {
	return slices.DeleteFunc(slices.Clone(form), func(pair sign.Pair) bool {
		return slices.Contains(u.Names(), pair.Name) || instead[u.Param] != nil && pair.Name == instead[u.Param].Name
	})
}

// with is the full request with a row sent as the pairs of names and values.
func with(c *Command, u Use, pairs ...string) []sign.Pair {
	form := without(full(c), u)
	for i := 0; i < len(pairs); i += 2 {
		form = append(form, sign.Pair{Name: pairs[i], Value: pairs[i+1]})
	}
	return form
}

// use is the row of a parameter; the test ends when the command has none.
func use(t *testing.T, c *Command, p *Param) Use {
	t.Helper()
	u, ok := c.Use(p)
	if !ok {
		t.Fatalf("%s has no %s", c.Path(), p.Name)
	}
	return u
}

func mustAccept(t *testing.T, c *Command, form []sign.Pair) *Request {
	t.Helper()
	r, err := c.Parse(form)
	if err != nil {
		t.Fatalf("%s is refused: %v", c.Path(), err)
	}
	return r
}

// mustRefuse wants the form refused for exactly this parameter.
func mustRefuse(t *testing.T, c *Command, form []sign.Pair, code payout.ErrCode, param string) {
	t.Helper()
	_, err := c.Parse(form)
	refusal, ok := errors.AsType[*payout.Error](err)
	if !ok {
		t.Errorf("%s: %v, want code %d for %s", c.Path(), err, code, param)
		return
	}
	if refusal.Code != code || refusal.Param != param {
		t.Errorf("%s: code %d for %q (%v), want code %d for %q", c.Path(), refusal.Code, refusal.Param, err, code, param)
	}
}

// eachRow runs a test for every row of every command.
func eachRow(t *testing.T, test func(t *testing.T, c *Command, u Use)) {
	for _, c := range Commands {
		for _, u := range c.Params {
			t.Run(c.Path()+"/"+u.Name, func(t *testing.T) { test(t, c, u) })
		}
	}
}

// sized is a value of n characters in the form that the row demands, as far as
// n allows one: a value one too long or too short has to be long enough to be
// blamed for nothing else. Texts are Cyrillic, two bytes for each character.
func sized(u Use, n int) string {
	switch u.Kind {
	case Digits, Phone, Amount, OrderID, Year:
		return strings.Repeat("7", n)
	case Month:
		return strings.Repeat("0", n-1) + "7"
	case Card:
		start := strings.Repeat("4", n-1)
		for d := range 10 {
			if _, err := payout.ParseCardNumber(start + strconv.Itoa(d)); err == nil {
				return start + strconv.Itoa(d)
			}
		}
		return start + "4" // no length of a card
	case Bool:
		if n == 5 {
			return "false"
		}
		return "truetrue"[:n]
	case Birthday:
		if n == 6 {
			return "123199"
		}
		return "123119990"[:n]
	case Currency, Country:
		return (u.Sample + "X")[:n]
	case Serial:
		return (u.Sample + "0")[:n]
	case URL:
		const start = "https://example.com/"
		return start + strings.Repeat("a", n-len(start))
	case IP:
		switch n {
		case 6:
			return "1::234"
		case 7:
			return "1.2.3.4"
		}
		return ("0000:0000:0000:0000:0000:ffff:255.255.255.255" + "0")[:n] // 45 are an address
	}
	return strings.Repeat("ж", n)
}

func TestFullSampleRequestIsAccepted(t *testing.T) {
	for _, c := range Commands {
		r := mustAccept(t, c, full(c))
		for _, pair := range full(c) {
			want := pair.Value
			if pair.Name == CVV2.Name || pair.Name == ControlSum.Name {
				want = "" // see TestTransientValuesAreNeitherRememberedNorCompared
			}
			if got := r.Values()[pair.Name]; got != want {
				t.Errorf("%s: %s is %q, want %q", c.Path(), pair.Name, got, pair.Value)
			}
		}
		if _, ok := c.Use(AmountParam); ok != (r.Amount == payout.Amount{Minor: 1042, Currency: "USD"}) {
			t.Errorf("%s: amount is %v", c.Path(), r.Amount)
		}
	}
}

// needed reports whether a request without the row is refused: by the row, or
// by a rule of the command.
func needed(c *Command, u Use) bool {
	return u.Need == Required || u.Param == AccountNumber && c == PayoutCheck || u.Param == DestinationCardNo
}

// ruled reports whether a rule ties what the row accepts to another row; such
// rows have tests of their own.
func ruled(u Use) bool { return u.Param == SenderState || u.Param == SenderCountry }

func TestMissingOrEmptyParameterIsRefusedOnlyWhenRequired(t *testing.T) {
	eachRow(t, func(t *testing.T, c *Command, u Use) {
		if ruled(u) || u.Param == CreditCardNumber || u.Param == DestinationCardRef && c == TransferByRef {
			return // see rules_test.go
		}
		forms := [][]sign.Pair{with(c, u)}
		for _, name := range u.Names() {
			forms = append(forms, with(c, u, name, ""))
		}
		for _, form := range forms {
			if needed(c, u) {
				mustRefuse(t, c, form, payout.CodeRequired, u.Name)
				continue
			}
			if got, sent := mustAccept(t, c, form).Values()[u.Name]; sent {
				t.Errorf("%s is %q, want it absent", u.Name, got)
			}
		}
	})
}

func TestLongestValueIsAcceptedAndOneCharacterMoreRefused(t *testing.T) {
	eachRow(t, func(t *testing.T, c *Command, u Use) {
		if ruled(u) {
			return
		}
		for _, name := range u.Names() {
			longest := sized(u, u.Length())
			if got := mustAccept(t, c, with(c, u, name, longest)).Text(u.Param); got != longest {
				t.Errorf("%s is %.50q, want %.50q", name, got, longest)
			}
			mustRefuse(t, c, with(c, u, name, sized(u, u.Length()+1)), payout.CodeTooLong, name)
		}
	})
}

func TestShortestValueIsAcceptedAndOneCharacterLessRefused(t *testing.T) {
	eachRow(t, func(t *testing.T, c *Command, u Use) {
		switch {
		case ruled(u) || u.Kind == URL: // the shortest URL is among the URLs
		case u.Min == 0:
			mustAccept(t, c, with(c, u, u.Name, sized(u, 1)))
		default:
			mustAccept(t, c, with(c, u, u.Name, sized(u, u.Min)))
			mustRefuse(t, c, with(c, u, u.Name, sized(u, u.Min-1)), payout.CodeTooShort, u.Name)
		}
	})
}

func TestUseMayOverrideTheLength(t *testing.T) {
	u := optional(OrderDesc)
	if u.Length() != OrderDesc.Max {
		t.Errorf("length is %d, want the parameter's %d", u.Length(), OrderDesc.Max)
	}
	c := &Command{Params: []Use{u.upTo(3)}}
	mustAccept(t, c, []sign.Pair{{Name: "order_desc", Value: "жжж"}})
	mustRefuse(t, c, []sign.Pair{{Name: "order_desc", Value: "жжжж"}}, payout.CodeTooLong, "order_desc")
}

func TestAliasMeansTheSame(t *testing.T) {
	eachRow(t, func(t *testing.T, c *Command, u Use) {
		for _, alias := range u.Names()[1:] {
			want := mustAccept(t, c, with(c, u, u.Name, u.Sample))
			for _, form := range [][]sign.Pair{
				with(c, u, alias, u.Sample),
				with(c, u, alias, u.Sample, u.Name, u.Sample),
				with(c, u, u.Name, u.Sample, alias, u.Sample),
				with(c, u, u.Name, "", alias, u.Sample),
				with(c, u, u.Name, u.Sample, alias, ""),
			} {
				if differs := want.Differs(mustAccept(t, c, form)); differs != "" {
					t.Errorf("%s differs when it is sent as %s", differs, alias)
				}
			}
		}
	})
}

func TestNameAndAliasThatDifferAreRefused(t *testing.T) {
	eachRow(t, func(t *testing.T, c *Command, u Use) {
		for _, alias := range u.Names()[1:] {
			one, other := sized(u, 1), sized(u, 2)
			mustRefuse(t, c, with(c, u, u.Name, one, alias, other), payout.CodeContradiction, alias)
			mustRefuse(t, c, with(c, u, alias, one, u.Name, other), payout.CodeContradiction, u.Name)
		}
	})
}

func TestSameNameTwiceIsRefused(t *testing.T) {
	eachRow(t, func(t *testing.T, c *Command, u Use) {
		for _, name := range u.Names() {
			mustRefuse(t, c, with(c, u, name, u.Sample, name, u.Sample), payout.CodeRepeated, name)
			mustRefuse(t, c, with(c, u, name, u.Sample, name, "other"), payout.CodeRepeated, name)
			mustRefuse(t, c, with(c, u, name, "", name, u.Sample), payout.CodeRepeated, name)
			mustRefuse(t, c, with(c, u, name, u.Sample, name, ""), payout.CodeRepeated, name)
			mustRefuse(t, c, with(c, u, name, "", name, ""), payout.CodeRepeated, name)
		}
	})
}

func TestUnknownNamesAreIgnoredEvenRepeated(t *testing.T) {
	for _, c := range Commands {
		want := mustAccept(t, c, full(c))
		form := append(full(c), sign.Pair{Name: "colour", Value: "red"}, sign.Pair{Name: "colour", Value: "\x00"},
			sign.Pair{}, sign.Pair{Name: "Amount", Value: "1"}, sign.Pair{Name: " amount", Value: "1"})
		got := mustAccept(t, c, form)
		if differs := want.Differs(got); differs != "" || len(got.Values()) != len(want.Values()) {
			t.Errorf("%s: unknown names change the request: %q", c.Path(), differs)
		}
	}
}

func TestV2StatusDoesNotKnowClientOrderIDWithHyphens(t *testing.T) {
	u := use(t, StatusV2, ClientOrderID)
	mustRefuse(t, StatusV2, with(StatusV2, u, "client-order-id", "1"), payout.CodeRequired, "client_orderid")
	form := append(full(StatusV2), sign.Pair{Name: "client-order-id", Value: "other"})
	if got := mustAccept(t, StatusV2, form).Text(ClientOrderID); got != ClientOrderID.Sample {
		t.Errorf("client_orderid is %q, want %q", got, ClientOrderID.Sample)
	}
	u = use(t, StatusV4, ClientOrderID)
	if got := mustAccept(t, StatusV4, with(StatusV4, u, "client-order-id", "1")).Text(ClientOrderID); got != "1" {
		t.Errorf("v4: client_orderid is %q, want %q", got, "1")
	}
}

func TestRefusedRequestHoldsOnlyAcceptableValues(t *testing.T) {
	id, amount := use(t, Payout, ClientOrderID), use(t, Payout, AmountParam)
	for _, test := range []struct {
		name string
		form []sign.Pair
		want string
	}{
		{"another parameter is wrong", with(Payout, amount, "amount", "12345678901"), ClientOrderID.Sample},
		{"another parameter is repeated", append(full(Payout), sign.Pair{Name: "amount", Value: "1"}), ClientOrderID.Sample},
		{"NUL", with(Payout, id, "client_orderid", "a\x00"), ""},
		{"too long", with(Payout, id, "client_orderid", sized(id, 129)), ""},
		{"repeated", with(Payout, id, "client_orderid", "1", "client_orderid", "1"), ""},
		{"contradiction", with(Payout, id, "client_orderid", "1", "client-order-id", "2"), ""},
	} {
		r, err := Payout.Parse(test.form)
		if got := r.Text(ClientOrderID); err == nil || got != test.want {
			t.Errorf("%s: client_orderid is %.50q, %v; want %q and an error", test.name, got, err, test.want)
		}
	}
}

func TestFirstWrongRowOfTheTableIsBlamed(t *testing.T) {
	form := []sign.Pair{{Name: "currency", Value: "usd"}, {Name: "amount", Value: "x"}, {Name: "amount", Value: "y"}}
	mustRefuse(t, Payout, form, payout.CodeRequired, "client_orderid")
	form = append(form, sign.Pair{Name: "client_orderid", Value: "1"})
	mustRefuse(t, Payout, form, payout.CodeRepeated, "amount")
	mustRefuse(t, Payout, append(form[:2:2], form[3]), payout.CodeCurrency, "currency") // an amount needs its currency
}
