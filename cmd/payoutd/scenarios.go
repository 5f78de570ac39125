package main

import (
	"fmt"
	"text/tabwriter"

	"payout/processor/simulator"
)

type scenariosCmd struct{}

// Run lists the simulator's scenarios.
func (scenariosCmd) Run(t terminal) error {
	t.printf("What the simulator does depends on the receiver: account_number on payout, receiver_phone on withdrawal-sbp.\nAny other number is approved.\n\n")
	table := tabwriter.NewWriter(t.out, 0, 4, 2, ' ', 0)
	fmt.Fprintln(table, "ACCOUNT\tPHONE\tWHAT HAPPENS")
	for _, s := range simulator.Scenarios() {
		fmt.Fprintf(table, "%s\t%s\t%s\n", s.Account, s.Phone, s.Doc)
	}
	return table.Flush()
}
