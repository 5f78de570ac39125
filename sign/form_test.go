package sign

import (
	"errors"
	"net/url"
	"slices"
	"strings"
	"testing"
)

func TestParseFormKeepsOrderRepeatsAndEmptyValues(t *testing.T) {
	for _, c := range []struct {
		in   string
		want []Pair
	}{
		{"", nil},
		{"a=1&b=2&a=1", []Pair{{"a", "1"}, {"b", "2"}, {"a", "1"}}},
		{"a=1&&b=2&", []Pair{{"a", "1"}, {"b", "2"}}},
		{"name", []Pair{{"name", ""}}},
		{"name=", []Pair{{"name", ""}}},
		{"=", []Pair{{"", ""}}},
		{"=v", []Pair{{"", "v"}}},
		{"a=b=c", []Pair{{"a", "b=c"}}},
		{"a=1;b=2", []Pair{{"a", "1;b=2"}}},
		{"a=+%20%2B", []Pair{{"a", "  +"}}},
		{"a+b=1", []Pair{{"a b", "1"}}},
		{"%61=%d0%a2%D0%b5", []Pair{{"a", "Те"}}},
	} {
		got, err := ParseForm(c.in)
		if err != nil || !slices.Equal(got, c.want) {
			t.Errorf("ParseForm(%q) = %q, %v; want %q", c.in, got, err, c.want)
		}
	}
}

func TestParseFormNamesTheParameterNeverTheValue(t *testing.T) {
	for _, c := range []struct {
		in   string
		want FormError
	}{
		{"a=1&account_number=4111%zz", FormError{2, "account_number", problemPercent}},
		{"a=4111%", FormError{1, "a", problemPercent}},
		{"a=4111%4", FormError{1, "a", problemPercent}},
		{"a=4111%ff", FormError{1, "a", problemUTF8}},
		{"a=4111\xff", FormError{1, "a", problemUTF8}},
		{"4111%zz", FormError{1, "", problemPercent}},
		{"4111=1%zz", FormError{1, "", problemPercent}},
		{"a%0a=1%zz", FormError{1, "", problemPercent}},
		{"a4111%zz=1", FormError{1, "", problemPercent}},
		{strings.Repeat("a", 65) + "=%", FormError{1, "", problemPercent}},
		{strings.Repeat("a", 64) + "=%", FormError{1, strings.Repeat("a", 64), problemPercent}},
	} {
		_, err := ParseForm(c.in)
		got, ok := errors.AsType[*FormError](err)
		if !ok || *got != c.want {
			t.Errorf("ParseForm(%q): %v, want %v", c.in, err, &c.want)
			continue
		}
		if strings.Contains(err.Error(), "4111") {
			t.Errorf("ParseForm(%q): the error shows a value: %v", c.in, err)
		}
	}
}

func TestParseFormLimitsThePairs(t *testing.T) {
	if pairs, err := ParseForm(strings.Repeat("a&", FormPairsMax)); err != nil || len(pairs) != FormPairsMax {
		t.Errorf("%d pairs: got %d, %v", FormPairsMax, len(pairs), err)
	}
	if _, err := ParseForm(strings.Repeat("a&", FormPairsMax+1)); err == nil {
		t.Errorf("%d pairs are accepted", FormPairsMax+1)
	}
}

func TestEncodeFormWritesSpaceAsPlus(t *testing.T) {
	got := EncodeForm([]Pair{{"a b", "1+1=2&\n"}, {"c", ""}, {"d", "é~*"}})
	if want := "a+b=1%2B1%3D2%26%0A&c=&d=%C3%A9~%2A"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if got := EncodeForm(nil); got != "" {
		t.Errorf("no pairs: %q", got)
	}
}

func FuzzParseForm(f *testing.F) {
	for _, s := range []string{"a=1&b=+%2B", "&&=&a", "a=%zz", "%d0%a2=\xff", "a;b=c"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		pairs, err := ParseForm(s)
		if err != nil {
			return
		}
		text := EncodeForm(pairs)
		again, err := ParseForm(text)
		if err != nil || !slices.Equal(again, pairs) {
			t.Fatalf("%q: %q became %q, %v", s, pairs, again, err)
		}
		if EncodeForm(again) != text {
			t.Fatalf("%q: not stable", s)
		}
		for _, p := range pairs { // the standard library writes the same
			if one := EncodeForm([]Pair{p}); one != url.QueryEscape(p.Name)+"="+url.QueryEscape(p.Value) {
				t.Fatalf("%q: %s", p, one)
			}
		}
	})
}
