package payout

import (
	"strconv"
	"time"
)

// A TransactionType is the wire's transaction-type and the prefix of order-stage.
type TransactionType string

// The types of transactions.
const (
	TypePayout   TransactionType = "payout"   // payouts to accounts, phones and cards
	TypeTransfer TransactionType = "transfer" // from the Connecting Party's account to a card
	TypeCardRef  TransactionType = "create-card-ref"

	// The initial payments of seed 1.1.5, which charge a card.
	TypeSale                TransactionType = "sale"
	TypePreauth             TransactionType = "preauth"
	TypeAccountVerification TransactionType = "account-verification"
)

// Charges reports whether money comes from a card, instead of going to a Receiver.
func (t TransactionType) Charges() bool {
	return t == TypeSale || t == TypePreauth || t == TypeAccountVerification
}

// stagePrefix is the family of the type's order-stages (AF 11).
func (t TransactionType) stagePrefix() string {
	switch t {
	case TypePreauth:
		return "auth"
	case TypeAccountVerification:
		return "av"
	}
	return string(t)
}

// A Transaction is one attempt to pay an order on one gate. An order has
// several when a chain of gates is tried or a rail could not be reached.
type Transaction struct {
	OrderID   OrderID
	Attempt   int // from 1
	GateID    GateID
	Reference string // what the rail knows the attempt by; see Reference
	Stage     Stage  // Sending while it runs, then how it ended

	ProcessorTxID string // the rail's own id
	RRN           string // retrieval reference number (ISO 8583 field 37)
	ApprovalCode  string
	ECI           string // electronic commerce indicator, of charges
	Advice        string // the wire's motivational-message
	ErrorCode     ErrCode
	ErrorMessage  string

	StartedAt time.Time
	EndedAt   time.Time // zero while it runs
}

// Reference names an attempt to the rail. It never changes, so that a rail can
// be asked about it for ever: order 6982864, attempt 1 is "6982864-1".
func Reference(id OrderID, attempt int) string {
	return id.String() + "-" + strconv.Itoa(attempt)
}

// A LateOutcome is what a rail told of an attempt after the order had been moved
// by another worker. It changes nothing; it is evidence, above all when it says
// that money left.
type LateOutcome struct {
	OrderID   OrderID
	Attempt   int
	GateID    GateID
	SeenStage Stage  // where the order was when the rail was called
	Result    string // approved, accepted, declined, broken or lost

	ProcessorTxID string
	RRN           string
	ErrorCode     ErrCode
	ErrorMessage  string
	At            time.Time
}
