package main

import (
	"errors"
	"io"
	"net/http"
	"path"
	"strings"

	"payout/sign"
	"payout/spec"
)

// A recorder keeps the last request that a client has sent, and the status of its
// answer. A dry one sends nothing.
type recorder struct {
	dry     bool
	request *http.Request
	body    string
	status  int
}

var errDry = errors.New("nothing is sent")

// RoundTrip sends the request, or keeps it only.
func (r *recorder) RoundTrip(request *http.Request) (*http.Response, error) {
	body, err := request.GetBody()
	if err != nil {
		return nil, err
	}
	text, err := io.ReadAll(body)
	if err != nil {
		return nil, err
	}
	r.request, r.body, r.status = request, string(text), 0
	if r.dry {
		return nil, errDry
	}
	response, err := http.DefaultTransport.RoundTrip(request)
	if err == nil {
		r.status = response.StatusCode
	}
	return response, err
}

// A preparedView is a request that is not sent.
type preparedView struct {
	Command       string            `json:"command"`
	Method        string            `json:"method"`
	URL           string            `json:"url"`
	Headers       map[string]string `json:"headers"`
	Body          string            `json:"body"`
	BaseString    string            `json:"base_string,omitempty" doc:"what is signed"`
	ControlString string            `json:"control_string,omitempty" doc:"what the control sum is made of, before the control key"`
	Curl          string            `json:"curl" doc:"the same as a command of a shell"`
}

// printPrepared prints a request that a dry run has kept.
func (c sendCmd) printPrepared(t terminal, command *spec.Command, seen *recorder, err error) error {
	if seen.request == nil {
		return err
	}
	form, err := sign.ParseForm(seen.body)
	if err != nil {
		return err
	}
	r := seen.request
	v := preparedView{Command: command.Path(), Method: r.Method, URL: r.URL.String(), Headers: make(map[string]string), Body: seen.body}
	for name := range r.Header {
		v.Headers[name] = r.Header.Get(name)
	}
	if authorization := r.Header.Get("Authorization"); authorization != "" {
		v.BaseString = sign.Explain(sign.Request{Method: r.Method, URL: v.URL, Form: form, Authorization: authorization}, nil).BaseString
	}
	if command.Auth == spec.Control {
		v.ControlString = strings.Join(command.SumParts(path.Base(r.URL.Path), form), "")
	}
	v.Curl = curl(v)
	if c.JSON {
		return t.json(v)
	}
	v.print(t)
	return nil
}

// sentHeaders are the headers that a request needs, in the order of printing.
var sentHeaders = []string{"Content-Type", "Authorization"}

func (v preparedView) print(t terminal) {
	t.printf("%s %s\n", v.Method, v.URL)
	for _, name := range sentHeaders {
		if value := v.Headers[name]; value != "" {
			t.printf("%s: %s\n", name, value)
		}
	}
	t.printf("\n%s\n", v.Body)
	if v.BaseString != "" {
		t.printf("\nbase string\n%s\n", v.BaseString)
	}
	if v.ControlString != "" {
		t.printf("\ncontrol is the SHA-1 of\n%s + control key\n", v.ControlString)
	}
	t.printf("\ncurl\n%s\n", v.Curl)
	if v.BaseString != "" {
		t.printf("\nThe signature is good once, and for a few minutes.\n")
	}
}

// curl is the request for a shell.
func curl(v preparedView) string {
	var b strings.Builder
	b.WriteString("curl " + quoted(v.URL))
	for _, name := range sentHeaders {
		if value := v.Headers[name]; value != "" {
			b.WriteString(" \\\n  -H " + quoted(name+": "+value))
		}
	}
	b.WriteString(" \\\n  --data-raw " + quoted(v.Body))
	return b.String()
}

// quoted is a text as one word of a POSIX shell.
func quoted(text string) string { return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'" }
