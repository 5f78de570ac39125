// Package web is the kit for pages: languages and messages, money and dates as
// people write them, static files, and the headers that keep a page safe. It
// knows no use case.
package web

// A Lang is a language of the pages.
type Lang string

// The languages.
const (
	English Lang = "en"
	Russian Lang = "ru"
)
