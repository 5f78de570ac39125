package journeys

import (
	"encoding/json"
	"net/http/httptest"
	"os"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"

	"payout"
	"payout/payoutform"
)

const (
	axeFile      = "../tools/npm/node_modules/axe-core/axe.min.js"
	firstViewMax = 100 << 10 // bytes over the network, HTML included
)

// axe reads the accessibility checker that make test installs from npm.
func axe(t *testing.T) string {
	t.Helper()
	script, err := os.ReadFile(axeFile)
	if err != nil {
		if os.Getenv("PAYOUTD_TEST_AXE_REQUIRED") != "" {
			t.Fatal(err)
		}
		t.Skip("no axe-core: run npm ci in tools/npm, or make test, which does")
	}
	return string(script)
}

// A violation is one rule of axe-core that a page breaks.
type violation struct {
	ID, Impact, Help string
	Nodes            []struct{ HTML string }
}

// No page in any state and language breaks a serious or critical rule of
// axe-core, on a phone, in light and in dark; and none is wider than the phone.
func TestStoriesAreAccessible(t *testing.T) {
	script, b := axe(t), newTab(t)
	pages, err := payoutform.NewPages("")
	check(t, err)
	book := httptest.NewServer(payoutform.Storybook(pages))
	defer book.Close()
	b.narrow()
	stories := payoutform.Stories()
	for _, story := range stories {
		for _, lang := range []string{"en", "ru"} {
			for _, scheme := range []string{"light", "dark"} {
				b.prefers(scheme)
				b.do(chromedp.Navigate(book.URL + "/" + story.Name + "?lang=" + lang))
				_, err := chromedp.Run(b.ctx, chromedp.Evaluate[bool](script+";true"))
				check(t, err)
				text, err := chromedp.Run(b.ctx, chromedp.Evaluate[string](
					`axe.run().then(r => JSON.stringify(r.violations))`, chromedp.EvalAwaitPromise))
				check(t, err)
				var found []violation
				check(t, json.Unmarshal([]byte(text), &found))
				for _, v := range found {
					if v.Impact == "serious" || v.Impact == "critical" {
						t.Errorf("%s in %s, %s: %s: %s: %s", story.Name, lang, scheme, v.Impact, v.Help, v.Nodes[0].HTML)
					}
				}
				b.fits()
			}
		}
	}
	t.Logf("%d stories, each in two languages, light and dark", len(stories))
}

// The first view costs less than 100 KiB, all of it named by the HTML itself, and
// nothing comes from another site.
func TestFirstViewIsSmall(t *testing.T) {
	s, b := newSite(t, nil), newTab(t)
	for what, endpoint := range map[string]payout.EndpointID{"an account": toAccount, "a card": toCard, "a phone": toPhone} {
		address, _ := s.form(endpoint)
		b.do(chromedp.Navigate(address))
		text, err := chromedp.Run(b.ctx, chromedp.Evaluate[string](`JSON.stringify(
			performance.getEntriesByType('navigation').concat(performance.getEntriesByType('resource'))
			.map(e => ({Name: e.name, By: e.initiatorType, Size: e.encodedBodySize,
				Icon: e.name === document.querySelector('link[rel=icon]').href})))`))
		check(t, err)
		var loads []struct {
			Name, By string
			Size     int
			Icon     bool // named by the HTML, but fetched when the browser finds time
		}
		check(t, json.Unmarshal([]byte(text), &loads))
		sum := 0
		for _, load := range loads {
			sum += load.Size
			if !strings.HasPrefix(load.Name, strings.TrimSuffix(s.base, "/paynet")) {
				t.Errorf("the page loads %s", load.Name)
			}
			if load.By != "navigation" && load.By != "link" && load.By != "script" && load.By != "img" && !load.Icon {
				t.Errorf("%s comes in a second round trip, by %s", load.Name, load.By)
			}
		}
		t.Logf("form for %s: %d bytes in %d files", what, sum, len(loads))
		if sum >= firstViewMax {
			t.Errorf("the first view has %d bytes: %v", sum, loads)
		}
	}
}
