package openapi

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"payout"
	"payout/sign"
	"payout/spec"
)

const formType = "application/x-www-form-urlencoded"

// The names of the ids in paths, among the components' parameters.
const (
	endpointParameter = "EndpointId"
	groupParameter    = "GroupId"
)

// ref points to a component.
func ref(kind, name string) object { return obj("$ref", "#/components/"+kind+"/"+name) }

// nameOf is a command's name in programs: V4PayoutCheck for v4/payout-check.
func nameOf(c *spec.Command) string { return pascal(c.Path()) }

// pascal joins the words of a name: async-response is AsyncResponse.
func pascal(name string) string {
	var b strings.Builder
	for _, word := range strings.FieldsFunc(name, func(r rune) bool { return r == '-' || r == '/' || r == '_' }) {
		b.WriteString(strings.ToUpper(word[:1]) + word[1:])
	}
	return b.String()
}

// paths has the one or two paths of each command.
func (w *writer) paths() object {
	var paths object
	for _, c := range w.commands {
		paths.add("/api/"+c.Path()+"/{endpointId}", obj("parameters", []any{ref("parameters", endpointParameter)},
			"post", w.operation(c, "", w.endpoint)))
		if c.Group {
			paths.add("/api/"+c.Path()+"/group/{groupId}", obj("parameters", []any{ref("parameters", groupParameter)},
				"post", w.operation(c, "Group", w.group)))
		}
	}
	return paths
}

// operation is a command at one of its paths; id is the endpoint's or group's in
// the example.
func (w *writer) operation(c *spec.Command, suffix string, id int64) object {
	name := nameOf(c)
	var security any = []any{obj(oauthScheme, []any{})}
	if c.Auth == spec.Control {
		security = []any{}
	}
	responses := obj("200", ref("responses", replyName(c.Reply)))
	for _, status := range refusalStatuses() {
		responses.add(strconv.Itoa(status), ref("responses", refusalName(status)))
	}
	return obj(
		"operationId", strings.ToLower(name[:1])+name[1:]+suffix,
		"tags", []any{string(c.Auth)},
		"summary", w.in(c.Doc),
		"description", w.describe(c),
		"security", security,
		"x-control-sum", controlParts(c),
		"x-repeat", cmp.Or(string(c.Repeat), "acts"),
		"requestBody", obj("required", true, "content", obj(formType, obj(
			"schema", ref("schemas", name+"Request"),
			"example", example(c, id)))),
		"responses", responses,
		"callbacks", callbacksOf(c).orNil(),
	)
}

// describe tells what a command's table says beside its parameters.
func (w *writer) describe(c *spec.Command) string {
	var paragraphs []string
	for _, rule := range c.Rules {
		paragraphs = append(paragraphs, w.in(rule.Doc))
	}
	if c.After != nil {
		paragraphs = append(paragraphs, w.in(afterText(c.After)))
	}
	if c.Auth == spec.Control {
		paragraphs = append(paragraphs, w.in(controlText(c)))
	}
	paragraphs = append(paragraphs, w.in(repeatText(c.Repeat)))
	return markdown(strings.Join(paragraphs, "\n\n"))
}

// afterText says what a command goes on from.
func afterText(a *spec.After) payout.Text {
	path := "´" + a.Command.Path() + "´"
	if a.Gives != nil {
		return text(fmt.Sprintf("´%s´ is the ´%s´ that %s has given.", a.Takes.Name, a.Gives.Name, path),
			fmt.Sprintf("´%s´ — это ´%s´ из ответа %s.", a.Takes.Name, a.Gives.Name, path))
	}
	t := text(fmt.Sprintf("It is about an order, such as one of %s.", path), fmt.Sprintf("Относится к заказу, например созданному %s.", path))
	if a.Stage != "" {
		stage := a.Stage.OrderStage(a.Command.Type)
		t.EN += fmt.Sprintf(" The order's ´order-stage´ must be ´%s´.", stage)
		t.RU += fmt.Sprintf(" Его ´order-stage´ должна быть ´%s´.", stage)
	}
	return t
}

// repeatText says what becomes of a request that is sent again, with a new nonce.
func repeatText(r spec.Repeat) payout.Text {
	switch r {
	case spec.RepeatReads:
		return text("It changes nothing, and may be repeated.", "Команда ничего не меняет, её можно повторять.")
	case spec.RepeatReplays:
		return text("Repeated with the same ´client_orderid´ and values, it is answered as the first time, unless the endpoint allows repeats: after a lost answer, repeat it.",
			"Повторный запрос с тем же ´client_orderid´ и теми же значениями получает тот же ответ, если только точка входа не разрешает повторы: если ответ потерялся, повторите запрос.")
	}
	return text("Repeated, it may act a second time.", "Повторный запрос может сработать ещё раз.")
}

// controlText says what a control sum is made of.
func controlText(c *spec.Command) payout.Text {
	parts := make([]string, 0, len(c.Sum)+1)
	for _, part := range c.Sum {
		parts = append(parts, "´"+string(part)+"´")
	}
	formula := strings.Join(parts, " + ")
	return text(
		fmt.Sprintf("´%s´ is the SHA-1, in hexadecimal, of %s + the control key, joined with nothing between. ´%s´ is the id in the URL, the endpoint's or the group's; ´%s´ is the amount in the currency's minor units. The example's control key is ´%s´.",
			spec.ControlSum.Name, formula, spec.SumID, spec.SumMinor, ExampleControlKey),
		fmt.Sprintf("´%s´ — SHA-1 в шестнадцатеричном виде от %s + контрольный ключ, соединённых без разделителей. ´%s´ — номер из URL, точки входа или группы; ´%s´ — сумма в минимальных единицах валюты. Контрольный ключ примера: ´%s´.",
			spec.ControlSum.Name, formula, spec.SumID, spec.SumMinor, ExampleControlKey))
}

// controlParts lists the parts of the control sum for programs, or is nil.
func controlParts(c *spec.Command) any {
	if c.Auth != spec.Control {
		return nil
	}
	return c.Sum
}

// example is an example request with its control sum.
func example(c *spec.Command, id int64) object {
	form := c.Example()
	if c.Auth == spec.Control {
		form = append(form, sign.Pair{Name: spec.ControlSum.Name, Value: c.Control(strconv.FormatInt(id, 10), form, ExampleControlKey)})
	}
	o := object{}
	for _, pair := range form {
		o.add(pair.Name, pair.Value)
	}
	return o
}

// replies lists the replies of the commands, each once.
func (w *writer) replies() []*spec.ReplySpec {
	var replies []*spec.ReplySpec
	for _, c := range w.commands {
		if !slices.Contains(replies, c.Reply) {
			replies = append(replies, c.Reply)
		}
	}
	return replies
}
