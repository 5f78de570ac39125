package gateway

import (
	"cmp"
	"time"

	"payout"
	"payout/processor"
	"payout/spec"
)

// payment is what a rail is told of an order.
func payment(o *payout.Order, gate *payout.Gate, at time.Time) processor.Payment {
	text := func(p *spec.Param) string { return o.Params[p.Name] }
	return processor.Payment{
		Reference: payout.Reference(o.ID, o.Attempts), OrderID: o.ID, Attempt: o.Attempts, Settings: gate.Settings, Type: o.Type,
		Amount: o.Amount, Description: text(spec.OrderDesc), Purpose: text(spec.Purpose), At: at,
		Receiver: receiver(o, text), Sender: sender(o, text),
	}
}

// receiver is the Receiver of an order. The short names (phone, first_name ...)
// are aliases that parsing has resolved.
func receiver(o *payout.Order, text func(*spec.Param) string) processor.Receiver {
	r := processor.Receiver{
		AccountNumber: text(spec.AccountNumber), AccountName: text(spec.AccountName),
		RoutingNumber: text(spec.RoutingNumber), BankName: text(spec.BankName), BankBranch: text(spec.BankBranch),
		BankCode: text(spec.BankCode), BankCity: text(spec.BankCity), BankProvince: text(spec.BankProvince),
		BankArea: text(spec.BankArea), BankAddress1: text(spec.BankAddress1), BankZipCode: text(spec.BankZipCode),
		Phone: spec.PhoneDigits(text(spec.ReceiverPhone)), FirstName: text(spec.ReceiverFirstName),
		LastName: text(spec.ReceiverLastName), Email: text(spec.ReceiverEmail),
		CountryCode: text(spec.ReceiverCountryCode), State: text(spec.ReceiverState), City: text(spec.ReceiverCity),
		ZipCode: text(spec.ReceiverZipCode), Address1: text(spec.ReceiverAddress1), IPAddress: text(spec.IPAddress),
		Card: o.Card(), CardName: text(spec.CardPrintedName), CardExpireMonth: text(spec.ExpireMonth), CardExpireYear: text(spec.ExpireYear),
		MiddleName: text(spec.ReceiverMiddleName), Resident: text(spec.ReceiverResident),
		DocumentSeries: text(spec.ReceiverDocumentSeries), DocumentNumber: text(spec.ReceiverDocumentNumber),
		DocumentID: text(spec.ReceiverDocumentID),
	}
	r.BankID = text(spec.FormBank)
	if o.Command == spec.WithdrawalSBP.Path() {
		r.BankID = text(spec.BankID)
	}
	return r
}

// sender is the Sender of a transfer or the holder of a charged card; other orders have none.
func sender(o *payout.Order, text func(*spec.Param) string) processor.Sender {
	if o.Type != payout.TypeTransfer && !o.Type.Charges() {
		return processor.Sender{}
	}
	return processor.Sender{
		FirstName: text(spec.SenderFirstName), MiddleName: text(spec.SenderMiddleName), LastName: text(spec.SenderLastName),
		Birthday: text(spec.SenderBirthday), SSN: text(spec.SenderSSN), Address1: text(spec.SenderAddress1),
		City: text(spec.SenderCity), State: text(spec.SenderState), ZipCode: text(spec.SenderZipCode), CountryCode: text(spec.SenderCountry),
		Phone: spec.PhoneDigits(text(spec.SenderPhone)), CellPhone: spec.PhoneDigits(text(spec.SenderCellPhone)), Email: text(spec.SenderEmail),
	}
}

// A Customer is whose name, phone and e-mail address status and callback tell:
// the holder of a charged card, the Sender of a transfer as far as one is given,
// else the Receiver.
type Customer struct{ FirstName, LastName, Phone, Email string }

// CustomerOf returns an order's Customer.
func CustomerOf(o *payout.Order) Customer {
	text := func(p *spec.Param) string { return o.Params[p.Name] }
	c := Customer{text(spec.ReceiverFirstName), text(spec.ReceiverLastName), text(spec.ReceiverPhone), text(spec.ReceiverEmail)}
	if o.Type == payout.TypeTransfer || o.Type.Charges() {
		if text(spec.SenderFirstName) != "" || text(spec.SenderLastName) != "" {
			c.FirstName, c.LastName = text(spec.SenderFirstName), text(spec.SenderLastName)
		}
		c.Phone = cmp.Or(text(spec.SenderPhone), text(spec.SenderCellPhone), c.Phone)
		c.Email = cmp.Or(text(spec.SenderEmail), c.Email)
	}
	return c
}
