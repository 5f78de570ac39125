package spec

import (
	"slices"
	"strings"

	"payout"
	"payout/sign"
)

// FormBank is the bank of an SBP payout on the payout form. On withdrawal-sbp the
// same number is merchant_data; here merchant_data is the Connecting Party's own.
var FormBank = &Param{Name: "bank_id", Kind: Digits, Max: 32,
	Doc:    T("Number of the Receiver's bank in the SBP directory.", "Номер банка Получателя из справочника СБП."),
	Sample: "100000000111", Source: "3.15"}

// prefilled lists what a Connecting Party may fill in beforehand on the payout
// form, and the Receiver may change. A card number is not among it.
var prefilled = slices.Concat([]*Param{AccountNumber, AccountName, RoutingNumber, BankName, BankBranch, BankCode, BankCity,
	BankAddress1, BankZipCode, BankProvince, BankArea, CardPrintedName, ReceiverPhone, FormBank}, receiver)

// OnForm reports whether a parameter is asked of the Receiver on the payout form.
func OnForm(name string) bool {
	is := func(p *Param) bool { return p.Name == name }
	return slices.ContainsFunc(prefilled, is) || is(CreditCardNumber) || is(ExpireMonth) || is(ExpireYear)
}

// FormFields lists the fields of the payout form for gates that require some
// Conditional parameters: what says where the money goes, then what else they
// require. A required receiver_phone asks for a phone and its bank, a required
// credit_card_number for a card; otherwise the form asks for a bank account.
func FormFields(conditionals []string) []Use {
	needs := func(p *Param) bool { return slices.Contains(conditionals, p.Name) }
	var fields []Use
	switch {
	case needs(CreditCardNumber):
		fields = []Use{required(CreditCardNumber)}
	case needs(ReceiverPhone):
		fields = []Use{required(ReceiverPhone), required(FormBank)}
	default:
		fields = []Use{required(AccountName), required(AccountNumber), optional(BankName), optional(RoutingNumber)}
	}
	for _, p := range slices.Concat([]*Param{ExpireMonth, ExpireYear}, prefilled) {
		if !needs(p) {
			continue
		}
		if i := slices.IndexFunc(fields, func(u Use) bool { return u.Param == p }); i >= 0 {
			fields[i].Need = Required
		} else {
			fields = append(fields, required(p))
		}
	}
	return fields
}

// ReadField reads one field of a page as people fill it in: blanks around it,
// and within numbers, do not count. The error is a *payout.Error.
func (u Use) ReadField(form []sign.Pair) (string, error) {
	typed := make([]sign.Pair, 0, 1)
	for _, pair := range form {
		if pair.Name == u.Name {
			typed = append(typed, sign.Pair{Name: pair.Name, Value: u.tidy(pair.Value)})
		}
	}
	value, err := Use{Param: u.Param, Need: u.Need, Max: u.Max, Strict: true}.read(typed)
	if err == nil && u.Param == AccountNumber && payout.LooksLikeIBAN(value) && !payout.ValidIBAN(value) {
		err = payout.Errorf(payout.CodeFormat, u.Name, "its check digits do not fit")
	}
	return value, err
}

// tidy drops the blanks of a field that do not count.
func (u Use) tidy(value string) string {
	value = strings.TrimSpace(value)
	switch u.Param {
	case CreditCardNumber, AccountNumber, RoutingNumber, FormBank:
		return strings.NewReplacer(" ", "", "\u00a0", "").Replace(value)
	}
	return value
}
