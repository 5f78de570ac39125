package sign

import (
	"crypto/sha1"
	"crypto/subtle"
	"encoding/hex"
	"strings"
)

// Control returns the lower-case hex SHA-1 of the parts, joined with nothing
// between them (api-facts 2). The last part is the Connecting Party's control
// key. Amounts are in minor units. The formula is the wire's: a plain
// concatenation cannot tell "1"+"23" from "12"+"3", so it is a check for old
// clients and no substitute for a signature.
func Control(parts ...string) string {
	var stack [256]byte
	text := stack[:0]
	for _, part := range parts {
		text = append(text, part...)
	}
	sum := sha1.Sum(text)
	return hex.EncodeToString(sum[:])
}

// StatusControl returns the control of a v2 status or create-card-ref request.
// A status asked without an orderid has an empty one.
func StatusControl(login, clientOrderID, orderID, key string) string {
	return Control(login, clientOrderID, orderID, key)
}

// CallbackControl returns the control of a callback and of the final redirect.
// It was confirmed on a recorded callback (wire-facts 1).
func CallbackControl(status, orderID, clientOrderID, key string) string {
	return Control(status, orderID, clientOrderID, key)
}

// EqualControl reports whether two controls are the same. Space around them
// and the case of the hex digits do not count (wire-facts 2.6), and the time
// taken does not tell how much was right. Text that is not as long as a SHA-1
// in hex, empty text above all, equals nothing.
func EqualControl(got, want string) bool {
	g, w := strings.TrimSpace(got), strings.TrimSpace(want)
	if len(g) != 2*sha1.Size || len(w) != 2*sha1.Size {
		return false
	}
	return subtle.ConstantTimeCompare(lowerHex(g), lowerHex(w)) == 1
}

// lowerHex lowers A to F alone: nothing else may become equal.
func lowerHex(s string) []byte {
	b := []byte(s)
	for i, c := range b {
		if 'A' <= c && c <= 'F' {
			b[i] = c + 'a' - 'A'
		}
	}
	return b
}
