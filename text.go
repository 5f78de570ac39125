package payout

// A Text is a text for people in the languages of the documentation.
type Text struct{ EN, RU string }

// T makes a Text.
func T(en, ru string) Text { return Text{EN: en, RU: ru} }

// In returns the text in a language, "en" or "ru"; any other reads as English.
func (t Text) In(lang string) string {
	if lang == "ru" && t.RU != "" {
		return t.RU
	}
	return t.EN
}
