package main

import (
	"testing"

	"payout/spec"
)

func TestNearestIsABeginningOrAFewLettersAway(t *testing.T) {
	t.Parallel()
	known := []string{"amount", "account_number", "currency"}
	for typed, want := range map[string]string{
		"amount":           "amount",
		"acc":              "account_number", // a beginning
		"amuont":           "amount",
		"Amount":           "amount",
		"cuurency":         "currency",
		"acount-numbr":     "account_number",
		"amo_____":         "", // more than a third is wrong
		"zzz":              "",
		"":                 "",
		"account_number_x": "account_number",
	} {
		if got := nearest(typed, known); got != want {
			t.Errorf("%q is taken for %q, want %q", typed, got, want)
		}
	}
	for _, c := range []struct {
		a, b string
		want int
	}{{"", "", 0}, {"", "ab", 2}, {"ab", "", 2}, {"ab", "ab", 0}, {"ab", "ac", 1}, {"abc", "ac", 1}, {"kitten", "sitting", 3}} {
		if got := distance(c.a, c.b); got != c.want {
			t.Errorf("from %q to %q it is %d letters, want %d", c.a, c.b, got, c.want)
		}
	}
}

// A path names one command; a name means the greatest version of it.
func TestCommandsAreFoundByPathAndName(t *testing.T) {
	t.Parallel()
	table := api(spec.Commands)
	for _, want := range spec.Commands {
		if got, err := table.command(want.Path()); got != want || err != nil {
			t.Errorf("%s: %v", want.Path(), err)
		}
		if got, err := table.command(want.Name); err != nil || got.Name != want.Name || got.Version < want.Version {
			t.Errorf("%s: %v %v", want.Name, got, err)
		}
	}
}
