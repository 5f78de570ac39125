package openapi

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"payout/spec"
)

const npm = "../tools/npm" // the tools that make test installs

// tool runs a program of tools/npm by Node.js and returns what it printed.
func tool(t *testing.T, file string, args ...string) (string, error) {
	t.Helper()
	if _, err := os.Stat(filepath.Join(npm, "node_modules", "typescript")); err != nil {
		if os.Getenv("PAYOUTD_TEST_NPM_REQUIRED") != "" {
			t.Fatal(err)
		}
		t.Skip("the packages of tools/npm are not installed: run npm ci there, or make test, which does")
	}
	program, err := filepath.Abs(filepath.Join(npm, file))
	check(t, err)
	c := exec.CommandContext(t.Context(), "node", append([]string{program}, args...)...)
	c.Dir = t.TempDir()
	c.Env = append(os.Environ(), "REDOCLY_TELEMETRY=off", "REDOCLY_SUPPRESS_UPDATE_NOTICE=true", "NO_COLOR=1")
	output, err := c.CombinedOutput()
	return string(output), err
}

// save writes a document into a file.
func save(t *testing.T, document []byte) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "openapi.json")
	check(t, os.WriteFile(file, document, 0o600))
	return file
}

// A verdict is what the validator says of one document.
type verdict struct {
	Examples int               `json:"examples"`
	Faults   []json.RawMessage `json:"faults"`
}

// verdicts has documents checked.
func verdicts(t *testing.T, documents ...[]byte) []verdict {
	t.Helper()
	var files []string
	for _, document := range documents {
		files = append(files, save(t, document))
	}
	output, err := tool(t, "openapi.mjs", files...)
	if err != nil {
		t.Fatalf("%v:\n%s", err, output)
	}
	var all []verdict
	for line := range strings.Lines(output) {
		var v verdict
		check(t, json.Unmarshal([]byte(line), &v))
		all = append(all, v)
	}
	if len(all) != len(documents) {
		t.Fatalf("%d verdicts on %d documents:\n%s", len(all), len(documents), output)
	}
	return all
}

func TestTheDocumentIsValidAndItsExamplesFitTheirSchemas(t *testing.T) {
	for _, v := range verdicts(t, document(t, spec.Commands, "en"), document(t, spec.Commands, "ru")) {
		for _, fault := range v.Faults {
			t.Errorf("%s", fault)
		}
		if v.Examples < 400 {
			t.Errorf("only %d examples", v.Examples)
		}
	}
}

func TestTheValidatorFindsPlantedFaults(t *testing.T) {
	good := document(t, spec.Commands, "en")
	faults := [][3]string{
		{"an amount that is none", `"example":{"client_orderid":"902B4FF5","amount":"10.42"`, `"example":{"client_orderid":"902B4FF5","amount":"ten"`},
		{"a required parameter less", `"example":{"client_orderid":"902B4FF5","amount":"10.42"`, `"example":{"amount":"10.42"`},
		{"two that exclude each other", `"account_number":"1234567890"`, `"account_number":"1234567890","credit_card_number":"4444555566661111"`},
		{"a form without line feeds", `type=async-response\n&`, `type=async-response&`},
		{"a sample that is too long", `"maxLength":18`, `"maxLength":3`},
		{"a code that is no number", `"error-code":1`, `"error-code":"1"`},
		{"a wrong type of reply", `{"type":"async-response"`, `{"type":"async"`},
		{"a document without information", `"info":`, `"information":`},
		{"a parameter without a place", `"in":"query"`, `"in":"nowhere"`},
	}
	var planted [][]byte
	for _, f := range faults {
		bad := bytes.Replace(good, []byte(f[1]), []byte(f[2]), 1)
		if bytes.Equal(good, bad) {
			t.Errorf("%s: there is no %s", f[0], f[1])
		}
		planted = append(planted, bad)
	}
	for i, v := range verdicts(t, planted...) {
		if len(v.Faults) == 0 {
			t.Errorf("%s is not found", faults[i][0])
		}
	}
}

func TestTheLinterHasNothingToSay(t *testing.T) {
	rules, err := filepath.Abs(filepath.Join(npm, "redocly.yaml"))
	check(t, err)
	if output, err := tool(t, "node_modules/@redocly/cli/bin/cli.js", "lint", "--config", rules, save(t, document(t, spec.Commands, "en"))); err != nil {
		t.Errorf("%v:\n%s", err, output)
	}
}

// TestAnotherToolMakesAClientThatCompiles: the generator and the compiler are
// other houses'.
func TestAnotherToolMakesAClientThatCompiles(t *testing.T) {
	dir := t.TempDir()
	client := filepath.Join(dir, "client")
	output, err := tool(t, "node_modules/@hey-api/openapi-ts/bin/run.js", "-i", save(t, document(t, spec.Commands, "en")), "-o", client, "--no-log-file")
	if err != nil {
		t.Fatalf("%v:\n%s", err, output)
	}
	right := `import { v4Payout, v2Status, type AsyncResponse, type Refusal } from "./client";
const { data, error } = await v4Payout({ path: { endpointId: 39915 }, body: { client_orderid: "902B4FF5", amount: "10.42", currency: "USD" } });
const reply: AsyncResponse | string | undefined = data;
const refusal: Refusal | string | undefined = error;
await v2Status({ path: { endpointId: 39915 }, body: { login: "TestMerchant", client_orderid: "902B4FF5", control: "0" } });
export { reply, refusal };
`
	wrong := [][2]string{{`client_orderid: "902B4FF5", amount`, `amount`}, {`"USD"`, `"XXX"`}, {`endpointId: 39915`, `endpoint: 39915`}}
	options := []string{"--noEmit", "--strict", "--target", "es2022", "--module", "esnext", "--moduleResolution", "bundler", "--lib", "es2023,dom,dom.iterable"}
	programs := []string{right}
	for _, w := range wrong {
		programs = append(programs, strings.Replace(right, w[0], w[1], 1))
	}
	for i, program := range programs {
		file := filepath.Join(dir, fmt.Sprintf("program%d.ts", i))
		check(t, os.WriteFile(file, []byte(program), 0o600))
		options = append(options, file)
	}
	output, _ = tool(t, "node_modules/typescript/bin/tsc", options...) // it fails, for what is wrong
	if strings.Contains(output, "client/") || strings.Contains(output, "program0.ts") {
		t.Errorf("the client does not compile:\n%s", output)
	}
	for i, w := range wrong {
		if !strings.Contains(output, fmt.Sprintf("program%d.ts", i+1)) {
			t.Errorf("the compiler accepts %s for %s:\n%s", w[1], w[0], output)
		}
	}
}
