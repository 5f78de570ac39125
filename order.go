package payout

import (
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"
)

// An OrderID is the paynet-order-id: numeric, at most 18 digits, never 0.
type OrderID int64

// String returns the id as the wire prints it.
func (id OrderID) String() string { return strconv.FormatInt(int64(id), 10) }

// OrderIDMax is the largest paynet-order-id: 18 digits (wire-facts 2.12 allows 20).
const OrderIDMax OrderID = 999_999_999_999_999_999

// ParseOrderID reads the wire's orderid.
func ParseOrderID(s string) (OrderID, error) {
	id, err := strconv.ParseInt(s, 10, 64)
	if err != nil || id <= 0 || OrderID(id) > OrderIDMax || s[0] == '+' {
		return 0, errors.New("must be a number of at most 18 digits")
	}
	return OrderID(id), nil
}

// A SerialNumber numbers a request. One counter serves all requests of all
// nodes; numbers are never repeated, but may be skipped (wire-facts 2.4).
type SerialNumber int64

// String returns the serial-number in the shape of the wire: a UUID's, with the
// counter in hexadecimal in the last group.
func (n SerialNumber) String() string {
	return fmt.Sprintf("00000000-0000-0000-%04x-%012x", uint64(n)>>48, uint64(n)&(1<<48-1))
}

// ParseSerialNumber reads what SerialNumber.String wrote, in either case of letters.
func ParseSerialNumber(s string) (SerialNumber, error) {
	errShape := errors.New("must have the form 00000000-0000-0000-0000-000002e2c322")
	if len(s) != 36 || s[:19] != "00000000-0000-0000-" || s[23] != '-' {
		return 0, errShape
	}
	n, err := strconv.ParseUint(s[19:23]+s[24:], 16, 63)
	if err != nil {
		return 0, errShape
	}
	return SerialNumber(n), nil
}

// An Order is what a Connecting Party asked for and how far it has come.
type Order struct {
	ID            OrderID
	PartyID       PartyID
	EndpointID    EndpointID // the endpoint that was chosen, also on group calls
	GroupID       GroupID    // 0 unless the request named a group
	Command       string     // the command that created it, with its version, such as v4/payout
	Type          TransactionType
	ClientOrderID string
	Serial        SerialNumber // of the request that created it
	Amount        Amount
	Params        map[string]string // everything asked, by parameter name; sealed at rest
	ReceiverMask  string            // the account, phone or card, masked for people
	ReceiverHash  []byte            // keyed hash of the account, phone or card, for look-up

	Stage        Stage
	Version      int // counts moves; guards against a late writer
	GatePosition int // 0-based place in the endpoint's chain of gates
	GateID       GateID
	Attempts     int // transactions opened so far
	Polls        int // questions asked since the last move, for the backoff
	ErrorCode    ErrCode
	ErrorMessage string

	CreatedAt time.Time
	FinalAt   time.Time // zero until the order is final
	ExpiresAt time.Time // when an unpaid payout-check or an unsent form is declined; zero otherwise

	// Archived orders have ended long ago, and all that is not in the wire's status is
	// in an archive: Params, the Receiver, the history. An order with the same
	// client_orderid is still refused.
	Archived bool
}

// ParamCard is where an order's Params keep its card, also when the request named
// it by a reference. It is not a name of the wire.
const ParamCard = "card"

// An order of payout-form also keeps, by names that are not of the wire:
const (
	ParamAsked           = "asked"            // JSON object of the Params before the Receiver sent the form
	ParamBrowserAddress  = "browser_address"  // where the Receiver's browser sent the form from
	ParamBrowserAgent    = "browser_agent"    // its User-Agent
	ParamBrowserLanguage = "browser_language" // its Accept-Language
)

// Card is the card that the money goes to, or comes from when the order's type
// Charges; empty when there is none.
func (o *Order) Card() CardNumber { return CardNumber(o.Params[ParamCard]) }

// Asked returns the Params as the Connecting Party sent them: without what the
// Receiver filled in.
func (o *Order) Asked() map[string]string {
	text, ok := o.Params[ParamAsked]
	if !ok {
		return o.Params
	}
	asked := make(map[string]string)
	if err := json.Unmarshal([]byte(text), &asked); err != nil {
		return nil // nothing agrees with it: a repeated request is refused
	}
	return asked
}

// A Request is one request of a Connecting Party as it is remembered.
type Request struct {
	Serial        SerialNumber
	PartyID       PartyID
	EndpointID    EndpointID // from the path, or the one that was chosen for a new order; or 0
	GroupID       GroupID    // from the path, or 0
	Command       string     // with its version, such as v4/payout
	ClientOrderID string
	OrderID       OrderID // 0 when the request was refused
	ErrorCode     ErrCode // 0 when it was accepted
	ErrorMessage  string
	Note          string // what the operator should know, such as a differing login
	RemoteAddress string
	At            time.Time
}

// A Moved is one line of an order's history.
type Moved struct {
	OrderID OrderID
	Version int // the order's version after the move
	Event   Event
	From    Stage
	To      Stage
	At      time.Time
	Serial  SerialNumber // of the request that caused it, or 0
	Note    string
}
