package spec

import "payout"

// A Rule ties parameters of a command together.
type Rule struct {
	Tie    Tie
	Params []*Param // that are tied
	Doc    Text
	Check  func(*Request) error
}

// A Tie is what a Rule demands of its Params, for readers that are programs.
type Tie string

// The ties of parameters.
const (
	OneOf   Tie = "one of"   // exactly one is required
	NotBoth Tie = "not both" // at most one is accepted
	State   Tie = "state of" // the first is a state of the second, a country; Doc tells which have states
)

// eitherOf demands one of two parameters, and not both.
func eitherOf(a, b *Param) Rule {
	return Rule{
		Tie: OneOf, Params: []*Param{a, b},
		Doc: T("Either "+a.Name+" or "+b.Name+" is required, not both.", "Нужен либо "+a.Name+", либо "+b.Name+", но не оба."),
		Check: func(r *Request) error {
			switch {
			case r.Text(a) == "" && r.Text(b) == "":
				return &payout.Error{Code: payout.CodeRequired, Param: a.Name}
			case r.Text(a) != "" && r.Text(b) != "":
				return payout.Errorf(payout.CodeContradiction, b.Name, "send either %s or %s", a.Name, b.Name)
			}
			return nil
		},
	}
}

// notBoth refuses two parameters that exclude each other.
func notBoth(a, b *Param) Rule {
	return Rule{
		Tie: NotBoth, Params: []*Param{a, b},
		Doc: T(a.Name+" and "+b.Name+" exclude each other.", "Параметры "+a.Name+" и "+b.Name+" исключают друг друга."),
		Check: func(r *Request) error {
			if r.Text(a) != "" && r.Text(b) != "" {
				return payout.Errorf(payout.CodeContradiction, b.Name, "send either %s or %s", a.Name, b.Name)
			}
			return nil
		},
	}
}
