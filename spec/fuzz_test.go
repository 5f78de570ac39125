package spec

import (
	"errors"
	"maps"
	"slices"
	"testing"

	"payout"
	"payout/sign"
)

// FuzzParse reads any text as a form of any command: what is accepted once is
// accepted again, and a refusal is an error that the client may read.
func FuzzParse(f *testing.F) {
	for i, c := range Commands {
		f.Add(uint8(i), sign.EncodeForm(full(c)))
		for _, u := range c.Params {
			for _, name := range u.Names() {
				f.Add(uint8(i), sign.EncodeForm(with(c, u, name, u.Sample)))
			}
			f.Add(uint8(i), sign.EncodeForm(with(c, u, u.Name, u.Sample, u.Name, "")))
			f.Add(uint8(i), sign.EncodeForm(with(c, u, u.Name, "\x00ж\n")))
		}
	}
	f.Fuzz(func(t *testing.T, index uint8, text string) {
		c := Commands[int(index)%len(Commands)]
		form, err := sign.ParseForm(text)
		if err != nil {
			return
		}
		r, err := c.Parse(form)
		for i, u := range c.Params {
			if r.values[i] != "" && u.check(u.Name, r.values[i]) != nil {
				t.Errorf("the request holds %s = %q", u.Name, r.values[i])
			}
		}
		if err != nil {
			checkRefusal(t, c, err)
			return
		}
		checkAgain(t, c, r)
	})
}

// checkRefusal wants an error about a parameter of the command.
func checkRefusal(t *testing.T, c *Command, err error) {
	refusal, ok := errors.AsType[*payout.Error](err)
	if !ok {
		t.Fatalf("%v is a %T", err, err)
	}
	if row := refusal.Code.Row(); row.Code != refusal.Code || row.Kind != payout.KindValidation {
		t.Errorf("code %d is of kind %q", refusal.Code, row.Kind)
	}
	if !slices.ContainsFunc(c.Params, func(u Use) bool { return slices.Contains(u.Names(), refusal.Param) }) {
		t.Errorf("%q is no name of %s", refusal.Param, c.Path())
	}
}

// checkAgain wants a request's values, written under the parameters' own names,
// to make the same request.
func checkAgain(t *testing.T, c *Command, r *Request) {
	var pairs []sign.Pair
	for name, value := range r.Values() {
		pairs = append(pairs, sign.Pair{Name: name, Value: value})
	}
	for _, u := range c.Params {
		if value := r.Text(u.Param); u.Transient && value != "" {
			pairs = append(pairs, sign.Pair{Name: u.Name, Value: value}) // it is not remembered
		}
	}
	form, err := sign.ParseForm(sign.EncodeForm(pairs))
	if err != nil {
		t.Fatal(err)
	}
	again, err := c.Parse(form)
	if err != nil {
		t.Fatalf("accepted once, then refused: %v", err)
	}
	if !maps.Equal(again.Values(), r.Values()) || again.Amount != r.Amount || r.Differs(again) != "" {
		t.Errorf("read again, %s of %v and %v differs", r.Differs(again), r.Values(), again.Values())
	}
	if differs := r.Differs(c.Recall(r.Values(), r.Amount)); differs != "" {
		t.Errorf("%s differs after Recall", differs)
	}
}
