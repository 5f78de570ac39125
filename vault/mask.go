package vault

import "strings"

// Mask hides all but the last four characters, and everything of a value so
// short that four would tell most of it: 1234567890 is ******7890, 12345 is *****.
func Mask(value string) string {
	const shown, least = 4, 8 // characters
	runes := []rune(value)
	if len(runes) < least {
		return strings.Repeat("*", len(runes))
	}
	hidden := len(runes) - shown
	return strings.Repeat("*", hidden) + string(runes[hidden:])
}
