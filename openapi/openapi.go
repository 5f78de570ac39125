// Package openapi writes the API's description in OpenAPI 3.1 from the tables:
// commands and their parameters and replies (spec), error codes and stages (the
// root package), callbacks and the final redirect (callback).
//
// openapi.go has the document, paths.go the commands, schemas.go the data,
// answers.go the HTTP statuses, callbacks.go what the gateway sends.
package openapi

import (
	"cmp"
	"strings"

	"payout"
	"payout/spec"
)

// An Install is what a document needs to know of the gateway that it describes.
type Install struct {
	PublicURL   string // scheme and host that clients call; empty: those that the document came from
	ContextPath string // such as /paynet, or empty
	Version     string // of the program
	Lang        string // of the texts, en or ru; empty is en

	// Endpoint and Group stand in the examples; 0 means samples.
	Endpoint payout.EndpointID
	Group    payout.GroupID
}

// ExampleControlKey keys the control sums of examples. No gateway has it.
const ExampleControlKey = "00000000-0000-4000-8000-000000000000"

// text is a text in two languages.
func text(en, ru string) payout.Text { return payout.T(en, ru) }

// A writer collects the parts of one document.
type writer struct {
	commands []*spec.Command
	install  Install
	endpoint int64 // of the examples
	group    int64
}

// in is the text in the document's language.
func (w *writer) in(t payout.Text) string { return t.In(w.install.Lang) }

// Document describes commands of the API in OpenAPI 3.1, as JSON on one line. The
// same tables make the same bytes.
func Document(commands []*spec.Command, install Install) ([]byte, error) {
	w := &writer{commands: commands, install: install}
	w.endpoint, w.group = int64(cmp.Or(install.Endpoint, 39915)), int64(cmp.Or(install.Group, 77))
	schemas, err := w.schemas()
	if err != nil {
		return nil, err
	}
	answers, err := w.answers()
	if err != nil {
		return nil, err
	}
	return obj(
		"openapi", "3.1.0",
		"jsonSchemaDialect", "https://json-schema.org/draft/2020-12/schema",
		"info", obj(
			"title", "payoutd",
			"summary", w.in(text("Payouts to accounts, cards and phones, and charges of cards.", "Выплаты на счета, карты и телефоны, списания с карт.")),
			"description", markdown(w.in(introduction)),
			"version", cmp.Or(install.Version, "1.0"),
		),
		"servers", []any{obj("url", install.PublicURL+cmp.Or(install.ContextPath, slashUnless(install.PublicURL)))},
		"security", []any{},
		"tags", w.tags(),
		"paths", w.paths(),
		"components", obj(
			"securitySchemes", w.securitySchemes(),
			"parameters", w.pathParameters(),
			"headers", w.headers(),
			"schemas", schemas,
			"responses", answers,
			"pathItems", w.notices(),
		),
	).MarshalJSON()
}

// slashUnless is the address of a server without a context path: a server needs one.
func slashUnless(publicURL string) string {
	if publicURL == "" {
		return "/"
	}
	return ""
}

var introduction = text(`Requests are forms in UTF-8, sent by POST. A name that a command does not have is ignored; an empty value counts as absent, so leave it out. Lengths count characters.

Replies are written as a form by default: ´name=value´, a line feed, ´&name=value´, a line feed, and so on, with HTTP 200 also for refusals. Send ´Accept: application/vnd.pay+json´ for JSON and HTTP statuses that tell refusals apart. Look at ´type´ before anything else.

A reply says that a request was accepted. How the order ended is told by the status command, by the callback and by the final redirect.`,
	`Запросы передаются методом POST в виде формы в UTF-8. Имена, которых у команды нет, игнорируются; пустое значение равносильно отсутствию параметра, поэтому его лучше не отправлять. Длина считается в символах.

По умолчанию ответ тоже записан как форма: ´имя=значение´, перевод строки, ´&имя=значение´, перевод строки и так далее; HTTP-статус 200 и у отказов. С заголовком ´Accept: application/vnd.pay+json´ ответ будет в JSON, а отказы отличаются HTTP-статусом. Прежде всего смотрите на ´type´.

Ответ говорит о том, что запрос принят. Чем закончился заказ, сообщают команда status, обратный вызов и итоговый редирект.`)

// markdown writes the quotes of code, which a raw string cannot hold.
func markdown(s string) string { return strings.ReplaceAll(s, "´", "`") }

// tags groups the commands by how they prove who sends them.
func (w *writer) tags() []any {
	var tags []any
	for _, t := range []struct {
		auth spec.Auth
		doc  payout.Text
	}{
		{spec.OAuthRSA, text("Commands that are signed in the Authorization header.", "Команды, подписанные в заголовке Authorization.")},
		{spec.Control, text("Commands that carry a control sum.", "Команды с контрольной суммой.")},
	} {
		tags = append(tags, obj("name", string(t.auth), "description", w.in(t.doc)))
	}
	return tags
}

// oauthScheme names the signature among the security schemes.
const oauthScheme = "oauth"

func (w *writer) securitySchemes() object {
	return obj(oauthScheme, obj(
		"type", "http",
		"scheme", "OAuth",
		"description", markdown(w.in(text(
			`OAuth 1.0a (RFC 5849) without tokens, in the Authorization header: ´oauth_consumer_key´ is the login, ´oauth_signature_method´ is ´RSA-SHA256´, ´oauth_nonce´ is used once, ´oauth_timestamp´ is in seconds, ´oauth_version´ is ´1.0´ or left out. ´oauth_signature´ is the Base64 of the RSASSA-PKCS1-v1_5 signature, with SHA-256, of the base string: the method, the URL as the client calls it and all parameters, sorted, percent-encoded and joined with ´&´. The key has at least 2048 bits.`,
			`OAuth 1.0a (RFC 5849) без токенов, в заголовке Authorization: ´oauth_consumer_key´ — логин, ´oauth_signature_method´ — ´RSA-SHA256´, ´oauth_nonce´ используется один раз, ´oauth_timestamp´ — в секундах, ´oauth_version´ — ´1.0´ либо отсутствует. ´oauth_signature´ — Base64 подписи RSASSA-PKCS1-v1_5 с SHA-256 от базовой строки: метод, URL в том виде, в котором его вызывает клиент, и все параметры, отсортированные, закодированные процентами и соединённые знаком ´&´. Ключ не короче 2048 бит.`)))))
}

func (w *writer) pathParameters() object {
	id := func(name string, example int64, doc payout.Text) object {
		return obj("name", name, "in", "path", "required", true, "description", w.in(doc),
			"schema", obj("type", "integer", "format", "int64", "minimum", 1), "example", example)
	}
	return obj(
		endpointParameter, id("endpointId", w.endpoint, text("The endpoint that pays.", "Точка входа, через которую идёт выплата.")),
		groupParameter, id("groupId", w.group, text("The group that finds an endpoint for the currency.", "Группа, которая находит точку входа для валюты.")),
	)
}
