package client_test

import (
	"context"
	"io"
	"net/http"
	"reflect"
	"strings"
	"sync"
	"testing"

	"payout"
	"payout/client"
	"payout/gateway"
	"payout/sign"
	"payout/spec"
)

// need starts the shared sandbox, or ends the test.
func need(t *testing.T) *sandbox {
	t.Helper()
	s, err := shared()
	if err != nil {
		t.Fatal(err)
	}
	return s
}

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// answer makes a reply.
func answer(status int, body string) *http.Response {
	return &http.Response{StatusCode: status, Status: http.StatusText(status), Header: http.Header{}, Body: io.NopCloser(strings.NewReader(body))}
}

// methods finds the typed method of each command: by the path that it posts to.
func methods(t *testing.T) map[string]reflect.Method {
	t.Helper()
	found := make(map[string]reflect.Method)
	var path string
	c := &client.Client{BaseURL: "http://gate.example.com/paynet", Login: "m", Key: need(t).key, ControlKey: "k",
		HTTP: &http.Client{Transport: roundTrip(func(r *http.Request) (*http.Response, error) {
			path = r.URL.Path
			return answer(200, "type=async-response\n"), nil
		})}}
	v := reflect.ValueOf(c)
	for i := range v.NumMethod() {
		m := v.Type().Method(i)
		if m.Type.NumIn() != 4 || m.Type.In(2) != reflect.TypeFor[client.Terminal]() || !strings.HasSuffix(m.Type.In(3).Name(), "Request") {
			continue
		}
		m.Func.Call([]reflect.Value{v, reflect.ValueOf(t.Context()), reflect.ValueOf(client.Endpoint(7)), reflect.Zero(m.Type.In(3))})
		name, ok := strings.CutPrefix(path, "/paynet/api/")
		if name, ok2 := strings.CutSuffix(name, "/7"); ok && ok2 {
			found[name] = m
		} else {
			t.Errorf("%s posts to %s", m.Name, path)
		}
	}
	return found
}

// typed sends a form by the typed method of a command.
func typed(ctx context.Context, c *client.Client, m reflect.Method, to client.Terminal, form []sign.Pair) (client.Reply, reflect.Value, error) {
	request := reflect.New(m.Type.In(3)).Elem()
	for _, pair := range form {
		for i := range request.NumField() {
			if request.Type().Field(i).Tag.Get("wire") == pair.Name {
				request.Field(i).SetString(pair.Value)
			}
		}
	}
	out := m.Func.Call([]reflect.Value{reflect.ValueOf(c), reflect.ValueOf(ctx), reflect.ValueOf(to), request})
	err, _ := out[1].Interface().(error)
	return out[0].FieldByName("Reply").Interface().(client.Reply), out[0], err
}

// set changes a parameter of a form, or adds it.
func set(form []sign.Pair, name, value string) []sign.Pair {
	for i := range form {
		if form[i].Name == name {
			form[i].Value = value
			return form
		}
	}
	return append(form, sign.Pair{Name: name, Value: value})
}

func get(form []sign.Pair, name string) string {
	for _, pair := range form {
		if pair.Name == name {
			return pair.Value
		}
	}
	return ""
}

// odd is text that only right encoding brings to the other side.
const odd = "Заказ №7 + ~ 100% & = ; é \"'"

// A journey sends commands by their typed methods.
type journey struct {
	t       *testing.T
	client  *client.Client
	methods map[string]reflect.Method
	to      client.Terminal
}

// run sends a command, and before it what it goes on from. It returns the form
// that was sent and the reply.
func (j journey) run(c *spec.Command) ([]sign.Pair, client.Reply) {
	j.t.Helper()
	form := set(c.Example(), spec.ClientOrderID.Name, newOrderID())
	if c.After != nil {
		before, gave := j.run(c.After.Command)
		id := get(before, spec.ClientOrderID.Name)
		if c.After.Stage != "" {
			want := c.After.Stage.OrderStage(c.After.Command.Type)
			status, err := j.client.Wait(j.t.Context(), j.to, id, gave.Get("paynet-order-id"), func(s client.StatusResponse) bool { return s.OrderStage == want })
			if err != nil || status.OrderStage != want {
				j.t.Fatalf("%s: %v, stage %s, want %s", c.After.Command.Path(), err, status.OrderStage, want)
			}
		}
		if c.After.Gives != nil {
			form = set(form, c.After.Takes.Name, gave.Get(c.After.Gives.Name))
		} else {
			form = set(set(form, spec.ClientOrderID.Name, id), spec.OrderNumber.Name, gave.Get("paynet-order-id"))
		}
	}
	for _, p := range []*spec.Param{spec.OrderDesc, spec.Purpose, spec.MerchantData} {
		if _, has := c.Use(p); has {
			form = set(form, p.Name, odd)
		}
	}
	method, ok := j.methods[c.Path()]
	if !ok {
		j.t.Fatalf("%s has no method", c.Path())
	}
	reply, response, err := typed(j.t.Context(), j.client, method, j.to, form)
	if err != nil {
		j.t.Fatalf("%s: %v", c.Path(), err)
	}
	if reply.Get("type") != c.Reply.Type {
		j.t.Fatalf("%s: reply of type %s, want %s", c.Path(), reply.Get("type"), c.Reply.Type)
	}
	sameAsReply(j.t, response, reply)
	return form, reply
}

// sameAsReply: the typed fields say what the reply says, and none is missing.
func sameAsReply(t *testing.T, response reflect.Value, reply client.Reply) {
	t.Helper()
	typed := map[string]string{}
	for i := range response.NumField() {
		if name := response.Type().Field(i).Tag.Get("wire"); name != "" && response.Field(i).Kind() == reflect.String {
			typed[name] = response.Field(i).String()
		}
	}
	for _, field := range reply.Fields() {
		if typed[field.Name] != field.Value {
			t.Errorf("%s: typed %q, replied %q", field.Name, typed[field.Name], field.Value)
		}
	}
}

func TestEveryCommandByItsTypedMethodOnARealGateway(t *testing.T) {
	s, found := need(t), methods(t)
	if len(found) != len(spec.Commands) {
		t.Errorf("%d methods for %d commands", len(found), len(spec.Commands))
	}
	for name, to := range map[string]client.Terminal{"endpoint": endpoint, "group": client.Group(int64(gateway.SandboxGroup))} {
		for _, inJSON := range []bool{false, true} {
			for _, command := range spec.Commands {
				if name == "group" && !command.Group {
					continue
				}
				t.Run(name+"/"+map[bool]string{true: "JSON", false: "form"}[inJSON]+"/"+command.Path(), func(t *testing.T) {
					t.Parallel()
					c := s.client()
					c.JSON = inJSON
					journey{t, c, found, to}.run(command)
				})
			}
		}
	}
}

func TestOddTextArrivesAsItIs(t *testing.T) {
	s := need(t)
	for _, inJSON := range []bool{false, true} {
		c := s.client()
		c.JSON = inJSON
		id := newOrderID()
		made, err := c.Payout(t.Context(), endpoint, client.PayoutRequest{ClientOrderID: id, Amount: "10.42", Currency: "USD",
			AccountNumber: approvedAccount, Purpose: odd, MerchantData: odd, ReceiverFirstName: "Ёлка", ReceiverLastName: "O’Neil~+"})
		if err != nil {
			t.Fatal(err)
		}
		final, err := c.WaitFinal(t.Context(), endpoint, id, made.PaynetOrderID)
		if err != nil || !final.Approved() || final.PaynetOrderID != made.PaynetOrderID {
			t.Fatalf("%v: %v", final, err)
		}
		if final.Purpose != odd || final.MerchantData != odd || final.FirstName != "Ёлка" || final.LastName != "O’Neil~+" {
			t.Errorf("JSON %v: %q %q %q %q", inJSON, final.Purpose, final.MerchantData, final.FirstName, final.LastName)
		}
	}
}

func TestAnEmptyValueIsSentAndSigned(t *testing.T) {
	c := need(t).client()
	var body string
	c.HTTP = &http.Client{Transport: roundTrip(func(r *http.Request) (*http.Response, error) {
		text, err := r.GetBody()
		if err != nil {
			return nil, err
		}
		all, _ := io.ReadAll(text)
		body = string(all)
		return http.DefaultTransport.RoundTrip(r)
	})}
	form := set(set(spec.Payout.Example(), spec.ClientOrderID.Name, newOrderID()), spec.Purpose.Name, "")
	if _, err := c.Do(t.Context(), spec.Payout, endpoint, form); err != nil {
		t.Fatal(err)
	}
	if !strings.HasSuffix(body, "&purpose=") {
		t.Errorf("sent %s", body)
	}
}

func TestTheOutcomeOfARefusedOrderIsNoError(t *testing.T) {
	c := need(t).client()
	id := newOrderID()
	if _, err := c.Payout(t.Context(), endpoint, client.PayoutRequest{ClientOrderID: id, Amount: "1", Currency: "EUR", AccountNumber: "0987654321"}); err != nil {
		t.Fatal(err)
	}
	final, err := c.WaitFinal(t.Context(), endpoint, id, "")
	if err != nil || final.Status != string(payout.StatusDeclined) || final.ErrorCode != int(payout.CodeDeclined) || final.Approved() || !final.Final() {
		t.Errorf("%v: %v", final, err)
	}
}

func TestWhereCommandsGo(t *testing.T) {
	for base, want := range map[string]string{
		"http://127.0.0.1:8080/paynet":           "http://127.0.0.1:8080/paynet/api/v2/sale/group/77",
		"https://gate.example.com/checkout/":     "https://gate.example.com/checkout/api/v2/sale/group/77",
		"https://gate.example.com:8443":          "https://gate.example.com:8443/api/v2/sale/group/77",
		"https://[2001:db8::1]:8443/a/b/paynet/": "https://[2001:db8::1]:8443/a/b/paynet/api/v2/sale/group/77",
	} {
		c := &client.Client{BaseURL: base, ControlKey: "k", HTTP: &http.Client{Transport: roundTrip(func(r *http.Request) (*http.Response, error) {
			if r.URL.String() != want || r.Method != http.MethodPost || r.Header.Get("Content-Type") != "application/x-www-form-urlencoded" {
				t.Errorf("%s: %s %s", base, r.Method, r.URL)
			}
			return answer(200, "type=async-response"), nil
		})}}
		if _, err := c.SaleV2(t.Context(), client.Group(77), client.SaleV2Request{ClientOrderID: "1"}); err != nil {
			t.Error(err)
		}
	}
}

// The control sums of recorded requests (wire-facts 1, api-facts 2).
func TestControlSumsAreTheReferences(t *testing.T) {
	var got string
	c := &client.Client{BaseURL: "http://h/paynet", Login: "cool_merchant", ControlKey: "r45a019070772d1c4c2b503bbdc0fa22",
		HTTP: &http.Client{Transport: roundTrip(func(r *http.Request) (*http.Response, error) {
			if err := r.ParseForm(); err != nil {
				return nil, err
			}
			got = r.PostForm.Get("control")
			return answer(200, "type=async-response"), nil
		})}}
	if _, err := c.StatusV2(t.Context(), client.Endpoint(1), client.StatusV2Request{ClientOrderID: "5624444333322221111110", OrderID: "9625"}); err != nil || got != "c52cfb609f20a3677eb280cc4709278ea8f7024c" {
		t.Errorf("status: %s %v", got, err)
	}
	c.ControlKey = "B17F59B4-A7DC-41B4-8FF9-37D986B43D20"
	sale := client.SaleV2Request{ClientOrderID: "902B4FF5", Amount: "10.42", Currency: "USD", Email: "john.smith@gmail.com"}
	if _, err := c.SaleV2(t.Context(), client.Group(1111), sale); err != nil || got != "c6bdd88a78834ef4b863b088827a459f039e8257" {
		t.Errorf("sale: %s %v", got, err)
	}
}

func TestManyGoroutinesUseOneClient(t *testing.T) {
	c := need(t).client()
	var group sync.WaitGroup
	for range 8 {
		group.Go(func() {
			id := newOrderID()
			if _, err := c.Payout(t.Context(), endpoint, client.PayoutRequest{ClientOrderID: id, Amount: "10.42", Currency: "USD", AccountNumber: approvedAccount}); err != nil {
				t.Error(err)
			}
			if final, err := c.WaitFinal(t.Context(), endpoint, id, ""); err != nil || !final.Approved() || final.MerchantOrderID != id {
				t.Errorf("%v: %v", err, final)
			}
		})
	}
	group.Wait()
}
