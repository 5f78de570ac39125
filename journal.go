package payout

import "time"

// A Verdict says how a request ended at the door.
type Verdict string

// The verdicts.
const (
	VerdictOK      Verdict = "ok"      // answered as asked
	VerdictRefused Verdict = "refused" // answered with an error that says why
	VerdictDenied  Verdict = "denied"  // not authentic: the caller was not told why
	VerdictBusy    Verdict = "busy"    // could not be taken at that moment; to be sent again
	VerdictFailed  Verdict = "failed"  // a fault of the gateway
)

// Verdicts lists all verdicts.
func Verdicts() []Verdict {
	return []Verdict{VerdictOK, VerdictRefused, VerdictDenied, VerdictBusy, VerdictFailed}
}

// A JournalShare is a part of a party's journal with its own pace and length, so
// that neither polls nor strangers push out what the party did.
type JournalShare string

// The shares of a journal.
const (
	ShareChanges  JournalShare = "changes"  // requests that wanted to change something, and all that did not end well
	ShareReads    JournalShare = "reads"    // questions that were answered
	ShareUnproven JournalShare = "unproven" // nobody knows who sent them: they only name the party
)

// A JournalEntry is one request of a party as its own people may see it.
type JournalEntry struct {
	Serial        SerialNumber
	PartyID       PartyID // that sent it or, when that is not proven, that it names
	Share         JournalShare
	At            time.Time
	Took          time.Duration
	Command       string     // with its version, such as v4/payout; empty when the path names none
	EndpointID    EndpointID // from the path, or 0
	GroupID       GroupID    // from the path, or 0
	ClientOrderID string
	OrderID       OrderID // of the order that the reply speaks of, or 0
	Verdict       Verdict
	HTTPStatus    int
	ErrorCode     ErrCode // 0 when there was none
	Reason        string  // why the request was denied; or empty
	RemoteAddress string
	Missed        int // requests of the share before this one that were not kept
	Content       JournalContent
}

// A JournalContent is what a request and its reply held. Everything in it is masked
// before it comes here: it is sealed at rest all the same.
type JournalContent struct {
	Method string        `json:"method,omitempty"`
	URL    string        `json:"url,omitempty"` // that the signature was checked against, without the query
	OAuth  []JournalPair `json:"oauth,omitempty"`
	Query  []JournalPair `json:"query,omitempty"`
	Form   []JournalPair `json:"form,omitempty"`
	Reply  []JournalPair `json:"reply,omitempty"`
	Detail string        `json:"detail,omitempty"` // more about the reason: a parameter's name or a size
	Note   string        `json:"note,omitempty"`
	Left   int           `json:"left,omitempty"` // parameters that were too many to keep
}

// A JournalPair is one parameter or field of a journal.
type JournalPair struct {
	Name   string `json:"n"`
	Value  string `json:"v,omitempty"`
	Masked bool   `json:"m,omitempty"` // the value is not what was sent
}

// A PanelToken lets people of a party look at its panel.
type PanelToken struct {
	ID        int64
	PartyID   PartyID
	Name      string // whom it was handed to
	CreatedAt time.Time
	ExpiresAt time.Time
	UsedAt    time.Time // the latest sign-in; zero: never
	RevokedAt time.Time // zero: it is good
}

// Good reports whether the token opens the panel.
func (t PanelToken) Good(now time.Time) bool { return t.RevokedAt.IsZero() && now.Before(t.ExpiresAt) }

// A Resend is one time that somebody asked for a callback to be sent again.
type Resend struct {
	CallbackID CallbackID
	At         time.Time
	By         string // whom the token was handed to
}
