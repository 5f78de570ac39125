package payout

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// The generated table is what its generator makes of the committed facts.
func TestCurrencyTableIsFresh(t *testing.T) {
	// Read here so that go test does not keep an "ok" when one of them changes.
	for _, name := range []string{"gen/currencies/main.go", "gen/currencies/iso4217.csv"} {
		if _, err := os.ReadFile(name); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := exec.LookPath("go"); err != nil {
		t.Skip("the generator is run with the go command, which is not on this machine")
	}
	made := filepath.Join(t.TempDir(), "currency_table.go")
	if out, err := exec.Command("go", "run", "./gen/currencies", "-o", made).CombinedOutput(); err != nil {
		t.Fatalf("run the generator: %v\n%s", err, out)
	}
	want, err := os.ReadFile(made)
	if err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile("currency_table.go")
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Error("currency_table.go is not what gen/currencies makes; run go generate")
	}
}

// The minor units by hand, from ISO 4217 and not from the package: 0 and 3
// decimals are listed in full, every other currency has 2.
func TestExponentIsOfISO4217(t *testing.T) {
	none := strings.Fields("BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX VND VUV XAF XOF XPF")
	three := strings.Fields("BHD IQD JOD KWD LYD OMR TND")
	for _, code := range slices.Concat(none, three) {
		if _, err := ParseCurrency(code); err != nil {
			t.Errorf("ParseCurrency(%s): %v", code, err)
		}
	}
	for _, c := range Currencies() {
		want := 2
		if slices.Contains(none, c.Code()) {
			want = 0
		}
		if slices.Contains(three, c.Code()) {
			want = 3
		}
		if got := c.Exponent(); got != want {
			t.Errorf("%s.Exponent() = %d, want %d", c, got, want)
		}
	}
	if got := Currency("").Exponent(); got != 0 {
		t.Errorf("no currency has exponent %d, want 0", got)
	}
}

func TestExponentOfUnknownCurrencyPanics(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("Exponent guessed the decimals of an unknown currency")
		}
	}()
	Currency("ABC").Exponent()
}

func TestParseCurrencyAcceptsTheTable(t *testing.T) {
	for _, c := range Currencies() {
		got, err := ParseCurrency(c.Code())
		if err != nil || got != c || got.String() != c.Code() {
			t.Errorf("ParseCurrency(%q) = %q, %v", c.Code(), got, err)
		}
	}
	// New ones, and those that golang.org/x/text lacks or gives other decimals.
	for _, code := range strings.Fields("XCG ZWG SLE VED VES MRU MGA MUR HUF STN BYN EUR USD RUB CNY") {
		if _, err := ParseCurrency(code); err != nil {
			t.Errorf("ParseCurrency(%s): %v", code, err)
		}
	}
}

func TestParseCurrencyRefusesWhatIsNoMoneyToPayOut(t *testing.T) {
	for reason, codes := range map[string]string{
		"ended":                       "ANG BGN CUC HRK SLL ZWL VEF MRO STD BYR LTL DEM",
		"a fund":                      "BOV CHE CHW CLF COU MXV USN UYI",
		"a unit of account":           "UYW XDR XSU XUA XAD XBA XBB XBC XBD",
		"a metal":                     "XAU XAG XPT XPD",
		"no currency or testing":      "XXX XTS",
		"not upper case":              "usd Usd usD",
		"not three letters":           "US USDX U$D 840 U",
		"not a code of ISO 4217":      "AAA ZZZ BTC",
		"not ASCII (Cyrillic look)":   "UЅD ＵＳＤ",
		"longer than anything useful": strings.Repeat("USD", 10000),
	} {
		for _, code := range strings.Fields(codes) {
			refuseCurrency(t, code, reason)
		}
	}
	for _, code := range []string{"", " ", " USD", "USD ", "USD\x00", "\x00\x00\x00", "US\n"} {
		refuseCurrency(t, code, "not exactly three letters")
	}
}

func refuseCurrency(t *testing.T, code, reason string) {
	t.Helper()
	c, err := ParseCurrency(code)
	if err == nil || c != "" {
		t.Errorf("ParseCurrency(%.20q) = %q, %v; it is %s", code, c, err, reason)
		return
	}
	if len(err.Error()) > 100 || len(code) >= 3 && strings.Contains(err.Error(), code) {
		t.Errorf("ParseCurrency(%.20q) echoes the value: %v", code, err)
	}
}

func TestCurrenciesAreSortedAndTheCallersOwn(t *testing.T) {
	all := Currencies()
	if len(all) != 155 { // 179 in the list, less 8 funds, 13 without minor unit, UYW and 3 ended, and XCG
		t.Errorf("%d currencies; if ISO changed its list, change this number", len(all))
	}
	if !slices.IsSorted(all) || len(slices.Compact(slices.Clone(all))) != len(all) {
		t.Error("not sorted, or with a code twice")
	}
	all[0] = "XXX"
	if Currencies()[0] != "AED" {
		t.Error("a caller can change the table")
	}
}
