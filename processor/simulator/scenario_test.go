package simulator

import (
	"regexp"
	"testing"

	"payout"
	"payout/processor"
)

func TestScenarioNumbersAreOneReadableFamily(t *testing.T) {
	seed := map[string]string{"approved": "1234567890", "declined": "0987654321", "processor error": "1987654321"}
	account, phone := regexp.MustCompile(`^20000000\d\d$`), regexp.MustCompile(`^799900000\d\d$`)
	card := regexp.MustCompile(`^4000000000000\d\d\d$|^4444555566661111$`)
	seen := make(map[string]string)
	for _, sc := range Scenarios() {
		if sc.Name == "" || sc.Doc.EN == "" || sc.Doc.RU == "" {
			t.Errorf("scenario %s has no name or no Doc", sc.Account)
		}
		for _, number := range []string{sc.Account, sc.Phone, sc.Card} {
			if other, ok := seen[number]; ok {
				t.Errorf("%s and %s have the same number %s", sc.Name, other, number)
			}
			seen[number] = sc.Name
		}
		if !phone.MatchString(sc.Phone) {
			t.Errorf("%s: the phone %s is not of the family", sc.Name, sc.Phone)
		}
		if _, err := payout.ParseCardNumber(sc.Card); err != nil || !card.MatchString(sc.Card) || sc.Card[0:4] == "4000" && sc.Card[13:15] != sc.Phone[9:] {
			t.Errorf("%s: the card %s is not of the family: %v", sc.Name, sc.Card, err)
		}
		if number, ok := seed[sc.Name]; ok {
			if number != sc.Account {
				t.Errorf("%s: the account is %s, and %s in the reference", sc.Name, sc.Account, number)
			}
			continue
		}
		if !account.MatchString(sc.Account) || sc.Account[8:] != sc.Phone[9:] {
			t.Errorf("%s: account %s and phone %s do not end alike", sc.Name, sc.Account, sc.Phone)
		}
	}
}

func TestScenarioIsChosenByCardElseByAccountElseByPhone(t *testing.T) {
	const other = "any other number"
	if got := scenarioOf(processor.Receiver{Card: "4000000000000010", AccountNumber: "2000000010", Phone: "79990000010"}); got.Name != "declined" {
		t.Errorf("the card does not decide: %s", got.Name)
	}
	if got := scenarioOf(processor.Receiver{Card: "5555555555554444", AccountNumber: "0987654321"}); got.Name != other {
		t.Errorf("another card: %s", got.Name)
	}
	for _, tt := range []struct{ account, phone, want string }{
		{"0987654321", "", "declined"},
		{"0987654321", "79990000010", "declined"},
		{"5555555555", "79990000001", other},
		{"", "79990000001", "declined"},
		{"", "+79990000001", "declined"},
		{"", "89990000001", "declined"},
		{"", "+89990000001", "declined"},
		{"", "9990000001", other},
		{"", "899900000011", other},
		{"", "69990000001", other},
		{"00987654321", "", other},
		{"0987654321 ", "", other},
		{"", "", other},
	} {
		if got := scenarioOf(processor.Receiver{AccountNumber: tt.account, Phone: tt.phone}); got.Name != tt.want {
			t.Errorf("account %q, phone %q: %s, want %s", tt.account, tt.phone, got.Name, tt.want)
		}
	}
}

func TestScenariosAreTheCallersOwn(t *testing.T) {
	Scenarios()[0].Account = "0"
	Settings()[0].Name = "x"
	if Scenarios()[0].Account == "0" || Settings()[0].Name == "x" {
		t.Error("a caller can change the table")
	}
}

func TestCardCodesAreDocumented(t *testing.T) {
	seen := make(map[string]bool)
	for _, c := range CardCodes() {
		if c.Doc.EN == "" || c.Doc.RU == "" || seen[c.Code] {
			t.Errorf("%s: a text is missing, or the code is there twice", c.Code)
		}
		seen[c.Code] = true
	}
}
