package journeys

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	cdpbrowser "github.com/chromedp/cdproto/browser"
	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"payout/server"
)

// newDocs starts a sandbox and returns the address of its documentation.
func newDocs(t *testing.T) string {
	t.Helper()
	s := newSite(t, func(c *server.Config) { c.SandboxKey = testKey() })
	return strings.TrimSuffix(s.base, "/paynet") + "/docs"
}

// value evaluates an expression in the page.
func value[T any](b tab, expression string) T {
	b.t.Helper()
	v, err := chromedp.Run(b.ctx, chromedp.Evaluate[T](expression, chromedp.EvalAwaitPromise))
	check(b.t, err)
	return v
}

// becomes waits until an expression is true in the page. While one page is left
// for another there is nothing to ask: that is not yet.
func (b tab) becomes(expression string) {
	b.t.Helper()
	tick := time.NewTicker(30 * time.Millisecond)
	defer tick.Stop()
	for {
		is, err := chromedp.Run(b.ctx, chromedp.Evaluate[bool]("Boolean("+expression+")"))
		if err == nil && is {
			return
		}
		if b.ctx.Err() != nil {
			b.t.Fatalf("the page never becomes %s: %v", expression, err)
		}
		<-tick.C
	}
}

// What the reader sees of an element: it is on the screen, below the header.
const inSight = `((e) => { const r = e.getBoundingClientRect(); const top = document.querySelector(".site-header").getBoundingClientRect().bottom;
	return r.height > 0 && r.top >= top - 1 && r.top < innerHeight; })(document.getElementById(%q))`

func TestDocsSearchFindsAHeading(t *testing.T) {
	address, b := newDocs(t), newTab(t)
	for _, test := range []struct{ lang, query, title, page, heading string }{
		{"en", "error codes", "Error codes", "/docs/en/reference/errors", ""},
		{"en", "callback fields", "Callback fields", "/docs/en/reference/callback", ""},
		{"en", "payout test scenarios", "/api/v4/payout › Test scenarios", "/docs/en/commands/v4-payout", "scenarios"},
		{"ru", "коды ошибок", "Коды ошибок", "/docs/ru/reference/errors", ""},
		{"ru", "кодами ошибки", "Коды ошибок", "/docs/ru/reference/errors", ""},                                                              // other endings
		{"ru", "withdrawal-sbp параметрами", "/api/v4/withdrawal-sbp › Параметры запроса", "/docs/ru/commands/v4-withdrawal-sbp", "request"}, // a case, and a name with '-'
	} {
		b.do(chromedp.Navigate(address+"/"+test.lang+"/"), chromedp.WaitVisible(css("#search")))
		b.do(chromedp.KeyEvent("/"))
		b.becomes(`document.activeElement.id === "search"`)
		value[bool](b, `(document.getElementById("search").value = "") === ""`) // chromedp types the key that the page has taken
		b.do(chromedp.SendKeys(css("#search"), test.query))
		b.becomes(fmt.Sprintf(`document.getElementById("found").dataset.query === %q`, test.query))
		b.becomes(fmt.Sprintf(`[...document.querySelectorAll("#found b")].slice(0, 3).some((e) => e.textContent === %q)`, test.title))
		for value[string](b, `document.querySelector("#found [aria-selected=true] b").textContent`) != test.title {
			b.do(chromedp.KeyEvent(kb.ArrowDown))
			if value[string](b, `document.querySelector("#found [aria-selected=true]").id`) == "found-0" {
				t.Fatalf("%s: the arrows do not reach %q", test.query, test.title)
			}
		}
		b.do(chromedp.KeyEvent(kb.Enter))
		b.becomes(fmt.Sprintf(`location.pathname === %q && document.readyState === "complete"`, test.page))
		if test.heading != "" {
			b.becomes(fmt.Sprintf(inSight, test.heading))
		}
	}
}

func TestDocsSearchEndsAndSaysWhatItDoesNotFind(t *testing.T) {
	address, b := newDocs(t), newTab(t)
	b.do(chromedp.Navigate(address+"/en/"), chromedp.WaitVisible(css("#search")), chromedp.SendKeys(css("#search"), "qwertyuiop"))
	b.becomes(`document.getElementById("found").textContent === "Nothing found"`)
	b.do(chromedp.KeyEvent(kb.Escape))
	b.becomes(`document.getElementById("found").hidden && document.getElementById("search").value === ""`)
}

func TestDocsDeepLinks(t *testing.T) {
	address, b := newDocs(t), newTab(t)
	for path, id := range map[string]string{"/en/reference/errors#code-305": "code-305", "/ru/commands/v4-payout#param-receiver_email": "param-receiver_email",
		"/en/commands/v4-status#failure": "failure"} {
		b.do(chromedp.Navigate(address+path), chromedp.WaitReady(css("#"+id)))
		b.becomes(fmt.Sprintf(inSight, id))
	}
	// The link beside a heading gives its address.
	b.do(chromedp.Navigate(address+"/en/commands/v4-payout"), chromedp.Click(css("#response .anchor")))
	b.becomes(`location.hash === "#response"`)
	b.becomes(fmt.Sprintf(inSight, "response"))
}

func TestDocsSamplesAreCopied(t *testing.T) {
	address, b := newDocs(t), newTab(t)
	b.do(func(ctx context.Context, t *chromedp.Target) (none chromedp.Void, err error) {
		for _, name := range []string{"clipboard-read", "clipboard-write"} {
			if _, err = cdp.Call(ctx, t, cdpbrowser.SetPermission, cdpbrowser.SetPermissionParams{
				Permission: &cdpbrowser.PermissionDescriptor{Name: name}, Setting: cdpbrowser.PermissionSettingGranted}); err != nil {
				return none, err
			}
		}
		return none, nil
	})
	b.do(chromedp.Navigate(address+"/en/commands/v4-payout"), chromedp.WaitVisible(css("#urls + figure .copy")), chromedp.Click(css("#urls + figure .copy")))
	b.becomes(`document.querySelector("#urls + figure .copy").textContent === "Copied"`)
	if got := value[string](b, `navigator.clipboard.readText()`); got != strings.TrimSuffix(address, "/docs")+"/paynet/api/v4/payout/39915" {
		t.Errorf("the clipboard has %q", got)
	}
	// Of two tabs the second is shown, and copied.
	b.do(chromedp.Click(css(`#example ~ .samples [role="tab"]:nth-child(2)`)), chromedp.KeyEvent(" "))
	b.do(chromedp.Click(css(`#example ~ .samples [role="tabpanel"]:not([hidden]) .copy`)))
	b.becomes(`document.querySelector("#example ~ .samples [role=tabpanel]:not([hidden]) .copy").textContent === "Copied"`)
	if got := value[string](b, `navigator.clipboard.readText()`); !strings.HasPrefix(got, "curl -sS 'http://") {
		t.Errorf("the clipboard has %q", got)
	}
}

func TestDocsLanguageKeepsThePlace(t *testing.T) {
	address, b := newDocs(t), newTab(t)
	b.do(chromedp.Navigate(address+"/en/reference/errors#code-305"), chromedp.Click(css(`.languages [lang="ru"]`)))
	b.becomes(`location.pathname === "/docs/ru/reference/errors" && location.hash === "#code-305" && document.documentElement.lang === "ru"`)
	b.becomes(fmt.Sprintf(inSight, "code-305"))
}

func TestDocsThemeIsKept(t *testing.T) {
	address, b := newDocs(t), newTab(t)
	const dark = `getComputedStyle(document.body).backgroundColor === "rgb(15, 19, 23)"`
	b.prefers("light")
	b.do(chromedp.Navigate(address + "/en/"))
	if value[bool](b, dark) {
		t.Error("the page is dark, the system is light")
	}
	b.do(chromedp.Click(css("[data-theme-toggle]")))
	b.becomes(dark)
	b.do(chromedp.Navigate(address + "/ru/reference/stages"))
	b.becomes(dark)
	b.do(chromedp.Click(css("[data-theme-toggle]")))
	b.becomes(`!(` + dark + `)`)
	b.prefers("dark") // nothing is chosen any more: the system decides again
	b.becomes(dark)
}

// Everything can be read without JavaScript: samples stand one below the other,
// the menu opens.
func TestDocsWithoutJavaScript(t *testing.T) {
	address, b := newDocs(t), newTab(t)
	b.narrow()
	b.withoutJavaScript()
	b.do(chromedp.Navigate(address+"/en/commands/v4-payout"), chromedp.WaitVisible(css(`#example ~ .samples .sample:nth-child(2)`)))
	b.fits()
	b.do(chromedp.Click(css(".menu-button")), chromedp.WaitVisible(css(`.site-menu a[href="/docs/en/reference/errors"]`)),
		chromedp.Click(css(`.site-menu a[href="/docs/en/reference/errors"]`)), chromedp.WaitVisible(css("#code-305")))
	b.fits()
}

// docsPages has one page of each type.
var docsPages = []string{"", "commands/v4-payout", "commands/v2-sale", "commands/v2-status", "reference/errors", "reference/stages", "reference/callback",
	"reference/scenarios", "reference/glossary", "guides/authentication", "guides/payout-form", "builder/v4-payout", "checker", "none"}

// No page type breaks a serious or critical rule of axe-core, in both languages,
// light and dark, on a phone, and once on a desktop; none is wider than the phone.
func TestDocsAreAccessible(t *testing.T) {
	script, address := axe(t), newDocs(t)
	for _, look := range []struct{ screen, lang, scheme string }{{"phone", "en", "light"}, {"phone", "en", "dark"}, {"phone", "ru", "light"}, {"phone", "ru", "dark"},
		{"desktop", "en", "light"}} {
		t.Run(look.screen+" "+look.lang+" "+look.scheme, func(t *testing.T) {
			b := newTab(t)
			b.narrow()
			if look.screen == "desktop" {
				b.do(chromedp.EmulateViewport(1360, 900))
			}
			b.prefers(look.scheme)
			for _, page := range docsPages {
				b.do(chromedp.Navigate(address + "/" + look.lang + "/" + page))
				b.accessible(script, page)
				b.fits()
			}
			b.do(chromedp.SendKeys(css("#search"), "status"))
			b.becomes(`document.querySelector("#found [aria-selected=true]") !== null`)
			b.accessible(script, "search")
			b.fits()
		})
	}
}

// accessible checks the page that the tab shows by axe-core.
func (b tab) accessible(script, what string) {
	b.t.Helper()
	_, err := chromedp.Run(b.ctx, chromedp.Evaluate[bool](script+";true"))
	check(b.t, err)
	var found []violation
	check(b.t, json.Unmarshal([]byte(value[string](b, `axe.run().then(r => JSON.stringify(r.violations))`)), &found))
	for _, v := range found {
		if v.Impact == "serious" || v.Impact == "critical" {
			b.t.Errorf("%s: %s: %s: %s", what, v.Impact, v.Help, v.Nodes[0].HTML)
		}
	}
}
