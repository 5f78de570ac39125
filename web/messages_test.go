package web

import (
	"strings"
	"testing"
	"testing/fstest"
)

func read(english, russian string) (*Messages, error) {
	return ReadMessages(fstest.MapFS{"en.json": {Data: []byte(english)}, "ru.json": {Data: []byte(russian)}})
}

func TestMessagesOfAllLanguagesAgree(t *testing.T) {
	for _, test := range []struct{ english, russian, wrong string }{
		{`{"a":"A {x}"}`, `{"a":"{x} А"}`, ""},
		{`{"a":"A","b":"B"}`, `{"a":"А"}`, `"b" is in en and not in ru`},
		{`{"a":"A"}`, `{"a":"А","b":"Б"}`, `"b" is in ru and not in en`},
		{`{"a":"A {x}"}`, `{"a":"А {y}"}`, `"a" has the places [x]`},
		{`{"a":`, `{}`, "en.json"},
		{`{"a":1}`, `{}`, "en.json"},
	} {
		_, err := read(test.english, test.russian)
		if (err == nil) != (test.wrong == "") || err != nil && !strings.Contains(err.Error(), test.wrong) {
			t.Errorf("%s and %s: %v, want %q", test.english, test.russian, err, test.wrong)
		}
	}
	if _, err := ReadMessages(fstest.MapFS{"en.json": {Data: []byte("{}")}}); err == nil {
		t.Error("a language may be missing")
	}
}

func TestTextFillsItsPlaces(t *testing.T) {
	m, err := read(`{"a":"{x} and {y}","b":"B"}`, `{"a":"{y} и {x}","b":"Б"}`)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := m.Text(Russian, "a", "x", "{y}", "y", "2"); err != nil || got != "2 и {y}" {
		t.Errorf("%q, %v", got, err)
	}
	for _, wrong := range [][]string{{"c"}, {"a", "x", "1"}, {"a", "x"}, {"b", "x", "1"}, {"a", "x", "1", "y", "2", "z", "3"}} {
		if got, err := m.Text(English, wrong[0], wrong[1:]...); err == nil {
			t.Errorf("%v gives %q", wrong, got)
		}
	}
}
