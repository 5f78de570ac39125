package api_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"payout"
	"payout/storage"
)

// switchOff disables a part of the set-up, as the command line does.
func (s *sandbox) switchOff(part storage.Switchable, id int64) {
	s.t.Helper()
	check(s.t, s.Gateway.DB.Transact(s.t.Context(), s.now, func(tx *storage.Tx) error { return tx.Switch(part, id, false) }))
	check(s.t, s.Gateway.Reload(s.t.Context()))
}

// A client whose retry is refused believes that nothing was paid. So a request
// that made an order gets it again, although it could not make one now.
func TestRetryGetsItsOrderWhateverBecameOfTheSetUp(t *testing.T) {
	group := func(clientOrderID string) message {
		m := goodPayout(clientOrderID)
		m.path = "/paynet/api/v4/payout/group/77"
		return m
	}
	for name, test := range map[string]struct {
		message func(string) message
		part    storage.Switchable
		id      int64
		code    payout.ErrCode // of a new order
	}{
		"endpoint switched off":            {goodPayout, storage.SwitchEndpoint, 39915, payout.CodeEndpointDisabled},
		"project switched off":             {goodPayout, storage.SwitchProject, 1, payout.CodeEndpointDisabled},
		"group switched off":               {group, storage.SwitchGroup, 77, payout.CodeEndpointDisabled},
		"endpoint of a group switched off": {group, storage.SwitchEndpoint, 39920, payout.CodeCurrencyEndpoint},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSandbox(t)
			first := field(read(t, s.send(test.message("a"))), "paynet-order-id")
			s.switchOff(test.part, test.id)
			again := read(t, s.send(test.message("a")))
			if got := field(again, "paynet-order-id"); got == "" || got != first {
				t.Errorf("the retry was answered %s, want order %s", again, first)
			}
			changed := test.message("a")
			changed.body = strings.Replace(changed.body, "10.42", "10.43", 1)
			for m, code := range map[*message]payout.ErrCode{&changed: payout.CodeOrderExists, new(test.message("b")): test.code} {
				if body := read(t, s.send(*m)); field(body, "error-code") != fmt.Sprint(int(code)) {
					t.Errorf("%s was answered %s, want code %d", m.body, body, code)
				}
			}
		})
	}
}

func TestRetryWhereRepeatsAreAllowedIsANewOrderAndRefused(t *testing.T) {
	s := newSandbox(t)
	m := goodPayout("a")
	m.path = "/paynet/api/v4/payout/39921"
	s.wantAccepted("first", m)
	s.switchOff(storage.SwitchEndpoint, 39921)
	if body := read(t, s.send(m)); field(body, "error-code") != fmt.Sprint(int(payout.CodeEndpointDisabled)) {
		t.Errorf("answered %s", body)
	}
}

func TestPayoutPayIsRefusedWhereAndWhenNoMoneyMayGo(t *testing.T) {
	for name, test := range map[string]struct {
		change func(*sandbox)
		code   payout.ErrCode // 0: accepted
	}{
		"endpoint switched off": {func(s *sandbox) { s.switchOff(storage.SwitchEndpoint, 39915) }, payout.CodeEndpointDisabled},
		"project switched off":  {func(s *sandbox) { s.switchOff(storage.SwitchProject, 1) }, payout.CodeEndpointDisabled},
		"last moment":           {func(s *sandbox) { s.now = s.now.Add(24*time.Hour - time.Microsecond) }, 0},
		"too late":              {func(s *sandbox) { s.now = s.now.Add(24 * time.Hour) }, payout.CodeOrderFinal},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSandbox(t)
			m := goodPayout("a")
			m.path = "/paynet/api/v4/payout-check/39915"
			began := s.now
			id := field(read(t, s.send(m)), "paynet-order-id")
			s.settle()
			s.now = began
			test.change(s)
			m.path, m.body = "/paynet/api/v4/payout-pay/39915", "client_orderid=a&login=TestMerchant&orderid="+id
			body := read(t, s.send(m))
			want := ""
			if test.code != 0 {
				want = fmt.Sprint(int(test.code))
			}
			if field(body, "error-code") != want {
				t.Errorf("answered %s, want code %q", body, want)
			}
		})
	}
}
