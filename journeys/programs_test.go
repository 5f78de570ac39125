package journeys

import (
	"context"
	"crypto/rsa"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"payout/sign"
)

// A program is one of the builder's, as samples.js writes it.
type program struct{ ID, File, Text string }

// runners say how each program is run, and what tells that it can be run here.
var runners = map[string]struct{ command, probe []string }{
	"curl":   {[]string{"bash", "request.sh"}, []string{"bash", "-c", "command -v curl && command -v openssl"}},
	"go":     {[]string{"go", "run", "main.go"}, []string{"go", "version"}},
	"php":    {[]string{"php", "request.php"}, []string{"php", "-r", "exit(extension_loaded('openssl') ? 0 : 1);"}},
	"python": {[]string{"python3", "request.py"}, []string{"python3", "-c", "import cryptography"}},
	"node":   {[]string{"node", "request.mjs"}, []string{"node", "-e", "fetch"}},
}

// nasty has what programs get wrong: blanks, plus, quotes of every language,
// everything that encoders differ in, Cyrillic, an emoji, lines, and names of
// which one begins another.
var nasty = []sign.Pair{{Name: "z", Value: "last"}, {Name: "client-order", Value: "1"}, {Name: "client", Value: "a b+c~d"},
	{Name: "client_orderid", Value: "902B4FF5"}, {Name: "order_desc", Value: "Тест '\"`$HOME\\n%s {{}} *()!"}, {Name: "emoji", Value: "🙂 \u2028\ufeff"},
	{Name: "lines", Value: "one\ntwo\ttabs"}, {Name: "url", Value: "https://h.example/?a=1&b=%20"}, {Name: "empty", Value: ""}, {Name: "at", Value: "@file"}}

// received is what the server of a test got.
type received struct {
	authorization string
	form          []sign.Pair
}

// receiver answers every request with 200 and keeps it.
func receiver(t *testing.T) (base string, got chan received) {
	t.Helper()
	got = make(chan received, 10)
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		form, formErr := sign.ParseForm(string(body))
		if err != nil || formErr != nil || r.Method != http.MethodPost || !strings.HasPrefix(r.Header.Get("Content-Type"), "application/x-www-form-urlencoded") {
			t.Errorf("%s with %s: %v, %v", r.Method, r.Header.Get("Content-Type"), err, formErr)
		}
		got <- received{r.Header.Get("Authorization"), form}
		w.WriteHeader(http.StatusForbidden) // programs show refusals too
		fmt.Fprint(w, "the reply")
	}))
	t.Cleanup(s.Close)
	return s.URL, got
}

// run runs a program in a folder that has the key, and returns what it prints.
func (p program) run(t *testing.T, folder string) string {
	t.Helper()
	check(t, os.WriteFile(filepath.Join(folder, p.File), []byte(p.Text), 0o600))
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	command := exec.CommandContext(ctx, runners[p.ID].command[0], runners[p.ID].command[1:]...)
	command.Dir = folder
	command.Env = append(os.Environ(), "CONTROL_KEY="+controlKey, "NO_PROXY=*", "no_proxy=*", "GO111MODULE=off")
	printed, err := command.CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s\n%s", err, printed, p.Text)
	}
	return string(printed)
}

func runnable(t *testing.T, id string) {
	t.Helper()
	probe := runners[id].probe
	if probe == nil {
		t.Fatalf("nobody knows how to run %s", id)
	}
	if err := exec.CommandContext(t.Context(), probe[0], probe[1:]...).Run(); err != nil {
		t.Skipf("%s cannot be run here: %v", id, err)
	}
}

func TestProgramsSignByThemselves(t *testing.T) {
	base, got := receiver(t)
	address := base + "/paynet/api/v4/payout/39915"
	var programs []program
	workshop(t).run(`import("/assets/samples.js").then(s => s.programs.map(p => ({ID: p.id, File: p.file, Text: p.write(input)})))`,
		map[string]any{"url": address, "login": "Test Merchant+é", "form": pairsJSON(nasty), "sum": nil}, &programs)
	if len(programs) != len(runners) {
		t.Fatalf("%d programs, want %d", len(programs), len(runners))
	}
	for _, p := range programs {
		for kind, key := range map[string]string{"PKCS1": pkcs1(testKey()), "PKCS8": pkcs8(t, testKey())} {
			t.Run(p.ID+"/"+kind, func(t *testing.T) {
				runnable(t, p.ID)
				folder := t.TempDir()
				check(t, os.WriteFile(filepath.Join(folder, "merchant.key"), []byte(key), 0o600))
				printed := p.run(t, folder)
				r := <-got
				report := sign.Explain(sign.Request{Method: http.MethodPost, URL: address, Form: r.form, Authorization: r.authorization}, []*rsa.PublicKey{&testKey().PublicKey})
				if report.Failure != nil {
					t.Errorf("%v\n%s", report.Failure, report.BaseString)
				}
				if !slices.Equal(r.form, nasty) || report.OAuth.ConsumerKey != "Test Merchant+é" {
					t.Errorf("%q of %q", r.form, report.OAuth.ConsumerKey)
				}
				if !strings.Contains(printed, "403") || !strings.Contains(printed, "the reply") {
					t.Errorf("it prints %s", printed)
				}
			})
		}
	}
}

func TestProgramsComputeTheControl(t *testing.T) {
	base, got := receiver(t)
	var programs []program
	workshop(t).run(`import("/assets/samples.js").then(s => s.programs.map(p => ({ID: p.id, File: p.file, Text: p.write(input)})))`,
		map[string]any{"url": base + "/paynet/api/v2/sale/39915", "login": login, "form": pairsJSON(nasty),
			"sum": []map[string]string{{"label": "ENDPOINTID", "value": "39915"}, {"name": "order_desc", "value": nasty[4].Value},
				{"label": "amount_minor", "value": "1042"}, {"name": "absent", "value": ""}}}, &programs)
	want := sign.Control("39915", nasty[4].Value, "1042", "", controlKey)
	for _, p := range programs {
		t.Run(p.ID, func(t *testing.T) {
			runnable(t, p.ID)
			printed := p.run(t, t.TempDir())
			r := <-got
			sent := slices.Clone(r.form)
			slices.SortFunc(sent, func(a, b sign.Pair) int { return strings.Compare(a.Name, b.Name) })
			expected := append(slices.Clone(nasty), sign.Pair{Name: "control", Value: want})
			slices.SortFunc(expected, func(a, b sign.Pair) int { return strings.Compare(a.Name, b.Name) })
			if !slices.Equal(sent, expected) || r.authorization != "" {
				t.Errorf("%q, %q", r.form, r.authorization)
			}
			if !strings.Contains(printed, "403") || !strings.Contains(printed, "the reply") {
				t.Errorf("it prints %s", printed)
			}
		})
	}
}

// What the page writes runs as it is: every program pays at this gateway, signed
// or with a control sum.
func TestProgramsOfTheBuilderPay(t *testing.T) {
	d, b := newDesk(t, nil), newTab(t)
	for _, path := range []string{"v4-payout", "v2-sale"} {
		d.builder(b, path)
		b.set(map[string]string{"f-order_desc": "Тест '\"$HOME` + ~"})
		b.settled()
		for id := range runners {
			t.Run(path+"/"+id, func(t *testing.T) {
				runnable(t, id)
				folder := t.TempDir()
				check(t, os.WriteFile(filepath.Join(folder, "merchant.key"), []byte(pkcs1(testKey())), 0o600))
				command := runners[id].command
				p := program{id, command[len(command)-1], b.code("program-" + id)}
				if printed := p.run(t, folder); !strings.Contains(printed, "type=async-response") || !strings.Contains(printed, "200") {
					t.Errorf("it prints %s", printed)
				}
			})
		}
	}
}

// code is the text of a sample of code.
func (b tab) code(id string) string {
	b.t.Helper()
	var text string
	b.run(`document.getElementById(input).querySelector("code").textContent`, id, &text)
	return text
}

// pairsJSON is a form as the page has it.
func pairsJSON(form []sign.Pair) json.RawMessage {
	type pair struct {
		Name  string `json:"name"`
		Value string `json:"value"`
	}
	all := make([]pair, len(form))
	for i, p := range form {
		all[i] = pair(p)
	}
	text, err := json.Marshal(all)
	if err != nil {
		panic(err)
	}
	return text
}
