package payout

import (
	"crypto/rsa"
	"strconv"
	"time"
)

// PartyID numbers a Connecting Party in our books; it is not on the wire.
type PartyID int64

// String returns the number.
func (id PartyID) String() string { return strconv.FormatInt(int64(id), 10) }

// A Secret is a text that prints as stars, so that it cannot reach a log or an
// error by accident. Reveal returns it.
type Secret string

// String hides the secret.
func (s Secret) String() string { return "***" }

// GoString hides the secret from %#v.
func (s Secret) GoString() string { return `"***"` }

// MarshalText hides the secret from JSON and other encoders.
func (s Secret) MarshalText() ([]byte, error) { return []byte("***"), nil }

// Reveal returns the secret itself.
func (s Secret) Reveal() string { return string(s) }

// A ConnectingParty is who calls the gateway: a merchant or a PSP.
type ConnectingParty struct {
	ID         PartyID
	Login      string // oauth_consumer_key and login on the wire
	Name       string
	ControlKey Secret // merchant_control: keys the SHA-1 control sums
	Keys       []PartyKey
	Enabled    bool
	CreatedAt  time.Time
}

// ActiveKeys returns the public keys that may sign right now.
func (p ConnectingParty) ActiveKeys() []*rsa.PublicKey {
	var keys []*rsa.PublicKey
	for _, k := range p.Keys {
		if k.Enabled {
			keys = append(keys, k.Public)
		}
	}
	return keys
}

// A PartyKey is one RSA public key of a party. Several may be active at once,
// which is how a party changes keys without a gap.
type PartyKey struct {
	Fingerprint string // hex SHA-256 of the key's SPKI form
	Public      *rsa.PublicKey
	Enabled     bool
	CreatedAt   time.Time
}

// ProjectID numbers a project.
type ProjectID int64

// A Project holds a set of endpoints together under one name; switching it off
// switches them all off.
type Project struct {
	ID      ProjectID
	Name    string
	Enabled bool
}
