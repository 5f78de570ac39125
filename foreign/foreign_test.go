// Package foreign has others' OAuth libraries pay on a real gateway: what signs
// by RFC 5849 is accepted, whoever wrote it.
package foreign

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"payout"
	"payout/gateway"
	"payout/server/servertest"
	"payout/sign"
	"payout/spec"
)

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

const patience = 30 * time.Second // with one callback

// What is hard to sign: letters outside ASCII, what form and percent encoding
// write differently, and a value that is empty.
const (
	hardPurpose = "Выплата №7 + 10 % ~ (a*b)=c&d 'e'"
	hardOrderID = "заказ-~+"
)

// A receiver takes the callbacks of a Connecting Party.
func receiver(t *testing.T) (address string, called <-chan url.Values) {
	t.Helper()
	calls := make(chan url.Values, 10)
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { calls <- r.URL.Query() }))
	t.Cleanup(server.Close)
	return server.URL + "/callback?from=~%2B%20gate", calls
}

// reply reads a form-encoded reply.
func reply(t *testing.T, code int, body string) url.Values {
	t.Helper()
	if code != http.StatusOK {
		t.Fatalf("HTTP %d: %s", code, body)
	}
	values, err := url.ParseQuery(strings.ReplaceAll(body, "\n", ""))
	check(t, err)
	return values
}

// want compares a value of a reply.
func want(t *testing.T, values url.Values, name, value string) {
	t.Helper()
	if got := values.Get(name); got != value {
		t.Errorf("%s is %q, want %q: %v", name, got, value, values)
	}
}

func TestForeignSignersPay(t *testing.T) {
	s := servertest.Start(t)
	address := func(c *spec.Command) string {
		return s.Base + "/api/" + c.Path() + "/" + gateway.SandboxEndpoint.String()
	}
	for _, signer := range signers {
		t.Run(signer.name, func(t *testing.T) {
			callbacks, called := receiver(t)
			id := hardOrderID + signer.name
			code, body := signer.send(t, address(spec.Payout), s.Login, s.Key, [][2]string{
				{spec.ClientOrderID.Name, id}, {spec.AmountParam.Name, "10.42"}, {spec.CurrencyParam.Name, "RUB"},
				{spec.AccountNumber.Name, "1234567890"}, {spec.AccountName.Name, "Анна-Мария О'Нил"},
				{spec.Purpose.Name, hardPurpose}, {spec.OrderDesc.Name, "~"}, {spec.MerchantData.Name, ""}, {spec.ServerCallbackURL.Name, callbacks}})
			accepted := reply(t, code, body)
			want(t, accepted, "type", spec.AsyncReply.Type)
			want(t, accepted, "merchant-order-id", id)
			order := accepted.Get(spec.FieldPaynetOrder.Name)

			select {
			case outcome := <-called:
				want(t, outcome, "status", string(payout.StatusApproved))
				want(t, outcome, "from", "~+ gate")
				want(t, outcome, "control", sign.CallbackControl("approved", order, id, s.ControlKey.Reveal()))
			case <-time.After(patience):
				t.Fatal("no callback came")
			}

			code, body = signer.send(t, address(spec.StatusV4), s.Login, s.Key, [][2]string{
				{spec.Login.Name, s.Login}, {spec.ClientOrderID.Name, id}, {spec.OrderNumber.Name, order}, {spec.ByRequestSN.Name, ""}})
			stands := reply(t, code, body)
			want(t, stands, "type", spec.StatusReply.Type)
			want(t, stands, "status", string(payout.StatusApproved))
			want(t, stands, "order-stage", payout.Approved.OrderStage(payout.TypePayout))
			want(t, stands, "purpose", hardPurpose)
			want(t, stands, "amount", "10.42")
		})
	}
}

// TestForeignSignersWithAnotherKeyAreDenied: the gateway does look at what they sign.
func TestForeignSignersWithAnotherKeyAreDenied(t *testing.T) {
	s := servertest.Start(t)
	other := servertest.NewKey(t)
	for _, signer := range signers {
		t.Run(signer.name, func(t *testing.T) {
			code, body := signer.send(t, s.Base+"/api/"+spec.Payout.Path()+"/"+gateway.SandboxEndpoint.String(), s.Login, other, [][2]string{
				{spec.ClientOrderID.Name, signer.name}, {spec.AmountParam.Name, "10.42"}, {spec.CurrencyParam.Name, "RUB"}, {spec.AccountNumber.Name, "1234567890"}})
			if code != http.StatusForbidden || body != spec.AccessDenied {
				t.Errorf("HTTP %d: %s", code, body)
			}
		})
	}
}
