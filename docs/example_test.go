package docs

import (
	"bufio"
	"context"
	"crypto/rand"
	"crypto/rsa"
	"errors"
	"fmt"
	"html"
	"io"
	"net/http"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"payout"
	"payout/sign"
	"payout/spec"
	"payout/web"
)

var testKey = sync.OnceValue(func() *rsa.PrivateKey {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	return key
})

var sampleElement = regexp.MustCompile(`(?s)<figcaption><span>([^<]*)</span>.*?<code>(.*?)</code></pre>`)

// sample finds a sample of code by its name, as a reader copies it.
func sample(t *testing.T, text, name string) string {
	t.Helper()
	for _, m := range sampleElement.FindAllStringSubmatch(text, -1) {
		if html.UnescapeString(m[1]) == name {
			return html.UnescapeString(m[2])
		}
	}
	t.Fatalf("the page has no sample %q", name)
	return ""
}

// received reads an example's HTTP as a server does.
func received(t *testing.T, raw string) (*http.Request, []sign.Pair) {
	t.Helper()
	head, body, _ := strings.Cut(raw, "\n\n")
	r, err := http.ReadRequest(bufio.NewReader(strings.NewReader(strings.ReplaceAll(head, "\n", "\r\n") + "\r\n\r\n" + body)))
	if err != nil {
		t.Fatalf("%v:\n%s", err, raw)
	}
	text, err := io.ReadAll(r.Body)
	if err != nil || string(text) != body {
		t.Fatalf("Content-Length does not fit the body: %v", err)
	}
	form, err := sign.ParseForm(body)
	if err != nil {
		t.Fatal(err)
	}
	return r, form
}

// TestExamplesAreSigned: the example of every command, as the page shows it, is
// what the gateway would take: the signature or the sum is good, the form is
// accepted by the command's table.
func TestExamplesAreSigned(t *testing.T) {
	fictitious := fictitiousCommands()
	h := newHandler(t, func(h *Handler) {
		sandbox(h)
		h.Commands = append(slices.Clone(spec.Commands), fictitious...)
	})
	for _, c := range h.commands() {
		for _, lang := range web.Languages() {
			h.site.signing.SetBurstAt(testTime, signaturesBurst*4)
			h.site.signing.SetLimitAt(testTime, 1e9)
			_, text := get(t, h, "/docs/"+string(lang)+"/commands/"+slug(c))
			r, form := received(t, sample(t, text, "HTTP"))
			if want := "/paynet/api/" + c.Path() + "/39915"; r.URL.Path != want || r.Host != "gate.example.com" || r.Method != http.MethodPost {
				t.Errorf("%s: %s %s%s", c.Path(), r.Method, r.Host, r.URL.Path)
			}
			if err := proven(c, r, form); err != nil {
				t.Errorf("%s in %s: %v", c.Path(), lang, err)
			}
			if _, err := c.Parse(form); err != nil {
				t.Errorf("%s: the example is not accepted: %v", c.Path(), err)
			}
		}
	}
}

// proven checks who sent an example.
func proven(c *spec.Command, r *http.Request, form []sign.Pair) error {
	if c.Auth == spec.Control {
		got := form[slices.IndexFunc(form, func(p sign.Pair) bool { return p.Name == spec.ControlSum.Name })].Value
		if want := c.Control("39915", form, "AF4B5DE6-3468-424C-A922-C1DAD7CB4509"); got != want {
			return fmt.Errorf("the control sum is %s, want %s", got, want)
		}
		if r.Header.Get("Authorization") != "" {
			return errors.New("a control command has a signature")
		}
		return nil
	}
	oauth, err := sign.ParseAuthorization(r.Header.Get("Authorization"))
	if err != nil {
		return err
	}
	if oauth.ConsumerKey != "TestMerchant" || oauth.Timestamp != testTime.Unix() {
		return fmt.Errorf("signed by %s at %d", oauth.ConsumerKey, oauth.Timestamp)
	}
	return sign.Verify(sign.Request{Method: r.Method, URL: "http://" + r.Host + r.URL.Path, Form: form}, oauth, publicOf(testKey()))
}

// The command line sends the same values: a shell reads its words, and what curl
// would make of them is the body's form.
func TestCurlSendsTheSameForm(t *testing.T) {
	shell, err := exec.LookPath("sh")
	if err != nil {
		t.Skip("no shell")
	}
	e := example{Command: spec.Payout, URL: "http://gate.example.com/a?b='c'", Authorization: `OAuth a="b"`, Form: []sign.Pair{
		{Name: "a", Value: "it's $HOME `x` \"q\" \\ + ~ %41 Описание"}, {Name: "b", Value: ""}, {Name: "c", Value: "-n @x"}}}
	out, err := exec.Command(shell, "-c", "curl() { for word in \"$@\"; do printf '<%s>\\n' \"$word\"; done; }\n"+e.Curl()).Output()
	if err != nil {
		t.Fatal(err)
	}
	want := "<-sS>\n<" + e.URL + ">\n<-H>\n<Authorization: OAuth a=\"b\">\n"
	for _, pair := range e.Form {
		want += "<--data-urlencode>\n<" + pair.Name + "=" + pair.Value + ">\n"
	}
	if string(out) != want {
		t.Errorf("the shell reads\n%s\nwant\n%s", out, want)
	}
}

func TestExampleSaysWhetherItIsAccepted(t *testing.T) {
	prepared := func(values []sign.Pair, err error) func(*Handler) {
		return func(h *Handler) {
			sandbox(h)
			h.Prepare = func(context.Context, *spec.Command) ([]sign.Pair, error) { return values, err }
		}
	}
	orderid := []sign.Pair{{Name: "orderid", Value: "1000777"}, {Name: "client_orderid", Value: "PREPARED"}}
	const accepted, stranger, control = "and it is accepted, once", "with a key that no gateway knows", "with a word in place of the control key"
	for _, test := range []struct {
		name    string
		change  func(*Handler)
		command *spec.Command
		want    string
		has     string
	}{
		{"no sandbox", nil, spec.Payout, stranger, ""},
		{"no sandbox, control", nil, spec.Sale, control, "CONTROL-KEY"},
		{"sandbox", sandbox, spec.Payout, accepted, ""},
		{"sandbox, control", sandbox, spec.Sale, accepted, "AF4B5DE6-3468-424C-A922-C1DAD7CB4509"},
		{"goes on from another, nothing prepared", sandbox, spec.StatusV4, "made-up", "6982864"},
		{"goes on from another, prepared", prepared(orderid, nil), spec.StatusV4, accepted, "orderid=1000777"},
		{"prepared, control", prepared(orderid, nil), spec.StatusV2, accepted, "client_orderid=PREPARED"},
	} {
		_, text := get(t, newHandler(t, test.change), "/docs/en/commands/"+slug(test.command))
		if !strings.Contains(text, test.want) || !strings.Contains(text, test.has) {
			t.Errorf("%s: the page has no %q or no %q", test.name, test.want, test.has)
		}
		if test.want != accepted && strings.Contains(text, accepted) {
			t.Errorf("%s: the example is said to be accepted", test.name)
		}
	}
	response, text := get(t, newHandler(t, prepared(nil, errors.New("no database"))), "/docs/en/commands/v4-status")
	if response.StatusCode != http.StatusOK || strings.Contains(text, accepted) || strings.Contains(text, "no database") {
		t.Errorf("an order that cannot be prepared: %s", response.Status)
	}
}

// Signing costs: beyond some examples a second they come unsigned, and HEAD
// signs none.
func TestSigningIsLimited(t *testing.T) {
	now := testTime
	asked := 0
	h := newHandler(t, func(h *Handler) {
		sandbox(h)
		h.Now = func() time.Time { return now }
		h.Prepare = func(context.Context, *spec.Command) ([]sign.Pair, error) { asked++; return nil, nil }
	})
	const unsigned = "so this one is not signed"
	for range signaturesBurst + 10 {
		ask(t, h, http.MethodHead, "/docs/en/commands/v4-payout")
	}
	for n := range signaturesBurst {
		if _, text := get(t, h, "/docs/en/commands/v4-payout"); strings.Contains(text, unsigned) {
			t.Fatalf("example %d is not signed", n+1)
		}
	}
	if _, text := get(t, h, "/docs/en/commands/v4-payout"); !strings.Contains(text, unsigned) {
		t.Errorf("more than %d examples are signed at once", signaturesBurst)
	}
	if asked != signaturesBurst {
		t.Errorf("%d examples were prepared, want %d", asked, signaturesBurst)
	}
	now = now.Add(time.Second / signaturesPerSecond)
	if _, text := get(t, h, "/docs/en/commands/v4-payout"); strings.Contains(text, unsigned) {
		t.Error("no example is signed a little later")
	}
}

// fictitiousCommands are two that no gateway has, with parameters and reply
// fields that nothing else has.
func fictitiousCommands() []*spec.Command {
	colour := &spec.Param{Name: "envelope_colour", Aliases: []string{"colour"}, Kind: spec.Line, Min: 3, Max: 17, Doc: spec.T("Colour of the envelope.", "Цвет конверта."), Sample: "grün & blau"}
	field := &spec.Field{Name: "envelope-id", Doc: spec.T("Identifier of the envelope.", "Номер конверта."), Sample: "E-77"}
	reply := &spec.ReplySpec{Type: "envelope-response", Fields: []*spec.Field{spec.FieldType, spec.FieldSerial, field}}
	uses := func(more ...spec.Use) []spec.Use {
		return append([]spec.Use{{Param: spec.ClientOrderID, Need: spec.Required}, {Param: colour, Need: spec.Conditional}}, more...)
	}
	send := &spec.Command{Version: 4, Name: "envelope", Auth: spec.OAuthRSA, Group: true, Type: payout.TypePayout, Reply: reply, Shows: []*spec.Param{colour},
		Doc: spec.T("Sends an envelope.", "Отправляет конверт."), Params: uses(),
		Rules: []spec.Rule{{Doc: spec.T("Envelopes have one colour.", "У конверта один цвет."), Check: func(*spec.Request) error { return nil }}}}
	open := &spec.Command{Version: 2, Name: "open-envelope", Auth: spec.Control, Reply: reply, Shows: []*spec.Param{colour},
		Doc: spec.T("Opens an envelope.", "Открывает конверт."), Params: uses(spec.Use{Param: spec.ControlSum, Need: spec.Required}),
		Sum: []spec.SumPart{spec.SumID, spec.SumPart(colour.Name), spec.SumPart(spec.ClientOrderID.Name)}, After: &spec.After{Command: send, Gives: field, Takes: colour}}
	return []*spec.Command{send, open}
}

// A command that is added to the tables has its pages with no other change.
func TestANewCommandAppears(t *testing.T) {
	h := newHandler(t, func(h *Handler) {
		sandbox(h)
		h.Commands = append(slices.Clone(spec.Commands), fictitiousCommands()...)
	})
	for address, wants := range map[string][]string{
		"/docs/en/":                          {`href="/docs/en/commands/v4-envelope"`, "Opens an envelope."},
		"/docs/ru/":                          {`href="/docs/ru/commands/v2-open-envelope"`, "Отправляет конверт."},
		"/docs/en/commands/v4-envelope":      {`id="param-envelope_colour"`, "<code>colour</code>", "3–17", "Conditional", "Colour of the envelope.", "Envelopes have one colour.", "/paynet/api/v4/envelope/group/77", "type=envelope-response", `id="field-envelope-id"`, `href="/docs/en/commands/v2-open-envelope"`, "envelope_colour=gr%C3%BCn+%26+blau"},
		"/docs/ru/commands/v4-envelope":      {"Цвет конверта.", "У конверта один цвет.", "Условно", "Номер конверта."},
		"/docs/en/commands/v2-open-envelope": {"ENDPOINTID", "your control key", "39915grün & blau", `href="/docs/en/commands/v4-envelope"`, "<code>envelope-id</code>"},
		"/docs/en/builder/v4-envelope":       {"v4/envelope"},
		"/docs/en/search.json":               {"Sends an envelope.", "commands/v4-envelope#request", "Colour of the envelope."},
		"/docs/ru/search.json":               {"Отправляет конверт."},
	} {
		_, text := get(t, h, address)
		for _, want := range wants {
			if !strings.Contains(text, want) && !strings.Contains(html.UnescapeString(text), want) {
				t.Errorf("%s has no %q", address, want)
			}
		}
	}
}
