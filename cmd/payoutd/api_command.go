package main

import (
	"slices"
	"strings"

	"payout/spec"
)

// command finds a command by its path, such as v4/payout, or by its name: of
// several with one name the one of the greatest version.
func (a api) command(name string) (*spec.Command, error) {
	var found *spec.Command
	for _, c := range a {
		if c.Path() == name {
			return c, nil
		}
		if c.Name == name && (found == nil || c.Version > found.Version) {
			found = c
		}
	}
	if found != nil {
		return found, nil
	}
	var known, paths []string
	for _, c := range a {
		known, paths = append(known, c.Name, c.Path()), append(paths, c.Path())
	}
	if near := nearest(name, known); near != "" {
		return nil, wrongUsage("there is no command %q; did you mean %s?", name, near)
	}
	return nil, wrongUsage("there is no command %q; there are: %s", name, strings.Join(paths, ", "))
}

// nearest is the known name that a mistyped one, or the beginning of one, most
// likely means, or empty.
func nearest(name string, known []string) string {
	for _, k := range known {
		if name != "" && strings.HasPrefix(k, name) {
			return k
		}
	}
	best, least := "", len(name)/3+2 // more than a third wrong is another word
	for _, k := range known {
		if d := distance(strings.ToLower(name), strings.ToLower(k)); d < least {
			best, least = k, d
		}
	}
	return best
}

// distance counts the letters to insert, drop or change that make a into b
// (Levenshtein).
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			change := diagonal
			if a[i] != b[j] {
				change++
			}
			diagonal = row[j+1]
			row[j+1] = min(change, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}

// names lists every name under which a command takes parameters.
func names(c *spec.Command) []string {
	var all []string
	for _, u := range c.Params {
		all = append(all, u.Names()...)
	}
	slices.Sort(all)
	return slices.Compact(all)
}
