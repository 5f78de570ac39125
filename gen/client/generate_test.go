package main

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"payout"
	"payout/callback"
	"payout/spec"
)

// clientFolder is the package that is generated.
const clientFolder = "../../client"

func TestTheCommittedFilesAreFresh(t *testing.T) {
	files, err := generate(spec.Commands, callback.Fields, callback.RedirectFields)
	if err != nil {
		t.Fatal(err)
	}
	if len(files) != 3 {
		t.Errorf("%d files are made", len(files))
	}
	for name, want := range files {
		if got, err := os.ReadFile(filepath.Join(clientFolder, name)); err != nil || !bytes.Equal(got, want) {
			t.Errorf("client/%s is not what the tables say (%v): run go generate ./client", name, err)
		}
	}
	committed, err := filepath.Glob(filepath.Join(clientFolder, "*_generated.go"))
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range committed {
		if files[filepath.Base(path)] == nil {
			t.Errorf("%s is made by nobody", path)
		}
	}
}

func TestAChangedTableMakesOtherFiles(t *testing.T) {
	changed := *spec.Payout
	changed.Params = slices.Clone(spec.Payout.Params)
	changed.Params[0].Max = 7
	commands := slices.Clone(spec.Commands)
	commands[0] = &changed
	files, err := generate(commands, callback.Fields, callback.RedirectFields)
	if err != nil {
		t.Fatal(err)
	}
	committed, err := os.ReadFile(filepath.Join(clientFolder, "commands_generated.go"))
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Equal(files["commands_generated.go"], committed) {
		t.Error("another length of a parameter does not show")
	}
}

// The commands that no table has: new parameters, names that Go or package client
// have taken, both ways to authenticate, a reply of its own.
var (
	greeting  = &spec.Param{Name: "greeting-text", Kind: spec.String, Max: 10, Doc: spec.T("What to say.", "Что сказать."), Sample: "Hi", Source: "test"}
	pin       = &spec.Param{Name: "pin", Kind: spec.Digits, Min: 4, Max: 4, Sensitive: true, Doc: spec.T("Opens it.", "Открывает."), Sample: "1234", Source: "test"}
	extra     = &spec.Param{Name: "extra", Kind: spec.String, Max: 10, Doc: spec.T("More.", "Ещё."), Sample: "x", Source: "test"}
	formatted = &spec.Param{Name: "format", Kind: spec.String, Max: 10, Doc: spec.T("A `word`\nof \"two\" lines.", "Слово."), Sample: "y", Source: "test"}

	giftCard = &spec.Command{Version: 4, Name: "gift-card", Auth: spec.OAuthRSA, Group: true, Type: "gift", Doc: spec.T("Gives a card.", "Дарит карту."),
		Params: []spec.Use{{Param: spec.Login, Need: spec.Required}, {Param: spec.ClientOrderID, Need: spec.Required}, {Param: greeting, Need: spec.Optional},
			{Param: pin, Need: spec.Required}, {Param: extra, Need: spec.Optional}, {Param: formatted, Need: spec.Conditional}},
		Rules:  []spec.Rule{{Doc: spec.T("The greeting is polite.", "Приветствие вежливо.")}},
		Repeat: spec.RepeatReplays, Source: "test", After: &spec.After{Command: spec.Sale, Stage: payout.Approved},
		Reply: &spec.ReplySpec{Type: "gift-response", Fields: []*spec.Field{spec.FieldType, {Name: "gift-id", Doc: spec.T("The card's.", "Номер карты.")},
			{Name: "reply", Doc: spec.T("Thanks.", "Спасибо.")}, {Name: "left", Number: true, Doc: spec.T("How many are left.", "Сколько осталось.")}}}}

	undo = &spec.Command{Version: 2, Name: "undo", Auth: spec.Control, Type: "undo", Doc: spec.T("Undoes it.", "Отменяет."), Source: "test",
		Params: []spec.Use{{Param: spec.Login, Need: spec.Required}, {Param: spec.ClientOrderID, Need: spec.Required}, {Param: spec.AmountParam, Need: spec.Required},
			{Param: spec.CurrencyParam, Need: spec.Required}, {Param: spec.ControlSum, Need: spec.Required}},
		Sum:   []spec.SumPart{spec.SumID, "login", "client_orderid", spec.SumMinor, "currency"},
		Reply: &spec.ReplySpec{Type: "async-response", Fields: []*spec.Field{spec.FieldType, spec.FieldSerial}}} // not AsyncReply

	do = &spec.Command{Version: 4, Name: "do", Auth: spec.OAuthRSA, Doc: spec.T("Does it.", "Делает."), Source: "test", Repeat: spec.RepeatReads,
		Params: []spec.Use{{Param: spec.ClientOrderID, Need: spec.Required}}, Reply: spec.StatusReply}
)

// TestACommandThatNoTableHas: the generator takes any command; what it writes
// compiles into package client, sends such requests and reads their replies.
func TestACommandThatNoTableHas(t *testing.T) {
	files, err := generate(append(slices.Clone(spec.Commands), giftCard, undo, do), callback.Fields, callback.RedirectFields)
	if err != nil {
		t.Fatal(err)
	}
	folder, err := filepath.Abs(clientFolder)
	if err != nil {
		t.Fatal(err)
	}
	root, dir := filepath.Dir(folder), t.TempDir()
	overlay := struct{ Replace map[string]string }{map[string]string{}}
	for name, text := range files {
		overlay.Replace[filepath.Join(folder, name)] = filepath.Join(dir, name)
		if err := os.WriteFile(filepath.Join(dir, name), text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	program, err := filepath.Abs("testdata/fictitious.go")
	if err != nil {
		t.Fatal(err)
	}
	overlay.Replace[filepath.Join(root, "gen", "fictitious", "main.go")] = program
	text, err := json.Marshal(overlay)
	if err != nil {
		t.Fatal(err)
	}
	list := filepath.Join(dir, "overlay.json")
	if err := os.WriteFile(list, text, 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 4*time.Minute)
	defer cancel()
	run := exec.CommandContext(ctx, "go", "run", "-overlay", list, "./gen/fictitious")
	run.Dir = root
	if out, err := run.CombinedOutput(); err != nil || !strings.HasSuffix(string(out), "all replies read\n") {
		t.Errorf("%v\n%s", err, out)
	}
}

func TestTheGeneratorRefusesTwoThingsOfOneName(t *testing.T) {
	again := *giftCard
	again.Name = "gift_card"
	if _, err := generate([]*spec.Command{giftCard, &again}, nil, nil); err == nil {
		t.Error("two commands of the same Go name are accepted")
	}
}

func TestNamesOfTheWireAsGoSpellsThem(t *testing.T) {
	for wire, want := range map[string]string{"client_orderid": "ClientOrderID", "by-request-sn": "ByRequestSN", "ipaddress": "IPAddress",
		"server_callback_url": "ServerCallbackURL", "unq-card-ref-id": "UniqueCardRefID", "amount": "Amount", "3ds-result": "X3dsResult", "": ""} {
		if got := goName(wire); got != want {
			t.Errorf("%s is %s, want %s", wire, got, want)
		}
	}
	taken := fieldNames{"Reply": true}
	if first, second, third := taken.of("amount"), taken.of("amount_"), taken.of("reply"); first != "Amount" || second != "AmountParam" || third != "ReplyParam" {
		t.Error(first, second, third)
	}
}
