package openapi

import (
	"fmt"
	"slices"
	"strings"

	"payout"
	"payout/spec"
)

// listed are the kinds whose values stand in a schema of their own, for their number.
var listed = []spec.Kind{spec.Currency, spec.Country}

// replyName is the name of a reply's schema, such as AsyncResponse.
func replyName(r *spec.ReplySpec) string { return pascal(r.Type) }

// schemas has the requests, the replies, and what several of them share.
func (w *writer) schemas() (object, error) {
	var all object
	for _, c := range w.commands {
		request, err := w.request(c)
		if err != nil {
			return nil, err
		}
		all.add(nameOf(c)+"Request", request)
	}
	for _, r := range w.replies() {
		all.add(replyName(r), w.reply(r))
	}
	all.add(refusalSchema, w.refusalReply())
	for _, k := range listed {
		all.add(string(k), obj("type", "string", "enum", k.Values()))
	}
	all.add("Status", w.status())
	all.add("OrderStage", w.orderStage())
	all.add("ErrorCode", w.errorCode())
	return all, nil
}

// request is the form of one command.
func (w *writer) request(c *spec.Command) (object, error) {
	var required []string
	var properties object
	for _, u := range c.Params {
		if u.Kind.Pattern() == "" {
			return nil, fmt.Errorf("%s: no pattern for kind %s", u.Name, u.Kind)
		}
		if u.Need == spec.Required {
			required = append(required, u.Name)
		}
		properties.add(u.Name, w.parameter(c, u))
	}
	schema := obj("type", "object", "properties", properties)
	if len(required) > 0 {
		schema.add("required", required)
	}
	return append(schema, ties(c)...), nil
}

// parameter is one field of a form.
func (w *writer) parameter(c *spec.Command, u spec.Use) object {
	var schema object
	switch values := u.Kind.Values(); {
	case slices.Contains(listed, u.Kind):
		schema = ref("schemas", string(u.Kind))
	case values != nil:
		schema = obj("type", "string", "enum", values)
	default:
		schema = obj("type", "string", "minLength", max(u.Min, 1), "maxLength", u.Length(), "pattern", u.Kind.Pattern())
	}
	schema.add("description", w.describeParameter(u))
	if u.Sample != "" && u.Param != spec.ControlSum {
		schema.add("examples", []any{u.Sample})
	}
	schema.add("x-necessity", string(u.Need))
	if names := u.Names(); len(names) > 1 {
		schema.add("x-aliases", names[1:])
	}
	return schema
}

func (w *writer) describeParameter(u spec.Use) string {
	sentences := []string{w.in(u.Doc)}
	if u.Need == spec.Conditional {
		sentences = append(sentences, w.in(text("Required when the gate or a rule of the command says so.", "Обязателен, если того требует гейт или правило команды.")))
	}
	if names := u.Names(); len(names) > 1 {
		sentences = append(sentences, fmt.Sprintf(w.in(text("Also accepted as %s.", "Принимается и под именем %s.")), "´"+strings.Join(names[1:], "´, ´")+"´"))
	}
	return markdown(strings.Join(sentences, " "))
}

// ties writes the rules that a schema can express; all are told in the command's
// description.
func ties(c *spec.Command) object {
	var all []any
	for _, rule := range c.Rules {
		names := make([]string, len(rule.Params))
		for i, p := range rule.Params {
			names[i] = p.Name
		}
		switch rule.Tie {
		case spec.OneOf:
			var one []any
			for _, name := range names {
				one = append(one, obj("required", []string{name}))
			}
			all = append(all, obj("oneOf", one))
		case spec.NotBoth:
			all = append(all, obj("not", obj("required", names)))
		}
	}
	if all == nil {
		return nil
	}
	return obj("allOf", all)
}

// reply is the JSON object of a reply.
func (w *writer) reply(r *spec.ReplySpec) object {
	var properties object
	for _, f := range r.Fields {
		properties.add(f.Name, w.field(f, []string{r.Type}))
	}
	return obj("type", "object", "required", always(r), "properties", properties)
}

// always lists the fields that every reply of a type has; type is one of them.
func always(r *spec.ReplySpec) []string {
	names := []string{spec.FieldType.Name}
	for _, f := range r.Always {
		if f != spec.FieldType {
			names = append(names, f.Name)
		}
	}
	return names
}

// refusalReply is the JSON object of a refusal.
func (w *writer) refusalReply() object {
	kinds := []string{string(payout.KindValidation), string(payout.KindError)}
	var properties object
	for _, f := range spec.ErrorReply.Fields {
		properties.add(f.Name, w.field(f, kinds))
	}
	return obj("type", "object", "required", always(spec.ErrorReply), "properties", properties)
}

// field is one field of a reply; types are the values of its type.
func (w *writer) field(f *spec.Field, types []string) object {
	var schema object
	switch f {
	case spec.FieldType:
		schema = obj("type", "string", "enum", types)
	case spec.FieldStatus:
		schema = ref("schemas", "Status")
	case spec.FieldOrderStage:
		schema = ref("schemas", "OrderStage")
	case spec.FieldErrorCode:
		schema = ref("schemas", "ErrorCode")
	default:
		schema = obj("type", "string")
		if f.Number {
			schema = obj("type", "integer")
		}
	}
	schema.add("description", w.in(f.Doc))
	if f.Sample != "" && !f.Number {
		schema.add("examples", []any{f.Sample})
	}
	return schema
}

// formText is a reply as a form: lines of name=value that are joined by '&'. Its
// values, decoded, are what the schema says, but that numbers are texts too.
func formText(content object) object {
	return obj("type", "string", "pattern", `^type=[^&=\n]+\n(&[a-z-]+=[^&=\n]+\n)*$`, "contentMediaType", formType, "contentSchema", content)
}

// status lists what an order's status may be.
func (w *writer) status() object {
	var statuses []string
	for _, row := range payout.Stages() {
		if !slices.Contains(statuses, string(row.Status)) {
			statuses = append(statuses, string(row.Status))
		}
	}
	return obj("type", "string", "enum", statuses)
}

// orderStage describes the stages; each transaction type has its own words for them.
func (w *writer) orderStage() object {
	var b strings.Builder
	b.WriteString(w.in(text("Where the order stands: a word for the transaction type, such as ´payout´, ´_´ and one of:", "Где находится заказ: слово для типа транзакции, например ´payout´, ´_´ и одно из:")))
	var suffixes []string
	for _, row := range payout.Stages() {
		if slices.Contains(suffixes, row.Suffix) {
			continue // one to the Connecting Party
		}
		suffixes = append(suffixes, row.Suffix)
		fmt.Fprintf(&b, "\n- ´%s´ (´%s´): %s", row.Suffix, row.Status, w.in(row.Doc))
	}
	return obj("type", "string", "pattern", "_("+strings.Join(suffixes, "|")+")$", "description", markdown(b.String()))
}

// errorCode lists the codes of refusals and of how orders end.
func (w *writer) errorCode() object {
	var codes []any
	var b strings.Builder
	b.WriteString(w.in(text("Why a request was refused, or an order not paid:", "Почему запрос отклонён или заказ не оплачен:")))
	for _, row := range payout.ErrCodes() {
		codes = append(codes, int(row.Code))
		fmt.Fprintf(&b, "\n- ´%d´ %s. %s", row.Code, row.Text, w.in(row.Doc))
	}
	return obj("type", "integer", "enum", codes, "description", markdown(b.String()))
}
