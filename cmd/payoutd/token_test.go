package main

import (
	"encoding/json"
	"regexp"
	"strings"
	"testing"
)

func TestTokensArePrintedOnceListedAndRevoked(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.merchant()
	made := s.ok("party", "token", testLogin, "--for", "Ann", "--days", "7", "--public-url", "https://gate.example.com/")
	token := regexp.MustCompile(`panel_[A-Z2-7]{40}`).FindString(made)
	if token == "" || !strings.Contains(made, "address  https://gate.example.com/panel/\n") || strings.Contains(made, "panel/?") {
		t.Fatalf("%s", made)
	}
	s.ok("party", "token", "add", testLogin)
	list := s.ok("party", "token", "list", testLogin)
	s.has(list, "1 Ann good", "2 "+testLogin+" good .* never")
	if strings.Contains(list, token) {
		t.Error("the list has a token")
	}
	if out := s.ok("party", "token", "revoke", testLogin, "1"); out != "token 1 is revoked\n" {
		t.Errorf("%q", out)
	}
	var views []tokenView
	if err := json.Unmarshal([]byte(s.ok("party", "token", "list", testLogin, "--json")), &views); err != nil || len(views) != 2 ||
		views[0].State != "revoked" || views[1].State != "good" || views[1].ExpiresAt.Sub(views[1].CreatedAt).Hours() != 30*24 {
		t.Errorf("%+v, %v", views, err)
	}
	for why, args := range map[string][]string{"has no token 1": {"revoke", testLogin, "1"}, "has no token 9": {"revoke", testLogin, "9"},
		"there is no party": {"list", "Nobody"}, "there is no party \"Nobody\"": {"add", "Nobody"}, "must be 1 to 366": {"add", testLogin, "--days", "0"},
		"--days must be 1 to 366": {"add", testLogin, "--days", "367"}, "at most 128": {"add", testLogin, "--for", strings.Repeat("a", 129)}} {
		s.fails(1, why, append([]string{"party", "token"}, args...)...)
	}
}
