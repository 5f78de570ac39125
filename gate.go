package payout

import "slices"

// GateID numbers a gate.
type GateID int64

// A Gate is an account at an outside payment system.
type Gate struct {
	ID          GateID
	Name        string
	Processor   string            // name of the connector, such as simulator
	Currencies  []Currency        // empty: any
	Settings    map[string]string // the connector's own; sealed at rest
	Required    []string          // Conditional parameters that this gate needs
	AskReceiver bool              // what a v4/payout leaves out is asked of the Receiver on the payout form
	Concurrency int               // calls to the rail at once, of all nodes together
	Descriptor  string            // told in status and callback; may be empty
	Enabled     bool
}

// Takes reports whether the gate pays in the currency.
func (g Gate) Takes(c Currency) bool {
	return len(g.Currencies) == 0 || slices.Contains(g.Currencies, c)
}
