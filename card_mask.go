package payout

import "strings"

// MaskCards masks what looks like a card number in a text: 13 to 19 digits with a
// right check digit, or 16 of a known scheme; blanks or dashes may stand between.
func MaskCards(text string) string {
	var masked []byte // nil until something is masked
	runs := digitRuns(text)
	for first := 0; first < len(runs); first++ {
		last := cardEnd(text, runs[first:])
		if last == 0 {
			continue
		}
		if masked == nil {
			masked = []byte(text)
		}
		last += first
		maskDigits(masked[runs[first].from:runs[last-1].to])
		first = last - 1
	}
	if masked == nil {
		return text
	}
	return string(masked)
}

// A digitRun is where digits stand in a text, without anything between.
type digitRun struct{ from, to int }

func digitRuns(text string) []digitRun {
	var runs []digitRun
	for i := 0; i < len(text); i++ {
		if text[i] < '0' || text[i] > '9' {
			continue
		}
		from := i
		for i < len(text) && text[i] >= '0' && text[i] <= '9' {
			i++
		}
		runs = append(runs, digitRun{from, i})
	}
	return runs
}

const cardDigitsMin, cardDigitsMax = 13, 19

// cardEnd tells how many runs, from the first on, make up a card number; 0 when
// they do not.
func cardEnd(text string, runs []digitRun) int {
	var digits strings.Builder
	found := 0
	for i, run := range runs {
		if i > 0 && (run.from != runs[i-1].to+1 || text[run.from-1] != ' ' && text[run.from-1] != '-') {
			break
		}
		digits.WriteString(text[run.from:run.to])
		if digits.Len() > cardDigitsMax {
			break
		}
		if looksLikeCard(digits.String()) {
			found = i + 1
		}
	}
	return found
}

func looksLikeCard(digits string) bool {
	if len(digits) < cardDigitsMin || digits[0] == '0' {
		return false
	}
	return luhn(digits) || len(digits) == 16 && CardNumber(digits).Brand() != ""
}

// maskDigits puts stars in the place of all digits but the first six and the last
// four (PCI DSS 3.4).
func maskDigits(text []byte) {
	const first, last = 6, 4
	total := 0
	for _, c := range text {
		if c >= '0' && c <= '9' {
			total++
		}
	}
	n := 0
	for i, c := range text {
		if c < '0' || c > '9' {
			continue
		}
		if n++; n > first && n <= total-last {
			text[i] = '*'
		}
	}
}
