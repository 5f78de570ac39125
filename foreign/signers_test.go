package foreign

import (
	"bytes"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/dghubble/oauth1"

	"payout/server/servertest"
)

// A signer sends one signed request and returns the HTTP status and the body.
type signer struct {
	name string
	send func(t *testing.T, url, login string, key *rsa.PrivateKey, form [][2]string) (code int, body string)
}

// signers are libraries that others wrote: each has its own idea of the base
// string, and none knows of this gateway.
var signers = []signer{
	{"requests-oauthlib", byRequestsOAuthlib},
	{"newman", byNewman},
	{"dghubble-oauth1", byDghubble},
}

// answered reads what a program printed of an answer.
func answered(t *testing.T, program *exec.Cmd) (code int, body string) {
	t.Helper()
	var problems bytes.Buffer
	program.Stderr = &problems
	output, err := program.Output()
	if err != nil {
		t.Fatalf("%v: %s", err, problems.String())
	}
	var answer struct {
		Code int    `json:"code"`
		Body string `json:"body"`
	}
	check(t, json.Unmarshal(output, &answer))
	return answer.Code, answer.Body
}

// python finds a Python that has requests-oauthlib.
func python(t *testing.T) string {
	t.Helper()
	for _, program := range []string{"/usr/bin/python3", "python3"} { // the first is Debian's, whatever else is in the path
		if exec.CommandContext(t.Context(), program, "-c", "import requests_oauthlib, jwt, cryptography").Run() == nil {
			return program
		}
	}
	if os.Getenv("PAYOUTD_TEST_PYTHON_REQUIRED") != "" {
		t.Fatal("no Python has requests-oauthlib")
	}
	t.Skip("no Python has requests-oauthlib: install Debian's package python3-requests-oauthlib, or run make test, which does")
	return ""
}

func byRequestsOAuthlib(t *testing.T, url, login string, key *rsa.PrivateKey, form [][2]string) (code int, body string) {
	order, err := json.Marshal(map[string]any{"url": url, "login": login, "key": servertest.PEM(t, key), "form": form})
	check(t, err)
	program := exec.CommandContext(t.Context(), python(t), "pay.py")
	program.Stdin = bytes.NewReader(order)
	return answered(t, program)
}

const npm = "../tools/npm" // make test installs newman there

func byNewman(t *testing.T, url, login string, key *rsa.PrivateKey, form [][2]string) (code int, body string) {
	if _, err := os.Stat(filepath.Join(npm, "node_modules", "newman")); err != nil {
		if os.Getenv("PAYOUTD_TEST_NPM_REQUIRED") != "" {
			t.Fatal(err)
		}
		t.Skip("newman is not installed: run npm ci in tools/npm, or make test, which does")
	}
	type setting struct {
		Key   string `json:"key"`
		Value any    `json:"value"`
	}
	fields := []setting{}
	for _, pair := range form {
		fields = append(fields, setting{pair[0], pair[1]})
	}
	auth := map[string]any{"type": "oauth1", "oauth1": []setting{{"signatureMethod", "RSA-SHA256"}, {"consumerKey", login}, {"privateKey", servertest.PEM(t, key)},
		{"version", "1.0"}, {"addParamsToHeader", true}}}
	collection, err := json.Marshal(map[string]any{
		"info": map[string]any{"name": "foreign", "schema": "https://schema.getpostman.com/json/collection/v2.1.0/collection.json"},
		"item": []any{map[string]any{"name": "one", "request": map[string]any{"method": "POST", "url": url, "auth": auth,
			"body": map[string]any{"mode": "urlencoded", "urlencoded": fields}}}}})
	check(t, err)
	dir := t.TempDir()
	check(t, os.WriteFile(filepath.Join(dir, "collection.json"), collection, 0o600))
	check(t, os.WriteFile(filepath.Join(dir, "environment.json"), []byte(`{"name":"none","values":[]}`), 0o600))
	program := exec.CommandContext(t.Context(), "node", filepath.Join(npm, "newman.mjs"), filepath.Join(dir, "environment.json"), filepath.Join(dir, "collection.json"))
	output, err := program.Output()
	check(t, err)
	var run struct {
		Requests []struct {
			Code int    `json:"code"`
			Body string `json:"body"`
		} `json:"requests"`
	}
	check(t, json.Unmarshal(output, &run))
	if len(run.Requests) != 1 {
		t.Fatalf("%d requests", len(run.Requests))
	}
	return run.Requests[0].Code, run.Requests[0].Body
}

// A rsaSHA256 signs what the library has made into a base string: the library has
// only RSA-SHA1 of its own.
type rsaSHA256 struct{ key *rsa.PrivateKey }

// Name is the oauth_signature_method.
func (rsaSHA256) Name() string { return "RSA-SHA256" }

// Sign signs a base string.
func (s rsaSHA256) Sign(_, message string) (string, error) {
	digest := sha256.Sum256([]byte(message))
	signature, err := rsa.SignPKCS1v15(rand.Reader, s.key, crypto.SHA256, digest[:])
	return base64.StdEncoding.EncodeToString(signature), err
}

func byDghubble(t *testing.T, address, login string, key *rsa.PrivateKey, form [][2]string) (code int, body string) {
	config := &oauth1.Config{ConsumerKey: login, Signer: rsaSHA256{key}}
	values := url.Values{}
	for _, pair := range form {
		values.Add(pair[0], pair[1])
	}
	reply, err := config.Client(t.Context(), oauth1.NewToken("", "")).PostForm(address, values)
	check(t, err)
	text, err := io.ReadAll(reply.Body)
	check(t, err)
	check(t, reply.Body.Close())
	if reply.StatusCode == http.StatusNotFound {
		t.Fatalf("nothing answers at %s", address)
	}
	return reply.StatusCode, string(text)
}
