package payoutform

import (
	"fmt"
	"html"
	"html/template"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/collate"
	"golang.org/x/text/language"
	"golang.org/x/text/language/display"

	"payout"
	"payout/web"
)

// words finds the texts of fields in one language.
type words struct {
	messages *web.Messages
	lang     web.Lang
}

var (
	waitStates = []WaitState{WaitAccepted, WaitPaying, WaitSlow}
	problems   = []Problem{ProblemMissing, ProblemLong, ProblemShort, ProblemFormat, ProblemCheck, ProblemExpired}
)

// text returns a message; its places are filled from pairs of name and value.
func (w words) text(key string, pairs ...string) (string, error) {
	return w.messages.Text(w.lang, key, pairs...)
}

// label names a field. One that we have no name for is called as on the wire.
func (w words) label(f Field) (string, error) {
	if key := "field." + f.Name + ".label"; w.messages.Has(key) {
		return w.text(key)
	}
	name := []rune(strings.NewReplacer("_", " ", "-", " ").Replace(f.Name))
	if len(name) > 0 {
		name[0] = unicode.ToUpper(name[0])
	}
	return string(name), nil
}

// hint helps to fill a field in; most fields need none.
func (w words) hint(f Field) (string, error) {
	key := "field." + f.Name + ".hint"
	if f.Input == InputMonth || f.Input == InputYear || !w.messages.Has(key) {
		return "", nil // a month's is its placeholder
	}
	return w.text(key)
}

// problem says what to do about a field's problem; empty without one.
func (w words) problem(f Field) (string, error) {
	if f.Problem == "" {
		return "", nil
	}
	return w.problemOf(f, f.Problem)
}

// problemOf finds the message of a problem: the field's own, that of its kind,
// or the general one.
func (w words) problemOf(f Field, p Problem) (string, error) {
	key := "problem." + string(p)
	for _, own := range []string{"field." + f.Name + "." + string(p), "problem." + string(f.Input) + "." + string(p)} {
		if w.messages.Has(own) {
			key = own
			break
		}
	}
	if key == "problem."+string(ProblemLong) {
		return w.text(key, "max", strconv.Itoa(f.Max))
	}
	return w.text(key)
}

// until tells how long a form is open. Scripts put the reader's own zone into
// the time element.
func (w words) until(t time.Time) (template.HTML, error) {
	element := fmt.Sprintf(`<time datetime="%s" data-local>%s</time>`, stamp(t), html.EscapeString(w.lang.Time(t)))
	text, err := w.text("form.until", "time", element)
	return template.HTML(text), err
}

// wide reports whether an amount needs a smaller type to stay on one line.
func (w words) wide(a payout.Amount) bool { return utf8.RuneCountInString(w.lang.Money(a)) > 14 }

// stamp writes a time for machines.
func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339) }

// initial is the first letter of a name, in place of a logo.
func initial(name string) string {
	for _, r := range name {
		return string(unicode.ToUpper(r))
	}
	return ""
}

// wrong lists the fields that have a problem.
func wrong(fields []Field) []Field {
	return slices.DeleteFunc(slices.Clone(fields), func(f Field) bool { return f.Problem == "" })
}

// A row is what stands beside each other: one field, or a card's month and year.
type row struct {
	Fields []Field
	Pair   bool
}

func rows(fields []Field) []row {
	var all []row
	for i := 0; i < len(fields); i++ {
		if i+1 < len(fields) && fields[i].Input == InputMonth && fields[i+1].Input == InputYear {
			all = append(all, row{fields[i : i+2], true})
			i++
			continue
		}
		all = append(all, row{fields[i : i+1], false})
	}
	return all
}

// dict gives a template more than one value, as pairs of name and value.
func dict(pairs ...any) (map[string]any, error) {
	values := make(map[string]any)
	for i := 0; i+1 < len(pairs); i += 2 {
		name, ok := pairs[i].(string)
		if !ok {
			return nil, fmt.Errorf("dict: %v is not a name", pairs[i])
		}
		values[name] = pairs[i+1]
	}
	return values, nil
}

// keyboards are the attributes that bring the right keyboard of a phone and the
// right proposals of the browser (HTML, autofill field names), by kind and, where
// a name tells more, by name.
var (
	keyboardOfInput = map[Input]string{
		InputIBAN:    `type="text" autocomplete="off" autocapitalize="characters" autocorrect="off" spellcheck="false"`,
		InputPhone:   `type="tel" inputmode="tel" autocomplete="tel"`,
		InputBank:    ``,
		InputCard:    `type="text" inputmode="numeric" autocomplete="cc-number" spellcheck="false"`,
		InputEmail:   `type="email" inputmode="email" autocomplete="email" autocapitalize="none" spellcheck="false"`,
		InputDigits:  `type="text" inputmode="numeric" autocomplete="off"`,
		InputMonth:   `type="text" inputmode="numeric" autocomplete="cc-exp-month"`,
		InputYear:    `type="text" inputmode="numeric" autocomplete="cc-exp-year"`,
		InputCountry: `autocomplete="country"`,
	}
	keyboardOfName = map[string]string{
		"account_name":        `type="text" autocomplete="name" autocapitalize="words" spellcheck="false"`,
		"card_printed_name":   `type="text" autocomplete="cc-name" autocapitalize="characters" spellcheck="false"`,
		"receiver_first_name": `type="text" autocomplete="given-name" autocapitalize="words" spellcheck="false"`,
		"receiver_last_name":  `type="text" autocomplete="family-name" autocapitalize="words" spellcheck="false"`,
		"receiver_city":       `type="text" autocomplete="address-level2" autocapitalize="words"`,
		"receiver_state":      `type="text" autocomplete="address-level1" autocapitalize="characters" spellcheck="false"`,
		"receiver_zip_code":   `type="text" autocomplete="postal-code" autocapitalize="characters" spellcheck="false"`,
		"receiver_address1":   `type="text" autocomplete="street-address" autocapitalize="words"`,
		"routing_number":      `type="text" autocomplete="off" autocapitalize="characters" autocorrect="off" spellcheck="false"`,
		"bank_code":           `type="text" autocomplete="off" autocapitalize="characters" autocorrect="off" spellcheck="false"`,
	}
)

// plainKeyboard is that of all other fields.
const plainKeyboard = `type="text" autocomplete="off"`

func keyboard(f Field) string {
	if own, ok := keyboardOfName[f.Name]; ok && (f.Input == InputText || f.Input == InputDigits) {
		if f.Input == InputDigits {
			return own + ` inputmode="numeric"`
		}
		return own
	}
	if own, ok := keyboardOfInput[f.Input]; ok {
		return own
	}
	return plainKeyboard
}

// attributes are all attributes of a field's input. The messages of problems
// that a script can find stand there too.
func (w words) attributes(f Field) (template.HTMLAttr, error) {
	var b strings.Builder
	set := func(name, value string) { fmt.Fprintf(&b, ` %s="%s"`, name, html.EscapeString(value)) }
	set("id", f.Name)
	set("name", f.Name)
	if k := keyboard(f); k != "" {
		b.WriteString(" " + k)
	}
	if f.Input != InputBank && f.Input != InputCountry && f.Input != InputCard && f.Value != "" {
		set("value", f.Value)
	}
	described := f.Name + "-problem"
	if hint, err := w.hint(f); err != nil {
		return "", err
	} else if hint != "" {
		described += " " + f.Name + "-hint"
	}
	set("aria-describedby", described)
	if f.Problem != "" {
		set("aria-invalid", "true")
	}
	if f.Required {
		b.WriteString(" required")
	}
	set("data-kind", string(f.Input))
	switch f.Input {
	case InputText, InputDigits, InputEmail:
		if f.Max > 0 {
			set("maxlength", strconv.Itoa(f.Max))
		}
	case InputMonth, InputYear: // browsers may fill in four digits of a year
		set("maxlength", strconv.Itoa(max(f.Max, 2)))
		if key := "field." + f.Name + ".hint"; w.messages.Has(key) {
			placeholder, err := w.text(key)
			if err != nil {
				return "", err
			}
			set("placeholder", placeholder)
		}
	}
	for _, p := range problems {
		text, err := w.problemOf(f, p)
		if err != nil {
			return "", err
		}
		if p != ProblemLong || f.Input == InputCard || f.Input == InputPhone {
			set("data-"+string(p), text)
		}
	}
	return template.HTMLAttr(strings.TrimSpace(b.String())), nil
}

// A country is one choice of a country field.
type country struct{ Code, Name string }

// countries lists the countries of ISO 3166-1 by their names in the language,
// and one more if a field already holds another code.
func (w words) countries(chosen string) []country {
	tag := language.Make(string(w.lang))
	names := display.Regions(tag)
	var all []country
	for a := 'A'; a <= 'Z'; a++ {
		for b := 'A'; b <= 'Z'; b++ {
			code := string([]rune{a, b})
			region, err := language.ParseRegion(code)
			if err != nil || !region.IsCountry() || region.Canonicalize().String() != code {
				continue
			}
			if name := names.Name(region); name != "" && !strings.HasPrefix(code, "X") {
				all = append(all, country{code, name})
			}
		}
	}
	order := collate.New(tag)
	slices.SortFunc(all, func(x, y country) int { return order.CompareString(x.Name, y.Name) })
	if chosen != "" && !slices.ContainsFunc(all, func(c country) bool { return c.Code == chosen }) {
		all = append(all, country{chosen, chosen})
	}
	return all
}
