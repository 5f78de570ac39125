package main

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/alecthomas/kong"

	"payout/gateway"
	"payout/sign"
	"payout/spec"
)

// A sent is the JSON of send and status.
type sent struct {
	Command       string
	URL           string
	ClientOrderID string `json:"client_orderid"`
	HTTPStatus    int    `json:"http_status"`
	Reply, Status map[string]string
	Outcome       string
	Reason        string
}

// send runs an integrator's command with --json and reads what it prints.
func (b sandbox) send(code int, args ...string) (s sent) {
	b.t.Helper()
	r := b.caller(append(args, "--json")...)
	if err := json.Unmarshal([]byte(r.out), &s); err != nil || r.code != code {
		b.t.Fatalf("%q exits %d, want %d: %v %s%s", args, r.code, code, err, r.out, r.err)
	}
	return s
}

// after sends the commands that a command goes on from, and returns the fields
// that they led to.
func (b sandbox) after(c *spec.Command) []string {
	b.t.Helper()
	if c.After == nil {
		return nil
	}
	before := c.After.Command
	args := append([]string{"send", before.Path(), "--example"}, b.after(before)...)
	if c.After.Gives != nil {
		reply := b.send(exitDone, args...).Reply
		return []string{"--field", c.After.Takes.Name + "=" + reply[c.After.Gives.Name]}
	}
	s := b.send(exitDone, append(args, "--wait", "--every", "10ms")...)
	return []string{"--field", "client_orderid=" + s.ClientOrderID, "--field", "orderid=" + s.Reply["paynet-order-id"]}
}

func TestEveryCommandIsAcceptedByItsExample(t *testing.T) {
	t.Parallel()
	b := newSandbox(t)
	for _, c := range spec.Commands {
		s := b.send(exitDone, append([]string{"send", c.Path(), "--example"}, b.after(c)...)...)
		if s.Command != c.Path() || s.URL != b.url+"/api/"+c.Path()+"/39915" || s.HTTPStatus != 200 || s.Reply["type"] != c.Reply.Type {
			t.Errorf("%s: %+v", c.Path(), s)
		}
		if c.After == nil || c.After.Gives != nil {
			if !strings.HasPrefix(s.ClientOrderID, "cli-") || s.Outcome != outcomeAccepted {
				t.Errorf("%s: client_orderid %q is made up for a new order, outcome %s", c.Path(), s.ClientOrderID, s.Outcome)
			}
		}
	}
	if s := b.send(exitDone, "send", "payout", "--example", "--group", "77"); s.URL != b.url+"/api/v4/payout/group/77" {
		t.Errorf("a group is called at %s", s.URL)
	}
}

func TestExitCodeTellsHowAnOrderEnded(t *testing.T) {
	t.Parallel()
	b := newSandbox(t)
	pay := func(account string, more ...string) []string {
		return append([]string{"send", "payout", "--example", "--field", "account_number=" + account, "--wait", "--every", "10ms"}, more...)
	}
	for _, c := range []struct {
		args    []string
		code    int
		outcome string
	}{
		{pay("1234567890"), exitDone, "approved"},
		{pay("0987654321"), exitFailed, "declined"},
		{pay("1987654321"), exitFailed, "error"},
		{pay("2000000010", "--timeout", "300ms"), exitNotFinal, "processing"},
		{[]string{"send", "payout", "--example", "--field", "amount=-1"}, exitFailed, outcomeRefused},
		{[]string{"send", "payout", "--example", "--login", "Nobody"}, exitFailed, outcomeRefused},
		{[]string{"send", "payout-check", "--example", "--wait", "--every", "10ms"}, exitDone, outcomeConfirmed},
		{[]string{"send", "payout-check", "--example", "--field", "account_number=2000000060", "--wait", "--every", "10ms"}, exitFailed, "declined"},
	} {
		s := b.send(c.code, c.args...)
		if s.Outcome != c.outcome || c.code != exitDone && c.outcome != "processing" && s.Reason == "" {
			t.Errorf("%q: %+v, want %s", c.args, s, c.outcome)
		}
		if c.outcome != outcomeRefused && s.Status["order-stage"] == "" && slices.Contains(c.args, "--wait") {
			t.Errorf("%q: no status: %+v", c.args, s)
		}
	}
	b.has(b.caller(pay("1234567890")...).out, "client_orderid cli-\\S+ is made up", "HTTP 200 OK", "type=async-response", "approved  payout_approved", "processor-tx-id=", `\napproved\n$`)
	confirmed := b.caller("send", "payout-check", "--example", "--wait", "--every", "10ms")
	b.has(confirmed.out, `\nconfirmed\nTo go on: payoutd send v4/payout-pay --field client_orderid=cli-\S+ --field orderid=\d+\n$`)
	_, line, _ := strings.Cut(confirmed.out, "To go on: payoutd ")
	if r := b.caller(strings.Fields(line)...); r.code != exitDone || !strings.Contains(r.out, "\naccepted\n") {
		t.Errorf("the command that goes on exits %d: %s%s", r.code, r.out, r.err)
	}
	b.has(b.caller("send", "payout", "--example").out, `\naccepted\nWhere it stands: payoutd status cli-\S+ \d+\n$`)
}

func TestNamesAreCheckedUnlessRaw(t *testing.T) {
	t.Parallel()
	b := newSandbox(t)
	for want, args := range map[string][]string{
		"--field amout: v4/payout has no such parameter; did you mean amount?": {"payout", "--field", "amout=1"},
		"v2/sale has no such parameter; it has address1, amount,":              {"sale", "--field", "zzzzzzzzzzzz=1"},
		"--field client_orderid: it is given 2 times, under client_orderid or": {"payout", "--field", "client_orderid=1", "--field", "client-order-id=2"},
		"--field must be NAME=VALUE":                                           {"payout", "--field", "amount"},
		"there is no command \"v4/payuot\"; did you mean v4/payout?":           {"v4/payuot"},
		"there is no command \"\"; there are: v4/payout, v4/payout-check":      {""},
		"v4/payout-pay goes on from v4/payout-check; give the client_orderid":  {"payout-pay", "--example"},
		"give the destination-card-ref-id that it led to":                      {"payout-by-ref", "--example"},
		"v4/create-card-ref has no order to wait for":                          {"create-card-ref", "--wait"},
		"v4/withdrawal-sbp is sent to an endpoint only":                        {"withdrawal-sbp", "--example", "--group", "77"},
		"--timeout must be positive":                                           {"payout", "--example", "--wait", "--timeout", "0s"},
		"--endpoint 0:":                                                        {"payout", "--endpoint", "0"},
	} {
		if r := b.caller(append([]string{"send"}, args...)...); r.code != exitUsage || !strings.Contains(r.err, want) {
			t.Errorf("%q exits %d: %s, want 2 and %q", args, r.code, r.err, want)
		}
	}
	for want, args := range map[string][]string{
		"Parameter client_orderid is required": {"payout", "--raw", "--field", "amout=1"},
		"client_orderid":                       {"payout", "--raw", "--example", "--field", "client-order-id=1", "--field", "client_orderid=2"},
		"refused: Order not found":             {"payout-pay", "--raw", "--example"},
		"refused: INVALID_CONTROL_CODE":        {"sale", "--example", "--field", "control=0000000000000000000000000000000000000000"},
	} {
		if r := b.caller(append([]string{"send"}, args...)...); r.code != exitFailed || !strings.Contains(r.out, want) {
			t.Errorf("%q exits %d: %s%s, want 1 and %q", args, r.code, r.out, r.err, want)
		}
	}
	if orders := b.ok("order", "list"); orders != "" {
		t.Errorf("what was refused made orders:\n%s", orders)
	}
}

// A prepared is the JSON of send --dry-run.
type prepared struct {
	URL, Body, Curl string
	Headers         map[string]string
	BaseString      string `json:"base_string"`
	ControlString   string `json:"control_string"`
}

func (b sandbox) dry(args ...string) (p prepared) {
	b.t.Helper()
	r := b.caller(append(args, "--dry-run", "--json")...)
	if err := json.Unmarshal([]byte(r.out), &p); err != nil || r.code != exitDone {
		b.t.Fatalf("%q exits %d: %v %s%s", args, r.code, err, r.out, r.err)
	}
	return p
}

func TestDryRunPrintsTheRequestAndSendsNothing(t *testing.T) {
	t.Parallel()
	b := newSandbox(t)
	const odd = "a=b, 'c' + ~ \"Описание\" $HOME \\"
	p := b.dry("send", "payout", "--example", "--field", "order_desc="+odd, "--field", "purpose=")
	form, err := sign.ParseForm(p.Body)
	check(t, err)
	if valueOf(form, "order_desc") != odd || !slices.Contains(form, sign.Pair{Name: "purpose"}) || valueOf(form, "amount") != spec.AmountParam.Sample {
		t.Errorf("the body is %s", p.Body)
	}
	r := execute(t.Context(), p.Body, "oauth", "verify", "--url", p.URL, "--body", "-", "--authorization", p.Headers["Authorization"],
		"--public-key", b.publicKey("public.pem", testKey()))
	if r.code != exitDone || !strings.Contains(r.out, p.BaseString) {
		t.Errorf("the request does not verify: %s%s", r.out, r.err)
	}
	control := b.dry("send", "sale", "--example", "--field", "client_orderid=A1")
	if want := "39915A11042" + spec.SenderEmail.Sample; control.ControlString != want || !strings.Contains(control.Body, "control="+sign.Control(want, b.control)) {
		t.Errorf("the control is of %q, want %q: %s", control.ControlString, want, control.Body)
	}
	if of := b.dry("send", "sale", "--example", "--field", "client_orderid=A1", "--group", "77").ControlString; !strings.HasPrefix(of, "77A1") {
		t.Errorf("the control of a group call is of %q", of)
	}
	b.has(b.caller("send", "payout", "--example", "--dry-run").out, "POST "+b.url, "Authorization: OAuth oauth_consumer_key", "base string POST&http", "curl curl 'http", "good once")
	if orders := b.ok("order", "list"); orders != "" {
		t.Errorf("a dry run made orders:\n%s", orders)
	}
	curl, err := exec.LookPath("curl")
	if err != nil {
		t.Skip("curl is not installed: the printed commands are not run")
	}
	for _, command := range []string{p.Curl, control.Curl} {
		out, err := exec.CommandContext(t.Context(), "sh", "-c", strings.Replace(command, "curl ", curl+" -s ", 1)).Output()
		if err != nil || !strings.Contains(string(out), "type=async-response") {
			t.Errorf("%s\nanswers %s %v", command, out, err)
		}
	}
}

func TestFieldsComeFromAFileAndAreReplaced(t *testing.T) {
	t.Parallel()
	b := newSandbox(t)
	file := b.write("form", []byte("client_orderid=x+1&amount=1.00&currency=EUR&account_number=5&order_desc=%D0%9E\n"))
	p := b.dry("send", "payout", "--fields", file, "--field", "amount=2.00")
	if p.Body != "client_orderid=x+1&currency=EUR&account_number=5&order_desc=%D0%9E&amount=2.00" {
		t.Errorf("the body is %s", p.Body)
	}
	flags := []string{"--url", b.url, "--private-key", b.file("TestMerchant.key")}
	r := execute(t.Context(), "client_orderid=x1&amount=1.00&currency=EUR&account_number=1234567890", append([]string{"send", "payout", "--fields", "-", "--json"}, flags...)...)
	if r.code != exitDone || !strings.Contains(r.out, `"client_orderid": "x1"`) {
		t.Errorf("from standard input: exit %d: %s%s", r.code, r.out, r.err)
	}
	if r := b.caller("send", "payout", "--fields", b.file("none")); r.code != exitFailed || !strings.Contains(r.err, "--fields: open") {
		t.Errorf("a file that is not there: exit %d: %s", r.code, r.err)
	}
	// What is given excludes what the example has instead.
	if p := b.dry("send", "payout", "--example", "--field", "credit_card_number=4444555566661111"); strings.Contains(p.Body, "account_number") {
		t.Errorf("an account and a card: %s", p.Body)
	}
}

// An answer that does not tell is no refusal: a script that takes it for one
// sends a second payout.
func TestALostAnswerIsNeitherAcceptedNorRefused(t *testing.T) {
	t.Parallel()
	b := newSandbox(t)
	broken := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusInternalServerError) }))
	t.Cleanup(broken.Close)
	b.url = broken.URL + "/paynet"
	for _, args := range [][]string{{"send", "payout", "--example"}, {"send", "payout", "--example", "--wait", "--timeout", "50ms", "--every", "10ms"},
		{"status", "a"}, {"status", "a", "--wait", "--timeout", "50ms", "--every", "10ms"}} {
		if s := b.send(exitNotFinal, args...); s.Outcome != outcomeLost || s.Reason == "" || s.HTTPStatus != 500 {
			t.Errorf("%q: %+v", args, s)
		}
	}
	b.has(b.caller("send", "payout", "--example").out, "lost: HTTP 500", "Ask before you send anything else: payoutd status cli-")
	broken.Close()
	if r := b.caller("send", "payout", "--example"); r.code != exitFailed || !strings.Contains(r.err, "was not sent") || !strings.Contains(r.err, "Is --url right") {
		t.Errorf("nobody listens: exit %d: %s", r.code, r.err)
	}
}

func TestConnectionMistakesNameTheFlagAndTheRule(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	key := s.privateKey("m.key", testKey())
	for _, c := range []struct {
		why  string
		code int
		args []string
	}{
		{"--url must be an absolute http or https URL", exitUsage, []string{"--url", "gate.example.com"}},
		{"--url must be an absolute http or https URL", exitUsage, []string{"--url", "ftp://gate.example.com"}},
		{"--url must have no user name", exitUsage, []string{"--url", "http://me:hunter2@gate.example.com/paynet"}},
		{"--url must have no user name, query", exitUsage, []string{"--url", "http://gate.example.com/paynet?a=1"}},
		{"--url must end before /api", exitUsage, []string{"--url", "http://gate.example.com/paynet/api/"}},
		{"--group -1", exitUsage, []string{"--group=-1"}},
		{"--private-key " + s.file("none") + " does not exist: payoutd demo makes", exitFailed, []string{"--private-key", s.file("none")}},
		{"private key " + s.file("m.pub"), exitFailed, []string{"--private-key", s.publicKey("m.pub", testKey())}},
		{"--control-key-file " + s.file("none") + " does not exist", exitFailed, []string{"--control-key-file", s.file("none"), "--by-control"}},
	} {
		args := append([]string{"status", "a", "--private-key", key}, c.args...)
		if slices.Contains(c.args, "--private-key") {
			args = append([]string{"send", "status", "--raw"}, c.args...)
		}
		r := execute(t.Context(), "", args...)
		if r.code != c.code || !strings.Contains(r.err, c.why) || strings.Contains(r.err, "hunter2") {
			t.Errorf("%q exits %d: %s, want %d and %q", args, r.code, r.err, c.code, c.why)
		}
	}
}

// On a fresh clone the commands work beside payoutd demo without a flag.
func TestDefaultsAreTheSandboxOfTheDemo(t *testing.T) {
	t.Parallel()
	var c cli
	_, err := kong.Must(&c, kong.Name("payoutd")).Parse([]string{"send", "payout"})
	check(t, err)
	var d cli
	_, err = kong.Must(&d, kong.Name("payoutd")).Parse([]string{"demo"})
	check(t, err)
	files := filepath.Join(d.Demo.Dir, gateway.SandboxLogin)
	want := connection{URL: "http://" + d.Demo.Listen + "/paynet", Login: gateway.SandboxLogin, PrivateKey: files + ".key", Endpoint: int64(gateway.SandboxEndpoint),
		merchantControl: merchantControl{ControlKeyFile: files + ".control"}}
	if c.Send.connection != want {
		t.Errorf("the defaults are %+v, want %+v", c.Send.connection, want)
	}
}

// A command is known to the command line as soon as it is in the table.
func TestACommandOfTheTableAloneIsSentAndCompleted(t *testing.T) {
	t.Parallel()
	b := newSandbox(t)
	colour := &spec.Param{Name: "colour", Aliases: []string{"color"}, Kind: spec.Line, Max: 8, Doc: spec.T("Colour.", "Цвет."), Sample: "red"}
	signed := &spec.Command{Version: 4, Name: "repaint", Auth: spec.OAuthRSA, Doc: spec.T("Paints.", "Красит."), Reply: spec.AsyncReply,
		Params: []spec.Use{{Param: spec.ClientOrderID, Need: spec.Required}, {Param: colour, Need: spec.Required}, {Param: spec.Login, Need: spec.Required}}}
	summed := &spec.Command{Version: 2, Name: "repaint", Auth: spec.Control, Doc: spec.T("Paints.", "Красит."), Reply: spec.AsyncReply,
		Params: append(slices.Clone(signed.Params), spec.Use{Param: spec.ControlSum, Need: spec.Required}), Sum: []spec.SumPart{spec.SumID, "colour"}}
	table := append(api{summed, signed}, spec.Commands...)
	do := func(args ...string) result {
		t.Helper()
		var out, err strings.Builder
		code := runAPI(t.Context(), args, terminal{in: strings.NewReader(""), out: &out, err: &err}, table)
		return result{code, out.String(), err.String()}
	}
	flags := []string{"--dry-run", "--url", b.url, "--private-key", b.file("TestMerchant.key"), "--control-key-file", b.file("TestMerchant.control"), "--example"}
	for name, want := range map[string][]string{
		"repaint":    {"/api/v4/repaint/39915", "Authorization: OAuth ", "&colour=red&login=TestMerchant\n", "client_orderid=cli-"},
		"v2/repaint": {"/api/v2/repaint/39915", "39915red + control key", "control=" + sign.Control("39915", "red", b.control)},
	} {
		r := do(append([]string{"send", name}, flags...)...)
		for _, part := range want {
			if r.code != exitDone || !strings.Contains(r.out, part) {
				t.Errorf("send %s exits %d, without %q: %s%s", name, r.code, part, r.out, r.err)
			}
		}
	}
	if r := do("send", "repaint", "--field", "colourr=blue"); r.code != exitUsage || !strings.Contains(r.err, "did you mean colour?") {
		t.Errorf("exit %d: %s", r.code, r.err)
	}
	for words, want := range map[string]string{"send rep": "repaint", "send v2/": "v2/repaint", "send repaint --field col": "colour= color=", "send v2/repaint --field=colour=": "--field=colour=red"} {
		got := firsts(do(append([]string{"complete", "--"}, strings.Split(words, " ")...)...).out)
		for _, word := range strings.Fields(want) {
			if !slices.Contains(got, word) {
				t.Errorf("%s: %q, without %s", words, got, word)
			}
		}
	}
}
