// Package postman writes collections of requests for Postman and its command
// line, newman, from the tables of spec: every command, signed or with its control
// sum, in an order in which each finds what it goes on from, with assertions on
// the replies.
//
// postman.go has the collection, plan.go the order of the requests, request.go one
// request, scripts/ what Postman runs before and after it.
package postman

import (
	"bytes"
	"cmp"
	"encoding/json"
	"strings"

	"payout"
	"payout/spec"
)

// An Install is what a collection needs to know of the gateway that it calls. All
// of it becomes variables, which people can change.
type Install struct {
	PublicURL   string // scheme and host that clients call
	ContextPath string // such as /paynet, or empty
	Login       string // of the Connecting Party; empty: a sample
	Endpoint    payout.EndpointID
	Group       payout.GroupID
	ControlKey  payout.Secret // of a sandbox only; empty: people fill it in
	Lang        string        // of the texts, en or ru; empty is en
}

// schemaURL names version 2.1 of the format.
const schemaURL = "https://schema.getpostman.com/json/collection/v2.1.0/collection.json"

// The variables of a collection beside those of orders.
const (
	varBase       = "baseUrl"
	varLogin      = "login"
	varPrivateKey = "privateKey"
	varControlKey = "controlKey"
	varEndpoint   = "endpoint"
	varGroup      = "group"
	varTarget     = "target"
	varPoll       = "pollSeconds"
	varControl    = "control" // of the request that is being sent
)

func use(variable string) string { return "{{" + variable + "}}" }

type collection struct {
	Info     info       `json:"info"`
	Items    []any      `json:"item"` // *request or *folder
	Auth     auth       `json:"auth"`
	Variable []variable `json:"variable"`
}

type info struct {
	Name        string `json:"name"`
	Description string `json:"description"`
	Schema      string `json:"schema"`
}

type folder struct {
	Name        string     `json:"name"`
	Description string     `json:"description,omitempty"`
	Items       []*request `json:"item"`
}

type variable struct {
	Key         string `json:"key"`
	Value       string `json:"value"`
	Type        string `json:"type"`
	Description string `json:"description,omitempty"`
}

// An auth is how requests prove who sends them.
type auth struct {
	Type   string    `json:"type"`
	OAuth1 []setting `json:"oauth1,omitempty"`
}

type setting struct {
	Key   string `json:"key"`
	Value any    `json:"value"`
	Type  string `json:"type"`
}

// oauth is Postman's own OAuth 1.0, set up for RSA-SHA256 in the Authorization header.
var oauth = auth{Type: "oauth1", OAuth1: []setting{
	{"signatureMethod", "RSA-SHA256", "string"},
	{"consumerKey", use(varLogin), "string"},
	{"privateKey", use(varPrivateKey), "string"},
	{"version", "1.0", "string"},
	{"addParamsToHeader", true, "boolean"},
}}

// noAuth is for what carries its proof elsewhere.
var noAuth = auth{Type: "noauth"}

// Collection has a folder for each command and one for requests that are
// refused, as JSON on one line. The same tables make the same bytes.
func Collection(commands []*spec.Command, install Install) ([]byte, error) {
	p := newPlan(commands, install)
	for _, c := range commands {
		p.run(c)
	}
	items := p.folders()
	if refused := p.refusals(commands); len(refused) > 0 {
		items = append(items, &folder{Name: p.in(text("Refusals", "Отказы")), Items: refused,
			Description: p.in(text("Requests that are not authentic, and how the gateway answers them.", "Неподтверждённые запросы и ответы шлюза на них."))})
	}
	return p.encode("payoutd", p.in(introduction), items)
}

// Single has the requests of one command, after those that it goes on from.
// commands is the whole API: one of them tells where orders stand.
func Single(c *spec.Command, commands []*spec.Command, install Install) ([]byte, error) {
	p := newPlan(commands, install)
	p.run(c)
	return p.encode("payoutd "+c.Path(), p.in(c.Doc)+"\n\n"+p.in(introduction), p.folders())
}

func text(en, ru string) payout.Text { return payout.T(en, ru) }

var introduction = text(
	"Fill in the variables, the private key as PEM text among them, and run the collection or send single requests. Keep the key among the current values, which Postman does not share. Each folder makes an order of its own; requests that go on from an order take it from the request before.",
	"Заполните переменные, в том числе закрытый ключ в виде текста PEM, и запустите коллекцию или отдельные запросы. Храните ключ среди текущих значений (current value): ими Postman не делится. Каждая папка создаёт свой заказ; запросы, продолжающие заказ, берут его из предыдущего запроса.")

// encode writes the collection.
func (p *plan) encode(name, description string, items []any) ([]byte, error) {
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	err := encoder.Encode(collection{Info: info{Name: name, Description: description, Schema: schemaURL}, Items: items, Auth: oauth, Variable: p.variables()})
	return b.Bytes(), err
}

// variables are what people fill in, then what requests hand on.
func (p *plan) variables() []variable {
	of := func(key, value string, doc payout.Text) variable {
		return variable{Key: key, Value: value, Type: "string", Description: p.in(doc)}
	}
	i := p.install
	all := []variable{
		of(varBase, i.PublicURL+i.ContextPath, text("Scheme, host and context path of the gateway.", "Схема, хост и контекстный путь шлюза.")),
		of(varLogin, cmp.Or(i.Login, spec.Login.Sample), text("Login of the Connecting Party.", "Логин Присоединяющейся Стороны.")),
		of(varPrivateKey, "", text("RSA private key, PEM (PKCS#1 or PKCS#8).", "Закрытый ключ RSA, PEM (PKCS#1 или PKCS#8).")),
		of(varControlKey, i.ControlKey.Reveal(), text("Control key of the Connecting Party.", "Контрольный ключ Присоединяющейся Стороны.")),
		of(varEndpoint, cmp.Or(i.Endpoint, 39915).String(), text("Id of the endpoint.", "Номер точки входа.")),
		of(varGroup, cmp.Or(i.Group, 77).String(), text("Id of the endpoint group.", "Номер группы точек входа.")),
		of(varTarget, use(varEndpoint), text("Where commands that accept both are sent: the endpoint, or group/ and the group.", "Куда отправляются команды, принимающие и то и другое: точка входа либо group/ и группа.")),
		of(varPoll, "3", text("Seconds between two questions for the status.", "Секунд между двумя запросами статуса.")),
	}
	for _, name := range p.handed {
		all = append(all, variable{Key: name, Type: "string", Description: p.in(text("Set by requests.", "Заполняют запросы."))})
	}
	return all
}

// slug is a command's name in variables: v4-payout.
func slug(c *spec.Command) string { return strings.ReplaceAll(c.Path(), "/", "-") }
