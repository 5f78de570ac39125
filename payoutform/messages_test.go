package payoutform

import (
	"io/fs"
	"regexp"
	"slices"
	"strings"
	"testing"

	"payout/spec"
	"payout/web"
)

// fieldNames are the fields that have texts of their own: those of the form.
var fieldNames = strings.Fields(`account_number account_name routing_number bank_name bank_code bank_branch bank_city bank_province
	bank_area bank_address1 bank_zip_code receiver_phone bank_id credit_card_number card_printed_name expire_month expire_year
	receiver_first_name receiver_last_name receiver_country_code receiver_state receiver_city receiver_zip_code receiver_address1 receiver_email`)

func readMessages(t *testing.T) *web.Messages {
	t.Helper()
	texts, err := fs.Sub(files, "messages")
	if err != nil {
		t.Fatal(err)
	}
	messages, err := web.ReadMessages(texts) // it compares the languages
	if err != nil {
		t.Fatal(err)
	}
	return messages
}

// wanted lists the keys that templates and words.go ask for, and those that a
// field or its kind may have.
func wanted(t *testing.T) (must, may []string) {
	t.Helper()
	literal := regexp.MustCompile(`\bt "([a-z0-9_.]+)"`)
	code := regexp.MustCompile(`w\.text\("([a-z0-9_.]+)"`)
	templates, err := fs.Glob(files, "templates/*.html")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range templates {
		content, err := fs.ReadFile(files, name)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range literal.FindAllSubmatch(content, -1) {
			must = append(must, string(m[1]))
		}
	}
	for _, m := range code.FindAllStringSubmatch(source(t, "words.go"), -1) {
		must = append(must, m[1])
	}
	for _, state := range waitStates {
		must = append(must, "wait."+string(state), "wait."+string(state)+".text")
	}
	for _, trouble := range []Trouble{TroubleNotFound, TroubleTooMany, TroubleForeign, TroubleBusy, TroubleInternal} {
		must = append(must, "trouble."+string(trouble)+".title", "trouble."+string(trouble)+".text")
	}
	for _, name := range fieldNames {
		must = append(must, "field."+name+".label", "field."+name+".missing")
		may = append(may, "field."+name+".hint")
		for _, problem := range problems {
			may = append(may, "field."+name+"."+string(problem))
		}
	}
	for _, problem := range problems {
		must = append(must, "problem."+string(problem))
		for _, kind := range []Input{InputText, InputIBAN, InputPhone, InputBank, InputCard, InputEmail, InputDigits, InputMonth, InputYear, InputCountry} {
			may = append(may, "problem."+string(kind)+"."+string(problem))
		}
	}
	return must, may
}

func TestNoMessageIsMissingOrSuperfluous(t *testing.T) {
	messages := readMessages(t)
	must, may := wanted(t)
	if len(must) < 100 {
		t.Fatalf("only %d keys are wanted: the test is blind", len(must))
	}
	for _, key := range must {
		if !messages.Has(key) {
			t.Errorf("%q is missing", key)
		}
	}
	for _, key := range messages.Keys() {
		if !slices.Contains(must, key) && !slices.Contains(may, key) {
			t.Errorf("%q is superfluous", key)
		}
	}
}

func TestEveryFieldOfTheFormHasItsTexts(t *testing.T) {
	for _, name := range fieldNames {
		if !spec.OnForm(name) {
			t.Errorf("%s is not on the form", name)
		}
	}
	for _, command := range spec.Commands {
		for _, use := range command.Params {
			if spec.OnForm(use.Name) && !slices.Contains(fieldNames, use.Name) {
				t.Errorf("%s has no texts", use.Name)
			}
		}
	}
}

// Russian texts are Russian: what stands in Latin letters is a name.
func TestRussianIsRussian(t *testing.T) {
	messages := readMessages(t)
	latin := regexp.MustCompile(`[A-Za-z]{2,}`)
	place := regexp.MustCompile(`\{[a-z]+\}`)
	names := []string{"IBAN", "SWIFT", "RRN", "NY", "name", "example", "com"}
	for _, key := range messages.Keys() {
		must, err := messages.Text(web.Russian, key, pairs(t, messages, key)...)
		if err != nil {
			t.Fatal(err)
		}
		for _, word := range latin.FindAllString(place.ReplaceAllString(must, ""), -1) {
			if !slices.Contains(names, word) {
				t.Errorf("%q has %q in Russian", key, word)
			}
		}
	}
}

// pairs fills the places of a message with themselves.
func pairs(t *testing.T, messages *web.Messages, key string) []string {
	t.Helper()
	for _, place := range []string{"", "amount", "time", "max", "to", "brand"} {
		filled := []string{place, "{" + place + "}"}
		if place == "" {
			filled = nil
		}
		if _, err := messages.Text(web.English, key, filled...); err == nil {
			return filled
		}
	}
	t.Fatalf("%q has other places", key)
	return nil
}
