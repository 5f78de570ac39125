package payout

import "time"

// CallbackID numbers a callback.
type CallbackID int64

// A Callback is one message owed to a Connecting Party: the outcome of an order.
type Callback struct {
	ID       CallbackID
	OrderID  OrderID
	Receiver string // host and port it goes to, so that one slow receiver delays only its own
	URL      Secret // sealed at rest: a Connecting Party may have put anything in it
	Attempts int
	DueAt    time.Time // zero when nothing more is owed
	State    CallbackState
	// LeasedUntil is when the delivery under way will have ended, whatever becomes
	// of it; it is past, or zero, when none is.
	LeasedUntil time.Time
}

// A CallbackState says whether a callback is still owed.
type CallbackState string

// The states of a callback.
const (
	CallbackDue       CallbackState = "due"
	CallbackDelivered CallbackState = "delivered" // the receiver answered 200
	CallbackGivenUp   CallbackState = "given_up"  // the timetable has ended
)

// A CallbackAttempt is one try to deliver a callback.
type CallbackAttempt struct {
	CallbackID CallbackID
	Attempt    int // from 1
	At         time.Time
	Duration   time.Duration
	HTTPStatus int    // 0 when no reply came
	Error      string // why it did not count, or empty; never the URL
}
