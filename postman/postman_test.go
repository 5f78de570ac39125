package postman_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"payout"
	"payout/postman"
	"payout/spec"
)

var update = flag.Bool("update", false, "rewrite the golden file")

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

var example = postman.Install{PublicURL: "https://gate.example.com", ContextPath: "/paynet"}

func TestTheCollectionIsTheGoldenOne(t *testing.T) {
	compact, err := postman.Collection(spec.Commands, example)
	check(t, err)
	again, err := postman.Collection(spec.Commands, example)
	check(t, err)
	if !bytes.Equal(compact, again) {
		t.Error("the same tables made another collection")
	}
	var indented bytes.Buffer
	check(t, json.Indent(&indented, compact, "", " "))
	got := indented.Bytes()
	golden := filepath.Join("testdata", "postman.json")
	if *update {
		check(t, os.WriteFile(golden, got, 0o644))
	}
	want, err := os.ReadFile(golden)
	check(t, err)
	if !bytes.Equal(got, want) {
		t.Errorf("%s has changed; run go test ./postman -update and review the difference (-want +got):\n%s", golden, cmp.Diff(string(want), string(got)))
	}
}

const sizeMax = 200 << 10 // bytes

func TestTheCollectionIsNoLargerThanAPage(t *testing.T) {
	for _, lang := range []string{"en", "ru"} {
		i := example
		i.Lang = lang
		collection, err := postman.Collection(spec.Commands, i)
		check(t, err)
		if len(collection) > sizeMax {
			t.Errorf("%s: %d bytes, at most %d", lang, len(collection), sizeMax)
		}
	}
}

func TestNoCollectionHasAPrivateKey(t *testing.T) {
	i := example
	i.ControlKey = "r45a019070772d1c4c2b503bbdc0fa22"
	collection, err := postman.Collection(spec.Commands, i)
	check(t, err)
	var c struct {
		Variable []struct{ Key, Value string }
	}
	check(t, json.Unmarshal(collection, &c))
	values := make(map[string]string)
	for _, v := range c.Variable {
		values[v.Key] = v.Value
	}
	if key, ok := values["privateKey"]; !ok || key != "" {
		t.Errorf("the private key is %q", key)
	}
	if values["controlKey"] != i.ControlKey.Reveal() || values["baseUrl"] != "https://gate.example.com/paynet" {
		t.Errorf("the variables are %v", values)
	}
}

// An item is a folder or a request of a read collection.
type item struct {
	Name    string
	Item    []item
	Request struct {
		Auth *struct{ Type string }
		Body struct {
			URLEncoded []struct {
				Key, Value string
				Disabled   bool
			}
		}
		URL struct{ Raw string }
	}
	Event []struct {
		Listen string
		Script struct{ Exec []string }
	}
}

func items(t *testing.T, collection []byte, err error) []item {
	t.Helper()
	check(t, err)
	var c struct{ Item []item }
	check(t, json.Unmarshal(collection, &c))
	return c.Item
}

// sent are the parameters that a request sends.
func (i item) sent() map[string]string {
	all := make(map[string]string)
	for _, p := range i.Request.Body.URLEncoded {
		if !p.Disabled {
			all[p.Key] = p.Value
		}
	}
	return all
}

func TestARequestHasEveryParameterAndSendsThoseOfTheExample(t *testing.T) {
	collection, err := postman.Collection(spec.Commands, example)
	folders := items(t, collection, err)
	for _, c := range spec.Commands {
		i := slices.IndexFunc(folders, func(f item) bool { return f.Name == c.Path() })
		if i < 0 {
			t.Errorf("%s has no folder", c.Path())
			continue
		}
		r := folders[i].Item[0]
		if len(r.Request.Body.URLEncoded) != len(c.Params) {
			t.Errorf("%s: %d parameters of %d", c.Path(), len(r.Request.Body.URLEncoded), len(c.Params))
		}
		sent := r.sent()
		for _, u := range c.Params {
			if _, ok := sent[u.Name]; !ok && u.Need == spec.Required {
				t.Errorf("%s does not send %s", c.Path(), u.Name)
			}
		}
		if c.After == nil {
			continue
		}
		if before := slices.IndexFunc(folders, func(f item) bool { return f.Name == c.After.Command.Path() }); before < 0 || before > i {
			t.Errorf("%s comes before %s", c.Path(), c.After.Command.Path())
		}
	}
}

// fictitious are two commands that no gateway has, with a parameter, a reply and
// a formula of their own.
func fictitious() (signed, summed *spec.Command) {
	colour := &spec.Param{Name: "envelope-colour", Kind: spec.Line, Max: 12, Doc: spec.T("Colour of the envelope.", "Цвет конверта."), Sample: "teal"}
	stampID := &spec.Param{Name: "stamp", Kind: spec.Digits, Max: 9, Doc: spec.T("Number of the stamp.", "Номер марки."), Sample: "1"}
	stamp := &spec.Field{Name: "stamp-id", Doc: spec.T("Number of the stamp.", "Номер марки."), Sample: "77001"}
	reply := &spec.ReplySpec{Type: "post-letter-response", Fields: []*spec.Field{spec.FieldType, spec.FieldSerial, spec.FieldMerchantOrder, spec.FieldPaynetOrder, stamp}}
	signed = &spec.Command{Version: 4, Name: "post-letter", Auth: spec.OAuthRSA, Group: true, Type: payout.TypePayout, Reaches: payout.Approved,
		Doc: spec.T("Posts a letter.", "Отправляет письмо."), Reply: reply,
		Params: []spec.Use{{Param: spec.ClientOrderID, Need: spec.Required}, {Param: colour, Need: spec.Required}}}
	summed = &spec.Command{Version: 2, Name: "recall-letter", Auth: spec.Control, Doc: spec.T("Recalls a letter.", "Отзывает письмо."), Reply: reply,
		Sum: []spec.SumPart{spec.SumID, spec.SumPart(stampID.Name)}, After: &spec.After{Command: signed, Gives: stamp, Takes: stampID},
		Params: []spec.Use{{Param: stampID, Need: spec.Required}, {Param: colour, Need: spec.Optional}, {Param: spec.ControlSum, Need: spec.Required}}}
	return signed, summed
}

func TestAFictitiousCommandHasRequestsWithNoOtherChange(t *testing.T) {
	signed, summed := fictitious()
	commands := append(slices.Clone(spec.Commands), summed, signed)
	all, err := postman.Collection(commands, example)
	single, err2 := postman.Single(summed, commands, example)
	for name, folders := range map[string][]item{"all": items(t, all, err), "single": items(t, single, err2)} {
		post := slices.IndexFunc(folders, func(f item) bool { return f.Name == "v4/post-letter" })
		recall := slices.IndexFunc(folders, func(f item) bool { return f.Name == "v2/recall-letter" })
		if post < 0 || recall < post {
			t.Fatalf("%s: the folders are at %d and %d", name, post, recall)
		}
		first, poll, second := folders[post].Item[0], folders[post].Item[1], folders[recall].Item[0]
		if got := first.sent(); got["envelope-colour"] != "teal" || got["client_orderid"] != "{{v4-post-letter.client_orderid}}" || first.Request.Auth != nil {
			t.Errorf("%s: post-letter sends %v", name, got)
		}
		if first.Request.URL.Raw != "{{baseUrl}}/api/v4/post-letter/{{target}}" || second.Request.URL.Raw != "{{baseUrl}}/api/v2/recall-letter/{{endpoint}}" {
			t.Errorf("%s: the addresses are %s and %s", name, first.Request.URL.Raw, second.Request.URL.Raw)
		}
		if poll.sent()["orderid"] != "{{v4-post-letter.orderid}}" || !strings.Contains(poll.Request.URL.Raw, "/v4/status/") {
			t.Errorf("%s: the status of %v is asked at %s", name, poll.sent(), poll.Request.URL.Raw)
		}
		if got := second.sent(); len(got) != 2 || got["stamp"] != "{{v4-post-letter.stamp-id}}" || got["control"] != "{{control}}" || second.Request.Auth.Type != "noauth" {
			t.Errorf("%s: recall-letter sends %v", name, got)
		}
		if facts := second.Event[0].Script.Exec[0]; !strings.Contains(facts, `"sum":["ENDPOINTID","stamp"]`) {
			t.Errorf("%s: the control sum is made of %s", name, facts)
		}
	}
}
