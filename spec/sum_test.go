package spec

import (
	"slices"
	"testing"

	"payout/sign"
)

func TestControlSumsAreThoseOfTheReference(t *testing.T) {
	form := func(pairs ...string) []sign.Pair {
		var f []sign.Pair
		for i := 0; i < len(pairs); i += 2 {
			f = append(f, sign.Pair{Name: pairs[i], Value: pairs[i+1]})
		}
		return f
	}
	for _, test := range []struct {
		command *Command
		id      string
		form    []sign.Pair
		key     string
		want    string
	}{
		{StatusV2, "39915", form("login", "cool_merchant", "client_orderid", "5624444333322221111110", "orderid", "9625"),
			"r45a019070772d1c4c2b503bbdc0fa22", "c52cfb609f20a3677eb280cc4709278ea8f7024c"}, // the documentation's example
		{CreateCardRefV2, "39915", form("login", "cool_merchant", "client_orderid", "5624444333322221111110", "orderid", "9625"),
			"r45a019070772d1c4c2b503bbdc0fa22", "c52cfb609f20a3677eb280cc4709278ea8f7024c"},
		{Sale, "1111", form("client_orderid", "902B4FF5", "amount", "10.42", "currency", "USD", "email", "john.smith@gmail.com"),
			"B17F59B4-A7DC-41B4-8FF9-37D986B43D20", "c6bdd88a78834ef4b863b088827a459f039e8257"},
		{Sale, "1111", form("client_orderid", "902B4FF5", "amount", "1042", "currency", "JPY", "email", "john.smith@gmail.com"),
			"B17F59B4-A7DC-41B4-8FF9-37D986B43D20", "c6bdd88a78834ef4b863b088827a459f039e8257"}, // no decimals: 1042 is its own minor amount
		{AccountVerification, "1111", form("client_orderid", "902B4FF5", "currency", "USD"), "key", sign.Control("1111", "902B4FF5", "", "key")},
	} {
		if got := test.command.Control(test.id, test.form, test.key); got != test.want {
			t.Errorf("%s: %s, want %s", test.command.Path(), got, test.want)
		}
	}
}

func TestEveryControlCommandHasAFormulaOfItsOwnParameters(t *testing.T) {
	for _, c := range Commands {
		if (c.Auth == Control) != (len(c.Sum) > 0) {
			t.Errorf("%s: %s with the parts %v", c.Path(), c.Auth, c.Sum)
		}
		for _, part := range c.Sum {
			if part == SumID || part == SumMinor {
				continue
			}
			if !slices.ContainsFunc(c.Params, func(u Use) bool { return u.Name == string(part) }) {
				t.Errorf("%s: %s is no parameter", c.Path(), part)
			}
		}
	}
}
