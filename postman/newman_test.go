package postman_test

import (
	"crypto/rsa"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"payout"
	"payout/gateway"
	"payout/postman"
	"payout/server/servertest"
	"payout/spec"
)

const npm = "../tools/npm" // make test installs newman there

// A run is what newman tells of one collection.
type run struct {
	Requests []struct {
		Name       string   `json:"name"`
		Code       int      `json:"code"` // the HTTP status; 0: no answer
		Body       string   `json:"body"`
		Assertions []string `json:"assertions"`
	} `json:"requests"`
	Failures []string `json:"failures"`
}

// newman runs collections, one after the other, with the values of variables.
func newman(t *testing.T, values map[string]string, collections ...[]byte) []run {
	t.Helper()
	if _, err := os.Stat(filepath.Join(npm, "node_modules", "newman")); err != nil {
		if os.Getenv("PAYOUTD_TEST_NPM_REQUIRED") != "" {
			t.Fatal(err)
		}
		t.Skip("newman is not installed: run npm ci in tools/npm, or make test, which does")
	}
	dir := t.TempDir()
	write := func(name string, content []byte) string {
		file := filepath.Join(dir, name)
		check(t, os.WriteFile(file, content, 0o600))
		return file
	}
	type value struct {
		Key   string `json:"key"`
		Value string `json:"value"`
	}
	list := []value{}
	for key, v := range values {
		list = append(list, value{key, v})
	}
	environment, err := json.Marshal(map[string]any{"name": "test", "values": list})
	check(t, err)
	args := []string{filepath.Join(npm, "newman.mjs"), write("environment.json", environment)}
	for i, c := range collections {
		args = append(args, write(fmt.Sprintf("collection%d.json", i), c))
	}
	var problems strings.Builder
	node := exec.CommandContext(t.Context(), "node", args...)
	node.Stderr = &problems
	output, err := node.Output()
	if err != nil {
		t.Fatalf("%v: %s", err, problems.String())
	}
	var runs []run
	for line := range strings.Lines(string(output)) {
		var r run
		check(t, json.Unmarshal([]byte(line), &r))
		runs = append(runs, r)
	}
	if len(runs) != len(collections) {
		t.Fatalf("%d runs of %d collections", len(runs), len(collections))
	}
	return runs
}

// green wants a run with as many requests, all answered, and no failed assertion.
func (r run) green(t *testing.T, requestsMin int) {
	t.Helper()
	for _, failure := range r.Failures {
		t.Error(failure)
	}
	if len(r.Requests) < requestsMin {
		t.Errorf("only %d requests, at least %d expected", len(r.Requests), requestsMin)
	}
	last := make(map[string]int) // assertions of the last request of a name: those before it asked too early
	for _, q := range r.Requests {
		last[q.Name] = len(q.Assertions)
		if q.Code != http.StatusOK && !strings.Contains(q.Name, ": a wrong ") {
			t.Errorf("%s: HTTP %d", q.Name, q.Code)
		}
	}
	for name, n := range last {
		if n == 0 {
			t.Errorf("%s: nothing is asserted", name)
		}
	}
}

// served reads a collection as the gateway's documentation serves it.
func served(t *testing.T, s servertest.Sandbox, path string) []byte {
	t.Helper()
	reply, err := http.Get(s.Origin + "/docs/" + path)
	check(t, err)
	collection, err := io.ReadAll(reply.Body)
	check(t, err)
	check(t, reply.Body.Close())
	if reply.StatusCode != http.StatusOK {
		t.Fatalf("%s: %s", path, reply.Status)
	}
	return collection
}

func install(s servertest.Sandbox) postman.Install {
	return postman.Install{PublicURL: s.Origin, ContextPath: "/paynet", Login: s.Login, Endpoint: gateway.SandboxEndpoint, Group: gateway.SandboxGroup,
		ControlKey: s.ControlKey}
}

// signer are the variables of the merchant who has a key.
func signer(t *testing.T, key *rsa.PrivateKey) map[string]string {
	return map[string]string{"privateKey": servertest.PEM(t, key), "pollSeconds": "0.1"}
}

func TestTheCollectionRunsGreen(t *testing.T) {
	s := servertest.Start(t)
	collection := served(t, s, "postman.json")
	orders := 0
	for _, c := range spec.Commands {
		if c.Reaches != "" {
			orders++
		}
	}
	for _, target := range []string{"{{endpoint}}", "group/{{group}}"} {
		t.Run(target, func(t *testing.T) {
			values := signer(t, s.Key)
			values["target"] = target
			newman(t, values, collection)[0].green(t, len(spec.Commands)+orders+2)
		})
	}
}

func TestEachCommandsCollectionRunsGreen(t *testing.T) {
	s := servertest.Start(t)
	var collections [][]byte
	for _, c := range spec.Commands {
		collections = append(collections, served(t, s, "postman/"+strings.ReplaceAll(c.Path(), "/", "-")+".json"))
	}
	for i, r := range newman(t, signer(t, s.Key), collections...) {
		t.Run(spec.Commands[i].Path(), func(t *testing.T) {
			r.green(t, 1)
			if last := r.Requests[len(r.Requests)-1].Name; !strings.HasPrefix(last, spec.Commands[i].Path()) {
				t.Errorf("it ends with %s", last)
			}
		})
	}
}

func TestAnotherKeyIsDenied(t *testing.T) {
	s := servertest.Start(t)
	collection, err := postman.Collection(spec.Commands, install(s))
	check(t, err)
	signed := 0
	r := newman(t, signer(t, servertest.NewKey(t)), collection)[0]
	for _, q := range r.Requests {
		if strings.HasPrefix(q.Name, "v4/") {
			signed++
			if q.Code != http.StatusForbidden {
				t.Errorf("%s: HTTP %d", q.Name, q.Code)
			}
		}
	}
	if signed < 10 || len(r.Failures) < 10 {
		t.Errorf("%d signed requests, %d failures", signed, len(r.Failures))
	}
}

func TestControlSumsHaveTheDecimalsOfTheCurrency(t *testing.T) {
	s := servertest.Start(t)
	sale, err := postman.Single(spec.Sale, spec.Commands, install(s))
	check(t, err)
	with := func(amount, currency string) []byte {
		text := sale
		for name, value := range map[string]string{"amount": amount, "currency": currency} {
			pair := regexp.MustCompile(`("key":"` + name + `",\s*"value":\s*)"[^"]+"`)
			if !pair.Match(text) {
				t.Fatalf("there is no %s", name)
			}
			text = pair.ReplaceAll(text, []byte(`${1}"`+value+`"`))
		}
		return text
	}
	amounts := [][2]string{{"10.4", "USD"}, {"0.05", "EUR"}, {"007", "USD"}, {"1042", "JPY"}, {"10.421", "KWD"}, {"10", "KWD"}}
	var collections [][]byte
	for _, a := range amounts {
		collections = append(collections, with(a[0], a[1]))
	}
	for i, r := range newman(t, signer(t, s.Key), collections...) {
		t.Run(amounts[i][0]+" "+amounts[i][1], func(t *testing.T) { r.green(t, 2) })
	}
}

func TestAWrongControlKeyIsRefused(t *testing.T) {
	s := servertest.Start(t)
	s.ControlKey = "00000000-0000-4000-8000-000000000000"
	collection, err := postman.Single(spec.Sale, spec.Commands, install(s))
	check(t, err)
	if r := newman(t, nil, collection)[0]; r.Requests[0].Code != payout.CodeControl.Row().HTTP || len(r.Failures) == 0 {
		t.Errorf("HTTP %d, %d failures", r.Requests[0].Code, len(r.Failures))
	}
}
