package docs

import (
	"strings"

	"github.com/yuin/goldmark/ast"
	extension "github.com/yuin/goldmark/extension/ast"
	"github.com/yuin/goldmark/parser"
	"github.com/yuin/goldmark/text"
)

// cardColumns is how many columns a table of a guide needs to be shown as cards
// on a phone, each value after the name of its column.
const cardColumns = 3

// guideTables makes the tables of guides those of other pages.
type guideTables struct{}

// Transform names the column in every cell of wide tables.
func (guideTables) Transform(document *ast.Document, reader text.Reader, _ parser.Context) {
	_ = ast.Walk(document, func(n ast.Node, entering bool) (ast.WalkStatus, error) { // its function has no errors
		table, ok := n.(*extension.Table)
		if !ok || !entering {
			return ast.WalkContinue, nil
		}
		columns := labelled(table, reader.Source())
		if len(columns) >= cardColumns {
			table.SetAttributeString("class", []byte("cards-on-phone"))
			for row := table.FirstChild().NextSibling(); row != nil; row = row.NextSibling() {
				i := 0
				for cell := row.FirstChild(); cell != nil; cell = cell.NextSibling() {
					if columns[i] != "" {
						cell.SetAttributeString("data-label", []byte(columns[i]))
					}
					i++
				}
			}
		}
		return ast.WalkSkipChildren, nil
	})
}

// labelled tells what the cells of a table's head belong to, and returns their texts.
func labelled(table *extension.Table, source []byte) []string {
	var columns []string
	for cell := table.FirstChild().FirstChild(); cell != nil; cell = cell.NextSibling() {
		cell.SetAttributeString("scope", []byte("col"))
		columns = append(columns, wordsIn(cell, source))
	}
	return columns
}

// wordsIn is the text of a node without its markup.
func wordsIn(n ast.Node, source []byte) string {
	var b strings.Builder
	_ = ast.Walk(n, func(n ast.Node, entering bool) (ast.WalkStatus, error) { // its function has no errors
		if t, ok := n.(*ast.Text); ok && entering {
			b.Write(t.Segment.Value(source))
		}
		return ast.WalkContinue, nil
	})
	return b.String()
}
