package payout

import "fmt"

// A ReceiptID names an order's receipt. It has the shape of a name-based UUID
// (version 3, api-facts 13) and is made from a keyed hash of the order's id,
// so it is stable, and nobody can guess another's.
type ReceiptID string

// NewReceiptID makes a receipt id from at least 16 bytes of a keyed hash.
func NewReceiptID(keyedHash []byte) ReceiptID {
	var b [16]byte
	copy(b[:], keyedHash)
	b[6] = b[6]&0x0f | 0x30 // version 3: name-based (RFC 9562 section 5.3)
	b[8] = b[8]&0x3f | 0x80 // variant
	return ReceiptID(fmt.Sprintf("%x-%x-%x-%x-%x", b[0:4], b[4:6], b[6:8], b[8:10], b[10:16]))
}
