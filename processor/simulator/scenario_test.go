package simulator

import (
	"regexp"
	"testing"

	"payout/processor"
)

func TestScenarioNumbersAreOneReadableFamily(t *testing.T) {
	seed := map[string]string{"approved": "1234567890", "declined": "0987654321", "processor error": "1987654321"}
	account, phone := regexp.MustCompile(`^20000000\d\d$`), regexp.MustCompile(`^799900000\d\d$`)
	seen := make(map[string]string)
	for _, sc := range Scenarios() {
		if sc.Name == "" || sc.Doc == "" {
			t.Errorf("scenario %s has no name or no Doc", sc.Account)
		}
		for _, number := range []string{sc.Account, sc.Phone} {
			if other, ok := seen[number]; ok {
				t.Errorf("%s and %s have the same number %s", sc.Name, other, number)
			}
			seen[number] = sc.Name
		}
		if !phone.MatchString(sc.Phone) {
			t.Errorf("%s: the phone %s is not of the family", sc.Name, sc.Phone)
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

func TestScenarioIsChosenByAccountElseByPhone(t *testing.T) {
	const other = "any other number"
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
