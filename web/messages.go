package web

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strings"
)

// Messages are the texts of pages in every language, found by a key. A text may
// have places in braces, such as {amount}.
type Messages struct {
	texts map[Lang]map[string]string
}

// ReadMessages reads en.json and its like from a folder: one object of keys and
// texts for each language. Every language must have the same keys, and the same
// places in their texts.
func ReadMessages(folder fs.FS) (*Messages, error) {
	m := &Messages{texts: make(map[Lang]map[string]string)}
	for _, lang := range Languages() {
		name := string(lang) + ".json"
		content, err := fs.ReadFile(folder, name)
		if err != nil {
			return nil, fmt.Errorf("read messages: %w", err)
		}
		texts := make(map[string]string)
		if err := json.Unmarshal(content, &texts); err != nil {
			return nil, fmt.Errorf("read messages %s: %w", name, err)
		}
		m.texts[lang] = texts
	}
	return m, m.agree()
}

// agree compares all languages with the first one.
func (m *Messages) agree() error {
	first := Languages()[0]
	for _, lang := range Languages()[1:] {
		for _, pair := range [][2]Lang{{first, lang}, {lang, first}} {
			for _, key := range slices.Sorted(maps.Keys(m.texts[pair[0]])) {
				text, ok := m.texts[pair[1]][key]
				if !ok {
					return fmt.Errorf("messages: %q is in %s and not in %s", key, pair[0], pair[1])
				}
				if want := places(m.texts[pair[0]][key]); !slices.Equal(want, places(text)) {
					return fmt.Errorf("messages: %q has the places %v in %s and others in %s", key, want, pair[0], pair[1])
				}
			}
		}
	}
	return nil
}

// places lists the names in braces, sorted.
func places(text string) []string {
	var names []string
	for {
		_, rest, open := strings.Cut(text, "{")
		name, after, closed := strings.Cut(rest, "}")
		if !open || !closed {
			slices.Sort(names)
			return slices.Compact(names)
		}
		names, text = append(names, name), after
	}
}

// Keys returns all keys, sorted.
func (m *Messages) Keys() []string {
	return slices.Sorted(maps.Keys(m.texts[Languages()[0]]))
}

// Has reports whether there is a text for a key.
func (m *Messages) Has(key string) bool {
	_, ok := m.texts[Languages()[0]][key]
	return ok
}

// Raw returns the text of a key in a language with its places open, for scripts
// that fill them; empty if there is none.
func (m *Messages) Raw(lang Lang, key string) string { return m.texts[lang.locale().lang][key] }

// Text returns the text of a key in a language. Its places are filled from
// pairs of a name and a value; a key that is not there, a place without a value
// and a value without a place are errors.
func (m *Messages) Text(lang Lang, key string, pairs ...string) (string, error) {
	text, ok := m.texts[lang.locale().lang][key]
	if !ok {
		return "", fmt.Errorf("there is no message %q", key)
	}
	if len(pairs)%2 != 0 {
		return "", fmt.Errorf("message %q: a value is missing", key)
	}
	open := places(text)
	filled := make([]string, 0, len(pairs))
	for i := 0; i < len(pairs); i += 2 {
		at := slices.Index(open, pairs[i])
		if at < 0 {
			return "", fmt.Errorf("message %q has no place {%s}", key, pairs[i])
		}
		open = slices.Delete(open, at, at+1)
		filled = append(filled, "{"+pairs[i]+"}", pairs[i+1])
	}
	if len(open) > 0 {
		return "", fmt.Errorf("message %q wants a value for {%s}", key, open[0])
	}
	return strings.NewReplacer(filled...).Replace(text), nil
}
