package simulator

import (
	"context"
	"strconv"
	"testing"
	"time"

	"payout"
	"payout/processor"
	"payout/processor/processortest"
)

func TestCardCodeDecidesTheCharge(t *testing.T) {
	now := time.Unix(1_800_000_000, 0)
	s, err := Open("", Options{Now: func() time.Time { return now }, Sleep: func(context.Context, time.Duration) error { return nil }})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	for i, test := range []struct {
		code   string
		result processor.Result
		error  payout.ErrCode
		asked  processor.Result // by Status afterwards
	}{
		{"123", processor.ResultApproved, 0, processor.ResultApproved},
		{"1234", processor.ResultApproved, 0, processor.ResultApproved},
		{"101", processor.ResultDeclined, payout.CodeIssuerExpired, processor.ResultDeclined},
		{"116", processor.ResultDeclined, payout.CodeInsufficientFunds, processor.ResultDeclined},
		{"119", processor.ResultDeclined, payout.CodeNotPermittedToCard, processor.ResultDeclined},
		{"209", processor.ResultDeclined, payout.CodeStolenCard, processor.ResultDeclined},
		{"217", processor.ResultLost, 0, processor.ResultBroken},
		{"124", processor.ResultDeclined, payout.CodeDeclined, processor.ResultDeclined},
		{"", processor.ResultDeclined, payout.CodeDeclined, processor.ResultDeclined},
	} {
		p := processor.Payment{Reference: strconv.Itoa(i), OrderID: payout.OrderID(i + 1), Attempt: 1, Type: payout.TypeSale,
			Amount: payout.Amount{Minor: 1042, Currency: "USD"}, CardCode: payout.Secret(test.code),
			Receiver: processor.Receiver{Card: "4000000000000010"}} // which a payout would be declined to
		if o := s.Charge(t.Context(), p); o.Result != test.result || o.Code != test.error {
			t.Errorf("cvv2 %q: %s %d, want %s %d", test.code, o.Result, o.Code, test.result, test.error)
		}
		if o := s.Status(t.Context(), p); o.Result != test.asked {
			t.Errorf("cvv2 %q: asked afterwards %s, want %s", test.code, o.Result, test.asked)
		}
	}
}

// chargeBehaviours are what the card codes do.
func chargeBehaviours() processortest.Behaviours {
	with := func(code payout.Secret) processortest.Behaviour {
		return processortest.Behaviour{CardCode: code, Receiver: processor.Receiver{
			Card: "4444555566661111", CardName: "JOHN SMITH", CardExpireMonth: "12", CardExpireYear: "2099"}}
	}
	late := with("217")
	late.Settings = map[string]string{SettingSilence: "1h"}
	none := processortest.Behaviour{Skip: "no card code does this"}
	return processortest.Behaviours{
		Approve:        with("123"),
		Decline:        with("116"),
		DeclineTryNext: none,
		Break:          none,
		AcceptApprove:  none,
		AcceptDecline:  none,
		Refuse:         none,
		CutPaid:        none,
		CutUnpaid:      with("217"),
		Late:           late,
		Nonsense:       noNonsense,
		Twice:          noTwice,
	}
}
