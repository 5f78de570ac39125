package main

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"payout/payoutform"
)

// A reader is a browser with the storybook open.
type reader struct {
	*testing.T
	ctx   context.Context
	root  string
	posts *atomic.Int64 // forms that reached the site
	state *atomic.Value // what the wait page is told
}

// open starts a browser. Without one the test is skipped: make test has it.
func open(t *testing.T) reader {
	t.Helper()
	if _, err := exec.LookPath("chromium"); err != nil {
		t.Skip("there is no Chromium")
	}
	pages, err := payoutform.NewPages("")
	if err != nil {
		t.Fatal(err)
	}
	r := reader{T: t, posts: new(atomic.Int64), state: new(atomic.Value)}
	r.state.Store("accepted")
	book := payoutform.Storybook(pages)
	site := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		switch {
		case q.Method == http.MethodPost:
			r.posts.Add(1)
			fmt.Fprint(w, "sent")
		case strings.HasPrefix(q.URL.Path, "/poll/"):
			fmt.Fprintf(w, `{"state":%q}`, r.state.Load())
		default:
			book.ServeHTTP(w, q)
		}
	}))
	t.Cleanup(site.Close)
	r.root = site.URL
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.NoSandbox, chromedp.DisableGPU, chromedp.Flag("disable-quic", true), chromedp.Flag("disable-component-update", true))
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	t.Cleanup(cancel)
	ctx, stopBrowser := chromedp.NewExecAllocator(ctx, options...)
	t.Cleanup(stopBrowser)
	ctx, closeTab := chromedp.NewContext(ctx)
	t.Cleanup(closeTab)
	r.ctx = ctx
	return r
}

func (r reader) do(actions ...chromedp.Action[chromedp.Void]) {
	r.Helper()
	for _, action := range actions {
		if err := chromedp.Do(r.ctx, action); err != nil {
			r.Fatal(err)
		}
	}
}

func (r reader) visit(story string) { r.Helper(); r.do(chromedp.Navigate(r.root + "/" + story)) }
func (r reader) keys(keys string)   { r.Helper(); r.do(chromedp.KeyEvent(keys)) }

// say evaluates an expression to a text.
func (r reader) say(expression string) string {
	r.Helper()
	text, err := r.ask(expression)
	if err != nil {
		r.Fatal(err)
	}
	return text
}

func (r reader) ask(expression string) (string, error) {
	return chromedp.Run(r.ctx, chromedp.Evaluate[string]("String("+expression+")"))
}

// is waits until an expression has a value, and fails if it never has. While the browser
// goes to another page it may have none, and say so.
func (r reader) is(expression, want string) {
	r.Helper()
	tick := time.NewTicker(50 * time.Millisecond) // a browser tells no end of what it does
	defer tick.Stop()
	var got string
	var err error
	for range 200 {
		if got, err = r.ask(expression); err == nil && got == want {
			return
		}
		<-tick.C
	}
	r.Fatalf("%s is %q, want %q; %v", expression, got, want, err)
}

// field is an expression for an input.
func field(id string) string { return "document.getElementById('" + id + "')" }

func TestCardNumberIsFormattedAndTheCaretKept(t *testing.T) {
	r := open(t)
	r.visit("form-card")
	card := field("credit_card_number")
	r.say(card + ".focus()")
	r.keys("44445555")
	r.is(card+".value", "4444 5555")
	r.is("document.querySelector('.scheme').textContent", "Visa")
	r.say(card + ".setSelectionRange(2, 2)")
	r.keys("9")
	r.is(card+".value", "4494 4555 5")
	r.is(card+".selectionStart", "3")
	r.keys(kb.Backspace)
	r.is(card+".value", "4444 5555")
	r.is(card+".selectionStart", "2")
	r.say(card + ".setSelectionRange(9, 9)")
	r.keys("66661112")
	r.say(card + ".blur()")
	r.is("document.getElementById('credit_card_number-problem').textContent", "A digit is mistyped. Compare the number with your card.")
	r.is(card+".getAttribute('aria-invalid')", "true")
	r.say(card + ".focus()")
	r.say(card + ".setSelectionRange(19, 19)")
	r.keys(kb.Backspace + "1")
	r.is(card+".getAttribute('aria-invalid')", "null") // right again, without leaving the field
	for digits, scheme := range map[string]string{"2200": "Mir", "5555": "Mastercard", "2221": "Mastercard", "3400": "Amex", "3528": "JCB", "6200": "UnionPay", "5018": "Maestro", "9": ""} {
		r.say(fmt.Sprintf("(%s.value = '', %s.focus())", card, card))
		r.keys(digits)
		r.is("document.querySelector('.scheme').textContent", scheme)
	}
}

func TestMonthLeadsToYear(t *testing.T) {
	r := open(t)
	r.visit("form-card")
	r.say(field("expire_month") + ".focus()")
	r.keys("1229")
	r.is(field("expire_month")+".value + '/' + "+field("expire_year")+".value", "12/29")
}

func TestBankIsFoundByKeyboard(t *testing.T) {
	r := open(t)
	r.visit("form-phone")
	bank, chosen, list := field("bank_id"), "document.querySelector('select[name=bank_id]').value", field("bank_id-list")
	r.is(bank+".getAttribute('role')", "combobox")
	r.say(bank + ".focus()")
	r.keys("ба")
	r.is(bank+".getAttribute('aria-expanded')", "true")
	r.keys("нк о")
	r.is(list+".children.length", "1")
	r.keys(kb.ArrowDown)
	r.is(bank+".getAttribute('aria-activedescendant')", "bank_id-list-0")
	r.keys(kb.Enter)
	r.is(bank+".value + ' ' + "+chosen, "Банк Открытие 100000000015")
	r.is(list+".hidden", "true")
	r.keys("xyz")
	r.is(list+".textContent", "Nothing found. Check the spelling.")
	r.is(chosen, "")
	r.keys(kb.Escape)
	r.say(bank + ".blur()")
	r.is("document.getElementById('bank_id-problem').textContent", "Choose your bank from the list.")
	r.say(bank + ".focus()")
	r.keys(kb.Escape + "сбербанк")
	r.say(bank + ".blur()")
	r.is(chosen, "100000000111")
	r.is(bank+".getAttribute('aria-invalid')", "null")
}

func TestFormIsSentOnceAndOnlyWhenItIsRight(t *testing.T) {
	r := open(t)
	r.visit("form-account")
	const submit = "document.querySelector('button[type=submit]')"
	r.say(submit + ".click()")
	r.is("document.activeElement.id", "account_name")
	r.is("document.querySelectorAll('.wrong').length", "2")
	r.keys("Jane Doe")
	r.say(field("account_number") + ".focus()")
	r.keys("DE89 3704 0044 0532 0130 01")
	r.say(submit + ".click()")
	r.is("document.activeElement.id", "account_number")
	r.keys(kb.Backspace + "0")
	r.say("(" + submit + ".click(), " + submit + ".click(), document.getElementById('payout').requestSubmit())")
	r.is("document.body.textContent.trim()", "sent")
	if n := r.posts.Load(); n != 1 {
		t.Errorf("the form was sent %d times", n)
	}
	r.say("history.back()") // NavigateBack waits for a load that a frozen page does not have
	r.is(submit+".disabled + ' ' + "+submit+".textContent", "false Get 1,042.50\u00a0USD")
}

func TestProblemsAreReadFirst(t *testing.T) {
	r := open(t)
	r.visit("form-phone-wrong")
	r.is("document.activeElement.id", "summary")
	r.say("document.querySelector('#summary a[href=\"#bank_id\"]').click()")
	r.is("document.activeElement.id + ' ' + document.activeElement.getAttribute('role')", "bank_id combobox")
}

func TestWaitFollowsTheStateByPolling(t *testing.T) {
	r := open(t)
	r.visit("wait-accepted")
	shown := "[...document.querySelectorAll('[data-when]')].filter(e => !e.hidden).map(e => e.dataset.when)"
	r.is(shown, "accepted")
	r.state.Store("slow") // the storybook has no events: asked every three seconds
	r.is(shown, "slow")
	r.say("window.old = true")
	r.state.Store("done")
	r.is("window.old", "undefined") // the page was loaded again
}

func TestFinishGoesBackByItselfOnlyOnce(t *testing.T) {
	r := open(t)
	r.visit("finish-approved-return")
	r.is("document.querySelector('[data-soon]').textContent", "You will be taken back in a moment.")
	r.is("document.body.textContent.trim()", "sent")
	r.say("history.back()") // NavigateBack waits for a load that a frozen page does not have
	r.is("document.querySelector('[data-soon]').textContent", "")
	r.visit("finish-approved-return") // the same page, asked for anew
	// The script has run with the load; with the timer it would have announced itself.
	r.is("document.querySelector('[data-soon]').textContent", "")
	if n := r.posts.Load(); n != 1 {
		t.Errorf("it went back %d times by itself", n)
	}
	r.say("document.querySelector('#return button').click()")
	r.is("document.body.textContent.trim()", "sent")
}
