package client

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/url"
	"strconv"
	"strings"

	"payout/sign"
	"payout/spec"
)

// A Reply is what the gateway answered, field by field. It keeps fields that no
// table knows.
type Reply struct {
	HTTPStatus int
	fields     []sign.Pair
}

// Get returns a field's value, or "" if the reply does not have it.
func (r Reply) Get(name string) string { return valueOf(r.fields, name) }

// Int returns a field's value as a number, or 0 if it is none.
func (r Reply) Int(name string) int {
	n, err := strconv.Atoi(r.Get(name))
	if err != nil {
		return 0
	}
	return n
}

// Fields returns all fields in the order of the reply.
func (r Reply) Fields() []sign.Pair { return append([]sign.Pair(nil), r.fields...) }

// Format prints the reply. What may be sensitive, and what no table knows, is
// masked, whatever the verb.
func (r Reply) Format(f fmt.State, _ rune) { fmt.Fprint(f, r.masked()) }

// LogValue is what a log may have of the reply.
func (r Reply) LogValue() slog.Value { return slog.StringValue(r.masked()) }

func (r Reply) masked() string {
	var b strings.Builder
	for i, field := range r.fields {
		if i > 0 {
			b.WriteByte(' ')
		}
		value := strconv.Quote(field.Value)
		if !harmless(field.Name) {
			value = mask
		}
		b.WriteString(field.Name + "=" + value)
	}
	return b.String()
}

// harmless tells the fields that a table has and does not mark as sensitive.
func harmless(name string) bool {
	known := false
	for _, c := range spec.Commands {
		for _, f := range c.Reply.Fields {
			if f.Name == name {
				if f.Sensitive {
					return false
				}
				known = true
			}
		}
	}
	return known
}

// parseReply reads a reply in either encoding. It is as tolerant as clients of
// this format have to be: blanks and line feeds around names and values do not
// count, and a value that is not well encoded is taken as it came.
func parseReply(status int, body []byte) (Reply, error) {
	body = bytes.TrimSpace(bytes.TrimPrefix(body, []byte("\ufeff")))
	r := Reply{HTTPStatus: status}
	if len(body) > 0 && body[0] == '{' {
		fields, err := parseJSON(body)
		r.fields = fields
		return r, err
	}
	if len(body) > 0 && body[0] == '<' {
		return r, errors.New("a page of HTML instead of a reply")
	}
	for segment := range strings.SplitSeq(string(body), "&") {
		name, value, _ := strings.Cut(segment, "=")
		if name = unescape(name); name != "" {
			r.fields = append(r.fields, sign.Pair{Name: name, Value: unescape(value)})
		}
	}
	return r, nil
}

func unescape(s string) string {
	s = strings.TrimSpace(s)
	if text, err := url.QueryUnescape(s); err == nil {
		return strings.TrimSpace(text)
	}
	return s
}

// parseJSON reads an object, in the order of its fields. A value that is no text
// is kept as it is written; null is empty.
func parseJSON(body []byte) ([]sign.Pair, error) {
	d := json.NewDecoder(bytes.NewReader(body))
	if _, err := d.Token(); err != nil { // the brace
		return nil, errors.New("a reply that is not JSON")
	}
	var fields []sign.Pair
	for d.More() {
		name, err := d.Token()
		if err != nil {
			return fields, errors.New("a reply that is not JSON")
		}
		var value json.RawMessage
		if err := d.Decode(&value); err != nil {
			return fields, errors.New("a reply that is not JSON")
		}
		fields = append(fields, sign.Pair{Name: fmt.Sprint(name), Value: jsonText(value)})
	}
	if _, err := d.Token(); err != nil { // the other brace
		return fields, errors.New("a reply that is cut off")
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return fields, errors.New("a reply with something behind it")
	}
	return fields, nil
}

func jsonText(value json.RawMessage) string {
	var text *string
	if json.Unmarshal(value, &text) == nil {
		if text == nil { // null
			return ""
		}
		return strings.TrimSpace(*text)
	}
	return string(value)
}
