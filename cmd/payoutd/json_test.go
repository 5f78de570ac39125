package main

import (
	"encoding/json"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"payout"
	"payout/storage"
	"payout/vault"
)

// keysOf lists the names of an object of JSON and of the objects within.
func keysOf(value any) []string {
	var all []string
	switch v := value.(type) {
	case map[string]any:
		for name, inner := range v {
			all = append(append(all, name), keysOf(inner)...)
		}
	case []any:
		for _, inner := range v {
			all = append(all, keysOf(inner)...)
		}
	}
	return all
}

// Scripts can rely on the help: it has every name that is printed.
func TestJSONHasTheShapeThatTheHelpTells(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.merchant()
	s.ok("gate", "add", "Bank", "--currency", "EUR,USD", "--require", "account_name", "--set", "password=hunter2")
	s.ok("endpoint", "add", testLogin, "--project", "Main", "--gate", "Bank", "--id", "39915", "--callback-url", "https://merchant.example.com/cb?token=hunter2")
	s.ok("group", "add", testLogin, "--endpoint", "39915", "--id", "77")
	s.with(func(db *storage.DB, _ *vault.Vault) error {
		_, err := db.Accept(storage.Acceptance{Now: time.Now(), CardRef: &payout.CardRef{ID: payout.NewCardRefID([8]byte{1}), PartyID: 1, OrderID: 1000001,
			Unique: 7, Card: "4444555566661111"}})
		return err
	})
	for _, c := range []struct {
		args []string
		has  string // within the JSON without its blanks
	}{
		{[]string{"party", "list"}, `[{"login":"TestMerchant","name":"TestMerchant","enabled":true,"keys":[{"fingerprint":"`},
		{[]string{"project", "list"}, `[{"id":"1","name":"Main","enabled":true}]`},
		{[]string{"gate", "list"}, `"processor":"simulator","currencies":["EUR","USD"],"requires":["account_name"]`},
		{[]string{"endpoint", "list"}, `{"id":"39915","party":"TestMerchant","project":"Main","name":"","currency":"","gates":["Bank"],"repeat":"replay"`},
		{[]string{"group", "list"}, `"id":"77","party":"TestMerchant","name":"","endpoints":["39915"]`},
		{[]string{"card", "list", testLogin}, `"card":"444455******1111","unq_card_ref_id":"7","paynet_order_id":"1000001"`},
		{[]string{"order", "list"}, `[]`},
		{[]string{"scenarios"}, `"account_number":"0987654321","receiver_phone":"79990000001","card":"4000000000000010"`},
		{[]string{"version"}, `"version":"development"`},
	} {
		args := append(slices.Clone(c.args), "--json")
		if stored := c.args[0] != "scenarios" && c.args[0] != "version"; stored {
			args = s.stored(args)
		}
		r := execute(t.Context(), "", args...)
		var value any
		if err := json.Unmarshal([]byte(r.out), &value); err != nil || r.code != 0 {
			t.Errorf("%q: exit %d: %v %s%s", c.args, r.code, err, r.out, r.err)
			continue
		}
		if flat := regexp.MustCompile(`\s*\n\s*|(": )`).ReplaceAllStringFunc(r.out, func(s string) string { return strings.Trim(s, "\n ") }); !strings.Contains(flat, c.has) {
			t.Errorf("%q: no %s in\n%s", c.args, c.has, flat)
		}
		if strings.Contains(r.out, "hunter2") || strings.Contains(r.out, testControl) {
			t.Errorf("%q shows a secret: %s", c.args, r.out)
		}
		help := execute(t.Context(), "", append(slices.Clone(c.args), "--help")...)
		for _, name := range keysOf(value) {
			if !regexp.MustCompile(`(?m)^ +` + name + `\?? +\S`).MatchString(help.out) {
				t.Errorf("%q prints %s, and its help does not tell:\n%s", c.args, name, help.out)
			}
		}
	}
}

func TestShapeTellsNamesKindsAndWhatMayBeLeftOut(t *testing.T) {
	t.Parallel()
	type inner struct {
		At time.Time `json:"at"`
	}
	type view struct {
		ID    int64             `json:"id,string"`
		Count int               `json:"count,omitempty" doc:"how many"`
		Parts []inner           `json:"parts"`
		Words []string          `json:"words"`
		Map   map[string]string `json:"map"`
		On    bool              `json:"on"`
	}
	got := shapeOf[[]view]()
	for _, line := range []string{"a list of objects", "id string", `count\? number: how many`, "parts list of", "  at time", "words list of string", "map object of strings", "on true or false"} {
		if !regexp.MustCompile(strings.ReplaceAll(line, " ", `\s+`)).MatchString(got) {
			t.Errorf("no %q in\n%s", line, got)
		}
	}
	if !strings.Contains(shapeOf[view](), "With --json, an object:") {
		t.Error("an object is described as a list")
	}
}
