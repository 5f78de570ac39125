package postman

import (
	"embed"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"payout"
	"payout/spec"
)

//go:embed scripts
var scripts embed.FS

// jsonType asks for replies that tests can read easily.
const jsonType = "application/vnd.pay+json"

type request struct {
	Name    string  `json:"name"`
	Event   []event `json:"event,omitempty"`
	Request details `json:"request"`
}

type details struct {
	Auth        *auth    `json:"auth,omitempty"` // nil: the collection's
	Method      string   `json:"method"`
	Header      []header `json:"header"`
	Body        body     `json:"body"`
	URL         address  `json:"url"`
	Description string   `json:"description,omitempty"`
}

type header struct {
	Key   string `json:"key"`
	Value string `json:"value"`
}

type body struct {
	Mode       string `json:"mode"`
	URLEncoded []pair `json:"urlencoded"`
}

type pair struct {
	Key         string `json:"key"`
	Value       string `json:"value"`
	Type        string `json:"type"`
	Disabled    bool   `json:"disabled,omitempty"`
	Description string `json:"description,omitempty"`
}

type address struct {
	Raw  string   `json:"raw"`
	Host []string `json:"host"`
	Path []string `json:"path"`
}

type event struct {
	Listen string `json:"listen"` // prerequest or test
	Script script `json:"script"`
}

type script struct {
	Type string   `json:"type"`
	Exec []string `json:"exec"`
}

// on makes an event that runs a file of scripts/, which reads the object about.
func on(listen, file string, about map[string]any) event {
	text, err := scripts.ReadFile("scripts/" + file)
	if err != nil {
		panic(err) // it is part of the program
	}
	facts, err := json.Marshal(about) // in the order of the names
	if err != nil {
		panic(err) // texts, numbers, lists and maps of them
	}
	lines := append([]string{"const about = " + string(facts) + ";"}, strings.Split(strings.TrimSuffix(string(text), "\n"), "\n")...)
	return event{Listen: listen, Script: script{Type: "text/javascript", Exec: lines}}
}

// base is a request of a command without scripts that look at its reply.
func (p *plan) base(c, about *spec.Command, name string) *request {
	path := append([]string{"api"}, strings.Split(c.Path(), "/")...)
	target := use(varEndpoint)
	if c.Group {
		target = use(varTarget)
	}
	path = append(path, target)
	r := &request{Name: name, Request: details{Method: http.MethodPost,
		Header: []header{{"Accept", jsonType}},
		Body:   body{Mode: "urlencoded", URLEncoded: p.form(c, about)},
		URL:    address{Raw: use(varBase) + "/" + strings.Join(path, "/"), Host: []string{use(varBase)}, Path: path},
	}}
	r.Request.Description = p.describe(c)
	if c.Auth == spec.Control {
		r.Request.Auth = &noAuth
		r.Event = append(r.Event, on("prerequest", "control.js", map[string]any{
			"sum": c.Sum, "id": spec.SumID, "minor": spec.SumMinor, "target": target, "key": varControlKey, "variable": varControl,
			"amount": spec.AmountParam.Name, "currency": spec.CurrencyParam.Name, "exponents": exponents(c)}))
	}
	return r
}

// form has the parameters of a command: those of its example, and switched off
// the others. about is the command whose order they name.
func (p *plan) form(c, about *spec.Command) []pair {
	example := c.Example()
	var pairs []pair
	for _, u := range c.Params {
		value, on := u.Sample, false
		for _, e := range example {
			on = on || e.Name == u.Name
		}
		switch {
		case c.After != nil && c.After.Takes == u.Param:
			value, on = use(givenBy(c.After.Command, c.After.Gives)), true
		case u.Param == spec.ClientOrderID:
			value = use(clientOrderOf(about))
		case u.Param == spec.OrderNumber && owner(about) != c:
			value, on = use(orderOf(about)), true
		case u.Param == spec.Login:
			value = use(varLogin)
		case u.Param == spec.ControlSum:
			value, on = use(varControl), true
		}
		pairs = append(pairs, pair{Key: u.Name, Value: value, Type: "text", Disabled: !on,
			Description: fmt.Sprintf("%s, %s(%d). %s", u.Need, u.Kind.Wire(), u.Length(), p.in(u.Doc))})
	}
	return pairs
}

func (p *plan) describe(c *spec.Command) string {
	texts := []string{p.in(c.Doc)}
	for _, rule := range c.Rules {
		texts = append(texts, p.in(rule.Doc))
	}
	return strings.Join(texts, "\n\n")
}

// exponents has the decimals of the currencies that have not 2, when the sum is
// made of an amount in minor units.
func exponents(c *spec.Command) map[string]int {
	if !slices.Contains(c.Sum, spec.SumMinor) {
		return nil
	}
	others := make(map[string]int)
	for _, currency := range payout.Currencies() {
		if n := currency.Exponent(); n != 2 {
			others[currency.Code()] = n
		}
	}
	return others
}

// request sends a command and looks at its reply.
func (p *plan) request(c *spec.Command) *request {
	r := p.base(c, c, c.Path())
	if owner(c) == c {
		if _, names := c.Use(spec.ClientOrderID); names {
			r.Event = append([]event{on("prerequest", "begin.js", map[string]any{"variable": p.hand(clientOrderOf(c))})}, r.Event...)
		}
	}
	agrees, keeps := make(map[string]string), make(map[string]string)
	for _, f := range c.Reply.Fields {
		switch f {
		case spec.FieldMerchantOrder:
			agrees[f.Name] = clientOrderOf(c)
		case spec.FieldPaynetOrder:
			if owner(c) == c {
				keeps[p.hand(orderOf(c))] = f.Name
			} else {
				agrees[f.Name] = orderOf(c)
			}
		}
	}
	for _, f := range p.gives(c) {
		keeps[p.hand(givenBy(c, f))] = f.Name
	}
	facts := map[string]any{"command": c.Path(), "type": c.Reply.Type, "agrees": agrees, "keeps": keeps}
	stage, known := p.stages[owner(c)]
	if known && slices.Contains(c.Reply.Fields, spec.FieldStatus) {
		facts["status"] = stage.Status()
	}
	r.Event = append(r.Event, on("test", "reply.js", facts))
	return r
}

// triesMax bounds how often a request for the status repeats itself.
const triesMax = 60

// poll asks for the status until the order has come as far as it does by itself.
func (p *plan) poll(c *spec.Command) *request {
	ask := p.statusCommand(c.Auth)
	r := p.base(ask, c, c.Path()+": "+p.in(text("status", "статус")))
	var final []payout.Status
	for _, row := range payout.Stages() {
		if row.Status.Final() && !slices.Contains(final, row.Status) {
			final = append(final, row.Status)
		}
	}
	r.Event = append(r.Event, on("test", "poll.js", map[string]any{"command": c.Path(), "type": ask.Reply.Type,
		"agrees": map[string]string{spec.FieldMerchantOrder.Name: clientOrderOf(c), spec.FieldPaynetOrder.Name: orderOf(c)},
		"stage":  c.Reaches.OrderStage(c.Type), "status": c.Reaches.Status(), "final": final, "tries": triesMax, "poll": varPoll}))
	return r
}

// refusals sends a request that is not authentic for each way to prove who calls.
func (p *plan) refusals(commands []*spec.Command) []*request {
	var all []*request
	for _, way := range []spec.Auth{spec.OAuthRSA, spec.Control} {
		i := slices.IndexFunc(commands, func(c *spec.Command) bool { return c.Auth == way && owner(c) == c })
		if i < 0 {
			continue
		}
		c := commands[i]
		if way == spec.OAuthRSA {
			r := p.base(c, c, c.Path()+": "+p.in(text("a wrong signature", "неверная подпись")))
			r.Request.Auth = &noAuth
			r.Request.Header = append(r.Request.Header, header{"Authorization", `OAuth oauth_consumer_key="` + use(varLogin) +
				`", oauth_nonce="{{$guid}}", oauth_signature="bm8gc2lnbmF0dXJl", oauth_signature_method="RSA-SHA256", oauth_timestamp="{{$timestamp}}", oauth_version="1.0"`})
			r.Event = append(r.Event, on("test", "denied.js", map[string]any{"status": http.StatusForbidden, "page": "Access is denied"}))
			all = append(all, r)
			continue
		}
		r := p.base(c, c, c.Path()+": "+p.in(text("a wrong control sum", "неверная контрольная сумма")))
		r.Event = []event{on("prerequest", "wrong.js", map[string]any{"variable": varControl}),
			on("test", "refused.js", map[string]any{"status": payout.CodeControl.Row().HTTP, "type": payout.CodeControl.Row().Kind, "code": payout.CodeControl})}
		all = append(all, r)
	}
	return all
}
