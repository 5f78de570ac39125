package openapi

import (
	"fmt"
	"time"

	"payout"
	"payout/callback"
	"payout/spec"
)

// A notice is what the gateway sends, or has a browser send, to an address that a
// request named.
type notice struct {
	to   *spec.Param
	name string // of its path item among the components
}

// notices lists the addresses that the gateway sends to.
var notices = []notice{
	{spec.ServerCallbackURL, "Callback"},
	{spec.NotifyURL, "Callback"},
	{spec.RedirectURL, "Redirect"},
	{spec.RedirectSuccessURL, "Redirect"},
	{spec.RedirectFailURL, "Redirect"},
}

// callbacksOf has the notices that a command's parameters ask for.
func callbacksOf(c *spec.Command) object {
	var all object
	for _, n := range notices {
		if u, ok := c.Use(n.to); ok {
			all.add(u.Name, obj("{$request.body#/"+u.Name+"}", ref("pathItems", n.name)))
		}
	}
	return all
}

// notices describes the callback and the final redirect.
func (w *writer) notices() object {
	return obj(
		"Callback", obj("get", obj(
			"operationId", "receiveCallback",
			"summary", w.in(text("Tells the outcome of an order.", "Сообщает результат заказа.")),
			"description", markdown(w.in(callbackText())),
			"security", []any{},
			"parameters", w.queryOf(callback.Fields),
			"responses", obj(
				"200", obj("description", w.in(text("Received; it is not sent again.", "Получен; больше не отправляется."))),
				"default", obj("description", w.in(text("Not received; it is sent again later.", "Не получен; будет отправлен позже."))),
			))),
		"Redirect", obj("post", obj(
			"operationId", "receiveRedirect",
			"summary", w.in(text("Brings the Receiver's browser back.", "Возвращает браузер Получателя.")),
			"description", w.in(text("A form that the Receiver's browser posts at the end. It is not authoritative: ask for the status, or wait for the callback.",
				"Форма, которую в конце отправляет браузер Получателя. Она не окончательна: запросите статус или дождитесь обратного вызова.")),
			"security", []any{},
			"requestBody", obj("required", true, "content", obj(formType, w.formOf(callback.RedirectFields))),
			"responses", obj("200", obj("description", w.in(text("A page for the Receiver.", "Страница для Получателя.")))))),
	)
}

// callbackText says how callbacks are sent.
func callbackText() payout.Text {
	var took time.Duration
	for _, delay := range callback.Timetable() {
		took += delay
	}
	days := int(took.Hours() / 24)
	return text(
		fmt.Sprintf("The parameters are appended to the query of the address. Verify ´control´ before you believe them. Anything but HTTP 200 is tried again, up to %d times within %d days.", callback.Attempts, days),
		fmt.Sprintf("Параметры добавляются к строке запроса адреса. Прежде чем им верить, проверьте ´control´. Любой ответ, кроме HTTP 200, ведёт к повтору: всего до %d раз за %d дней.", callback.Attempts, days))
}

func (w *writer) fieldSchema(f callback.Field) object {
	return obj("type", "string", "description", w.in(f.Doc), "examples", []any{f.Sample})
}

// queryOf has fields as parameters of a query.
func (w *writer) queryOf(fields []callback.Field) []any {
	var all []any
	for _, f := range fields {
		all = append(all, obj("name", f.Name, "in", "query", "required", f.Always, "description", w.in(f.Doc),
			"schema", obj("type", "string"), "example", f.Sample))
	}
	return all
}

// formOf has fields as a form with its example.
func (w *writer) formOf(fields []callback.Field) object {
	var properties, sample object
	var required []string
	for _, f := range fields {
		properties.add(f.Name, w.fieldSchema(f))
		sample.add(f.Name, f.Sample)
		if f.Always {
			required = append(required, f.Name)
		}
	}
	return obj("schema", obj("type", "object", "required", required, "properties", properties), "example", sample)
}
