package client

import (
	"context"
	"fmt"
	"log/slog"
	"reflect"
	"strconv"
	"strings"

	"payout/sign"
)

// The tags of the generated types: the field's name on the wire, and whether it
// is masked where people read.
const (
	tagWire      = "wire"
	tagSensitive = "sensitive"
	mask         = "***"
)

// call sends a typed request and reads a typed reply.
func call[Response any](ctx context.Context, c *Client, cmd command, to Terminal, request any) (Response, error) {
	var response Response
	reply, err := c.send(ctx, cmd, to, formOf(request))
	if err == nil {
		fill(&response, reply)
	}
	return response, err
}

// formOf lists the parameters of a typed request. Empty ones are left out, as the
// gateway would take them for absent.
func formOf(request any) []sign.Pair {
	v := reflect.ValueOf(request)
	var form []sign.Pair
	for i := range v.NumField() {
		name := v.Type().Field(i).Tag.Get(tagWire)
		if more, ok := v.Field(i).Interface().([]sign.Pair); ok {
			form = append(form, more...)
		} else if value := v.Field(i).String(); name != "" && value != "" {
			form = append(form, sign.Pair{Name: name, Value: value})
		}
	}
	return form
}

// fill sets the fields of a typed reply, to which target points.
func fill(target any, reply Reply) {
	v := reflect.ValueOf(target).Elem()
	for i := range v.NumField() {
		name := v.Type().Field(i).Tag.Get(tagWire)
		switch field := v.Field(i); {
		case field.Type() == reflect.TypeFor[Reply]():
			field.Set(reflect.ValueOf(reply))
		case field.Kind() == reflect.Int:
			field.SetInt(int64(reply.Int(name)))
		case name != "":
			field.SetString(reply.Get(name))
		}
	}
}

// show writes the fields of a generated type that are not empty, for people and
// logs. Sensitive ones are masked.
func show(value any) string {
	v := reflect.ValueOf(value)
	var b strings.Builder
	b.WriteString(v.Type().Name() + "{")
	separator := ""
	for i := range v.NumField() {
		field, tag := v.Field(i), v.Type().Field(i).Tag
		if tag.Get(tagWire) == "" || field.IsZero() {
			continue
		}
		text := fmt.Sprint(field.Interface())
		if field.Kind() == reflect.String {
			text = strconv.Quote(text)
		}
		if tag.Get(tagSensitive) != "" {
			text = mask
		}
		b.WriteString(separator + v.Type().Field(i).Name + ": " + text)
		separator = ", "
	}
	return b.String() + "}"
}

// format is the Format of the generated types: no verb shows what is sensitive.
func format(f fmt.State, value any) { fmt.Fprint(f, show(value)) }

// logged is the LogValue of the generated types.
func logged(value any) slog.Value { return slog.StringValue(show(value)) }
