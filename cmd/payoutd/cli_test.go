package main

import (
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/alecthomas/kong"

	"payout/gateway"
	"payout/sign"
)

// commands lists the words of every command and set of commands.
func commands(t *testing.T) [][]string {
	t.Helper()
	parser, err := kong.New(new(cli), kong.Name("payoutd"), kong.Writers(io.Discard, io.Discard))
	check(t, err)
	var all [][]string
	var walk func(node *kong.Node, words []string)
	walk = func(node *kong.Node, words []string) {
		all = append(all, words)
		for _, child := range node.Children {
			walk(child, append(slices.Clone(words), child.Name))
		}
	}
	walk(parser.Model.Node, nil)
	if len(all) < 40 {
		t.Fatalf("only %d commands were found", len(all))
	}
	return all
}

func TestEveryCommandHasHelp(t *testing.T) {
	t.Parallel()
	for _, words := range commands(t) {
		line := strings.Join(append([]string{"payoutd"}, words...), " ")
		r := execute(t.Context(), "", append(words, "--help")...)
		if r.code != 0 || r.err != "" || !strings.HasPrefix(r.out, "Usage: "+line) {
			t.Errorf("%s --help exits %d: %.60q %s", line, r.code, r.out, r.err)
		}
		if regexp.MustCompile(`\$\{|%!|\$\$`).MatchString(r.out) {
			t.Errorf("%s --help has something not filled in:\n%s", line, r.out)
		}
	}
	if r := execute(t.Context(), ""); r.code != 0 || !strings.HasPrefix(r.out, "Usage: payoutd") {
		t.Errorf("no arguments: exit %d: %s", r.code, r.out)
	}
}

func TestEveryArgumentAndFlagHasHelp(t *testing.T) {
	t.Parallel()
	parser, err := kong.New(new(cli), kong.Name("payoutd"), kong.Writers(io.Discard, io.Discard))
	check(t, err)
	check(t, kong.Visit(parser.Model.Node, func(node kong.Visitable, next kong.Next) error {
		command, ok := node.(*kong.Node)
		if !ok || command.Hidden {
			return next(nil)
		}
		for _, p := range command.Positional {
			if p.Help == "" {
				t.Errorf("%s: the argument %s has no help", command.FullPath(), p.Name)
			}
		}
		for _, f := range command.Flags {
			if f.Help == "" && !f.Hidden {
				t.Errorf("%s: the flag --%s has no help", command.FullPath(), f.Name)
			}
		}
		return next(nil)
	}))
}

// What the help does not put into a group stands apart from its like.
func TestCommandsThatOpenTheDatabaseAreThoseToRunAGateway(t *testing.T) {
	t.Parallel()
	parser, err := kong.New(new(cli), kong.Name("payoutd"), kong.Writers(io.Discard, io.Discard),
		kong.ExplicitGroups([]kong.Group{{Key: "run", Title: "run"}, {Key: "call", Title: "call"}}))
	check(t, err)
	for _, command := range parser.Model.Children {
		opens := slices.ContainsFunc(command.Flags, func(f *kong.Flag) bool { return f.Name == "database" })
		if group := command.Group; opens && (group == nil || group.Key != "run") && command.Name != "demo" {
			t.Errorf("%s is not in the group run", command.Name)
		}
	}
}

func TestUnknownFlagsAndWordsExit2(t *testing.T) {
	t.Parallel()
	for _, words := range commands(t) {
		r := execute(t.Context(), "", append(words, "--no-such-flag")...)
		if r.code != 2 || r.out != "" || !strings.Contains(r.err, "unknown flag --no-such-flag") {
			t.Errorf("%q: exit %d: %q %q", words, r.code, r.out, r.err)
		}
	}
	for want, args := range map[string][]string{
		"unexpected argument nonsense": {"nonsense"},
		"expected one of":              {"party"},
		"missing flags":                {"endpoint", "add", "Merchant"},
		"expected \"<login>\"":         {"party", "add"},
		"--bits must be one of":        {"keygen", "--bits", "1024", "x"},
		"--repeat must be one of":      {"endpoint", "add", "M", "--project", "P", "--gate", "G", "--repeat", "never"},
		"--rail-timeout":               {"serve", "--rail-timeout", "soon"},
	} {
		if r := execute(t.Context(), "", args...); r.code != 2 || !strings.Contains(r.err, want) {
			t.Errorf("%q: exit %d and %q, want 2 and %q", args, r.code, r.err, want)
		}
	}
}

// Commands without errors of their own must still be ones that kong can run.
func TestPlainCommandsPrint(t *testing.T) {
	t.Parallel()
	for want, args := range map[string][]string{
		"payoutd development":                              {"version"},
		"2000000003  79990000003  4000000000000036  Paid ": {"scenarios"},
		"ad744a68a1914441c8cc293aa7d9412cd1db5089":         {"control", "sum", "--key", "secret", "--", "a", "-b"},
	} {
		if r := execute(t.Context(), "", args...); r.code != 0 || !strings.Contains(r.out, want) {
			t.Errorf("%q: exit %d: %s%s, want %q", args, r.code, r.out, r.err, want)
		}
	}
}

// has checks that a listing has lines with these words, one after the other.
func (s site) has(listing string, lines ...string) {
	s.t.Helper()
	for _, words := range lines {
		if !regexp.MustCompile(strings.Join(strings.Fields(words), `\s+`)).MatchString(listing) {
			s.t.Errorf("no line %q in\n%s", words, listing)
		}
	}
}

func TestSetUpIsAddedListedAndSwitched(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	out := s.ok("party", "add", "Merchant", "--name", "A Merchant")
	s.has(out, "party Merchant added", `control key [0-9A-F]{8}-[0-9A-F]{4}-4[0-9A-F]{3}-[89AB][0-9A-F]{3}-[0-9A-F]{12} \(shown only now\)`, "payoutd party key add Merchant FILE")
	s.has(s.ok("party", "list"), "LOGIN NAME STATE KEY", "Merchant A Merchant on none")
	s.ok("party", "key", "add", "Merchant", s.publicKey("m.pub", testKey()))
	fingerprint := sign.Fingerprint(&testKey().PublicKey)
	s.has(s.ok("party", "list"), "Merchant A Merchant on "+fingerprint[:16]+`… \(2048 bits\) on`)
	s.ok("party", "key", "disable", "Merchant", fingerprint[:8])
	s.has(s.ok("party", "list"), `\(2048 bits\) off`)
	s.ok("party", "key", "enable", "Merchant", fingerprint)
	s.ok("party", "disable", "Merchant")
	s.has(s.ok("party", "list"), `Merchant A Merchant off .* \(2048 bits\) on`)
	s.ok("party", "enable", "Merchant")

	s.has(s.ok("project", "add", "Main"), "project 1 added")
	s.has(s.ok("gate", "add", "Bank", "--currency", "EUR,USD", "--require", "account_name", "--concurrency", "3"), "gate 1 added")
	s.has(s.ok("gate", "add", "Any", "--set", "latency=1ms", "--set", "silence=2ms"), "gate 2 added")
	s.has(s.ok("gate", "list"), `1 Bank simulator \[EUR USD\] account_name 3 on`, "2 Any simulator any 32 on")
	s.has(s.ok("endpoint", "add", "Merchant", "--project", "Main", "--gate", "Bank", "--gate", "Any", "--currency", "EUR"), "endpoint 1 added")
	s.has(s.ok("endpoint", "add", "Merchant", "--project", "Main", "--gate", "Any", "--id", "39915", "--name", "E", "--repeat", "allow",
		"--callback-url", "https://merchant.example.com/cb"), "endpoint 39915 added")
	s.has(s.ok("endpoint", "list"), "1 Merchant Main EUR Bank,Any replay on", "39915 Merchant Main E any Any allow on")
	s.has(s.ok("group", "add", "Merchant", "--endpoint", "1", "--endpoint", "39915", "--id", "77", "--name", "G"), "group 77 added")
	s.has(s.ok("group", "list"), `77 Merchant G \[1 39915\] on`)
	for kind, id := range map[string]string{"project": "1", "gate": "2", "endpoint": "39915", "group": "77"} {
		s.ok(kind, "disable", id)
		s.has(s.ok(kind, "list"), id+" .*off")
		s.ok(kind, "enable", id)
		if listing := s.ok(kind, "list"); strings.Contains(listing, "off") {
			t.Errorf("%s enable %s: still off in\n%s", kind, id, listing)
		}
		s.fails(1, "there is no number 4711", kind, "disable", "4711")
		s.fails(1, "there is no number 4711", kind, "enable", "4711")
	}
	s.has(s.ok("migrate"), "0 migrations run")
}

func TestSettingsOfAGateMayHoldSeparators(t *testing.T) {
	t.Parallel()
	var c cli
	parser, err := kong.New(&c, kong.Name("payoutd"))
	check(t, err)
	_, err = parser.Parse([]string{"gate", "add", "Bank", "--set", "password=a;b,c=d", "--set", "url=https://bank.example.com/?x=1;y=2"})
	check(t, err)
	if got := c.Gate.Add.Set; len(got) != 2 || got["password"] != "a;b,c=d" || got["url"] != "https://bank.example.com/?x=1;y=2" {
		t.Errorf("settings are %v", got)
	}
}

func TestSetUpMistakesAreToldAndChangeNothing(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.merchant()
	s.ok("gate", "add", "Bank", "--currency", "EUR")
	s.ok("endpoint", "add", testLogin, "--project", "Main", "--gate", "Bank")
	s.ok("party", "add", "Other", "--control-key", testControl)
	private, small, text := s.privateKey("private.key", testKey()), s.publicKey("small.pub", newKey(1024)), s.write("notes.txt", []byte("hello"))
	before := s.everything()
	add := func(args ...string) []string { return append([]string{"endpoint", "add"}, args...) }
	for _, c := range []struct {
		why  string
		args []string
	}{
		{"exists already", []string{"party", "add", testLogin}},
		{"exists already", []string{"project", "add", "Main"}},
		{"exists already", []string{"gate", "add", "Bank"}},
		{"exists already", []string{"party", "key", "add", testLogin, s.file("merchant.pub")}},
		{"exists already", add(testLogin, "--project", "Main", "--gate", "Bank", "--id", "1")},
		{"without blanks", []string{"party", "add", " x"}},
		{"1 to 128 characters", []string{"party", "add", ""}},
		{"1 to 128 characters", []string{"party", "add", strings.Repeat("x", 129)}},
		{`there is no party "Nobody"`, []string{"party", "disable", "Nobody"}},
		{`there is no party "Nobody"`, []string{"party", "key", "add", "Nobody", s.file("merchant.pub")}},
		{`there is no party "Nobody"`, add("Nobody", "--project", "Main", "--gate", "Bank")},
		{`there is no party "Nobody"`, []string{"group", "add", "Nobody", "--endpoint", "1"}},
		{`there is no project "Side"`, add(testLogin, "--project", "Side", "--gate", "Bank")},
		{`there is no gate "Bunk"`, add(testLogin, "--project", "Main", "--gate", "Bank", "--gate", "Bunk")},
		{"gate Bank does not take USD", add(testLogin, "--project", "Main", "--gate", "Bank", "--currency", "USD")},
		{"--currency EURO", add(testLogin, "--project", "Main", "--gate", "Bank", "--currency", "EURO")},
		{"--callback-url: must be an absolute", add(testLogin, "--project", "Main", "--gate", "Bank", "--callback-url", "ftp://x")},
		{"there is no endpoint 2", []string{"endpoint", "brand", "2", "--name", "x"}},
		{"more than 64 characters", []string{"endpoint", "brand", "1", "--name", strings.Repeat("ы", 65)}},
		{"--accent red", []string{"endpoint", "brand", "1", "--accent", "red"}},
		{"--language de", []string{"endpoint", "brand", "1", "--language", "de"}},
		{"is text/plain", []string{"endpoint", "brand", "1", "--logo", text}},
		{"at most 65536", []string{"endpoint", "brand", "1", "--logo", s.write("large.png", append([]byte("\x89PNG\r\n\x1a\n"), make([]byte, 64<<10)...))}},
		{"no such file", []string{"endpoint", "brand", "1", "--logo", s.file("none.png")}},
		{"has no endpoint 2", []string{"group", "add", testLogin, "--endpoint", "2"}},
		{"party Other has no endpoint 1", []string{"group", "add", "Other", "--endpoint", "1"}},
		{"--require account_nome: no command has a Conditional parameter", []string{"gate", "add", "G", "--require", "account_nome"}},
		{"--require amount: no command", []string{"gate", "add", "G", "--require", "amount"}},
		{"--currency XYZ", []string{"gate", "add", "G", "--currency", "XYZ"}},
		{`there is no processor "visa"; there are: simulator`, []string{"gate", "add", "G", "--processor", "visa"}},
		{"--concurrency must be at least 1", []string{"gate", "add", "G", "--concurrency", "0"}},
		{"--concurrency must be at least 1", []string{"gate", "set", "1", "--concurrency", "0"}},
		{"there is no gate 2", []string{"gate", "set", "2", "--concurrency", "1"}},
		{"private key", []string{"party", "key", "add", testLogin, private}},
		{"private key", []string{"party", "add", "New", "--public-key", private}},
		{"1024", []string{"party", "add", "New", "--public-key", small}},
		{"PEM", []string{"party", "add", "New", "--public-key", text}},
		{"no such file", []string{"party", "add", "New", "--public-key", s.file("none.pub")}},
		{"exactly one key", []string{"party", "key", "disable", testLogin, "ffffffffffffffffffffffff"}},
		{"there is no order 1", []string{"order", "show", "1"}},
		{"there is no order 1", []string{"order", "decline", "1"}},
		{"the stages are at_form, checking, held", []string{"order", "list", "--stage", "lost"}},
	} {
		s.fails(1, c.why, c.args...)
	}
	if after := s.everything(); after != before {
		t.Errorf("a refused command changed the set-up:\n%s\nbefore:\n%s", after, before)
	}
}

// everything lists the whole set-up.
func (s site) everything() string {
	s.t.Helper()
	all := ""
	for _, kind := range []string{"party", "project", "gate", "endpoint", "group"} {
		all += s.ok(kind, "list")
	}
	return all
}

func TestListsShowNoControlKey(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	if out := s.ok("party", "add", "Merchant", "--control-key", testControl); strings.Contains(out, testControl) {
		t.Errorf("a control key that was given is printed: %s", out)
	}
	if out := s.everything(); strings.Contains(out, testControl) {
		t.Errorf("the lists show the control key:\n%s", out)
	}
}

func TestKeygenFilesAreRightAndNeverOverwritten(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	name := s.file("keys/m")
	r := execute(t.Context(), "", "keygen", "--bits", "2048", name)
	if r.code != 0 {
		t.Fatalf("exit %d: %s", r.code, r.err)
	}
	for file, mode := range map[string]fs.FileMode{name + ".key": 0o600, name + ".pub": 0o644} {
		info, err := os.Stat(file)
		check(t, err)
		if info.Mode() != mode {
			t.Errorf("%s has mode %v, want %v", file, info.Mode(), mode)
		}
	}
	key, err := readPrivateKey(name + ".key")
	check(t, err)
	public, err := readPublicKey(name + ".pub")
	check(t, err)
	if key.N.BitLen() != 2048 || !key.PublicKey.Equal(public) || !strings.Contains(r.out, sign.Fingerprint(public)) {
		t.Errorf("%d bits; %s", key.N.BitLen(), r.out)
	}
	before, err := os.ReadFile(name + ".key")
	check(t, err)
	for _, missing := range []string{"", ".key", ".pub"} {
		if missing != "" {
			check(t, os.Remove(name+missing))
		}
		if r := execute(t.Context(), "", "keygen", "--bits", "2048", name); r.code != 1 || !strings.Contains(r.err, "exists already") {
			t.Errorf("without %q: exit %d: %s", missing, r.code, r.err)
		}
		if missing == ".key" {
			check(t, os.WriteFile(name+".key", before, 0o600))
		}
	}
	after, err := os.ReadFile(name + ".key")
	check(t, err)
	if string(after) != string(before) {
		t.Error("the private key was overwritten")
	}
	check(t, os.Symlink(s.file("elsewhere"), s.file("link.key")))
	if r := execute(t.Context(), "", "keygen", "--bits", "2048", s.file("link")); r.code != 1 || !strings.Contains(r.err, "exist") {
		t.Errorf("a dangling link: exit %d: %s", r.code, r.err)
	}
	if _, err := os.Lstat(s.file("elsewhere")); err == nil {
		t.Error("the private key was written through a link")
	}
}

const docsURL = "https://sandbox.connpay.com/paynet/api/v4/payout/39915"

func TestSignedRequestVerifiesAndAChangedByteDoesNot(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	private, public := s.privateKey("m.key", testKey()), s.publicKey("m.pub", testKey())
	const body = "client_orderid=1&amount=10.42&currency=EUR&account_number=1234567890"
	sealed := execute(t.Context(), body+"\n", "oauth", "sign", "--url", docsURL, "--login", testLogin, "--private-key", private, "--body", "-", "--base-string")
	if sealed.code != 0 || !strings.HasPrefix(sealed.out, "OAuth ") || !strings.HasPrefix(sealed.err, "POST&https%3A%2F%2Fsandbox") {
		t.Fatalf("oauth sign exits %d: %s%s", sealed.code, sealed.out, sealed.err)
	}
	header := strings.TrimSpace(sealed.out)
	verify := func(stdin, url, header string) result {
		return execute(t.Context(), stdin, "oauth", "verify", "--url", url, "--authorization", header, "--public-key", public, "--body", "-")
	}
	r := verify(body, docsURL, header)
	if r.code != 0 || !strings.Contains(r.out, "verdict       VALID\n") || !strings.Contains(r.out, sign.Fingerprint(&testKey().PublicKey)) ||
		strings.Contains(r.out, "a gateway refuses it") {
		t.Errorf("exit %d: %s%s", r.code, r.out, r.err)
	}
	for what, r := range map[string]result{
		"body":   verify(strings.Replace(body, "10.42", "10.43", 1), docsURL, header),
		"url":    verify(body, docsURL+"6", header),
		"header": verify(body, docsURL, strings.Replace(header, testLogin, "testMerchant", 1)),
	} {
		if r.code != 1 || !strings.Contains(r.out, "verdict       REFUSED\nrule          signature-mismatch: ") ||
			!strings.Contains(r.out, "base string\n  POST&https%3A%2F%2F") || r.err != "" {
			t.Errorf("%s changed: exit %d: %s%s", what, r.code, r.out, r.err)
		}
	}
}

func TestOldTimestampIsReportedButValid(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	private, public := s.privateKey("m.key", testKey()), s.publicKey("m.pub", testKey())
	header := strings.TrimSpace(execute(t.Context(), "", "oauth", "sign", "--url", docsURL, "--login", testLogin, "--private-key", private,
		"--nonce", "n", "--timestamp", "1677831012").out)
	r := execute(t.Context(), "", "oauth", "verify", "--url", docsURL, "--authorization", header, "--public-key", public)
	if r.code != 0 || !strings.Contains(r.out, "2023-03-03T08:10:12Z") || !strings.Contains(r.out, "a gateway refuses it when its window is the usual 5 minutes") ||
		!strings.Contains(r.out, "VALID") {
		t.Errorf("exit %d: %s%s", r.code, r.out, r.err)
	}
}

func TestVectorsOfSignVerifyOnTheCommandLine(t *testing.T) {
	t.Parallel()
	for file, want := range map[string]int{"oauth-accept.json": 0, "oauth-reject.json": 1} {
		text, err := os.ReadFile("../../sign/testdata/" + file)
		check(t, err)
		var vectors []struct{ Name, Key, Method, URL, Body, Authorization string }
		check(t, json.Unmarshal(text, &vectors))
		if len(vectors) < 20 {
			t.Errorf("%s has %d vectors", file, len(vectors))
		}
		for _, v := range vectors {
			r := execute(t.Context(), v.Body, "oauth", "verify", "--method", v.Method, "--url", v.URL, "--body", "-",
				"--authorization", v.Authorization, "--public-key", filepath.Join("../../sign/testdata", v.Key+".pub.spki.pem"))
			if verdict := []string{"VALID", "REFUSED"}[want]; r.code != want || !strings.Contains(r.out, "verdict       "+verdict) {
				t.Errorf("%s exits %d: %s%s", v.Name, r.code, r.out, r.err)
			}
		}
	}
}

func TestControlSumsAreTheDocumentationsAndHideTheKey(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		code int
		want string
		args []string
	}{
		{0, "c52cfb609f20a3677eb280cc4709278ea8f7024c", []string{"status", "--login", "cool_merchant", "--client-orderid", "5624444333322221111110", "--orderid", "9625"}},
		{0, "control  ", []string{"status", "--login", "cool_merchant", "--client-orderid", "1"}},
		{0, sign.CallbackControl("approved", "9625", "1", testControl), []string{"callback", "--status", "approved", "--orderid", "9625", "--client-orderid", "1"}},
		{0, "approved96251 + control key", []string{"callback", "--status", "approved", "--orderid", "9625", "--client-orderid", "1", "--verify", strings.ToUpper(sign.CallbackControl("approved", "9625", "1", testControl))}},
		{1, "the control is WRONG", []string{"callback", "--status", "declined", "--orderid", "9625", "--client-orderid", "1", "--verify", sign.CallbackControl("approved", "9625", "1", testControl)}},
		{0, sign.Control("1", "2", testControl), []string{"sum", "1", "2"}},
	} {
		r := execute(t.Context(), "", append(append([]string{"control"}, c.args...), "--key", testControl)...)
		if r.code != c.code || !strings.Contains(r.out+r.err, c.want) {
			t.Errorf("%q exits %d: %s%s, want %d and %q", c.args, r.code, r.out, r.err, c.code, c.want)
		}
		if strings.Contains(r.out+r.err, testControl) {
			t.Errorf("%q shows the key: %s%s", c.args, r.out, r.err)
		}
	}
}

func TestControlKeyFromTheEnvironmentIsNotInTheHelp(t *testing.T) {
	t.Setenv("PAYOUTD_CONTROL_KEY", testControl)
	for _, args := range [][]string{{"control", "status", "--help"}, {"party", "add", "--help"}, {"control", "status"}, {"control", "status", "--login", "a", "--client-orderid", "b"},
		{"send", "--help"}, {"status", "--help"}, {"listen", "--help"}, {"verify-callback", "--help"}, {"verify-callback", "status=approved&orderid=1&client_orderid=2&control=3"},
		{"send", "sale", "--example", "--dry-run"}, {"send", "sale", "--example", "--dry-run", "--json"}, {"status", "a", "--by-control", "--url", "http://127.0.0.1:1/paynet"},
		{"listen", "--listen", "nowhere"}} {
		if r := execute(t.Context(), "", args...); strings.Contains(r.out+r.err, testControl) {
			t.Errorf("%q shows the key: %s%s", args, r.out, r.err)
		}
	}
}

func TestMasterKeyReadableByOthersIsRefused(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.ok("project", "add", "Main")
	for _, mode := range []fs.FileMode{0o640, 0o604, 0o644} {
		check(t, os.Chmod(s.keyFile(), mode))
		s.fails(1, fmt.Sprintf("can be read by others (mode %04o): run chmod 600 on it", mode), "project", "list")
		s.fails(1, "run chmod 600 on it", "serve", "--listen", "127.0.0.1:0")
	}
	check(t, os.Chmod(s.keyFile(), 0o600))
	s.has(s.ok("project", "list"), "1 Main on")
}

func TestLostOrWrongMasterKeyIsTold(t *testing.T) {
	t.Parallel()
	s, other := newSite(t), newSite(t)
	s.merchant()
	other.merchant()
	check(t, os.Rename(s.keyFile(), s.file("lost.key")))
	for _, args := range [][]string{{"party", "list"}, {"migrate"}, {"serve", "--listen", "127.0.0.1:0"}} {
		s.fails(1, "there is no master key file "+s.keyFile(), args...)
	}
	check(t, os.Rename(other.keyFile(), s.keyFile()))
	s.fails(1, "wrong master key", "party", "list")
	check(t, os.Rename(s.file("lost.key"), s.keyFile()))
	s.ok("party", "list")
}

func TestDemoOfCardsDepositsToACardInThreeSteps(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	r := execute(t.Context(), "", "demo", "--once", "cards", "--dir", s.dir, "--listen", "127.0.0.1:0")
	if r.code != 0 || !strings.HasSuffix(r.out, "\nThe transfer to the card is approved and its callback is verified.\n") {
		t.Fatalf("the demo exits %d: %s%s", r.code, r.out, r.err)
	}
	s.has(s.ok("card", "list", gateway.SandboxLogin), `444455\*{6}1111`)
	s.has(s.ok("order", "list"), "transfer_approved 250.00 USD", "sale_approved 10.42 USD")
}

// The demo makes the orders that the order commands then show.
func TestDemoOfTheFormIsPaid(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	r := execute(t.Context(), "", "demo", "--once", "form", "--dir", s.dir, "--listen", "127.0.0.1:0")
	if r.code != 0 || !strings.Contains(r.out, "type=async-form-response") || !strings.Contains(r.out, "its callback is verified") {
		t.Errorf("exit code %d:\n%s%s", r.code, r.out, r.err)
	}
}

// What is named changes, what is not stays, and the empty value takes it away.
func TestBrandOfAnEndpointIsChanged(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.merchant()
	s.ok("gate", "add", "Bank")
	s.ok("endpoint", "add", testLogin, "--project", "Main", "--gate", "Bank")
	logo := s.write("logo.png", []byte("\x89PNG\r\n\x1a\n"))
	for _, step := range []struct {
		args []string
		want string
	}{
		{[]string{"--name", "Northwind", "--accent", "#0f766e"}, `endpoint 1: name "Northwind", accent "#0f766e", language "", logo of 0 bytes`},
		{[]string{"--logo", logo, "--language", "ru"}, `endpoint 1: name "Northwind", accent "#0f766e", language "ru", logo of 8 bytes`},
		{[]string{"--logo", "", "--name", ""}, `endpoint 1: name "", accent "#0f766e", language "ru", logo of 0 bytes`},
	} {
		if out := s.ok(append([]string{"endpoint", "brand", "1"}, step.args...)...); !strings.Contains(out, step.want) {
			t.Errorf("%v: %s", step.args, out)
		}
	}
}

// What is named changes, what is not stays.
func TestAGateIsChanged(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.ok("gate", "add", "Bank", "--currency", "EUR", "--descriptor", "NORTHWIND")
	for _, step := range []struct {
		args []string
		want string
	}{
		{[]string{"--concurrency", "1"}, `gate 1: concurrency 1, descriptor "NORTHWIND"`},
		{[]string{"--descriptor", "SOUTHWIND"}, `gate 1: concurrency 1, descriptor "SOUTHWIND"`},
		{[]string{"--descriptor", "", "--concurrency", "64"}, `gate 1: concurrency 64, descriptor ""`},
	} {
		if out := s.ok(append([]string{"gate", "set", "1"}, step.args...)...); !strings.Contains(out, step.want) {
			t.Errorf("%v: %s", step.args, out)
		}
	}
	s.has(s.ok("gate", "list"), `1 Bank simulator \[EUR\] 64 on`)
	s.fails(exitUsage, "name --concurrency or --descriptor", "gate", "set", "1")
}

func TestDemoPaysAndItsOrdersAreShownMasked(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	for _, when := range []string{"first", "second"} {
		r := execute(t.Context(), "", "demo", "payout", "--once", "--dir", s.dir, "--listen", "127.0.0.1:0")
		if r.code != 0 || !strings.HasSuffix(r.out, "\nThe order is approved and its callback is verified.\n") {
			t.Fatalf("the %s demo exits %d: %s%s", when, r.code, r.out, r.err)
		}
	}
	if parties := s.ok("party", "list"); strings.Count(parties, gateway.SandboxLogin) != 1 {
		t.Errorf("the second demo did not use the first one's party:\n%s", parties)
	}
	const account = "1234567890"
	list := s.ok("order", "list", "--limit", "10")
	ids := regexp.MustCompile(`(?m)^\d+`).FindAllString(list, -1)
	if len(ids) != 2 {
		t.Fatalf("2 demos made the orders\n%s", list)
	}
	s.has(list, ids[0]+` .* payout_approved 10.42 USD \*\*\*\*\*\*7890 TestMerchant "demo-`)
	show, asJSON := s.ok("order", "show", ids[0]), s.ok("order", "show", ids[0], "--json", "--time-zone", "Europe/Moscow")
	s.has(show, "order "+ids[0]+" payout_approved 10.42 USD to", "starting -> sending by send", "sending -> approved by approve", "delivered attempts 1 next -", "HTTP 200")
	for what, text := range map[string]string{"list": list, "show": show, "show --json": asJSON, "list --stage": s.ok("order", "list", "--stage", "approved")} {
		if strings.Contains(text, account) || strings.Contains(text, "/callback") {
			t.Errorf("order %s tells the account number or the callback URL:\n%s", what, text)
		}
	}
	var history historyView
	check(t, json.Unmarshal([]byte(asJSON), &history))
	if history.Order.Status != "approved" || len(history.Requests) != 1 || len(history.Transactions) != 1 || len(history.Callbacks) != 1 || len(history.Callbacks[0].Attempts) != 1 {
		t.Errorf("%s", asJSON)
	}
	if found := s.ok("order", "list", "--receiver", account); found != list {
		t.Errorf("orders to the account:\n%s\nwant\n%s", found, list)
	}
	if found := s.ok("order", "list", "--receiver", account+"1") + s.ok("order", "list", "--stage", "doubtful"); found != "" {
		t.Errorf("orders to another account, or doubtful ones:\n%s", found)
	}
	s.fails(1, "it has ended already: approved", "order", "decline", ids[0])
	log, err := os.ReadFile(s.file("payoutd.log"))
	check(t, err)
	if strings.Contains(string(log), account) {
		t.Error("the log tells the account number")
	}
}

// A key that is lost is replaced by another, which the merchant has besides.
func TestDemoWhoseKeyIsLostMakesAnother(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	for range 2 {
		r := execute(t.Context(), "", "demo", "payout", "--once", "--dir", s.dir, "--listen", "127.0.0.1:0")
		if r.code != 0 {
			t.Fatalf("exit %d: %s%s", r.code, r.out, r.err)
		}
		check(t, os.Remove(s.file("TestMerchant.key")))
		check(t, os.Remove(s.file("TestMerchant.pub")))
	}
	if keys := strings.Count(s.ok("party", "list"), "4096 bits"); keys != 2 {
		t.Errorf("the merchant has %d keys", keys)
	}
}

// The README's commands run as they are written, up to serve, which is parsed.
func TestReadmeSetUpWorks(t *testing.T) {
	text, err := os.ReadFile("../../README.md")
	check(t, err)
	_, section, found := strings.Cut(string(text), "\n## Set it up for real\n")
	_, section, opened := strings.Cut(section, "\n```\n")
	block, _, closed := strings.Cut(section, "\n```\n")
	if !found || !opened || !closed {
		t.Fatal("README.md has no block of commands under \"Set it up for real\"")
	}
	t.Chdir(t.TempDir())
	ran := 0
	for line := range strings.Lines(block) {
		line, _, _ = strings.Cut(line, " #")
		words := strings.Fields(line)
		if len(words) < 2 || words[0] != "payoutd" {
			t.Fatalf("README.md has the line %q", line)
		}
		ran++
		if words[1] == "serve" {
			_, err := kong.Must(new(cli), kong.Name("payoutd")).Parse(words[1:])
			check(t, err)
			continue
		}
		if r := execute(t.Context(), "", words[1:]...); r.code != 0 || r.err != "" {
			t.Fatalf("%s\nexits %d: %s%s", line, r.code, r.out, r.err)
		}
	}
	if r := execute(t.Context(), "", "endpoint", "list"); ran != 6 || !strings.Contains(r.out, "Merchant") {
		t.Errorf("after %d commands:\n%s%s", ran, r.out, r.err)
	}
}
