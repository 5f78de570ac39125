package spec

import (
	"maps"
	"testing"

	"payout"
	"payout/sign"
)

// creating are the commands that create an order.
var creating = []*Command{Payout, PayoutCheck, WithdrawalSBP, PayoutByRef, TransferByRef}

func TestExactlyOneDestinationIsNeeded(t *testing.T) {
	for _, test := range []struct {
		commands []*Command
		a, b     *Param
	}{
		{[]*Command{Payout, PayoutCheck}, AccountNumber, CreditCardNumber}, // on payout none is accepted: the gateway knows whether the gate asks
		{[]*Command{TransferByRef}, DestinationCardNo, DestinationCardRef},
	} {
		for _, c := range test.commands {
			none := with(c, use(t, c, test.a))
			a, b := sign.Pair{Name: test.a.Name, Value: test.a.Sample}, sign.Pair{Name: test.b.Name, Value: test.b.Sample}
			if c == Payout {
				mustAccept(t, c, none)
			} else {
				mustRefuse(t, c, none, payout.CodeRequired, a.Name)
			}
			mustAccept(t, c, append(none[:len(none):len(none)], a))
			mustAccept(t, c, append(none[:len(none):len(none)], b))
			mustRefuse(t, c, append(none[:len(none):len(none)], a, b), payout.CodeContradiction, b.Name)
		}
	}
	if _, ok := WithdrawalSBP.Use(AccountNumber); ok {
		t.Error("withdrawal-sbp knows account_number, which 3.15 does not list")
	}
}

func TestStateIsOfItsCountryAndOfThreeCountriesOnly(t *testing.T) {
	c := TransferByRef
	none := without(without(full(c), use(t, c, SenderState)), use(t, c, SenderCountry))
	for _, test := range []struct {
		country, state string
		code           payout.ErrCode // 0: accepted
		param          string
	}{
		{"", "", 0, ""},
		{"DE", "", 0, ""},
		{"US", "WA", 0, ""},
		{"CA", "ON", 0, ""},
		{"AU", "NSW", 0, ""},
		{"US", "PR", 0, ""},
		{"US", "", payout.CodeRequired, "state"},
		{"AU", "", payout.CodeRequired, "state"},
		{"AU", "WA", 0, ""}, // Western Australia
		{"CA", "WA", payout.CodeFormat, "state"},
		{"US", "wa", payout.CodeFormat, "state"},
		{"DE", "BY", payout.CodeContradiction, "state"},
		{"", "WA", payout.CodeContradiction, "state"},
	} {
		form := append(none[:len(none):len(none)], sign.Pair{Name: "country", Value: test.country}, sign.Pair{Name: "state", Value: test.state})
		if test.code == 0 {
			mustAccept(t, c, form)
			continue
		}
		mustRefuse(t, c, form, test.code, test.param)
	}
}

func TestServerCallbackURLAndNotifyURLExcludeEachOther(t *testing.T) {
	const url = "https://example.com/"
	for _, c := range creating {
		form := without(full(c), use(t, c, ServerCallbackURL))
		pairs := func(callback, notify string) []sign.Pair {
			return append(form[:len(form):len(form)], sign.Pair{Name: "server_callback_url", Value: callback}, sign.Pair{Name: "notify_url", Value: notify})
		}
		mustAccept(t, c, pairs("", ""))
		mustAccept(t, c, pairs(url, ""))
		mustAccept(t, c, pairs("", url))
		mustRefuse(t, c, pairs(url, url), payout.CodeContradiction, "notify_url")
		mustRefuse(t, c, pairs(url, url+"other"), payout.CodeContradiction, "notify_url")
	}
}

func TestRequireDemandsTheGatesNamesAndNoOthers(t *testing.T) {
	for _, c := range creating {
		complete := mustAccept(t, c, full(c))
		for _, u := range c.Params {
			if instead[u.Param] != nil || needed(c, u) || ruled(u) {
				continue
			}
			missing := mustAccept(t, c, with(c, u))
			if err := complete.Require([]string{u.Name}); err != nil {
				t.Errorf("%s: %s is there: %v", c.Path(), u.Name, err)
			}
			if err, ok := missing.Require([]string{u.Name}).(*payout.Error); !ok || err.Code != payout.CodeRequired || err.Param != u.Name {
				t.Errorf("%s: %s is missing and demanded: %v", c.Path(), u.Name, err)
			}
			if err := missing.Require(nil); err != nil {
				t.Errorf("%s: %s is missing and not demanded: %v", c.Path(), u.Name, err)
			}
		}
		if err := complete.Require([]string{"orderid", "colour", "phone"}); err != nil {
			t.Errorf("%s: names that the command does not have are demanded: %v", c.Path(), err)
		}
	}
}

func TestRequireOfABankFieldDoesNotStopWithdrawalSBP(t *testing.T) {
	r := mustAccept(t, WithdrawalSBP, full(WithdrawalSBP))
	if err := r.Require([]string{"bank_name"}); err != nil {
		t.Error(err)
	}
}

func TestOnlyParametersOfOrdersCanBeConditionalAtAGate(t *testing.T) {
	for _, name := range []string{"account_number", "bank_name", "receiver_first_name", "receiver_phone", "ipaddress", "purpose", "credit_card_number"} {
		if !IsConditional(name) {
			t.Errorf("%s cannot be required by a gate", name)
		}
	}
	for _, name := range []string{"", "orderid", "client_orderid", "first_name", "merchant_data", "colour"} {
		if IsConditional(name) {
			t.Errorf("%s can be required by a gate", name)
		}
	}
}

func TestValuesAreRecalledWithoutADifference(t *testing.T) {
	for _, c := range Commands {
		r := mustAccept(t, c, full(c))
		again := c.Recall(r.Values(), r.Amount)
		if differs := r.Differs(again); differs != "" {
			t.Errorf("%s: %s differs after Recall", c.Path(), differs)
		}
		if !maps.Equal(again.Values(), r.Values()) {
			t.Errorf("%s: Recall gives %v, want %v", c.Path(), again.Values(), r.Values())
		}
	}
}

func TestDiffersNamesTheParameterThatDiffers(t *testing.T) {
	eachRow(t, func(t *testing.T, c *Command, u Use) {
		if u.Transient {
			return
		}
		r := mustAccept(t, c, with(c, u, u.Name, u.Sample))
		values, amount := r.Values(), r.Amount
		values[u.Name] = "another"
		if u.Param == AmountParam {
			amount.Minor++
		}
		if got := r.Differs(c.Recall(values, amount)); got != u.Name {
			t.Errorf("Differs = %q, want %q", got, u.Name)
		}
		delete(values, u.Name)
		if got := r.Differs(c.Recall(values, amount)); got != u.Name {
			t.Errorf("without it: Differs = %q, want %q", got, u.Name)
		}
	})
}

func TestTransientValuesAreNeitherRememberedNorCompared(t *testing.T) {
	u := use(t, Sale, CVV2)
	a, b := mustAccept(t, Sale, with(Sale, u, "cvv2", "123")), mustAccept(t, Sale, with(Sale, u, "cvv2", "999"))
	if _, remembered := a.Values()["cvv2"]; remembered || a.Text(CVV2) != "123" {
		t.Errorf("remembered %v, and the value is %q", remembered, a.Text(CVV2))
	}
	if differs := a.Differs(b); differs != "" {
		t.Errorf("%s differs", differs)
	}
	// The door takes a control sum in either case: a retry may spell it otherwise.
	sum := use(t, Sale, ControlSum)
	a, b = mustAccept(t, Sale, with(Sale, sum, "control", "abc")), mustAccept(t, Sale, with(Sale, sum, "control", "ABC"))
	if differs := a.Differs(b); differs != "" {
		t.Errorf("%s differs", differs)
	}
}

func TestAmountsAreComparedAsMoney(t *testing.T) {
	u := use(t, Payout, AmountParam)
	r := mustAccept(t, Payout, with(Payout, u, "amount", "10.40"))
	for text, want := range map[string]string{"10.4": "", "010.40": "", "10.40": "", "10.41": "amount", "104": "amount"} {
		if got := r.Differs(mustAccept(t, Payout, with(Payout, u, "amount", text))); got != want {
			t.Errorf("10.40 and %s: Differs = %q, want %q", text, got, want)
		}
	}
}

func TestTextOfAParameterOfAnotherCommandIsEmpty(t *testing.T) {
	if got := mustAccept(t, PayoutPay, full(PayoutPay)).Text(AccountNumber); got != "" {
		t.Errorf("payout-pay has account_number %q", got)
	}
}
