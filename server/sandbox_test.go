package server_test

import (
	"bufio"
	"html"
	"io"
	"log/slog"
	"net"
	"net/http"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"payout/server"
	"payout/spec"
)

func newSandboxConfig(t *testing.T) server.Config {
	dir := t.TempDir()
	return server.Config{Listen: "127.0.0.1:0", Database: filepath.Join(dir, "payoutd.db"), KeyFile: filepath.Join(dir, "master.key"),
		SimulatorBook: filepath.Join(dir, "simulator.db"), Sandbox: true, SandboxKey: testKey()}
}

var httpSample = regexp.MustCompile(`<code>(POST [^<]*)</code>`)

// The request that a page shows is taken as it stands, once.
func TestExamplesOfTheDocumentationAreAcceptedOnce(t *testing.T) {
	h := start(t, newSandboxConfig(t))
	for _, lang := range []string{"en", "ru"} {
		for _, c := range spec.Commands {
			slug := strings.ReplaceAll(c.Path(), "/", "-")
			status, page := h.get("http://" + h.addr.API + "/docs/" + lang + "/commands/" + slug)
			sample := httpSample.FindStringSubmatch(page)
			if status != http.StatusOK || sample == nil {
				t.Errorf("%s %s: HTTP %d, without a request", lang, slug, status)
				continue
			}
			request := html.UnescapeString(sample[1])
			if status, body := h.send(request); status != http.StatusOK || !strings.HasPrefix(body, "type="+c.Reply.Type+"\n") {
				t.Errorf("%s %s: HTTP %d %s\n%s", lang, slug, status, body, request)
			}
			status, body := h.send(request)
			if c.Auth == spec.OAuthRSA && status != http.StatusForbidden || c.Auth == spec.Control && status != http.StatusOK {
				t.Errorf("%s %s, again: HTTP %d %s", lang, slug, status, body)
			}
		}
	}
}

// send sends a request as text over a connection of its own.
func (h *house) send(request string) (status int, body string) {
	h.t.Helper()
	head, form, found := strings.Cut(request, "\n\n")
	if !found {
		h.t.Fatalf("no body in\n%s", request)
	}
	c, err := net.Dial("tcp", h.addr.API)
	check(h.t, err)
	defer c.Close()
	_, err = io.WriteString(c, strings.ReplaceAll(head, "\n", "\r\n")+"\r\nConnection: close\r\n\r\n"+form)
	check(h.t, err)
	r, err := http.ReadResponse(bufio.NewReader(c), nil)
	check(h.t, err)
	defer r.Body.Close()
	text, err := io.ReadAll(r.Body)
	check(h.t, err)
	return r.StatusCode, string(text)
}

func TestDocumentationWithoutASandboxShowsNoKeyOfAnybody(t *testing.T) {
	h := start(t, newConfig(t))
	status, page := h.get("http://" + h.addr.API + "/docs/en/commands/v4-payout")
	sample := httpSample.FindStringSubmatch(page)
	if status != http.StatusOK || sample == nil {
		t.Fatalf("HTTP %d without a request", status)
	}
	if status, body := h.send(html.UnescapeString(sample[1])); status != http.StatusForbidden {
		t.Errorf("HTTP %d %s", status, body)
	}
	if status, page := h.get("http://" + h.addr.API + "/docs/en/commands/v2-status"); status != http.StatusOK || strings.Contains(page, controlKey) {
		t.Errorf("HTTP %d, or the control key is shown", status)
	}
}

func TestSandboxKeyNeedsASandbox(t *testing.T) {
	c := newSandboxConfig(t)
	c.Sandbox = false
	if err := server.Run(t.Context(), c, slog.New(slog.DiscardHandler), nil); err == nil || !strings.Contains(err.Error(), "sandbox") {
		t.Errorf("%v", err)
	}
}
