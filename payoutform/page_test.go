package payoutform

import (
	"encoding/xml"
	"errors"
	"io"
	"os"
	"strings"
	"testing"
)

// An element is a node of a drawn page.
type element struct {
	name       string
	attributes map[string]string
	text       string // with that of its children
	children   []*element
	parent     *element
}

// parsed reads a page. Our pages close every element that HTML does not, so
// that a lenient XML reader is enough; one that they forget is an error.
func parsed(t *testing.T, page string) *element {
	t.Helper()
	decoder := xml.NewDecoder(strings.NewReader(strings.Replace(page, "<!doctype html>", "", 1)))
	decoder.Strict, decoder.AutoClose, decoder.Entity = false, xml.HTMLAutoClose, xml.HTMLEntity
	root := &element{}
	at := root
	for {
		token, err := decoder.Token()
		if errors.Is(err, io.EOF) {
			if at != root {
				t.Fatalf("<%s> is not closed", at.name)
			}
			return root
		}
		if err != nil {
			t.Fatalf("the page is not well-formed: %v\n%s", err, page)
		}
		switch token := token.(type) {
		case xml.StartElement:
			e := &element{name: token.Name.Local, attributes: make(map[string]string), parent: at}
			for _, a := range token.Attr {
				e.attributes[a.Name.Local] = a.Value
			}
			at.children = append(at.children, e)
			at = e
		case xml.EndElement:
			if at.name != token.Name.Local {
				t.Fatalf("<%s> is closed by </%s>", at.name, token.Name.Local)
			}
			at = at.parent
		case xml.CharData:
			for e := at; e != nil; e = e.parent {
				e.text += string(token)
			}
		}
	}
}

// all finds the elements below e that a simple selector fits: a name, .class,
// #id and [attribute] or [attribute=value], in this order; parts after a blank
// are searched below the ones before.
func (e *element) all(selector string) []*element {
	first, rest, deeper := strings.Cut(selector, " ")
	var found []*element
	for _, child := range e.children {
		if child.fits(first) {
			if deeper {
				found = append(found, child.all(rest)...)
			} else {
				found = append(found, child)
			}
		}
		found = append(found, child.all(selector)...)
	}
	return found
}

func (e *element) fits(selector string) bool {
	selector, attribute, hasAttribute := strings.Cut(strings.TrimSuffix(selector, "]"), "[")
	if hasAttribute {
		name, want, hasValue := strings.Cut(attribute, "=")
		got, ok := e.attributes[name]
		if !ok || hasValue && got != want {
			return false
		}
	}
	selector, id, hasID := strings.Cut(selector, "#")
	name, class, hasClass := strings.Cut(selector, ".")
	return (name == "" || name == e.name) && (!hasID || e.attributes["id"] == id) &&
		(!hasClass || strings.Contains(" "+e.attributes["class"]+" ", " "+class+" "))
}

// one finds the only element that a selector fits.
func (e *element) one(t *testing.T, selector string) *element {
	t.Helper()
	found := e.all(selector)
	if len(found) != 1 {
		t.Fatalf("%d elements fit %q", len(found), selector)
	}
	return found[0]
}

// words is the text of an element with single blanks.
func (e *element) words() string { return strings.Join(strings.Fields(e.text), " ") }

// source reads a file of this package.
func source(t *testing.T, name string) string {
	t.Helper()
	content, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}
