package payout

import (
	"errors"
	"strconv"
	"strings"
	"time"
)

// A CardNumber is a primary account number (ISO/IEC 7812-1). It prints masked,
// so that it cannot reach a log or an error by accident; Reveal returns it.
type CardNumber string

// ParseCardNumber reads a card number of 16 to 19 digits (seed 1.1.5) with a
// right check digit. Its errors never quote the number.
func ParseCardNumber(s string) (CardNumber, error) {
	if strings.Trim(s, "0123456789") != "" {
		return "", errors.New("must contain digits only, without blanks or dashes")
	}
	if len(s) < 16 || len(s) > 19 {
		return "", errors.New("must have 16 to 19 digits")
	}
	if s[0] == '0' {
		return "", errors.New("must not begin with 0") // ISO/IEC 7812-1 gives 0 to no issuer of payment cards
	}
	if !luhn(s) {
		return "", errors.New("has a wrong check digit: one of its digits is mistyped")
	}
	return CardNumber(s), nil
}

// luhn checks the last digit by the formula of ISO/IEC 7812-1 annex B.
func luhn(digits string) bool {
	sum := 0
	for i := range len(digits) {
		d := int(digits[len(digits)-1-i] - '0')
		if i%2 == 1 {
			if d *= 2; d > 9 {
				d -= 9
			}
		}
		sum += d
	}
	return sum%10 == 0
}

// Reveal returns the number itself.
func (n CardNumber) Reveal() string { return string(n) }

// BIN is the first six digits, which name the issuer and may be shown.
func (n CardNumber) BIN() string {
	if len(n) < 16 {
		return ""
	}
	return string(n[:6])
}

// LastFour is the last four digits, which may be shown.
func (n CardNumber) LastFour() string {
	if len(n) < 16 {
		return ""
	}
	return string(n[len(n)-4:])
}

// String is the number masked as PCI DSS 3.4 allows: 444455******1111.
func (n CardNumber) String() string {
	if len(n) < 16 {
		return "***"
	}
	return n.BIN() + strings.Repeat("*", len(n)-10) + n.LastFour()
}

// GoString masks the number for %#v.
func (n CardNumber) GoString() string { return strconv.Quote(n.String()) }

// MarshalText masks the number for JSON and other encoders.
func (n CardNumber) MarshalText() ([]byte, error) { return []byte(n.String()), nil }

// A CardBrand is a card scheme, spelled as in dest-card-type (seed 1.1.5).
type CardBrand string

// brands are the number ranges that schemes publish, by their first digits; the
// first one that fits counts. Ranges of 13 to 15 digits are left out: no such
// number is accepted.
var brands = []struct {
	from, to string // of the same length
	brand    CardBrand
}{
	{"2200", "2204", "MIR"},
	{"2221", "2720", "MASTERCARD"},
	{"3095", "3095", "DINERS_CLUB"},
	{"3528", "3589", "JCB"},
	{"36", "36", "DINERS_CLUB"},
	{"38", "39", "DINERS_CLUB"},
	{"4", "4", "VISA"},
	{"50", "50", "MAESTRO"},
	{"51", "55", "MASTERCARD"},
	{"5614", "5614", "UZCARD"},
	{"56", "58", "MAESTRO"},
	{"6011", "6011", "DISCOVER"},
	{"62", "62", "UNIONPAY"},
	{"644", "649", "DISCOVER"},
	{"65", "65", "DISCOVER"},
	{"60", "60", "MAESTRO"},
	{"63", "63", "MAESTRO"},
	{"67", "67", "MAESTRO"},
	{"81", "81", "UNIONPAY"},
	{"8600", "8600", "UZCARD"},
	{"9792", "9792", "TROY"},
	{"9860", "9860", "HUMO"},
}

// Brand tells the card scheme; empty when the range is not known.
func (n CardNumber) Brand() CardBrand {
	for _, b := range brands {
		if len(n) < len(b.from) {
			continue
		}
		if start := string(n[:len(b.from)]); b.from <= start && start <= b.to {
			return b.brand
		}
	}
	return ""
}

// A CardRefID is the card-ref-id: a reference to a registered card that is
// worth nothing to anybody else. It is random, never an index.
type CardRefID int64

// CardRefIDMin is the least card-ref-id: all have 19 digits (the wire allows 20).
const CardRefIDMin CardRefID = 1_000_000_000_000_000_000

// NewCardRefID makes a reference from 8 random bytes.
func NewCardRefID(random [8]byte) CardRefID {
	var n uint64
	for _, b := range random {
		n = n<<8 | uint64(b)
	}
	const most = 1<<63 - 1
	return CardRefIDMin + CardRefID(n%(most-uint64(CardRefIDMin)))
}

// ParseCardRefID reads the wire's card-ref-id.
func ParseCardRefID(s string) (CardRefID, error) {
	id, err := strconv.ParseInt(s, 10, 64)
	if err != nil || CardRefID(id) < CardRefIDMin || s[0] == '+' {
		return 0, errors.New("must be a card-ref-id that create-card-ref has given")
	}
	return CardRefID(id), nil
}

// String returns the id as the wire prints it.
func (id CardRefID) String() string { return strconv.FormatInt(int64(id), 10) }

// A UniqueCardID is the unq-card-ref-id: the same for the same card within one
// Connecting Party, whatever the reference. It is made from a keyed hash.
type UniqueCardID int64

// NewUniqueCardID makes the id from at least 8 bytes of a keyed hash; it has 18 digits.
func NewUniqueCardID(keyedHash []byte) UniqueCardID {
	const least, range18 = 100_000_000_000_000_000, 900_000_000_000_000_000
	var n uint64
	for _, b := range keyedHash[:8] {
		n = n<<8 | uint64(b)
	}
	return UniqueCardID(least + n%range18)
}

// String returns the id as the wire prints it.
func (id UniqueCardID) String() string { return strconv.FormatInt(int64(id), 10) }

// A CardRef is a registered card. It belongs to one Connecting Party.
type CardRef struct {
	ID        CardRefID
	PartyID   PartyID
	OrderID   OrderID // whose card was registered
	Unique    UniqueCardID
	Card      CardNumber
	CreatedAt time.Time
	DeletedAt time.Time // zero while it can be used
}

// CardExpired reports whether a card's month of expiry is over at a time: it is
// good to the end of that month (ISO/IEC 7813). The month is 1 to 12, the year
// has four digits, or the last two of 20xx; other texts have expired.
func CardExpired(month, year string, at time.Time) bool {
	m, err1 := strconv.Atoi(month)
	y, err2 := strconv.Atoi(year)
	if err1 != nil || err2 != nil {
		return true
	}
	if y < 100 {
		y += 2000
	}
	return !at.Before(time.Date(y, time.Month(m)+1, 1, 0, 0, 0, 0, time.UTC))
}
