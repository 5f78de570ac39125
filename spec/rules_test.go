package spec

import (
	"maps"
	"testing"

	"payout"
	"payout/sign"
)

// creating are the commands that create an order.
var creating = []*Command{Payout, PayoutCheck, WithdrawalSBP}

func TestAccountNumberIsNeededByPayoutAndPayoutCheckOnly(t *testing.T) {
	for _, c := range []*Command{Payout, PayoutCheck} {
		u := use(t, c, AccountNumber)
		mustRefuse(t, c, with(c, u), payout.CodeRequired, "account_number")
		mustAccept(t, c, with(c, u, "account_number", "1"))
	}
	if _, ok := WithdrawalSBP.Use(AccountNumber); ok {
		t.Error("withdrawal-sbp knows account_number, which 3.15 does not list")
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
			if u.Need == Refused || u.Param == NotifyURL || needed(c, u) {
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
	for _, name := range []string{"account_number", "bank_name", "receiver_first_name", "receiver_phone", "ipaddress", "purpose"} {
		if !IsConditional(name) {
			t.Errorf("%s cannot be required by a gate", name)
		}
	}
	for _, name := range []string{"", "orderid", "client_orderid", "first_name", "credit_card_number", "order_desc", "colour"} {
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
		if u.Need == Refused {
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
