package spec

import "payout"

// A Rule ties parameters of a command together.
type Rule struct {
	Doc   Text
	Check func(*Request) error
}

// needs demands a parameter that a single row cannot demand, because later
// commands offer alternatives to it.
func needs(p *Param) Rule {
	return Rule{
		Doc: T(p.Name+" is required.", "Параметр "+p.Name+" обязателен."),
		Check: func(r *Request) error {
			if r.Text(p) == "" {
				return &payout.Error{Code: payout.CodeRequired, Param: p.Name}
			}
			return nil
		},
	}
}

// notBoth refuses two parameters that exclude each other.
func notBoth(a, b *Param) Rule {
	return Rule{
		Doc: T(a.Name+" and "+b.Name+" exclude each other.", "Параметры "+a.Name+" и "+b.Name+" исключают друг друга."),
		Check: func(r *Request) error {
			if r.Text(a) != "" && r.Text(b) != "" {
				return payout.Errorf(payout.CodeContradiction, b.Name, "send either %s or %s", a.Name, b.Name)
			}
			return nil
		},
	}
}
