package docs

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"payout"
	"payout/gateway"
	"payout/sign"
	"payout/spec"
	"payout/web"
)

func TestEveryRuleHasATextInRussian(t *testing.T) {
	english, russian := ruleTexts(web.English), ruleTexts(web.Russian)
	for _, row := range sign.Rules() {
		rule := string(row.Rule)
		if english[rule] != row.Text || russian[rule] == "" || russian[rule] == row.Text || !regexp.MustCompile(`[а-я]`).MatchString(russian[rule]) {
			t.Errorf("%s: %q, %q", rule, english[rule], russian[rule])
		}
	}
	if len(rulesInRussian) != len(sign.Rules()) {
		t.Errorf("%d texts for %d rules", len(rulesInRussian), len(sign.Rules()))
	}
}

// words that pages and scripts ask for by their whole key.
var wordUsed = regexp.MustCompile(`\$w\.(\w+)|\bsay\("([\w.-]+)"|\bword\("([\w.-]+)"|toolText\("([\w.-]+)"`)

func TestEveryWordOfTheToolsExistsAndIsUsed(t *testing.T) {
	h := newHandler(t, nil)
	used := make(map[string]bool)
	for _, pattern := range []string{"templates/*.html", "assets/*.js"} {
		names, err := fs.Glob(files, pattern)
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range names {
			text, err := files.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			for _, match := range wordUsed.FindAllStringSubmatch(string(text), -1) {
				for _, key := range match[1:] {
					used[key] = true
				}
			}
		}
	}
	delete(used, "")
	for key := range used {
		if !h.site.words.Has(key) && !strings.HasSuffix(key, ".") {
			t.Errorf("there is no text %s", key)
		}
	}
	if len(used) < 80 {
		t.Errorf("only %d words were found: the test is blind", len(used))
	}
	// Keys that are put together are those with a dot, and those of Go.
	inGo := []string{"builderTitle", "builderMenu", "builderSummary", "checkerTitle", "checkerSummary", "required", "conditional", "conditionalHint", "optional", "optionalHint",
		"needRequired", "needConditional", "needOptional", "exactly", "fromTo", "upTo", "minutes", "seconds", "hours", "days", "source", "field", "value", "signed"}
	for _, key := range h.site.words.Keys() {
		if !used[key] && !strings.Contains(key, ".") && !slices.Contains(inGo, key) {
			t.Errorf("nothing uses the text %s", key)
		}
	}
}

func TestToolsLeaveNoWayOutOfThePage(t *testing.T) {
	h := newHandler(t, func(h *Handler) { h.PublicURL = "https://gate.example.com" })
	for path, connect := range map[string]string{
		"builder/v4-payout": "connect-src http://gate.example.com/paynet/api/ http://gate.example.com/docs/en/builder/ " +
			"http://gate.example.com/docs/sandbox/merchants http://gate.example.com/docs/en/" + searchPath + ";",
		"checker": "connect-src http://gate.example.com/docs/en/" + searchPath + ";",
	} {
		response, text := get(t, h, "/docs/en/"+path)
		policy := response.Header.Get("Content-Security-Policy")
		for _, part := range []string{"default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self';", connect, "form-action 'none'", "base-uri 'none'", "frame-ancestors 'none'"} {
			if !strings.Contains(policy, part) {
				t.Errorf("%s: the policy %s lacks %s", path, policy, part)
			}
		}
		if response.Header.Get("Referrer-Policy") != "no-referrer" {
			t.Errorf("%s: Referrer-Policy %s", path, response.Header.Get("Referrer-Policy"))
		}
		if strings.Contains(text, "<form") {
			t.Errorf("%s has a form", path)
		}
	}
	response, _ := get(t, h, "/docs/en/commands/v4-payout")
	if response.Header.Get("Referrer-Policy") != "same-origin" {
		t.Errorf("an ordinary page has the Referrer-Policy %s", response.Header.Get("Referrer-Policy"))
	}
}

// A command that is nowhere but in the list gets its builder.
func TestBuilderOfACommandThatIsOnlyInTheTable(t *testing.T) {
	colour := &spec.Param{Name: "colour_of_money", Aliases: []string{"colour"}, Kind: spec.Digits, Min: 2, Max: 7, Doc: spec.T("Its colour.", "Её цвет."), Sample: "4711"}
	signed := &spec.Command{Version: 4, Name: "paint", Auth: spec.OAuthRSA, Group: true, Doc: spec.T("Paints money.", "Красит деньги."),
		Params: []spec.Use{{Param: spec.ClientOrderID, Need: spec.Required}, {Param: colour, Need: spec.Conditional}}, Reply: spec.AsyncReply, Shows: []*spec.Param{colour}}
	summed := &spec.Command{Version: 2, Name: "paint", Auth: spec.Control, Doc: spec.T("Paints money.", "Красит деньги."),
		Params: []spec.Use{{Param: spec.Login, Need: spec.Required}, {Param: colour, Need: spec.Required}, {Param: spec.ControlSum, Need: spec.Required}},
		Sum:    []spec.SumPart{spec.SumID, "colour_of_money"}, Reply: spec.AsyncReply}
	h := newHandler(t, func(h *Handler) { h.Commands = append(slices.Clone(spec.Commands), signed, summed) })
	for path, auth := range map[string]string{"v4-paint": "oauth", "v2-paint": "control"} {
		_, text := get(t, h, "/docs/en/builder/"+path)
		d := dataOf(t, text)
		if d.Auth != auth || !strings.Contains(text, `id="f-colour_of_money"`) || !strings.Contains(text, "Its colour.") || !strings.Contains(text, "<code>colour</code>") {
			t.Errorf("%s: %+v", path, d)
		}
		i := slices.IndexFunc(d.Fields, func(f fieldData) bool { return f.Name == "colour_of_money" })
		if i < 0 || d.Fields[i].Pattern != spec.Digits.Pattern() || d.Fields[i].Min != 2 || d.Fields[i].Max != 7 || d.Fields[i].Sample != "4711" {
			t.Errorf("%s: %+v", path, d.Fields)
		}
		if strings.Contains(text, `id="f-control"`) {
			t.Errorf("%s asks for the control sum", path)
		}
	}
	_, text := get(t, h, "/docs/en/builder/v2-paint")
	if d := dataOf(t, text); !slices.Equal(d.Sum, summed.Sum) {
		t.Errorf("the sum is %v", d.Sum)
	}
	_, text = get(t, h, "/docs/en/checker")
	if !strings.Contains(text, "v2/paint") {
		t.Error("the checker does not know that v2/paint has a control sum")
	}
}

var dataScript = regexp.MustCompile(`(?s)<script type="application/json" id="data">(.*?)</script>`)

func dataOf(t *testing.T, text string) builderData {
	t.Helper()
	match := dataScript.FindStringSubmatch(text)
	if match == nil {
		t.Fatalf("the page has no data:\n%s", text)
	}
	var d builderData
	if err := json.Unmarshal([]byte(match[1]), &d); err != nil {
		t.Fatal(err)
	}
	return d
}

func TestBuildersAreSmall(t *testing.T) {
	h := newHandler(t, nil)
	for _, p := range h.builderPages() {
		for _, lang := range web.Languages() {
			if _, text := get(t, h, "/docs/"+string(lang)+"/"+p.path); len(text) > 200<<10 {
				t.Errorf("%s has %d bytes", p.path, len(text))
			}
		}
	}
}

// A desk is a sandbox whose merchants can sign up.
type desk struct {
	*Handler
	log    strings.Builder
	signed []*rsa.PublicKey
	fails  error
}

const deskControlKey = "B17F59B4-A7DC-41B4-8FF9-37D986B43D20"

func newDesk(t *testing.T) *desk {
	d := &desk{}
	d.Handler = newHandler(t, func(h *Handler) {
		h.Log = slog.New(slog.NewTextHandler(&d.log, nil))
		h.SignUp = func(_ context.Context, key *rsa.PublicKey) (Merchant, error) {
			d.signed = append(d.signed, key)
			return Merchant{Login: "sandbox-1", Endpoint: 39916, Group: 78, ControlKey: payout.Secret(deskControlKey)}, d.fails
		}
	})
	return d
}

func (d *desk) post(body string, headers ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(http.MethodPost, "http://gate.example.com/docs/sandbox/merchants", strings.NewReader(body))
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	w := httptest.NewRecorder()
	d.ServeHTTP(w, r)
	return w
}

func publicPEM(t *testing.T, key *rsa.PublicKey) string {
	t.Helper()
	der, err := x509.MarshalPKIXPublicKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))
}

func newKey(t *testing.T, bits int) *rsa.PrivateKey {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, bits)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func TestSignUpMakesAMerchantForAPublicKey(t *testing.T) {
	d, key := newDesk(t), newKey(t, 2048)
	w := d.post(publicPEM(t, &key.PublicKey), "Sec-Fetch-Site", "same-origin", "Origin", "http://gate.example.com")
	want := fmt.Sprintf(`{"login":"sandbox-1","endpoint":"39916","group":"78","control_key":%q}`, deskControlKey)
	if w.Code != http.StatusCreated || strings.TrimSpace(w.Body.String()) != want || w.Header().Get("Content-Type") != "application/json" ||
		w.Header().Get("Cache-Control") != "no-store" {
		t.Errorf("%d %v %s", w.Code, w.Header(), w.Body)
	}
	if len(d.signed) != 1 || !d.signed[0].Equal(&key.PublicKey) {
		t.Errorf("%v signed up", d.signed)
	}
	if log := d.log.String(); !strings.Contains(log, "sandbox-1") || strings.Contains(log, deskControlKey) || strings.Contains(log, "BEGIN") {
		t.Errorf("the log is %s", log)
	}
}

func TestSignUpRefuses(t *testing.T) {
	key := newKey(t, 2048)
	good := publicPEM(t, &key.PublicKey)
	private := string(pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key)}))
	for _, c := range []struct {
		what, body string
		headers    []string
		status     int
	}{
		{"nothing", "", nil, http.StatusBadRequest},
		{"no PEM", "key", nil, http.StatusBadRequest},
		{"a private key", private, nil, http.StatusBadRequest},
		{"1024 bits", publicPEM(t, &newKey(t, 1024).PublicKey), nil, http.StatusBadRequest},
		{"a long body", good + strings.Repeat("\n", signUpBodyMax), nil, http.StatusRequestEntityTooLarge},
		{"another site", good, []string{"Sec-Fetch-Site", "cross-site"}, http.StatusForbidden},
		{"another site in an old browser", good, []string{"Origin", "http://evil.example"}, http.StatusForbidden},
	} {
		d := newDesk(t)
		w := d.post(c.body, c.headers...)
		if w.Code != c.status || len(d.signed) != 0 {
			t.Errorf("%s: %d, want %d: %s", c.what, w.Code, c.status, w.Body)
		}
		if line := strings.Split(private, "\n")[3]; strings.Contains(w.Body.String()+d.log.String(), line) {
			t.Errorf("%s: the answer or the log has what was sent", c.what)
		}
	}
	d := newDesk(t)
	if w := d.post(good + strings.Repeat("\n", signUpBodyMax-len(good))); w.Code != http.StatusCreated {
		t.Errorf("the longest body: %d %s", w.Code, w.Body)
	}
	if response, _ := ask(t, d.Handler, http.MethodGet, "/docs/sandbox/merchants"); response.StatusCode != http.StatusMethodNotAllowed {
		t.Errorf("GET: %s", response.Status)
	}
}

func TestSignUpIsTheSandboxsAlone(t *testing.T) {
	d := newDesk(t)
	d.Handler.SignUp = nil
	if w := d.post("x"); w.Code != http.StatusNotFound {
		t.Errorf("%d", w.Code)
	}
	if _, text := get(t, d.Handler, "/docs/en/builder/v4-payout"); dataOf(t, text).SignUp != "" {
		t.Error("the builder offers a sandbox key")
	}
}

func TestSignUpTellsWhyItFailed(t *testing.T) {
	d, key := newDesk(t), newKey(t, 2048)
	d.fails = fmt.Errorf("sign up: %w", gateway.ErrSandboxFull)
	if w := d.post(publicPEM(t, &key.PublicKey)); w.Code != http.StatusServiceUnavailable || !strings.Contains(w.Body.String(), "takes no more") {
		t.Errorf("full: %d %s", w.Code, w.Body)
	}
	d.fails = errors.New("no such table: parties")
	if w := d.post(publicPEM(t, &key.PublicKey)); w.Code != http.StatusInternalServerError || strings.Contains(w.Body.String(), "table") {
		t.Errorf("broken: %d %s", w.Code, w.Body)
	}
	if !strings.Contains(d.log.String(), "no such table") {
		t.Errorf("the log is %s", d.log.String())
	}
}

func TestSignUpIsSlowedDown(t *testing.T) {
	d, key := newDesk(t), newKey(t, 2048)
	moment := testTime
	d.Now = func() time.Time { return moment }
	text := publicPEM(t, &key.PublicKey)
	for range signUpBurst {
		if w := d.post(text); w.Code != http.StatusCreated {
			t.Fatalf("%d %s", w.Code, w.Body)
		}
	}
	if w := d.post(text); w.Code != http.StatusTooManyRequests || w.Header().Get("Retry-After") == "" {
		t.Errorf("one more: %d", w.Code)
	}
	moment = moment.Add(signUpEvery)
	if w := d.post(text); w.Code != http.StatusCreated {
		t.Errorf("later: %d", w.Code)
	}
}
