package payout

import (
	"math"
	"math/rand/v2"
	"regexp"
	"strings"
	"testing"
)

func TestParseAmountAccepts(t *testing.T) {
	for _, test := range []struct {
		text     string
		currency Currency
		minor    int64
		printed  string
	}{
		{"10.42", "USD", 1042, "10.42"}, // api-facts 2
		{"0.94", "USD", 94, "0.94"},     // api-facts 2
		{"10.15", "EUR", 1015, "10.15"}, // api-facts 2
		{"10.4", "USD", 1040, "10.40"},
		{"10", "USD", 1000, "10.00"},
		{"0010", "USD", 1000, "10.00"},
		{"00.50", "USD", 50, "0.50"},
		{"0.01", "USD", 1, "0.01"},                              // the least
		{"9999999.99", "USD", 999_999_999, "9999999.99"},        // 10 characters with a point
		{"9999999999", "USD", 999_999_999_900, "9999999999.00"}, // and without
		{"0000000001", "USD", 100, "1.00"},
		{"0000000.01", "USD", 1, "0.01"},
		{"100", "JPY", 100, "100"},
		{"1", "JPY", 1, "1"},
		{"9999999999", "JPY", 9_999_999_999, "9999999999"},
		{"1.5", "KWD", 1500, "1.500"},
		{"1.50", "KWD", 1500, "1.500"},
		{"1.500", "KWD", 1500, "1.500"},
		{"0.001", "KWD", 1, "0.001"},
		{"999999.999", "KWD", 999_999_999, "999999.999"},
		{"9999999999", "KWD", 9_999_999_999_000, "9999999999.000"}, // the most minor units
	} {
		got, err := ParseAmount(test.text, test.currency)
		if err != nil || got != (Amount{test.minor, test.currency}) {
			t.Errorf("ParseAmount(%q, %s) = %d %s, %v; want %d", test.text, test.currency, got.Minor, got.Currency, err, test.minor)
			continue
		}
		if got.String() != test.printed {
			t.Errorf("ParseAmount(%q, %s).String() = %q, want %q", test.text, test.currency, got, test.printed)
		}
	}
}

func TestParseAmountRefusesByRule(t *testing.T) {
	const (
		length = "must be at most 10 characters"
		form   = "must be digits with '.' as decimal separator"
		zero   = "must be greater than zero"
	)
	for _, test := range []struct {
		text     string
		currency Currency
		want     string
	}{
		{"99999999999", "USD", length}, // 11 characters
		{"99999999.99", "USD", length},
		{"00000000001", "USD", length},
		{strings.Repeat("9", 1<<20), "USD", length},
		{"٠١٢٣٤٥٦٧٨٩١", "USD", length}, // characters, not bytes

		{"", "USD", form},
		{".", "USD", form},
		{".5", "USD", form},
		{"5.", "USD", form},
		{"5.", "JPY", form},
		{"1.2.3", "USD", form},
		{"1..2", "USD", form},
		{"-1", "USD", form},
		{"+1", "USD", form},
		{"1.-1", "USD", form},
		{"1e3", "USD", form},
		{"0x10", "USD", form},
		{"1_000", "USD", form},
		{"1,5", "USD", form},
		{"1 000", "USD", form},
		{" 10", "USD", form},
		{"10 ", "USD", form},
		{"10\n", "USD", form},
		{"10\x00", "USD", form},
		{"\x00", "USD", form},
		{"NaN", "USD", form},
		{"Inf", "USD", form},
		{"/", "USD", form}, // beside '0' in ASCII
		{":", "USD", form}, // beside '9'
		{"١٠", "USD", form},
		{"１０", "USD", form},
		{"٠١٢٣٤٥٦٧٨٩", "USD", form}, // 10 characters, 20 bytes
		{"10\xff", "USD", form},

		{"10.421", "USD", "must have at most 2 decimals in USD"},
		{"10.420", "USD", "must have at most 2 decimals in USD"},
		{"10.5", "JPY", "must have no decimals in JPY"},
		{"10.0", "JPY", "must have no decimals in JPY"},
		{"1.5000", "KWD", "must have at most 3 decimals in KWD"},

		{"0", "USD", zero},
		{"0.0", "USD", zero},
		{"0.00", "USD", zero},
		{"0000000000", "USD", zero},
		{"0", "JPY", zero},
		{"0.000", "KWD", zero},

		{"10", "", "must have a known currency"},
		{"10", "ABC", "must have a known currency"},
	} {
		got, err := ParseAmount(test.text, test.currency)
		if err == nil || err.Error() != test.want || got != (Amount{}) {
			t.Errorf("ParseAmount(%.20q, %s) = %+v, %v; want %q", test.text, test.currency, got, err, test.want)
		}
	}
}

func TestAmountPrintsAllDecimalsOfItsCurrency(t *testing.T) {
	for _, test := range []struct {
		amount       Amount
		major, minor string
	}{
		{Amount{}, "0", "0"},
		{Amount{0, "USD"}, "0.00", "0"},
		{Amount{1, "USD"}, "0.01", "1"},
		{Amount{99, "USD"}, "0.99", "99"},
		{Amount{100, "USD"}, "1.00", "100"},
		{Amount{1042, "USD"}, "10.42", "1042"},
		{Amount{100, "JPY"}, "100", "100"},
		{Amount{1500, "KWD"}, "1.500", "1500"},
		{Amount{999, "KWD"}, "0.999", "999"},
		{Amount{-1, "USD"}, "-0.01", "-1"}, // balances may be below zero
		{Amount{-1042, "USD"}, "-10.42", "-1042"},
		{Amount{-100, "JPY"}, "-100", "-100"},
		{Amount{math.MaxInt64, "USD"}, "92233720368547758.07", "9223372036854775807"},
		{Amount{math.MinInt64, "USD"}, "-92233720368547758.08", "-9223372036854775808"},
	} {
		if got := test.amount.String(); got != test.major {
			t.Errorf("%d %s prints %q, want %q", test.amount.Minor, test.amount.Currency, got, test.major)
		}
		if got := test.amount.MinorString(); got != test.minor {
			t.Errorf("%d %s prints %q in minor units, want %q", test.amount.Minor, test.amount.Currency, got, test.minor)
		}
	}
}

// What String prints in 10 characters, ParseAmount reads as the same amount.
func TestAmountStringRoundTrip(t *testing.T) {
	r := rand.New(rand.NewPCG(4217, 1))
	for _, c := range Currencies() {
		most := int64(9_999_999_999) // ten digits, or nine and a point
		if c.Exponent() > 0 {
			most = 999_999_999
		}
		for i := range 200 {
			want := Amount{1 + r.Int64N(most), c}
			switch i { // every run has the borders
			case 0:
				want.Minor = 1
			case 1:
				want.Minor = most
			}
			got, err := ParseAmount(want.String(), c)
			if err != nil || got != want {
				t.Fatalf("ParseAmount(%q, %s) = %+v, %v; want %+v", want, c, got, err, want)
			}
		}
		if _, err := ParseAmount(Amount{most + 1, c}.String(), c); err == nil {
			t.Errorf("11 characters were read in %s", c)
		}
	}
}

func TestParseAmountDoesNotAllocate(t *testing.T) {
	n := testing.AllocsPerRun(100, func() {
		c, err := ParseCurrency("USD")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := ParseAmount("10.42", c); err != nil {
			t.Fatal(err)
		}
	})
	if n != 0 {
		t.Errorf("%v allocations, want none", n)
	}
}

var amountForm = regexp.MustCompile(`^[0-9]+(\.[0-9]+)?$`)

// Whatever is accepted has the documented form, is more than zero, and keeps
// its value when printed.
func FuzzParseAmount(f *testing.F) {
	for _, text := range []string{"10.42", "10", "0", "0.00", "5.", ".5", "1.2.3", "-1", "1e3", "0010", "99999999999", "١", "1\x00"} {
		f.Add(text, "USD")
	}
	f.Add("100", "JPY")
	f.Add("1.500", "KWD")
	f.Add("1", "ABC")
	f.Fuzz(func(t *testing.T, text, code string) {
		c, err := ParseCurrency(code)
		if err != nil {
			c = Currency(code)
		}
		a, err := ParseAmount(text, c)
		if err != nil {
			if a != (Amount{}) {
				t.Fatalf("an error came with %+v", a)
			}
			return
		}
		if a.Minor <= 0 || a.Currency != c || len(text) > 10 || !amountForm.MatchString(text) {
			t.Fatalf("ParseAmount(%q, %s) = %+v", text, c, a)
		}
		// The printed form is the text without leading zeros, filled up with decimals.
		major, decimals, _ := strings.Cut(text, ".")
		want := strings.TrimLeft(major, "0")
		if want == "" {
			want = "0"
		}
		if c.Exponent() > 0 {
			want += "." + decimals + strings.Repeat("0", c.Exponent()-len(decimals))
		}
		if a.String() != want {
			t.Fatalf("ParseAmount(%q, %s) prints %q, want %q", text, c, a, want)
		}
	})
}

func BenchmarkParseAmount(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		if _, err := ParseAmount("10.42", "USD"); err != nil {
			b.Fatal(err)
		}
	}
}
