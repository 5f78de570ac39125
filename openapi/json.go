package openapi

import (
	"bytes"
	"encoding/json"
	"fmt"
)

// An object is a JSON object that keeps the order of its members.
type object []member

type member struct {
	name  string
	value any // nil members are left out
}

// obj makes an object of names and values by turns.
func obj(pairs ...any) object {
	o := make(object, 0, len(pairs)/2)
	for i := 0; i+1 < len(pairs); i += 2 {
		o = append(o, member{pairs[i].(string), pairs[i+1]})
	}
	return o
}

// add appends a member.
func (o *object) add(name string, value any) { *o = append(*o, member{name, value}) }

// orNil is the object, or nil when it is empty, so that it is left out.
func (o object) orNil() any {
	if len(o) == 0 {
		return nil
	}
	return o
}

// MarshalJSON writes the members in their order.
func (o object) MarshalJSON() ([]byte, error) {
	var b bytes.Buffer
	b.WriteByte('{')
	for _, m := range o {
		if m.value == nil {
			continue
		}
		if b.Len() > 1 {
			b.WriteByte(',')
		}
		if err := write(&b, m.name); err != nil {
			return nil, err
		}
		b.WriteByte(':')
		if err := write(&b, m.value); err != nil {
			return nil, fmt.Errorf("%s: %w", m.name, err)
		}
	}
	b.WriteByte('}')
	return b.Bytes(), nil
}

// write encodes a value without escaping what matters to HTML only.
func write(b *bytes.Buffer, value any) error {
	encoder := json.NewEncoder(b)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(value); err != nil {
		return err
	}
	b.Truncate(b.Len() - 1) // the line feed of Encode
	return nil
}
