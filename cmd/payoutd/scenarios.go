package main

import (
	"fmt"
	"text/tabwriter"

	"payout/processor/simulator"
)

type scenariosCmd struct{ printed }

// A scenariosView is the simulator's tables.
type scenariosView struct {
	Scenarios []scenarioView `json:"scenarios" doc:"by receiver; any other number is approved"`
	CardCodes []cardCodeView `json:"card_codes" doc:"by cvv2, where a card is charged; any other code is declined"`
}

// A scenarioView is what happens to a payout to one account, phone or card.
type scenarioView struct {
	Name    string   `json:"name"`
	Account string   `json:"account_number"`
	Phone   string   `json:"receiver_phone"`
	Card    string   `json:"card"`
	Happens textView `json:"happens"`
}

// A cardCodeView is what happens to a charge with one cvv2.
type cardCodeView struct {
	Code    string   `json:"cvv2"`
	Happens textView `json:"happens"`
}

// A textView is a text in the languages of the documentation.
type textView struct {
	EN string `json:"en"`
	RU string `json:"ru"`
}

// Help tells the shape of the JSON.
func (scenariosCmd) Help() string { return shapeOf[scenariosView]() }

// Run lists the simulator's scenarios.
func (c scenariosCmd) Run(t terminal) error {
	if c.JSON {
		return t.json(scenarioViews())
	}
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

func scenarioViews() scenariosView {
	var v scenariosView
	for _, s := range simulator.Scenarios() {
		v.Scenarios = append(v.Scenarios, scenarioView{s.Name, s.Account, s.Phone, s.Card, textView{s.Doc.In("en"), s.Doc.In("ru")}})
	}
	for _, c := range simulator.CardCodes() {
		v.CardCodes = append(v.CardCodes, cardCodeView{c.Code, textView{c.Doc.In("en"), c.Doc.In("ru")}})
	}
	return v
}
