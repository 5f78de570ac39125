package journeys

import (
	"bytes"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	browserdomain "github.com/chromedp/cdproto/browser"
	"github.com/chromedp/chromedp"

	"payout/docs"
	"payout/server"
	"payout/sign"
	"payout/spec"
)

// A desk is a sandbox with its documentation behind a proxy that keeps what
// browsers send.
type desk struct {
	*site
	origin string // of the proxy, such as http://127.0.0.1:1234
	mutex  sync.Mutex
	sent   []string // requests as they came: line, headers, body
}

// newDesk starts a sandbox; change, if not nil, may change what the proxy hands out.
func newDesk(t *testing.T, change func(path string, header http.Header, content []byte) []byte) *desk {
	t.Helper()
	d := &desk{site: newSite(t, func(c *server.Config) { c.SandboxKey = testKey() })}
	behind, err := url.Parse(strings.TrimSuffix(d.base, "/paynet"))
	check(t, err)
	proxy := &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(behind)
			r.Out.Host = r.In.Host
			r.Out.Header.Del("Accept-Encoding") // the transport's own, which it takes off again
		},
		ModifyResponse: func(r *http.Response) error {
			if change == nil {
				return nil
			}
			content, err := io.ReadAll(r.Body)
			if err != nil {
				return err
			}
			content = change(r.Request.URL.Path, r.Header, content)
			r.Header.Set("Content-Length", strconv.Itoa(len(content)))
			r.Header.Del("ETag")
			r.Body = io.NopCloser(bytes.NewReader(content))
			return nil
		},
	}
	front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		text, err := httputil.DumpRequest(r, true)
		if err != nil {
			t.Error(err)
		}
		d.mutex.Lock()
		d.sent = append(d.sent, string(text))
		d.mutex.Unlock()
		proxy.ServeHTTP(w, r)
	}))
	t.Cleanup(front.Close)
	d.origin = front.URL
	return d
}

func (d *desk) requests() []string {
	d.mutex.Lock()
	defer d.mutex.Unlock()
	return slices.Clone(d.sent)
}

// builder opens the builder of a command.
func (d *desk) builder(b tab, path string) {
	b.t.Helper()
	b.do(chromedp.Navigate(d.origin + "/docs/en/builder/" + path))
	b.settled()
}

// until waits for a condition of the page.
func (b tab) until(what, condition string) {
	b.t.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		holds, err := chromedp.Run(b.ctx, chromedp.Evaluate[bool](condition))
		if b.ctx.Err() != nil {
			b.t.Fatalf("it never comes to pass: %s", what)
		}
		if err == nil && holds {
			return
		}
		<-tick.C
	}
}

// settled waits until the builder shows what follows from its fields.
func (b tab) settled() {
	b.t.Helper()
	b.until("the builder is settled", `document.getElementById("builder")?.getAttribute("aria-busy") === "false"`)
}

// set types into elements by their ids, all at once.
func (b tab) set(values map[string]string) {
	b.t.Helper()
	var none any
	b.run(`(() => {
		for (const [id, value] of Object.entries(input)) {
			const element = document.getElementById(id);
			element.value = value;
			element.dispatchEvent(new Event("input", {bubbles: true}));
		}
		return null;
	})()`, values, &none)
}

// pasteKey pastes a private key that is good.
func (b tab) pasteKey(text string) {
	b.t.Helper()
	b.set(map[string]string{"private-key": ""})
	b.until("the old key is gone", `document.getElementById("private-key-state").textContent === ""`)
	b.set(map[string]string{"private-key": text})
	b.until("the key is read", `document.getElementById("private-key-state").classList.contains("good")`)
	b.settled()
}

// reads returns the text of an element.
func (b tab) reads(id string) string {
	b.t.Helper()
	text, err := chromedp.Run(b.ctx, chromedp.Evaluate[string](fmt.Sprintf(`document.getElementById(%q).textContent`, id)))
	check(b.t, err)
	return text
}

// expressible tells whether a form has fields for all parameters of a vector: no
// name twice, and none empty, which a form leaves out.
func expressible(c *spec.Command, form []sign.Pair) bool {
	seen := make(map[string]bool)
	for _, p := range form {
		known := slices.ContainsFunc(c.Params, func(u spec.Use) bool { return u.Name == p.Name })
		if !known || seen[p.Name] || p.Value == "" || p.Value != strings.TrimRight(p.Value, "\r") {
			return false
		}
		seen[p.Name] = true
	}
	return true
}

func commandOf(t *testing.T, address string) *spec.Command {
	t.Helper()
	u, err := url.Parse(address)
	check(t, err)
	parts := strings.Split(u.Path, "/") // /paynet/api/v4/payout/39915
	for _, c := range spec.Commands {
		if len(parts) > 4 && c.Path() == parts[3]+"/"+parts[4] {
			return c
		}
	}
	t.Fatalf("%s is no command's", address)
	return nil
}

// The builder's page, filled in by hand, shows what package sign computes: on
// every vector that it can express, and with every kind of key.
func TestBuilderAgreesWithSignOnAllVectors(t *testing.T) {
	d := newDesk(t, nil)
	vectors := readVectors(t, "oauth-accept.json")
	byCommand := make(map[*spec.Command][]vector)
	left := 0
	for _, v := range vectors {
		form, err := sign.ParseForm(v.Body)
		check(t, err)
		if c := commandOf(t, v.URL); expressible(c, form) {
			byCommand[c] = append(byCommand[c], v)
		} else {
			left++
			t.Logf("no form can express %s", v.Name)
		}
	}
	for what, key := range map[string]*rsa.PrivateKey{"2048": testKey(), "4096": bigKey()} {
		for kind, text := range map[string]string{"PKCS#1": pkcs1(key), "PKCS#8": pkcs8(t, key)} {
			t.Run(what+" "+kind, func(t *testing.T) {
				b := newTab(t)
				for c, vectors := range byCommand {
					d.builder(b, strings.ReplaceAll(c.Path(), "/", "-"))
					b.pasteKey(text)
					for _, v := range vectors {
						d.agrees(b, c, v, key)
					}
				}
			})
		}
	}
	if left > 3 {
		t.Errorf("%d of %d vectors are left out", left, len(vectors))
	}
}

// agrees fills in one vector and compares every output.
func (d *desk) agrees(b tab, c *spec.Command, v vector, key *rsa.PrivateKey) {
	b.t.Helper()
	form, err := sign.ParseForm(v.Body)
	check(b.t, err)
	values := map[string]string{"url": v.URL, "login": v.OAuth["oauth_consumer_key"], "nonce": v.OAuth["oauth_nonce"], "timestamp": v.OAuth["oauth_timestamp"]}
	b.set(values)
	fields := make(map[string]string)
	for _, u := range c.Params {
		fields["f-"+u.Name] = ""
	}
	var inOrder []sign.Pair // as the table has them, which is how the builder writes the body
	for _, u := range c.Params {
		for _, p := range form {
			if p.Name == u.Name {
				fields["f-"+u.Name] = p.Value
				inOrder = append(inOrder, p)
			}
		}
	}
	b.set(fields)
	b.settled()
	seconds, err := strconv.ParseInt(v.OAuth["oauth_timestamp"], 10, 64)
	check(b.t, err)
	header, err := sign.Sign(sign.Request{Method: http.MethodPost, URL: v.URL, Form: inOrder},
		sign.Credentials{ConsumerKey: v.OAuth["oauth_consumer_key"], Nonce: v.OAuth["oauth_nonce"], Timestamp: seconds}, key)
	check(b.t, err)
	report := sign.Explain(sign.Request{Method: http.MethodPost, URL: v.URL, Form: form, Authorization: header}, []*rsa.PublicKey{&key.PublicKey})
	if report.Failure != nil {
		b.t.Fatal(report.Failure)
	}
	signature, err := base64.StdEncoding.DecodeString(report.OAuth.Signature)
	check(b.t, err)
	want := map[string]string{"out-normalized": report.NormalizedParams, "out-base": report.BaseString, "out-body": sign.EncodeForm(inOrder),
		"out-header": header, "out-base64": report.OAuth.Signature, "out-hex": hex.EncodeToString(signature)}
	var got map[string]string
	b.run(`Object.fromEntries([...document.querySelectorAll("[id^=out-]")].map(e => [e.id, e.textContent.trim()]))`, nil, &got)
	for id, text := range want {
		if got[id] != text {
			b.t.Errorf("%s: %s\n got %s\nwant %s", v.Name, id, got[id], text)
		}
	}
}

// replied waits for the reply and returns its fields.
func (b tab) replied() map[string]string {
	b.t.Helper()
	b.until("there is a reply", `document.querySelector("#reply .reply-fields, #reply .note") !== null && document.getElementById("builder").getAttribute("aria-busy") === "false"`)
	var rows [][2]string
	b.run(`[...document.querySelectorAll("#reply .reply-fields tbody tr")].map(tr => [tr.cells[0].textContent, tr.cells[1].textContent])`, nil, &rows)
	fields := make(map[string]string)
	for _, row := range rows {
		fields[row[0]] = row[1]
	}
	return fields
}

// Whoever has nothing makes a key in the page, pays, and asks how it stands: the
// order goes over to the status by itself.
func TestBuilderWithASandboxKeyPaysAndAsks(t *testing.T) {
	d, b := newDesk(t, nil), newTab(t)
	d.builder(b, "v4-payout")
	b.do(chromedp.Click(css("#generate")))
	b.until("the key is made", `document.getElementById("private-key-state").classList.contains("good")`)
	b.settled()
	b.do(chromedp.Click(css("#send")))
	paid := b.replied()
	if paid["type"] != "async-response" || paid["paynet-order-id"] == "" {
		t.Fatalf("the payout: %v\n%s", paid, b.text())
	}
	for _, command := range []string{"v4/status", "v2/status"} {
		b.do(chromedp.SetValue(css("#command"), "/docs/en/builder/"+strings.ReplaceAll(command, "/", "-")))
		b.until("the command is shown", `document.getElementById("command-part").dataset.title === "`+command+`"`)
		b.settled()
		b.do(chromedp.Click(css("#send")))
		asked := b.replied()
		if asked["type"] != "status-response" || asked["paynet-order-id"] != paid["paynet-order-id"] {
			t.Errorf("%s: %v\n%s", command, asked, b.text())
		}
	}
	if address, err := chromedp.Run(b.ctx, chromedp.Location()); err != nil || address != d.origin+"/docs/en/builder/v2-status" {
		t.Errorf("the address is %s, %v", address, err)
	}
}

// Every command of the table can be filled in with its example and is signed.
func TestBuilderOfEveryCommandIsReadyToSend(t *testing.T) {
	d, b := newDesk(t, nil), newTab(t)
	for _, c := range spec.Commands {
		d.builder(b, strings.ReplaceAll(c.Path(), "/", "-"))
		if c.Auth == spec.OAuthRSA {
			b.pasteKey(pkcs8(t, testKey()))
		}
		var state struct {
			Disabled bool
			Hint     string
			Invalid  []string
		}
		b.run(`({Disabled: document.getElementById("send").disabled, Hint: document.getElementById("send-hint").textContent,
			Invalid: [...document.querySelectorAll("[aria-invalid]")].map(e => e.id)})`, nil, &state)
		if state.Disabled || len(state.Invalid) > 0 {
			t.Errorf("%s: %+v", c.Path(), state)
		}
		if c.Auth == spec.Control {
			d.controlAgrees(b, c)
		}
	}
}

// controlAgrees compares the string to sign and its sum with the table's formula.
func (d *desk) controlAgrees(b tab, c *spec.Command) {
	b.t.Helper()
	var form []sign.Pair
	b.run(`[...document.querySelectorAll("[data-field]")].map(f => ({Name: f.dataset.field, Value: f.querySelector("input, textarea").value})).filter(p => p.Value)`, nil, &form)
	parts, text := strings.Join(c.SumParts("39915", form), ""), b.reads("out-text")
	if !strings.HasPrefix(strings.TrimSpace(text), parts+"•") || strings.Contains(text, controlKey) {
		b.t.Errorf("%s: the string to sign is %s, want %s and dots", c.Path(), text, parts)
	}
	if got, want := strings.TrimSpace(b.reads("out-control")), c.Control("39915", form, controlKey); got != want {
		b.t.Errorf("%s: control %s, want %s", c.Path(), got, want)
	}
	b.do(chromedp.Click(css("#show-key")))
	b.settled()
	if text := b.reads("out-text"); strings.TrimSpace(text) != parts+controlKey {
		b.t.Errorf("%s: with the key it is %s", c.Path(), text)
	}
}

// A field says what is wrong with it, and what is tied together.
func TestBuilderShowsProblemsAsOneTypes(t *testing.T) {
	d, b := newDesk(t, nil), newTab(t)
	d.builder(b, "v4-payout")
	b.set(map[string]string{"f-amount": "10.421", "f-currency": "usd", "f-server_callback_url": "ftp://h", "f-notify_url": "https://h", "f-client_orderid": ""})
	b.settled()
	for id, want := range map[string]string{"p-currency": "Three capital letters", "p-server_callback_url": "absolute http", "p-client_orderid": "required",
		"p-amount": "ISO 4217"} {
		if got := b.reads(id); !strings.Contains(got, want) {
			t.Errorf("%s says %q", id, got)
		}
	}
	b.set(map[string]string{"f-currency": "USD"})
	b.settled()
	if got := b.reads("p-amount"); !strings.Contains(got, "At most 2 decimals") {
		t.Errorf("the amount says %q", got)
	}
	b.set(map[string]string{"f-currency": "KWD", "f-server_callback_url": "https://h", "f-client_orderid": "1"})
	b.settled()
	if got := b.reads("p-amount") + b.reads("p-server_callback_url") + b.reads("p-client_orderid"); got != "" {
		t.Errorf("what is right says %q", got)
	}
	if got := b.reads("send-hint"); !strings.Contains(got, "server_callback_url, notify_url exclude each other") {
		t.Errorf("below the button stands %q", got)
	}
}

// Behind a proxy the address that is signed is not the one in the browser: the
// first is what clients are told, the second is what the page may call.
func TestBuilderSignsThePublicAddress(t *testing.T) {
	s := newSite(t, func(c *server.Config) { c.SandboxKey, c.PublicURL = testKey(), "https://gate.example.com" })
	d, b := &desk{site: s, origin: strings.TrimSuffix(s.base, "/paynet")}, newTab(t)
	d.builder(b, "v4-payout")
	b.pasteKey(pkcs8(t, testKey()))
	b.do(chromedp.Click(css("#send")))
	if fields := b.replied(); fields["type"] != "async-response" || !strings.HasPrefix(strings.TrimSpace(b.reads("out-base")), "POST&https%3A%2F%2Fgate.example.com%2F") {
		t.Errorf("%v\n%s", fields, b.text())
	}
}

// Other gateways are not called; the page says so.
func TestBuilderCallsThisGatewayAlone(t *testing.T) {
	d, b := newDesk(t, nil), newTab(t)
	d.builder(b, "v4-payout")
	b.pasteKey(pkcs8(t, testKey()))
	for _, c := range []struct {
		url      string
		disabled bool
	}{{d.origin + "/paynet/api/v4/payout/1", false}, {"https://gate.example.com/paynet/api/v4/payout/1", true}, {d.origin + "/docs/", true},
		{d.origin + "/paynet/api", true}, {"http://u@" + strings.TrimPrefix(d.origin, "http://") + "/paynet/api/v4/payout/1", true}, {"", true}} {
		b.set(map[string]string{"url": c.url})
		b.settled()
		disabled, err := chromedp.Run(b.ctx, chromedp.Evaluate[bool](`document.getElementById("send").disabled`))
		if err != nil || disabled != c.disabled {
			t.Errorf("%s: disabled is %v, %v", c.url, disabled, err)
		}
	}
}

// violations runs axe-core on the page as it is, on what is serious or critical.
func (b tab) violations(script, what string) {
	b.t.Helper()
	_, err := chromedp.Run(b.ctx, chromedp.Evaluate[bool](script+";true"))
	check(b.t, err)
	var found []violation
	b.run(`axe.run().then(r => r.violations)`, nil, &found)
	for _, v := range found {
		if v.Impact == "serious" || v.Impact == "critical" {
			b.t.Errorf("%s: %s: %s: %s", what, v.Impact, v.Help, v.Nodes[0].HTML)
		}
	}
	b.fits()
}

// Builder and checker are for everybody: in both languages, light and dark, on a
// phone, with problems, with a reply, with a verdict.
func TestToolsAreAccessible(t *testing.T) {
	script, d := axe(t), newDesk(t, nil)
	header, _, _ := signedBy(t, mistakeURL, mistakes[3].base)
	raw := "POST /paynet/api/v4/payout/39915?b=2&a=1 HTTP/1.1\r\nHost: gate.example.com:8443\r\nAuthorization: " + header + "\r\n\r\n" + sign.EncodeForm(mistakeForm)
	for _, lang := range []string{"en", "ru"} {
		for _, scheme := range []string{"light", "dark"} {
			b := newTab(t)
			b.narrow()
			b.prefers(scheme)
			what := func(state string) string { return state + " in " + lang + ", " + scheme }
			b.do(chromedp.Navigate(d.origin + "/docs/" + lang + "/builder/v4-transfer-by-ref"))
			b.settled()
			var none any
			b.run(`(document.querySelectorAll("details").forEach(e => { e.open = true; }), null)`, nil, &none)
			b.set(map[string]string{"f-amount": "x", "private-key": "nonsense", "f-destination-card-ref-id": "1"})
			b.until("the key is refused", `document.getElementById("private-key-state").classList.contains("bad")`)
			b.settled()
			b.violations(script, what("builder with problems"))
			b.pasteKey(pkcs8(t, testKey()))
			b.set(map[string]string{"f-amount": "10"})
			b.settled()
			b.do(chromedp.Click(css("#send")))
			b.until("there is a reply", `document.querySelector("#reply table") !== null`)
			b.violations(script, what("builder with a reply"))
			b.do(chromedp.Click(css("#keep")), chromedp.Click(css("#send")))
			b.until("it is denied", `document.querySelector("#to-checker") !== null`)
			b.violations(script, what("builder with a denial"))
			b.do(chromedp.Navigate(d.origin + "/docs/" + lang + "/checker"))
			b.judged()
			b.set(map[string]string{"raw": raw, "public-key": pemOfPublic(t, &testKey().PublicKey)})
			b.until("the mistake is found", `document.getElementById("cause") !== null`)
			b.violations(script, what("checker with a verdict"))
		}
	}
}

// Everything can be reached and used without a mouse.
func TestBuilderByKeyboard(t *testing.T) {
	d, b := newDesk(t, nil), newTab(t)
	d.builder(b, "v4-payout")
	b.do(chromedp.Focus(css("#generate")), chromedp.KeyEvent("\r"))
	b.until("the key is made", `document.getElementById("private-key-state").classList.contains("good")`)
	b.settled()
	reached := make(map[string]bool)
	b.do(chromedp.Focus(css("#command")))
	for range 200 {
		b.do(chromedp.KeyEvent("\t"))
		id, err := chromedp.Run(b.ctx, chromedp.Evaluate[string](`document.activeElement.id || document.activeElement.textContent.trim()`))
		check(t, err)
		reached[id] = true
		if id == "send" {
			break
		}
	}
	for _, id := range []string{"generate", "login", "private-key", "private-key-file", "key-download", "key-forget", "nonce", "nonce-new", "timestamp", "keep", "url",
		"f-client_orderid", "f-amount", "example", "clear", "send"} {
		if !reached[id] {
			t.Errorf("the tabulator never reaches %s: %v", id, reached)
		}
	}
	b.do(chromedp.KeyEvent("\r"))
	if fields := b.replied(); fields["type"] != "async-response" {
		t.Errorf("%v\n%s", fields, b.text())
	}
}

// Without JavaScript the pages say so, and name the command that does the same.
func TestToolsWithoutJavaScript(t *testing.T) {
	d, b := newDesk(t, nil), newTab(t)
	b.withoutJavaScript()
	for path, want := range map[string]string{"builder/v4-payout": "payoutd oauth sign", "checker": "payoutd oauth verify"} {
		b.do(chromedp.Navigate(d.origin + "/docs/en/" + path))
		if text := b.text(); !strings.Contains(text, want) || !strings.Contains(text, "needs JavaScript") {
			t.Errorf("%s does not name %s", path, want)
		}
	}
}

// A command that is only in the list of commands has a builder that works.
func TestBuilderOfACommandThatIsOnlyInTheTable(t *testing.T) {
	colour := &spec.Param{Name: "colour_of_money", Kind: spec.Digits, Min: 2, Max: 7, Doc: spec.T("Its colour.", "Её цвет."), Sample: "4711"}
	signed := &spec.Command{Version: 4, Name: "paint", Auth: spec.OAuthRSA, Group: true, Doc: spec.T("Paints money.", "Красит деньги."),
		Params: []spec.Use{{Param: spec.ClientOrderID, Need: spec.Required}, {Param: colour, Need: spec.Required}}, Reply: spec.AsyncReply}
	summed := &spec.Command{Version: 2, Name: "paint", Auth: spec.Control, Doc: spec.T("Paints money.", "Красит деньги."),
		Params: []spec.Use{{Param: spec.Login, Need: spec.Required}, {Param: colour, Need: spec.Required}, {Param: spec.ControlSum, Need: spec.Required}},
		Sum:    []spec.SumPart{spec.SumID, "colour_of_money", "login"}, Reply: spec.AsyncReply}
	h := &docs.Handler{Commands: []*spec.Command{signed, summed}, ContextPath: "/paynet", Now: time.Now, Nonce: rand.Text, Log: slog.New(slog.DiscardHandler)}
	check(t, h.Open())
	s := httptest.NewServer(h)
	defer s.Close()
	d, b := &desk{origin: s.URL}, newTab(t)
	d.builder(b, "v4-paint")
	b.pasteKey(pkcs8(t, testKey()))
	b.set(map[string]string{"f-colour_of_money": "1", "f-client_orderid": "order 1"})
	b.settled()
	if got := b.reads("p-colour_of_money"); !strings.Contains(got, "At least 2") {
		t.Errorf("the field says %q", got)
	}
	b.set(map[string]string{"f-colour_of_money": "4712"})
	b.settled()
	form := []sign.Pair{{Name: "client_orderid", Value: "order 1"}, {Name: "colour_of_money", Value: "4712"}}
	address := s.URL + "/paynet/api/v4/paint/" + spec.FieldEndpoint.Sample
	report := sign.Explain(sign.Request{Method: http.MethodPost, URL: address, Form: form, Authorization: strings.TrimSpace(b.reads("out-header"))},
		[]*rsa.PublicKey{&testKey().PublicKey})
	if report.Failure != nil || strings.TrimSpace(b.reads("out-base")) != report.BaseString {
		t.Errorf("%v: %s", report.Failure, b.reads("out-base"))
	}
	d.builder(b, "v2-paint")
	b.set(map[string]string{"login": "painter", "control-key": controlKey})
	b.settled()
	want := sign.Control(spec.FieldEndpoint.Sample, "4711", "painter", controlKey)
	if got := strings.TrimSpace(b.reads("out-control")); got != want {
		t.Errorf("control %s, want %s", got, want)
	}
}

// Where the browser does not sign, on plain http of another machine, the page says
// so, and shows all that it can.
func TestBuilderWithoutWebCryptoSaysSo(t *testing.T) {
	d, b := newDesk(t, func(path string, _ http.Header, content []byte) []byte {
		if strings.HasSuffix(path, "/sign.js") {
			return append([]byte("Object.defineProperty(Crypto.prototype, \"subtle\", {value: undefined});\n"), content...)
		}
		return content
	}), newTab(t)
	d.builder(b, "v4-payout")
	b.set(map[string]string{"private-key": pkcs8(t, testKey())})
	b.until("the key is refused", `document.getElementById("private-key-state").classList.contains("bad")`)
	b.settled()
	if text := b.reads("private-key-state"); !strings.Contains(text, "https") {
		t.Errorf("the key's line says %q", text)
	}
	b.do(chromedp.WaitVisible(css("#insecure")))
	if got := b.reads("out-base"); !strings.HasPrefix(strings.TrimSpace(got), "POST&http%3A%2F%2F127.0.0.1") {
		t.Errorf("the base string is %q", got)
	}
}

// The generated key can be kept: the policy of the page does not stand in the way.
func TestGeneratedKeyIsDownloaded(t *testing.T) {
	d, b := newDesk(t, nil), newTab(t)
	folder := t.TempDir()
	_, err := chromedp.CallBrowser(b.ctx, browserdomain.SetDownloadBehavior,
		browserdomain.SetDownloadBehaviorParams{Behavior: browserdomain.SetDownloadBehaviorBehaviorAllow, DownloadPath: folder})
	check(t, err)
	made := d.signUpInPage(b)
	b.do(chromedp.Click(css("#key-download")))
	file := filepath.Join(folder, "merchant.key")
	for {
		if text, err := os.ReadFile(file); err == nil && len(text) > 0 {
			key, err := sign.ParsePrivateKey(text)
			if check(t, err); !key.Equal(made) {
				t.Error("another key is downloaded")
			}
			return
		}
		if b.ctx.Err() != nil {
			t.Fatal("no key is downloaded")
		}
		b.reads("reply") // a moment
	}
}
