package sign

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// FormPairsMax is the most pairs ParseForm accepts. The longest command has
// fewer than a hundred parameters; without a limit an unsigned megabyte of "a&"
// would cost sixteen times its size in memory before anybody is known.
const FormPairsMax = 1000

// A Pair is one decoded parameter. A []Pair keeps the order received, repeated
// names and empty values, because all of them are signed (RFC 5849 3.4.1.3.1).
type Pair struct{ Name, Value string }

// A FormError says which parameter of a form could not be decoded, and why. It
// never holds a value.
type FormError struct {
	Position int    // of the parameter, counted from 1
	Name     string // empty if it is not plainly a parameter's name
	Problem  string
}

// Error gives the problem and names the parameter, or counts to it.
func (e *FormError) Error() string {
	if e.Name != "" {
		return fmt.Sprintf("form parameter %q: %s", e.Name, e.Problem)
	}
	return fmt.Sprintf("form parameter number %d: %s", e.Position, e.Problem)
}

// ParseForm decodes application/x-www-form-urlencoded text, a body or a raw
// query, into pairs in the order received. "+" and "%20" are a space, "name"
// without "=" has an empty value, empty segments ("a=1&&b=2") are skipped, and
// ";" is no separator. The error is a *FormError: a broken percent-encoding,
// text that is not UTF-8, or more than FormPairsMax pairs.
func ParseForm(s string) ([]Pair, error) {
	if s == "" {
		return nil, nil
	}
	pairs := make([]Pair, 0, min(strings.Count(s, "&")+1, FormPairsMax))
	for s != "" {
		var segment string
		segment, s, _ = strings.Cut(s, "&")
		if segment == "" {
			continue
		}
		if len(pairs) == FormPairsMax {
			return nil, &FormError{Position: FormPairsMax + 1, Problem: "too many parameters"}
		}
		rawName, rawValue, _ := strings.Cut(segment, "=")
		name, problem := decodeForm(rawName)
		if problem != "" {
			return nil, &FormError{Position: len(pairs) + 1, Problem: problem}
		}
		value, problem := decodeForm(rawValue)
		if problem != "" {
			return nil, &FormError{Position: len(pairs) + 1, Name: printableName(name), Problem: problem}
		}
		pairs = append(pairs, Pair{name, value})
	}
	return pairs, nil
}

// EncodeForm writes pairs as application/x-www-form-urlencoded text, in their
// order: RFC 3986 percent-encoding with "+" for a space. ParseForm gives the
// same pairs back, if they are UTF-8 and no more than FormPairsMax.
func EncodeForm(pairs []Pair) string {
	size := 0
	for _, p := range pairs {
		size += encodedLen(p.Name) + encodedLen(p.Value) + len("=&")
	}
	buf := make([]byte, 0, size)
	for i, p := range pairs {
		if i > 0 {
			buf = append(buf, '&')
		}
		buf = appendForm(buf, p.Name)
		buf = append(buf, '=')
		buf = appendForm(buf, p.Value)
	}
	return string(buf)
}

func appendForm(buf []byte, s string) []byte {
	for i := range len(s) {
		if s[i] == ' ' {
			buf = append(buf, '+')
			continue
		}
		buf = appendEncodedByte(buf, s[i])
	}
	return buf
}

// The problems a piece of text can have, said once for form and header.
const (
	problemPercent = "broken percent-encoding"
	problemUTF8    = "not UTF-8"
)

// decodeForm decodes "+" and percent-encoding. problem is empty if s is good.
func decodeForm(s string) (text, problem string) {
	if strings.IndexByte(s, '+') < 0 {
		return decodePercent(s)
	}
	return decodePercent(strings.ReplaceAll(s, "+", " "))
}

// decodePercent undoes percent-encoding and leaves "+" alone, which is what the
// Authorization header wants: a "+" of a raw base64 signature stays a "+".
func decodePercent(s string) (text, problem string) {
	first := strings.IndexByte(s, '%')
	if first < 0 {
		if !utf8.ValidString(s) {
			return "", problemUTF8
		}
		return s, ""
	}
	buf := make([]byte, first, len(s))
	copy(buf, s)
	for i := first; i < len(s); i++ {
		if s[i] != '%' {
			buf = append(buf, s[i])
			continue
		}
		if i+2 >= len(s) {
			return "", problemPercent
		}
		high, highOK := hexDigit(s[i+1])
		low, lowOK := hexDigit(s[i+2])
		if !highOK || !lowOK {
			return "", problemPercent
		}
		buf = append(buf, high<<4|low)
		i += 2
	}
	if !utf8.Valid(buf) {
		return "", problemUTF8
	}
	return string(buf), ""
}

func hexDigit(c byte) (value byte, ok bool) {
	switch {
	case '0' <= c && c <= '9':
		return c - '0', true
	case 'a' <= c && c <= 'f':
		return c - 'a' + 10, true
	case 'A' <= c && c <= 'F':
		return c - 'A' + 10, true
	}
	return 0, false
}

// printableName returns s if it plainly is a parameter's name, else "". Errors
// are logged, and text in a name's place may be anything: an account number
// that was sent without its name, or a forged line for the log. Names have few
// digits; an IBAN has many.
func printableName(s string) string {
	const digitsMax = 2
	if s == "" || len(s) > 64 || !isLetter(s[0]) {
		return ""
	}
	digits := 0
	for i := range len(s) {
		if !unreserved(s[i]) {
			return ""
		}
		if '0' <= s[i] && s[i] <= '9' {
			digits++
		}
	}
	if digits > digitsMax {
		return ""
	}
	return s
}

func isLetter(c byte) bool { return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' }
