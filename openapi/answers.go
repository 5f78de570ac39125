package openapi

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strconv"

	"payout"
	"payout/spec"
)

// The encodings of replies.
const (
	htmlType = "text/html" // the form encoding, with charset=utf-8
	jsonType = "application/vnd.pay+json"
)

// refusalSchema names the reply that refuses.
const refusalSchema = "Refusal"

func refusalName(status int) string { return "Answer" + strconv.Itoa(status) }

// refusals lists the codes that a request can be refused with. A wrong method is
// not among them: the document has no other method.
func refusals() []payout.CodeRow {
	return slices.DeleteFunc(payout.ErrCodes(), func(row payout.CodeRow) bool {
		return row.Kind == payout.KindOutcome || row.HTTP == http.StatusMethodNotAllowed
	})
}

// refusalStatuses lists the HTTP statuses of refusals, with the page for requests
// that are not authentic.
func refusalStatuses() []int {
	statuses := []int{http.StatusForbidden}
	for _, row := range refusals() {
		statuses = append(statuses, row.HTTP)
	}
	slices.Sort(statuses)
	return slices.Compact(statuses)
}

// refusal is an example of a refusal.
func refusal(code payout.ErrCode) *spec.Reply {
	return spec.ErrorReply.New().
		Set(spec.FieldType, string(code.Row().Kind)).
		Set(spec.FieldSerial, spec.FieldSerial.Sample).
		Set(spec.FieldMerchantOrder, spec.FieldMerchantOrder.Sample).
		Set(spec.FieldErrorMessage, code.Sample().Error()).
		Set(spec.FieldErrorCode, strconv.Itoa(int(code)))
}

// answers has the replies to accepted requests by their type, and what else the
// gateway answers by HTTP status.
func (w *writer) answers() (object, error) {
	var all object
	for _, r := range w.replies() {
		answer, err := w.success(r)
		if err != nil {
			return nil, err
		}
		all.add(replyName(r), answer)
	}
	for _, status := range refusalStatuses() {
		answer := w.denied()
		if status != http.StatusForbidden {
			var err error
			if answer, err = w.refused(status); err != nil {
				return nil, err
			}
		}
		all.add(refusalName(status), answer)
	}
	return all, nil
}

// success is the answer to an accepted request: in form mode also to a refused one.
func (w *writer) success(r *spec.ReplySpec) (object, error) {
	accepted, err := r.Example().Form()
	if err != nil {
		return nil, fmt.Errorf("example of %s: %w", r.Type, err)
	}
	inJSON, err := r.Example().JSON()
	if err != nil {
		return nil, err
	}
	refused, err := refusal(payout.CodeRequired).Form()
	if err != nil {
		return nil, err
	}
	name := replyName(r)
	return obj(
		"description", w.in(text("The request is accepted. In the form encoding also: it is refused; look at type.",
			"Запрос принят. При ответе в виде формы также: отклонён; смотрите на type.")),
		"content", obj(
			htmlType, obj("schema", formText(obj("oneOf", []any{ref("schemas", name), ref("schemas", refusalSchema)})),
				"examples", obj("accepted", obj("value", string(accepted)), "refused", obj("value", string(refused)))),
			jsonType, obj("schema", ref("schemas", name), "example", json.RawMessage(inJSON)),
		)), nil
}

// denied is the page for requests that are not authentic.
func (w *writer) denied() object {
	return obj(
		"description", w.in(text("The request is not authentic: the signature, the time, the nonce or the login is wrong. The page is the same for every reason, and the same in JSON mode.",
			"Запрос не подтверждён: неверны подпись, время, nonce или логин. Страница одна и та же для любой причины, в том числе при ответах в JSON.")),
		"content", obj(htmlType, obj("schema", obj("type", "string"), "example", spec.AccessDenied)))
}

// refused is the answer of one HTTP status with an example of each of its codes.
// What keeps its status in form mode too is also shown as a form.
func (w *writer) refused(status int) (object, error) {
	var inJSON, inForm object
	for _, row := range refusals() {
		if row.HTTP != status {
			continue
		}
		name, reply := "code"+strconv.Itoa(int(row.Code)), refusal(row.Code)
		value, err := reply.JSON()
		if err != nil {
			return nil, err
		}
		inJSON.add(name, obj("summary", row.Text, "description", w.in(row.Doc), "value", json.RawMessage(value)))
		if !row.Transport {
			continue
		}
		form, err := reply.Form()
		if err != nil {
			return nil, err
		}
		inForm.add(name, obj("summary", row.Text, "description", w.in(row.Doc), "value", string(form)))
	}
	content := object{}
	if len(inForm) > 0 {
		content.add(htmlType, obj("schema", formText(ref("schemas", refusalSchema)), "examples", inForm))
	}
	content.add(jsonType, obj("schema", ref("schemas", refusalSchema), "examples", inJSON))
	var headers any
	if status == http.StatusServiceUnavailable {
		headers = obj("Retry-After", ref("headers", "RetryAfter"))
	}
	return obj("description", w.in(statusText(status, len(inForm) > 0)), "headers", headers, "content", content), nil
}

// statusText says what an HTTP status means, and in which mode it comes.
func statusText(status int, transport bool) payout.Text {
	name := http.StatusText(status) + ". "
	if transport {
		return text(name+"In the form encoding this status comes with the codes shown there only.",
			name+"При ответе в виде формы этот статус бывает только с показанными там кодами.")
	}
	return text(name+"Only with JSON replies; in the form encoding the same refusal has HTTP 200.",
		name+"Только при ответах в JSON; при ответе в виде формы у такого отказа HTTP-статус 200.")
}

func (w *writer) headers() object {
	return obj("RetryAfter", obj(
		"description", w.in(text("Seconds to wait before the request is tried again.", "Через сколько секунд повторить запрос.")),
		"required", true,
		"schema", obj("type", "integer", "minimum", 0), "example", 1))
}
