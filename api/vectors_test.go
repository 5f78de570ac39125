package api_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"strings"
	"testing"

	"payout"
	"payout/sign"
	"payout/storage"
)

// A vector is a request signed by other programs; see sign/testdata.
type vector struct {
	Name, Key, Method, URL, Body, Authorization string
	ContentType                                 string `json:"content_type"`
}

func readVectors(t *testing.T, name string) []vector {
	t.Helper()
	text, err := os.ReadFile("../sign/testdata/" + name)
	check(t, err)
	var vectors []vector
	check(t, json.Unmarshal(text, &vectors))
	if len(vectors) == 0 {
		t.Fatal("no vectors in " + name)
	}
	return vectors
}

// vectorSandbox is a sandbox whose parties all have the vector's key, and whose
// clients see the vector's scheme and host. It takes timestamps of any time.
func vectorSandbox(t *testing.T, v vector) *sandbox {
	t.Helper()
	s := newSandbox(t)
	s.TimestampWindow = 0
	scheme, rest, _ := strings.Cut(v.URL, "://")
	authority, _, _ := strings.Cut(rest, "/")
	s.PublicURL = scheme + "://" + authority
	text, err := os.ReadFile("../sign/testdata/" + v.Key + ".pub.spki.pem")
	check(t, err)
	public, err := sign.ParsePublicKey(text)
	check(t, err)
	check(t, s.Gateway.DB.Transact(t.Context(), s.now, func(tx *storage.Tx) error {
		const special = "Test Merchant+1/é" // of the vector consumer-key-special
		id, err := tx.AddParty(payout.ConnectingParty{Login: special, Name: special, ControlKey: controlKey, Enabled: true})
		check(t, err)
		for _, id := range []payout.PartyID{id, s.Gateway.Directory().PartyByLogin(login).ID, s.Gateway.Directory().PartyByLogin(otherLogin).ID} {
			check(t, tx.AddPartyKey(id, payout.PartyKey{Fingerprint: sign.Fingerprint(public), Public: public, Enabled: true}))
		}
		return nil
	}))
	check(t, s.Gateway.Reload(t.Context()))
	return s
}

// sendVector has a vector answered by a handler behind a proxy: the connection's
// own host is another one than the client signed.
func (s *sandbox) sendVector(v vector) *http.Response {
	s.t.Helper()
	u, err := url.Parse(v.URL)
	check(s.t, err)
	r := httptest.NewRequest(v.Method, u.RequestURI(), strings.NewReader(v.Body))
	r.Host = "10.0.0.7:8080"
	r.Header.Set("Content-Type", v.ContentType)
	if v.Authorization != "" {
		r.Header.Set("Authorization", v.Authorization)
	}
	w := httptest.NewRecorder()
	s.ServeHTTP(w, r)
	return w.Result()
}

func TestAcceptVectorsAreAuthentic(t *testing.T) {
	answers := map[string]string{ // the error-code of what is authentic, but not acceptable; the others make an order
		"09-duplicate-keys":             "5",   // purpose
		"17-query-string":               "6",   // account_number in the URL
		"21-consumer-key-special":       "301", // somebody else's endpoint
		"24-no-body":                    "1",
		"25-status-v4":                  "303",
		"27-body-lower-hex-overencoded": "1",
	}
	for _, v := range readVectors(t, "oauth-accept.json") {
		t.Run(v.Name, func(t *testing.T) {
			s := vectorSandbox(t, v)
			reply := s.sendVector(v)
			body := read(t, reply)
			if reply.StatusCode != http.StatusOK || field(body, "error-code") != answers[v.Name] {
				t.Fatalf("answered %d %s (log: %v), want code %q", reply.StatusCode, body, s.logged(), answers[v.Name])
			}
			if reply := s.sendVector(v); reply.StatusCode != http.StatusForbidden {
				t.Errorf("sent again: answered %d %s, want 403: the nonce was used", reply.StatusCode, read(t, reply))
			}
		})
	}
}

func TestRejectVectorsAreDenied(t *testing.T) {
	for _, v := range readVectors(t, "oauth-reject.json") {
		t.Run(v.Name, func(t *testing.T) { wantVectorDenied(t, v) })
	}
}

func wantVectorDenied(t *testing.T, v vector) {
	t.Helper()
	s := vectorSandbox(t, v)
	if reply := s.sendVector(v); reply.StatusCode != http.StatusForbidden {
		t.Errorf("answered %d %s, want 403", reply.StatusCode, read(t, reply))
	}
	reason := fmt.Sprint(s.logged()["reason"])
	if strings.Contains(reason, "nonce was used") || strings.Contains(reason, "no party") || strings.Contains(reason, "timestamp") {
		t.Errorf("denied for the wrong reason: %s", reason)
	}
	if n := s.orders(); n != 0 {
		t.Errorf("%d orders, want none", n)
	}
}

func TestCompatVectorsAreJudgedAsDivergencesSays(t *testing.T) {
	vectors := readVectors(t, "oauth-compat.json")
	t.Run(vectors[0].Name, func(t *testing.T) {
		s := vectorSandbox(t, vectors[0])
		if body := read(t, s.sendVector(vectors[0])); field(body, "type") != "async-response" {
			t.Errorf("answered %s (log: %v), want it accepted", body, s.logged())
		}
	})
	t.Run(vectors[1].Name, func(t *testing.T) { wantVectorDenied(t, vectors[1]) })
}
