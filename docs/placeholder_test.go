package docs

import (
	"net/http/httptest"
	"strings"
	"testing"

	"payout/web"
)

// written renders a guide of one text.
func written(t *testing.T, h *Handler, text string) (string, error) {
	t.Helper()
	r := httptest.NewRequest("GET", "http://gate.example.com/docs/en/guides/x", nil)
	v := &visit{r: r, lang: web.English, install: h.installOf(r), signs: true}
	html, err := h.rendered(v, &guide{slug: "x", text: map[web.Lang]string{web.English: text}})
	return string(html), err
}

func TestPlaceholders(t *testing.T) {
	h := newHandler(t, sandbox)
	for text, want := range map[string]string{
		"At {{base}}/api/ now":                                 "<p>At http://gate.example.com/paynet/api/ now</p>",
		"[here]({{origin}}/x?a={{login}})":                     `<a href="http://gate.example.com/x?a=TestMerchant">here</a>`,
		"{{origin}} {{context}} {{endpoint}} {{group}}":        "http://gate.example.com /paynet 39915 77",
		"`{{control-key}}`":                                    "<code>AF4B5DE6-3468-424C-A922-C1DAD7CB4509</code>",
		"Ask by {{link v4/status}}.":                           `<a href="/docs/en/commands/v4-status"><code>v4/status</code></a>`,
		"{{link v4/status}}":                                   `<a href="/docs/en/commands/v4-status">`,
		"```http\nPOST {{context}}/x\n{{body v4/payout}}\n```": "POST /paynet/x\nclient_orderid=",
		"{{body v2/status}}":                                   "&amp;control=",
		"{{example v4/payout}}":                                "oauth_signature=",
		"{{base-string v4/payout}}":                            "client_orderid%3D902B4FF5",
		"{{base-string v2/sale}}":                              "SHA-1",
		"{{stages}}":                                           `id="stage-doubtful"`,
		"{{statuses}}":                                         `id="status-unknown"`,
		"{{errors}}":                                           `id="code-305"`,
		"{{callback-fields}}":                                  `id="callback-merchant_order"`,
		"{{redirect-fields}}":                                  `id="redirect-error_code"`,
		"{{scenarios}}":                                        "0987654321",
		"{{card-codes}}":                                       "<code>116</code>",
		"{{diagram stages}}":                                   `<svg class="diagram`,
		"{{diagram payout-form}}":                              `<svg class="diagram`,
		"- one\n- {{login}}\n\n{{commands}}\n":                 `href="/docs/en/commands/v4-payout"`,
		"| a | b |\n|---|---|\n| {{endpoint}} | {{group}} |":   "<td>77</td>",
	} {
		got, err := written(t, h, text)
		if err != nil || !strings.Contains(got, want) || strings.Contains(got, "{{") || strings.Contains(got, "placeholderZQ") {
			t.Errorf("%s: %v\n%s\nwant %s", text, err, got, want)
		}
	}
}

// A mistake in a guide is found at start: Open draws every guide.
func TestPlaceholdersThatAreNot(t *testing.T) {
	h := newHandler(t, nil)
	for text, want := range map[string]string{
		"{{nothing}}":                      "there is no placeholder",
		"a {{nothing}} b":                  "there is no placeholder",
		"{{diagram nothing}}":              "there is no placeholder",
		"{{link v4/nothing}}":              "there is no command",
		"{{link}}":                         "there is no command",
		"a {{stages}} b":                   "has to stand alone",
		"```http\n{{stages}}\n```":         "has to stand alone",
		"```http\n{{link v4/payout}}\n```": "has to stand alone",
		"a {{base b":                       "is not closed",
	} {
		if got, err := written(t, h, text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q\n%s", text, err, want, got)
		}
	}
}

// What a placeholder stands for is never read as Markdown or HTML.
func TestValuesAreNotMarkdown(t *testing.T) {
	h := newHandler(t, func(h *Handler) {
		sandbox(h)
		h.Example.Login = `*a* [b](c) <script>x</script> {{base}}`
	})
	got, err := written(t, h, "I am {{login}}.\n\n    {{login}}\n")
	const escaped = `*a* [b](c) &lt;script&gt;x&lt;/script&gt; {{base}}`
	if err != nil || strings.Count(got, escaped) != 2 {
		t.Errorf("%v:\n%s", err, got)
	}
	if got, err := written(t, h, "a <b>b</b>\n\n<script>x</script>\n"); err != nil || strings.Contains(got, "<script") || strings.Contains(got, "<b>") {
		t.Errorf("raw HTML: %v\n%s", err, got)
	}
}

// The worked example is right: its base string is the one that sign signs.
func TestWorkedExample(t *testing.T) {
	h := newHandler(t, nil)
	w := workedOf(h.installOf(httptest.NewRequest("GET", "http://gate.example.com/docs/", nil)), h.commands()[0])
	if w.BaseString != w.Method+"&"+w.EncodedURL+"&"+w.Encoded || w.Normalized != strings.Join(w.Pairs, "&") || len(w.Pairs) != len(w.Form)+5 {
		t.Errorf("%+v", w)
	}
}
