package main

import (
	"fmt"
	"text/tabwriter"

	"payout/processor/simulator"
)

type scenariosCmd struct{}

// Run lists the simulator's scenarios.
func (scenariosCmd) Run(t terminal) error {
	t.printf("What the simulator does depends on the receiver: account_number or\ncredit_card_number on payout, the destination card on transfer-by-ref and payout-by-ref, receiver_phone on withdrawal-sbp.\nAny other number is approved.\n\n")
	table := tabwriter.NewWriter(t.out, 0, 4, 2, ' ', 0)
	fmt.Fprintln(table, "ACCOUNT\tPHONE\tCARD\tWHAT HAPPENS")
	for _, s := range simulator.Scenarios() {
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\n", s.Account, s.Phone, s.Card, s.Doc.EN)
	}
	if err := table.Flush(); err != nil {
		return err
	}
	t.printf("\nOn sale, preauth and account-verification cvv2 decides. Any other code is declined.\n\n")
	for _, c := range simulator.CardCodes() {
		fmt.Fprintf(table, "%s\t%s\n", c.Code, c.Doc.EN)
	}
	return table.Flush()
}
