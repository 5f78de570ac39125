// Package payoutform is the door of the Receiver: the form that asks where the
// money shall go, the page that waits with them, the one that tells the end, and
// the receipt (seed 1.8).
//
// views.go says what each page shows, pages.go draws it, handler.go answers the
// browser. The pages need no JavaScript; with it they are more comfortable.
package payoutform

import (
	"time"

	"payout"
	"payout/web"
)

// A Frame is what every page has around its content.
type Frame struct {
	Lang        web.Lang
	Languages   []LanguageLink // the others to choose from
	Brand       Brand
	Assets      string // path of the folder of style sheet and scripts, with its version, ends with '/'
	AccentSheet string // path of the style sheet with the endpoint's accent colour; empty: none
}

// A LanguageLink leads to the same page in another language.
type LanguageLink struct {
	Lang web.Lang
	Name string // in that language
	URL  string
}

// A Brand is how an endpoint's pages look.
type Brand struct {
	Name   string // who pays, as the Receiver knows them
	Logo   string // path of the picture; empty: none
	Accent string // colour such as #0a6cff; empty: ours
}

// A Method is the way that a gate pays.
type Method string

// The methods of the form.
const (
	ToAccount Method = "account"
	ToPhone   Method = "phone" // SBP
	ToCard    Method = "card"
)

// A FormView is the payout form.
type FormView struct {
	Frame
	Action      string // path that the form is posted to
	Method      Method
	Amount      payout.Amount
	Description string // of the order; may be empty
	Fields      []Field
	Banks       []Bank    // the directory, when a Field is a bank; sorted by name
	Expires     time.Time // the form
}

// A Field is one input. Its label, hint and messages are found by Name in the
// messages of the language.
type Field struct {
	Name     string // the wire's parameter, such as account_number
	Input    Input
	Value    string // what was typed, or prefilled; never a card number
	Problem  Problem
	Required bool
	Max      int // characters
}

// An Input is the kind of an input.
type Input string

// The kinds of inputs.
const (
	InputText    Input = "text"
	InputIBAN    Input = "iban" // account number or IBAN
	InputPhone   Input = "phone"
	InputBank    Input = "bank" // chosen from Banks by its ID
	InputCard    Input = "card"
	InputEmail   Input = "email"
	InputDigits  Input = "digits"
	InputMonth   Input = "month"   // of a card's expiry
	InputYear    Input = "year"    // likewise
	InputCountry Input = "country" // ISO 3166-1 alpha-2
)

// A Problem is what is wrong with a field's value, or empty.
type Problem string

// The problems of fields. Each has a message that says what to do.
const (
	ProblemMissing Problem = "missing"
	ProblemLong    Problem = "long"
	ProblemShort   Problem = "short"
	ProblemFormat  Problem = "format"  // not the form that this field needs
	ProblemCheck   Problem = "check"   // the check digits do not fit: a typing error
	ProblemExpired Problem = "expired" // the card's expiry is past
)

// A Bank is one row of the directory of SBP banks.
type Bank struct {
	ID   string // 100000000111
	Name string
}

// A WaitView is the page that waits for the outcome.
type WaitView struct {
	Frame
	State  WaitState
	Amount payout.Amount
	To     string // the account, phone or card, masked
	Events string // path of the server-sent events
	Poll   string // path that answers with the state, for browsers without events
	Self   string // path of this page, for those without JavaScript
}

// A WaitState is what the wait page tells.
type WaitState string

// The states of the wait page.
const (
	WaitAccepted WaitState = "accepted"
	WaitPaying   WaitState = "paying"
	WaitSlow     WaitState = "slow" // longer than usual; the page may be closed
)

// A FinishView is the page of the end.
type FinishView struct {
	Frame
	Outcome Outcome
	Amount  payout.Amount
	To      string // masked; empty when the form was never sent
	At      time.Time
	Number  string  // to quote to support: the Connecting Party's order identifier
	Receipt string  // path; empty: none
	Return  *Return // nil: this page is the end
}

// An Outcome is how it ended for the Receiver.
type Outcome string

// The outcomes of the finish page. Unknown is not final: people look at it.
const (
	OutcomeApproved Outcome = "approved"
	OutcomeDeclined Outcome = "declined"
	OutcomeUnknown  Outcome = "unknown"
	OutcomeExpired  Outcome = "expired"
)

// A Return is the final redirect: what the browser posts to the Connecting
// Party's site, by itself or by a button.
type Return struct {
	URL    string
	Fields []NameValue
}

// A NameValue is a hidden input.
type NameValue struct{ Name, Value string }

// A ReceiptView is the printable receipt of a final order.
type ReceiptView struct {
	Frame
	Outcome     Outcome // approved or declined
	Amount      payout.Amount
	To          string // masked
	At          time.Time
	Description string
	Number      string // the Connecting Party's order identifier
	OrderNumber string // paynet-order-id
	ReceiptID   string
	RRN         string // may be empty, as the next two
	Approval    string
	Reason      string // of a decline
}

// A TroubleView is shown instead of a page.
type TroubleView struct {
	Frame
	Trouble Trouble
	Again   string // address to try again in a moment, or empty
}

// A Trouble is why there is no page.
type Trouble string

// The troubles.
const (
	TroubleNotFound Trouble = "not_found"
	TroubleTooMany  Trouble = "too_many" // attempts; try again later
	TroubleForeign  Trouble = "foreign"  // the form was sent by another site
	TroubleBusy     Trouble = "busy"     // nothing was read or stored; try again in a moment
	TroubleInternal Trouble = "internal"
)
