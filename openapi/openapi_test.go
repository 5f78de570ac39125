package openapi

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"payout"
	"payout/callback"
	"payout/sign"
	"payout/spec"
)

var update = flag.Bool("update", false, "rewrite the golden file")

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// document describes commands in a language.
func document(t *testing.T, commands []*spec.Command, lang string) []byte {
	t.Helper()
	document, err := Document(commands, Install{PublicURL: "https://gate.example.com", ContextPath: "/paynet", Version: "1.0", Lang: lang})
	check(t, err)
	return document
}

func TestTheDocumentIsTheGoldenOne(t *testing.T) {
	compact := document(t, spec.Commands, "en")
	if again := document(t, spec.Commands, "en"); !bytes.Equal(compact, again) {
		t.Error("the same tables made another document")
	}
	var got bytes.Buffer
	check(t, json.Indent(&got, compact, "", " "))
	golden := filepath.Join("testdata", "openapi.json")
	if *update {
		check(t, os.WriteFile(golden, got.Bytes(), 0o644))
	}
	want, err := os.ReadFile(golden)
	check(t, err)
	if !bytes.Equal(got.Bytes(), want) {
		t.Errorf("%s has changed; run go test ./openapi -update and review the difference (-want +got):\n%s", golden, cmp.Diff(string(want), got.String()))
	}
}

const sizeMax = 200 << 10 // bytes

func TestTheDocumentIsNoLargerThanAPage(t *testing.T) {
	for _, lang := range []string{"en", "ru"} {
		if n := len(document(t, spec.Commands, lang)); n > sizeMax {
			t.Errorf("%s: %d bytes, at most %d", lang, n, sizeMax)
		}
	}
}

// A tree is a part of a read document.
type tree map[string]any

// at follows names into a document; it ends the test when one is not there.
func (d tree) at(t *testing.T, names ...string) tree {
	t.Helper()
	for i, name := range names {
		next, ok := d[name].(map[string]any)
		if !ok {
			t.Fatalf("there is no %s", strings.Join(names[:i+1], " > "))
		}
		d = next
	}
	return d
}

func read(t *testing.T, document []byte) tree {
	t.Helper()
	var d tree
	check(t, json.Unmarshal(document, &d))
	return d
}

func texts(t *testing.T, list any) []string {
	t.Helper()
	all := []string{}
	values, _ := list.([]any)
	for _, v := range values {
		s, ok := v.(string)
		if !ok {
			t.Fatalf("%v is no text", v)
		}
		all = append(all, s)
	}
	return all
}

func TestEveryCommandAndParameterIsDescribed(t *testing.T) {
	d := read(t, document(t, spec.Commands, "en"))
	paths := d.at(t, "paths")
	for _, c := range spec.Commands {
		d.at(t, "paths", "/api/"+c.Path()+"/{endpointId}", "post", "requestBody", "content", formType, "example")
		if _, grouped := paths["/api/"+c.Path()+"/group/{groupId}"]; grouped != c.Group {
			t.Errorf("%s: a path for groups is %t", c.Path(), grouped)
		}
		schema := d.at(t, "components", "schemas", nameOf(c)+"Request")
		if n := len(schema.at(t, "properties")); n != len(c.Params) {
			t.Errorf("%s has %d parameters, and the document %d", c.Path(), len(c.Params), n)
		}
		required := texts(t, schema["required"])
		for _, u := range c.Params {
			p := schema.at(t, "properties", u.Name)
			if slices.Contains(required, u.Name) != (u.Need == spec.Required) || p["x-necessity"] != string(u.Need) {
				t.Errorf("%s: %s is %s", c.Path(), u.Name, u.Need)
			}
			if p["maxLength"] != nil && p["maxLength"] != float64(u.Length()) {
				t.Errorf("%s: %s has the length %v, want %d", c.Path(), u.Name, p["maxLength"], u.Length())
			}
			if !slices.Equal(texts(t, p["x-aliases"]), u.Names()[1:]) {
				t.Errorf("%s: %s has the aliases %v, want %v", c.Path(), u.Name, p["x-aliases"], u.Names()[1:])
			}
			if !strings.Contains(p["description"].(string), u.Doc.EN) {
				t.Errorf("%s: %s is described as %q", c.Path(), u.Name, p["description"])
			}
		}
	}
}

func TestExamplesAreAcceptedByTheGateway(t *testing.T) {
	d := read(t, document(t, spec.Commands, "en"))
	for _, c := range spec.Commands {
		for path, id := range map[string]string{"/{endpointId}": "39915", "/group/{groupId}": "77"} {
			if !c.Group && id == "77" {
				continue
			}
			example := d.at(t, "paths", "/api/"+c.Path()+path, "post", "requestBody", "content", formType, "example")
			var form []sign.Pair
			for name, value := range example {
				form = append(form, sign.Pair{Name: name, Value: value.(string)})
			}
			r, err := c.Parse(form)
			if err != nil {
				t.Errorf("%s: %s", c.Path(), err)
			} else if c.Auth == spec.Control && r.Text(spec.ControlSum) != r.Control(id, ExampleControlKey) {
				t.Errorf("%s%s: the control sum is wrong", c.Path(), path)
			}
		}
	}
}

func TestEveryRefusalHasItsStatusAndExample(t *testing.T) {
	d := read(t, document(t, spec.Commands, "en"))
	for _, row := range payout.ErrCodes() {
		if row.Kind == payout.KindOutcome || row.Code == payout.CodeMethod {
			continue
		}
		answer := d.at(t, "components", "responses", refusalName(row.HTTP), "content")
		name := "code" + strconv.Itoa(int(row.Code))
		example := answer.at(t, jsonType, "examples", name, "value")
		if example["error-code"] != float64(row.Code) || example["type"] != string(row.Kind) || example["error-message"] != row.Code.Sample().Error() {
			t.Errorf("%d: the example is %v", row.Code, example)
		}
		_, hasForm := answer[htmlType]
		if row.Transport {
			form := answer.at(t, htmlType, "examples", name)["value"].(string)
			if !strings.Contains(form, "\n&error-code="+name[len("code"):]+"\n") {
				t.Errorf("%d: the form is %q", row.Code, form)
			}
		} else if hasForm && answer.at(t, htmlType, "examples")[name] != nil {
			t.Errorf("%d is shown as a form with status %d, and is answered with 200", row.Code, row.HTTP)
		}
	}
	denied := d.at(t, "components", "responses", "Answer403", "content", htmlType)
	if denied["example"] != spec.AccessDenied {
		t.Error("the page of a denied access is not shown")
	}
	if d.at(t, "components", "responses", "Answer503", "headers")["Retry-After"] == nil {
		t.Error("503 has no Retry-After")
	}
	for _, item := range d.at(t, "paths") {
		for _, status := range []string{"200", "400", "403", "404", "409", "413", "415", "500", "503"} {
			tree(item.(map[string]any)).at(t, "post", "responses", status)
		}
	}
}

func TestCallbacksHaveTheFieldsThatAreSent(t *testing.T) {
	d := read(t, document(t, spec.Commands, "en"))
	query := d.at(t, "components", "pathItems", "Callback", "get")["parameters"].([]any)
	if len(query) != len(callback.Fields) {
		t.Fatalf("%d fields of %d", len(query), len(callback.Fields))
	}
	for i, f := range callback.Fields {
		p := query[i].(map[string]any)
		if p["name"] != f.Name || p["required"] != f.Always || p["in"] != "query" {
			t.Errorf("%s is %v", f.Name, p)
		}
	}
	form := d.at(t, "components", "pathItems", "Redirect", "post", "requestBody", "content", formType, "schema", "properties")
	for _, f := range callback.RedirectFields {
		if form.at(t, f.Name)["description"] != f.Doc.EN {
			t.Errorf("%s is not described", f.Name)
		}
	}
	for _, c := range spec.Commands {
		post := d.at(t, "paths", "/api/"+c.Path()+"/{endpointId}", "post")
		for _, p := range []*spec.Param{spec.ServerCallbackURL, spec.NotifyURL, spec.RedirectURL, spec.RedirectSuccessURL, spec.RedirectFailURL} {
			_, takes := c.Use(p)
			callbacks, _ := post["callbacks"].(map[string]any)
			if callback, ok := callbacks[p.Name].(map[string]any); ok != takes || takes && callback["{$request.body#/"+p.Name+"}"] == nil {
				t.Errorf("%s: the callback to %s is %v", c.Path(), p.Name, callback)
			}
		}
	}
}

func TestTheRussianDocumentIsInRussian(t *testing.T) {
	en, ru := read(t, document(t, spec.Commands, "en")), read(t, document(t, spec.Commands, "ru"))
	english, russian := descriptions(en), descriptions(ru)
	if len(english) < 300 || len(english) != len(russian) {
		t.Fatalf("%d and %d descriptions", len(english), len(russian))
	}
	for pointer, text := range russian {
		if text == english[pointer] {
			t.Errorf("%s is %q in both languages", pointer, text)
		}
		if !strings.ContainsAny(text, "абвгдеёжзийклмнопрстуфхцчшщыэюя") {
			t.Errorf("%s is not in Russian: %q", pointer, text)
		}
	}
}

// descriptions finds the texts for people by where they stand.
func descriptions(d tree) map[string]string {
	all := make(map[string]string)
	var walk func(pointer string, node any)
	walk = func(pointer string, node any) {
		switch node := node.(type) {
		case map[string]any:
			for name, child := range node {
				if text, ok := child.(string); ok && name == "description" {
					all[pointer] = text
				}
				walk(pointer+"/"+name, child)
			}
		case []any:
			for i, child := range node {
				walk(pointer+"/"+strconv.Itoa(i), child)
			}
		}
	}
	walk("", map[string]any(d))
	return all
}
