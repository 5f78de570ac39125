package payout

import "strconv"

// An EndpointID is the number in the URL that names an endpoint (seed 003).
type EndpointID int64

// String returns the id as the wire prints it.
func (id EndpointID) String() string { return strconv.FormatInt(int64(id), 10) }

// A GroupID is the number in the URL after /group/ (seed 003).
type GroupID int64

// String returns the id as the wire prints it.
func (id GroupID) String() string { return strconv.FormatInt(int64(id), 10) }

// A RepeatPolicy says what a repeated client_orderid does.
type RepeatPolicy string

// The policies for a repeated client_orderid.
const (
	RepeatReplay RepeatPolicy = "replay" // answers again as the first time; never a second order
	RepeatAllow  RepeatPolicy = "allow"  // creates another order, as the reference does
)

// An Endpoint is a Connecting Party's terminal, the only object whose id is
// in the URL (seed 003).
type Endpoint struct {
	ID          EndpointID
	PartyID     PartyID
	ProjectID   ProjectID
	Name        string
	Currency    Currency // zero: any that its gates take
	Gates       []GateID // the chain, tried in this order
	Repeat      RepeatPolicy
	CallbackURL string // used when the request names none; may be empty
	Brand       Brand
	Enabled     bool
}

// A Brand is how an endpoint's pages look to the Receiver. Each field may be empty.
type Brand struct {
	Name     string // who pays; empty: the Connecting Party's name
	Accent   string // colour, such as #0a6cff
	Language string // en or ru, for browsers that ask for neither
	Logo     []byte // PNG, JPEG or WebP
}

// An EndpointGroup bundles endpoints of different currencies under one id.
type EndpointGroup struct {
	ID        GroupID
	PartyID   PartyID
	Name      string
	Endpoints []EndpointID // asked for the currency in this order
	Enabled   bool
}
