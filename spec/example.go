package spec

import (
	"slices"

	"payout/sign"
)

// Example returns the parameters of an example request: the required ones and
// those that Command.Shows, each with its sample. The control sum is left out:
// it depends on the others, see Control.
func (c *Command) Example() []sign.Pair {
	var form []sign.Pair
	for _, u := range c.Params {
		if u.Param == ControlSum || u.Need != Required && !slices.Contains(c.Shows, u.Param) {
			continue
		}
		form = append(form, sign.Pair{Name: u.Name, Value: u.Sample})
	}
	return form
}

// Example returns an example of a reply, with the sample of each of its fields:
// for status, those that a payout to a bank account has.
func (s *ReplySpec) Example() *Reply {
	r := s.New()
	for _, f := range s.Fields {
		if f != FieldType && f.Sample != "" && (s.Shows == nil || slices.Contains(s.Shows, f)) {
			r.Set(f, f.Sample)
		}
	}
	return r
}
