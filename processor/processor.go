// Package processor is the seam between the gateway and payment rails. A
// connector for one rail implements Processor; the gateway does everything
// else: remembering, retrying, asking again, telling the outcome.
package processor

import (
	"context"
	"time"

	"payout"
)

// A Processor speaks one rail's protocol. It keeps no state of orders: the
// gate's settings come with every payment, and the gateway remembers the rest.
// Its methods are called by many goroutines at once, and return when the context
// ends.
type Processor interface {
	// Payout asks the rail to pay Payment.Amount. It is called once for each
	// Transaction, and asks once: without an answer it is Lost, never repeated.
	Payout(context.Context, Payment) Outcome
	// Status asks what became of an earlier Payout with the same reference.
	// It must never cause a payment, and may come while Payout is under way or
	// before it: what Status has refused must not be paid after all.
	Status(context.Context, Payment) Outcome
}

// A Checker is a Processor whose rail can confirm a payout before money moves
// (payout-check, api-facts 5.1). For rails without this ability the gateway
// confirms by itself.
type Checker interface {
	// Check answers Approved, Declined or, to be asked again, Accepted,
	// Unsent or Lost. It must never cause a payment.
	Check(context.Context, Payment) Outcome
}

// An Acquirer is a Processor that can charge cards: the money moves the other
// way. What Payout promises holds for Charge; Status serves both.
type Acquirer interface {
	// Charge asks the rail to charge, to hold or to verify Payment.Receiver.Card,
	// by Payment.Type, and does nothing else: a hold is not captured, and what
	// verifies takes no money.
	Charge(context.Context, Payment) Outcome
}

// A Payment is one attempt to pay an order, in values a rail can use.
type Payment struct {
	Reference   string            // names the attempt to the rail; the same in every question about it
	OrderID     payout.OrderID    //
	Attempt     int               // from 1
	TxID        string            // the rail's own id of the attempt, as far as it has told one; for Status
	Settings    map[string]string // the gate's own
	Type        payout.TransactionType
	CardCode    payout.Secret // CVV2; for Charge only, and not to be kept: Status does without
	Amount      payout.Amount // only a currency for an account-verification
	Description string        // order_desc
	Purpose     string        //
	Receiver    Receiver
	Sender      Sender    // of transfers; of charges the card's holder
	At          time.Time // the gateway's clock
}

// A Receiver is who gets the money, or whose Card is charged. Empty fields were
// not given.
type Receiver struct {
	AccountNumber, AccountName, RoutingNumber              string
	BankName, BankBranch, BankCode, BankCity               string
	BankProvince, BankArea, BankAddress1, BankZipCode      string
	Phone                                                  string // digits only
	BankID                                                 string // number of the bank in the SBP directory
	FirstName, LastName, Email                             string
	CountryCode, State, City, ZipCode, Address1, IPAddress string
	Card                                                   payout.CardNumber
	CardName, CardExpireMonth, CardExpireYear              string
	MiddleName, Resident                                   string // Resident is true, false or empty
	DocumentSeries, DocumentNumber, DocumentID             string
}

// A Sender is who a transfer or a charge comes from. Empty fields were not given.
type Sender struct {
	FirstName, MiddleName, LastName, Birthday, SSN string
	Address1, City, State, ZipCode, CountryCode    string
	Phone, CellPhone                               string // digits only
	Email                                          string
}

// A Result is the kind of an Outcome.
type Result string

// The results. Each maps to one payout.Event; see gateway.
const (
	ResultApproved Result = "approved"
	ResultDeclined Result = "declined"
	ResultAccepted Result = "accepted"
	ResultUnsent   Result = "unsent"
	ResultBroken   Result = "broken"
	ResultLost     Result = "lost"
)

// An Outcome is what a rail answered. It has no bare error: a connector must
// say whether money may have left. The zero Outcome counts as Lost. No field and
// no error quotes a person's data or a card: the gateway masks what it has stored,
// and it stores no card code.
type Outcome struct {
	Result  Result
	TryNext bool // with ResultDeclined: another gate may be asked

	TxID         string // the rail's own id of the payment
	RRN          string // retrieval reference number
	ApprovalCode string
	ECI          string         // electronic commerce indicator of a charge
	Advice       string         // what the issuer tells the cardholder beyond Text: motivational-message
	Code         payout.ErrCode // with ResultDeclined and ResultBroken
	Text         string         // reason of a refusal, fit for the Connecting Party's eyes
	Err          error          // cause, for the log; always with ResultUnsent and ResultLost
}

// Approved says that the rail paid.
func Approved(txID string) Outcome { return Outcome{Result: ResultApproved, TxID: txID} }

// Declined says that the rail refused and will not pay under this reference.
func Declined(code payout.ErrCode, text string) Outcome {
	return Outcome{Result: ResultDeclined, Code: code, Text: text}
}

// DeclinedTryNext is Declined for a reason that another gate need not share.
func DeclinedTryNext(code payout.ErrCode, text string) Outcome {
	return Outcome{Result: ResultDeclined, TryNext: true, Code: code, Text: text}
}

// Accepted says that the rail has the payment and has not decided.
func Accepted(txID string) Outcome { return Outcome{Result: ResultAccepted, TxID: txID} }

// Unsent says that the payment surely never left, such as after a refused
// connection. Only Payout and Check may answer it: Status cannot know it.
func Unsent(err error) Outcome { return Outcome{Result: ResultUnsent, Err: err} }

// Broken says that the rail failed and surely did not pay, nor ever will under
// this reference.
func Broken(code payout.ErrCode, text string) Outcome {
	return Outcome{Result: ResultBroken, Code: code, Text: text}
}

// Lost says that nobody knows: every failure that is none of the others.
func Lost(err error) Outcome { return Outcome{Result: ResultLost, Err: err} }
