package spec

import (
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"pgregory.net/rapid"

	"payout"
)

// allKinds are the kinds that parameters have.
func allKinds() []Kind {
	var kinds []Kind
	for _, c := range Commands {
		for _, u := range c.Params {
			kinds = append(kinds, u.Kind)
		}
	}
	slices.Sort(kinds)
	return slices.Compact(kinds)
}

// refuses tells whether the gateway refuses a value of the kind; an amount is
// refused that no currency has.
func refuses(k Kind, value string) bool {
	if k.broken(value) != "" {
		return true
	}
	if k != Amount {
		return false
	}
	return !slices.ContainsFunc(payout.Currencies(), func(c payout.Currency) bool {
		_, err := payout.ParseAmount(value, c)
		return err == nil
	})
}

// compiled has the patterns of the kinds.
var compiled = func() map[Kind]*regexp.Regexp {
	all := make(map[Kind]*regexp.Regexp)
	for k := range patterns {
		all[k] = regexp.MustCompile(k.Pattern())
	}
	return all
}()

// checkPattern wants what Pattern promises of one value.
func checkPattern(t interface{ Errorf(string, ...any) }, k Kind, value string) {
	if value == "" || !utf8.ValidString(value) {
		return // absent, and no form
	}
	matches := compiled[k].MatchString(value)
	switch refused := refuses(k, value); {
	case !refused && !matches:
		t.Errorf("%s: %q is accepted, and does not match %s", k, value, k.Pattern())
	case refused && matches && patterns[k].exact:
		t.Errorf("%s: %q is refused, and matches %s", k, value, k.Pattern())
	}
}

func TestEveryKindHasAPattern(t *testing.T) {
	kinds := allKinds()
	if len(kinds) < 15 {
		t.Errorf("only %d kinds are in use", len(kinds))
	}
	for _, k := range kinds {
		if p := k.Pattern(); !strings.HasPrefix(p, "^") || !strings.HasSuffix(p, "$") {
			t.Errorf("%s: the pattern is %q", k, p)
		}
	}
	for k := range patterns {
		if !slices.Contains(kinds, k) {
			t.Errorf("no parameter is a %s", k)
		}
	}
}

func TestPatternsAgreeWithTheBordersOfTheKinds(t *testing.T) {
	for _, test := range kindBorders {
		for _, value := range slices.Concat(test.accept, test.refuse) {
			if n := utf8.RuneCountInString(value); n <= test.param.Max {
				checkPattern(t, test.param.Kind, value)
			}
		}
	}
	eachRow(t, func(t *testing.T, _ *Command, u Use) {
		if !compiled[u.Kind].MatchString(u.Sample) {
			t.Errorf("the sample %q does not match %s", u.Sample, u.Kind.Pattern())
		}
	})
}

// alphabets make values that are nearly right.
var alphabets = []string{"0123456789", "01.", "0123456789+-() ", "ABCXZabcz019", "0123456789abcdefABCDEF:.-", "https://@?#:h%. \u00a0\u2028ж[]", "\x00\n\t \x7f\u0085~aЖ🏦"}

func TestPatternsNeverRefuseWhatTheGatewayAccepts(t *testing.T) {
	for _, k := range allKinds() {
		t.Run(string(k), rapid.MakeCheck(func(t *rapid.T) {
			near := rapid.SampledFrom(alphabets).Draw(t, "alphabet")
			value := rapid.OneOf(
				rapid.StringOfN(rapid.RuneFrom([]rune(near)), 1, 24, -1),
				rapid.StringMatching(k.Pattern()),
				rapid.String(),
			).Draw(t, "value")
			if k == Amount || k == OrderID {
				value = string([]rune(value)[:min(10, utf8.RuneCountInString(value))])
			}
			checkPattern(t, k, value)
		}))
	}
}

// FuzzPattern looks for a value on which a pattern and the gateway disagree.
func FuzzPattern(f *testing.F) {
	kinds := allKinds()
	for i, k := range kinds {
		for _, test := range kindBorders {
			if test.param.Kind != k {
				continue
			}
			for _, value := range slices.Concat(test.accept, test.refuse) {
				f.Add(uint8(i), value)
			}
		}
	}
	f.Fuzz(func(t *testing.T, index uint8, value string) {
		checkPattern(t, kinds[int(index)%len(kinds)], value)
	})
}

func TestListedValuesAreAllThatAreAccepted(t *testing.T) {
	for _, k := range allKinds() {
		values := k.Values()
		if !slices.IsSorted(values) {
			t.Errorf("%s: the values are not sorted", k)
		}
		for _, value := range values {
			if refuses(k, value) || !compiled[k].MatchString(value) {
				t.Errorf("%s: %q is listed and refused", k, value)
			}
		}
	}
	const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
	for _, a := range letters {
		for _, b := range letters {
			code := string([]rune{a, b})
			if listed := slices.Contains(Country.Values(), code); listed != !refuses(Country, code) {
				t.Errorf("%s: listed is %t", code, listed)
			}
			for _, c := range letters {
				code := code + string(c)
				if listed := slices.Contains(Currency.Values(), code); listed != !refuses(Currency, code) {
					t.Errorf("%s: listed is %t", code, listed)
				}
			}
		}
	}
	for _, value := range []string{"True", "TRUE", "1", "yes"} {
		if !refuses(Bool, value) {
			t.Errorf("%q is a Bool, and is not listed", value)
		}
	}
}
