package main

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"time"
)

// printed is the flag of commands that print for scripts too. What they print
// then is a type whose name ends in View; its shape is part of the help.
type printed struct {
	JSON bool `name:"json" help:"Print JSON, for scripts."`
}

// json prints one value as indented JSON.
func (t terminal) json(v any) error {
	encoder := json.NewEncoder(t.out)
	encoder.SetEscapeHTML(false) // URLs stay readable
	encoder.SetIndent("", "  ")
	return encoder.Encode(v)
}

// jsonLine prints one value of a stream as a line of JSON.
func (t terminal) jsonLine(v any) error {
	encoder := json.NewEncoder(t.out)
	encoder.SetEscapeHTML(false)
	return encoder.Encode(v)
}

// shapeOf describes the JSON of a type, for the help of the command that prints it.
func shapeOf[V any]() string { return shapeWith[V]("--json") + shapeNote }

const shapeNote = "\nIds and money are strings, times are RFC 3339 in UTC; a field with ? is left out when there is nothing to tell."

// shapeWith describes the JSON of a type that is printed with some flags.
func shapeWith[V any](flags string) string {
	var b strings.Builder
	what := reflect.TypeFor[V]()
	if what.Kind() == reflect.Slice {
		b.WriteString("With " + flags + ", a list of objects:\n\n")
		what = what.Elem()
	} else {
		b.WriteString("With " + flags + ", an object:\n\n")
	}
	writeShape(&b, what, "    ") // indented text keeps its lines
	return b.String()
}

func writeShape(b *strings.Builder, object reflect.Type, indent string) {
	for field := range object.Fields() {
		name, options, _ := strings.Cut(field.Tag.Get("json"), ",")
		if strings.Contains(options, "omit") {
			name += "?"
		}
		kind, inner := jsonKind(field.Type, strings.Contains(options, "string"))
		if doc := field.Tag.Get("doc"); doc != "" {
			kind += ": " + doc
		}
		fmt.Fprintf(b, "%s%-22s %s\n", indent, name, kind)
		if inner != nil {
			writeShape(b, inner, indent+"  ")
		}
	}
}

// jsonKind is the word for a type in JSON, and the object whose fields follow.
func jsonKind(t reflect.Type, quoted bool) (kind string, inner reflect.Type) {
	switch {
	case quoted || t.Kind() == reflect.String:
		return "string", nil
	case t == reflect.TypeFor[time.Time]():
		return "time", nil
	case t == reflect.TypeFor[fields]() || t == reflect.TypeFor[map[string]string]():
		return "object of strings", nil
	}
	switch t.Kind() {
	case reflect.Bool:
		return "true or false", nil
	case reflect.Slice:
		if kind, inner = jsonKind(t.Elem(), false); inner != nil {
			return "list of", inner
		}
		return "list of " + kind, nil
	case reflect.Struct:
		return "object", t
	}
	return "number", nil
}
