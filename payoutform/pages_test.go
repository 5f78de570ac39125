package payoutform

import (
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"payout"
	"payout/web"
)

func ourPages(t *testing.T) *Pages {
	t.Helper()
	p, err := NewPages("")
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func drawn(t *testing.T, draw func(io.Writer) error) *element {
	t.Helper()
	var b strings.Builder
	if err := draw(&b); err != nil {
		t.Fatal(err)
	}
	return parsed(t, b.String())
}

// eachStory calls a test for every page in every state and language.
func eachStory(t *testing.T, check func(t *testing.T, lang web.Lang, text string, page *element)) {
	p := ourPages(t)
	for _, story := range Stories() {
		for _, lang := range web.Languages() {
			t.Run(story.Name+"/"+string(lang), func(t *testing.T) {
				var b strings.Builder
				if err := story.Draw(p, &b, lang); err != nil {
					t.Fatal(err)
				}
				check(t, lang, b.String(), parsed(t, b.String()))
			})
		}
	}
}

func TestEveryPageHasItsLandmarks(t *testing.T) {
	eachStory(t, func(t *testing.T, lang web.Lang, text string, page *element) {
		if html := page.one(t, "html"); html.attributes["lang"] != string(lang) || html.attributes["dir"] != "ltr" {
			t.Errorf("html %v", html.attributes)
		}
		if page.one(t, "title").words() == "" || page.one(t, "h1").words() == "" {
			t.Error("title or headline is empty")
		}
		page.one(t, "header")
		page.one(t, "footer")
		page.one(t, "main#main")
		if page.one(t, "a.skip").attributes["href"] != "#main" {
			t.Error("nothing leads to the content")
		}
		page.one(t, "meta[name=viewport]")
	})
}

func TestEveryIdIsThereOnceAndWhereItIsNamed(t *testing.T) {
	eachStory(t, func(t *testing.T, lang web.Lang, text string, page *element) {
		ids := make(map[string]bool)
		for _, e := range page.all("[id]") {
			if ids[e.attributes["id"]] {
				t.Errorf("the id %s is there twice", e.attributes["id"])
			}
			ids[e.attributes["id"]] = true
		}
		for _, attribute := range []string{"for", "aria-describedby", "aria-labelledby"} {
			for _, e := range page.all("[" + attribute + "]") {
				for _, id := range strings.Fields(e.attributes[attribute]) {
					if !ids[id] {
						t.Errorf("%s of <%s> names %s, which is not there", attribute, e.name, id)
					}
				}
			}
		}
		for _, e := range page.all("a") {
			if id, ok := strings.CutPrefix(e.attributes["href"], "#"); ok && !ids[id] {
				t.Errorf("a link leads to %s, which is not there", id)
			}
		}
	})
}

// The Content-Security-Policy forbids these, and a page never asks elsewhere.
func TestNoPageHasInlineStyleScriptOrForeignAddress(t *testing.T) {
	inline := regexp.MustCompile(`(?i)<style|\sstyle=|\son[a-z]+=|javascript:`)
	eachStory(t, func(t *testing.T, lang web.Lang, text string, page *element) {
		if found := inline.FindString(text); found != "" {
			t.Errorf("there is %q", found)
		}
		for _, e := range page.all("script") {
			if e.attributes["src"] == "" || e.words() != "" {
				t.Error("there is a script in the page")
			}
		}
		if strings.Contains(text, "http://") || strings.Contains(text, "https://") {
			t.Error("there is an address of another site")
		}
		if strings.Contains(text, "ZgotmplZ") {
			t.Error("html/template refused a value")
		}
	})
}

// firstViewMax is what HTML, style sheet and scripts of one page may weigh.
const firstViewMax = 100 << 10 // bytes

func TestFirstViewIsLight(t *testing.T) {
	site := httptest.NewServer(Storybook(ourPages(t)))
	defer site.Close()
	heaviest, name := 0, ""
	eachStory(t, func(t *testing.T, lang web.Lang, text string, page *element) {
		size := len(text)
		for _, e := range slices.Concat(page.all("script"), page.all("link")) {
			address := e.attributes["src"] + e.attributes["href"]
			answer, err := http.Get(site.URL + address)
			if err != nil {
				t.Fatal(err)
			}
			content, err := io.ReadAll(answer.Body)
			if err != nil || answer.StatusCode != http.StatusOK {
				t.Errorf("%s: %s, %v", address, answer.Status, err)
			}
			answer.Body.Close()
			size += len(content)
		}
		if size > firstViewMax {
			t.Errorf("the first view has %d bytes", size)
		}
		if size > heaviest {
			heaviest, name = size, t.Name()
		}
	})
	t.Logf("heaviest first view, uncompressed: %d bytes, %s", heaviest, name)
}

func TestFormNamesItsInputsForPhonesAndReaders(t *testing.T) {
	p := ourPages(t)
	page := drawn(t, func(w io.Writer) error {
		return p.Form(w, FormView{Frame: Frame{Lang: web.English}, Action: "/f/x", Method: ToCard, Amount: payout.Amount{Minor: 1042, Currency: "USD"},
			Fields: slices.Concat(cardFields(), phoneFields(), fullFields()), Banks: storyBanks, Expires: storyTime})
	})
	form := page.one(t, "form#payout")
	if form.attributes["method"] != "post" || form.attributes["action"] != "/f/x" {
		t.Errorf("form %v", form.attributes)
	}
	for id, want := range map[string]map[string]string{
		"credit_card_number":  {"inputmode": "numeric", "autocomplete": "cc-number", "type": "text"},
		"expire_month":        {"inputmode": "numeric", "autocomplete": "cc-exp-month", "placeholder": "MM"},
		"expire_year":         {"autocomplete": "cc-exp-year", "maxlength": "4"},
		"card_printed_name":   {"autocomplete": "cc-name", "autocapitalize": "characters"},
		"receiver_phone":      {"type": "tel", "autocomplete": "tel"},
		"account_number":      {"autocapitalize": "characters", "autocomplete": "off"},
		"account_name":        {"autocomplete": "name"},
		"receiver_email":      {"type": "email", "autocapitalize": "none"},
		"receiver_zip_code":   {"autocomplete": "postal-code", "inputmode": "numeric"},
		"receiver_first_name": {"autocomplete": "given-name"},
	} {
		input := page.one(t, "input#"+id)
		for name, value := range want {
			if input.attributes[name] != value {
				t.Errorf("%s of %s is %q, want %q", name, id, input.attributes[name], value)
			}
		}
		if _, required := input.attributes["required"]; !required || input.attributes["name"] != id {
			t.Errorf("%s: %v", id, input.attributes)
		}
		if label := page.one(t, "label[for="+id+"]"); label.words() == "" {
			t.Errorf("%s has no label", id)
		}
	}
	if got := page.one(t, "label[for=tax_number]").words(); got != "Tax number (optional)" {
		t.Errorf("a field without a name of ours is called %q", got)
	}
	if n := len(page.all("select#bank_id option")); n != len(storyBanks)+1 {
		t.Errorf("%d banks", n)
	}
	if n := len(page.all("select#receiver_country_code option")); n < 230 || n > 270 {
		t.Errorf("%d countries", n)
	}
	if pair := page.one(t, "fieldset.pair"); len(pair.all("input")) != 2 {
		t.Error("month and year do not stand together")
	}
	if got := page.one(t, "button").words(); got != "Get 10.42 USD" {
		t.Errorf("the button says %q", got)
	}
}

func TestFormLeadsToItsProblems(t *testing.T) {
	p := ourPages(t)
	page := drawn(t, func(w io.Writer) error {
		return p.Form(w, FormView{Frame: Frame{Lang: web.Russian}, Method: ToCard, Amount: payout.Amount{Minor: 1042, Currency: "USD"}, Expires: storyTime,
			Fields: []Field{{Name: "credit_card_number", Input: InputCard, Value: "4444555566661111", Problem: ProblemCheck}, {Name: "account_name", Value: `<"Анна">`, Max: 5, Problem: ProblemLong},
				{Name: "bank_id", Input: InputBank, Value: "100000000111"}}, Banks: storyBanks})
	})
	links := page.all("div#summary a")
	if len(links) != 2 || links[0].attributes["href"] != "#credit_card_number" || !strings.HasPrefix(links[0].words(), "Номер карты: Одна из цифр неверна.") {
		t.Errorf("%d links", len(links))
	}
	card, name := page.one(t, "input#credit_card_number"), page.one(t, "input#account_name")
	if _, has := card.attributes["value"]; has {
		t.Error("the card number is in the page")
	}
	if card.attributes["aria-invalid"] != "true" || name.attributes["value"] != `<"Анна">` {
		t.Errorf("%v %v", card.attributes, name.attributes)
	}
	if got := page.one(t, "p#account_name-problem").words(); got != "Слишком длинно: не больше 5 знаков." {
		t.Errorf("the problem is told as %q", got)
	}
	bank := page.one(t, "select#bank_id")
	if _, invalid := bank.attributes["aria-invalid"]; invalid || bank.one(t, "option[selected]").attributes["value"] != "100000000111" {
		t.Error("the chosen bank is not kept")
	}
	if _, hidden := page.one(t, "p#bank_id-problem").attributes["hidden"]; !hidden {
		t.Error("a field without a problem shows one")
	}
	if !strings.HasPrefix(page.one(t, "title").words(), "Проверьте данные") {
		t.Error("the title does not tell")
	}
}

func TestWaitWorksWithAndWithoutScripts(t *testing.T) {
	p := ourPages(t)
	page := drawn(t, func(w io.Writer) error {
		return p.Wait(w, WaitView{Frame: Frame{Lang: web.English}, State: WaitSlow, Amount: payout.Amount{Minor: 1042, Currency: "USD"}, To: "•••• 1111", Events: "/e", Poll: "/p", Self: "/s"})
	})
	if got := page.one(t, "head noscript meta").attributes["content"]; got != "5;url=/s" {
		t.Errorf("refresh %q", got)
	}
	wait := page.one(t, "div#wait")
	if a := wait.attributes; a["data-events"] != "/e" || a["data-poll"] != "/p" || a["data-self"] != "/s" || a["data-state"] != "slow" {
		t.Errorf("%v", a)
	}
	region := page.one(t, "[aria-live=polite]")
	for _, e := range region.all("[data-when]") {
		if _, hidden := e.attributes["hidden"]; hidden == (e.attributes["data-when"] == "slow") {
			t.Errorf("%s: hidden is %v", e.attributes["data-when"], hidden)
		}
	}
}

func TestFinishLeadsBack(t *testing.T) {
	p := ourPages(t)
	view := FinishView{Frame: Frame{Lang: web.English, Brand: Brand{Name: "Northwind"}, Assets: "/a/"}, Outcome: OutcomeDeclined, Amount: payout.Amount{Minor: 1042, Currency: "USD"},
		Number: "N-1", Receipt: "/r", Return: &Return{URL: "https://shop.example/back?a=1&b=2", Fields: []NameValue{{"status", "declined"}, {"x", `"><script>`}}}}
	page := drawn(t, func(w io.Writer) error { return p.Finish(w, view) })
	form := page.one(t, "form#return")
	if form.attributes["method"] != "post" || form.attributes["action"] != "https://shop.example/back?a=1&b=2" {
		t.Errorf("%v", form.attributes)
	}
	if inputs := form.all("input[type=hidden]"); len(inputs) != 2 || inputs[0].attributes["name"] != "status" || inputs[1].attributes["value"] != `"><script>` {
		t.Error("the fields are not those that were given")
	}
	if form.one(t, "button").words() != "Continue to Northwind" || len(page.all("script[src=/a/finish.js]")) != 1 {
		t.Error("nothing leads back")
	}
	view.Return, view.At = nil, time.Time{}
	page = drawn(t, func(w io.Writer) error { return p.Finish(w, view) })
	if len(page.all("form")) != 0 || len(page.all("script[src=/a/finish.js]")) != 0 || len(page.all("time")) != 0 {
		t.Error("a page that is the end leads somewhere, or has a time")
	}
}

func TestOperatorsTemplatesAreCheckedAtStart(t *testing.T) {
	for _, test := range []struct{ file, content, wrong string }{
		{"form.html", "<p>{{money .Amount}}</p>\n{{template \"top\" .}}{{range .Fields}}{{template \"field\" dict \"Field\" . \"Banks\" $.Banks}}{{end}}", ""},
		{"finish.html", "{{template \"sign\" .Outcome}}", ""},
		{"receipt.html", "{{.Nonsense}}", ""}, // not replaceable
		{"form.html", "one\ntwo {{.Amout}}", "form.html:2:"},
		{"form.html", "one\n{{range .Fields}}{{if .Problem}}\n{{.Lable}}{{end}}{{end}}", "form.html:3:"},
		{"wait.html", "\n\n{{if eq .State \"slow\"}}{{t \"wait.slwo\"}}{{end}}", "wait.html:3:"},
		{"finish.html", "{{if .Return}}", "finish.html:1:"},
		{"finish.html", "\n{{with .Return}}{{.Adress}}{{end}}", "finish.html:2:"},
		{"finish.html", "\n{{nonsense}}", "finish.html:2:"},
	} {
		folder := t.TempDir()
		path := filepath.Join(folder, test.file)
		if err := os.WriteFile(path, []byte(test.content), 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := NewPages(folder)
		if (err == nil) != (test.wrong == "") {
			t.Errorf("%q: %v", test.content, err)
		}
		if err != nil && !strings.Contains(err.Error(), filepath.Join(folder, test.wrong)) {
			t.Errorf("%q: the error does not name file and line: %v", test.content, err)
		}
	}
	if _, err := NewPages(filepath.Join(t.TempDir(), "none")); err != nil {
		t.Errorf("a folder without files: %v", err)
	}
}

func TestAPageIsDrawnAsAWholeOrNotAtAll(t *testing.T) {
	var b strings.Builder
	if err := ourPages(t).Trouble(&b, TroubleView{Frame: Frame{Lang: web.English}, Trouble: "unheard of"}); err == nil || b.Len() != 0 {
		t.Errorf("%v, %d bytes", err, b.Len())
	}
	if err := ourPages(t).Trouble(&b, TroubleView{Frame: Frame{Lang: "xx"}, Trouble: TroubleInternal}); err == nil {
		t.Error("a page in no language")
	}
}

func TestStorybookServesEveryStory(t *testing.T) {
	book := Storybook(ourPages(t))
	for path, status := range map[string]int{"/": 200, "/form-card?lang=ru": 200, "/none": 404, "/accent.css": 200, "/logo.svg": 200, "/poll/slow": 200, "/events": 204} {
		w := httptest.NewRecorder()
		book.ServeHTTP(w, httptest.NewRequest("GET", path, nil))
		if w.Code != status {
			t.Errorf("%s: %d, want %d", path, w.Code, status)
		}
	}
	seen := make(map[string]bool)
	for _, story := range Stories() {
		if seen[story.Name] {
			t.Errorf("the story %s is there twice", story.Name)
		}
		seen[story.Name] = true
	}
}
