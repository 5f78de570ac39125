// Package spec is the API as tables: every parameter, command and reply field
// is declared once, and everything that needs to know them reads the tables:
// parsing, replies, documentation, clients and tests.
//
// params.go is the dictionary of parameters, commands.go the commands,
// replies.go the reply fields. Parse turns a form into a Request.
package spec

import "payout"

// A Text is a text for people in the languages of the documentation.
type Text = payout.Text

// T makes a Text.
func T(en, ru string) Text { return payout.T(en, ru) }

// A Kind is the form that a parameter's value must have.
type Kind string

// The kinds of values. String is any text without NUL.
const (
	String   Kind = "String"
	Line     Kind = "Line"     // a String without control characters
	Digits   Kind = "Digits"   // ASCII digits only; "Numeric" in the seeds' tables
	Phone    Kind = "Phone"    // digits, with an optional '+' before and blanks, '-', '(' and ')' between
	Amount   Kind = "Amount"   // see payout.ParseAmount
	Currency Kind = "Currency" // see payout.ParseCurrency
	URL      Kind = "URL"      // absolute http or https, no user info
	IP       Kind = "IP"       // IPv4 or IPv6 address
	OrderID  Kind = "OrderID"  // see payout.ParseOrderID
	Serial   Kind = "Serial"   // see payout.ParseSerialNumber
	Card     Kind = "Card"     // see payout.ParseCardNumber
	Month    Kind = "Month"    // 01 to 12, or 1 to 9
	Year     Kind = "Year"     // four digits, or the last two of 20xx
	Country  Kind = "Country"  // ISO 3166-1 alpha-2, see countries.go
	Bool     Kind = "Bool"     // true or false
	Birthday Kind = "Birthday" // MMDDYY or MMDDYYYY
)

// Wire is the word of the seeds' tables for the kind: String or Numeric.
func (k Kind) Wire() string {
	switch k {
	case Digits, Phone, Amount, OrderID, Card, Month, Year, Birthday:
		return "Numeric"
	}
	return "String"
}

// A Param says what a name means everywhere. Two commands that mean different
// things by one name have two Params.
type Param struct {
	Name      string
	Aliases   []string // other names for the same value
	Kind      Kind
	Min, Max  int    // length in characters; Min 0 means 1
	Sensitive bool   // never in a log, an error, a URL or an unsealed column
	Transient bool   // never stored at all, not even sealed
	Doc       Text   //
	Sample    string // a value that is accepted
	Source    string // the page that the row was read from
}

// A Need says when a command needs a parameter.
type Need string

// The necessities, in the words of the seeds' tables.
const (
	Required    Need = "Required"
	Conditional Need = "Conditional" // required when the gate says so
	Optional    Need = "Optional"
)

// A Use says how one command uses a parameter.
type Use struct {
	*Param
	Need   Need
	Max    int  // overrides the parameter's length when not 0
	Strict bool // aliases are not accepted
}

// Length is the greatest accepted length in characters.
func (u Use) Length() int {
	if u.Max != 0 {
		return u.Max
	}
	return u.Param.Max
}

// Names returns every name under which the command accepts the parameter.
func (u Use) Names() []string {
	if u.Strict {
		return []string{u.Name}
	}
	return append([]string{u.Name}, u.Aliases...)
}

func required(p *Param) Use    { return Use{Param: p, Need: Required} }
func conditional(p *Param) Use { return Use{Param: p, Need: Conditional} }
func optional(p *Param) Use    { return Use{Param: p, Need: Optional} }

// upTo sets another greatest length for this command.
func (u Use) upTo(characters int) Use { u.Max = characters; return u }

// strict refuses aliases in this command.
func (u Use) strict() Use { u.Strict = true; return u }

// An Auth is how a command proves who sends it.
type Auth string

// The ways to authenticate a request.
const (
	OAuthRSA Auth = "OAuth 1.0a RSA-SHA256" // Authorization header, see package sign
	Control  Auth = "SHA-1 control"         // parameter control
)

// A Repeat says what a request does when it is sent again, with a new nonce, after
// its answer was lost.
type Repeat string

// The kinds of repeats.
const (
	RepeatActs    Repeat = ""        // it may act a second time
	RepeatReads   Repeat = "reads"   // it changes nothing, the first time neither
	RepeatReplays Repeat = "replays" // it is answered as the first time, where client_orderid is payout.RepeatReplay
)

// A Command is one row of the API: its path, parameters and reply.
type Command struct {
	Version int    // 2 or 4: the path starts with api/v{Version}/
	Name    string // path segment, such as payout-pay
	Auth    Auth
	Group   bool // /group/ENDPOINTGROUPID is accepted besides /ENDPOINTID
	Type    payout.TransactionType
	Doc     Text
	Params  []Use
	Rules   []Rule
	Repeat  Repeat
	Sum     []SumPart // what a control sum is made of, before the control key; see Control
	Reply   *ReplySpec
	After   *After       // what has to be done before it, or nil
	Reaches payout.Stage // that its order comes to by itself, when all goes well; empty: it moves no order
	Shows   []*Param     // what an example of the request has besides the required parameters
	Source  string
}

// An After says which command a command goes on from: its order, or what it gave.
type After struct {
	Command *Command
	Stage   payout.Stage // that its order must have reached; empty: none
	Gives   *Field       // of its reply, that this command sends as Takes; nil: its order's id
	Takes   *Param
}

// Path returns the command's path below the context path and api/, such as v4/payout.
func (c *Command) Path() string {
	if c.Version == 2 {
		return "v2/" + c.Name
	}
	return "v4/" + c.Name
}

// Use returns the command's row for a parameter; ok is false when it has none.
func (c *Command) Use(p *Param) (u Use, ok bool) {
	for _, u := range c.Params {
		if u.Param == p {
			return u, true
		}
	}
	return Use{}, false
}

// IsConditional reports whether any command that asks a gate for money has a
// Conditional parameter of this name, so that a gate may require it.
func IsConditional(name string) bool {
	for _, c := range Commands {
		if c.Type == "" {
			continue // status has a Conditional orderid, which no gate is asked about
		}
		for _, u := range c.Params {
			if u.Name == name && u.Need == Conditional {
				return true
			}
		}
	}
	return false
}

// IsSensitive tells whether a parameter of this name is sensitive, in any command.
func IsSensitive(name string) bool {
	for _, c := range Commands {
		for _, u := range c.Params {
			if u.Name == name && u.Sensitive {
				return true
			}
		}
	}
	return false
}
