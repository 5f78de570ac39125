package main

import (
	"context"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/alecthomas/kong"

	"payout/spec"
)

var (
	guideProgram = regexp.MustCompile("(?ms)^```sh\n(.*?)^```$")
	guideMention = regexp.MustCompile("`(?:\\S*/)?payoutd ([^`]+)`")
)

// guides are the documentation's guides in every language, by their file.
func guides(t *testing.T) map[string]string {
	t.Helper()
	files, err := filepath.Glob("../../docs/guides/*/*.md")
	if err != nil || len(files) == 0 {
		t.Fatalf("no guides: %v", err)
	}
	texts := make(map[string]string)
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		texts[file] = string(text)
	}
	return texts
}

// parse reads a command line as the program does, without running it.
func parse(args []string) (*cli, error) {
	var c cli
	parser, err := kong.New(&c, kong.Name("payoutd"), kong.BindTo(context.Background(), (*context.Context)(nil)),
		kong.Writers(io.Discard, io.Discard), kong.Exit(func(int) {}))
	if err != nil {
		return nil, err
	}
	_, err = parser.Parse(args)
	return &c, err
}

func TestGuidesSendParametersThatExist(t *testing.T) {
	seen := 0
	for file, text := range guides(t) {
		for _, m := range guideProgram.FindAllStringSubmatch(text, -1) {
			_, line, ours := strings.Cut(strings.TrimSpace(m[1]), "payoutd send ")
			if !ours {
				continue
			}
			seen++
			if strings.Contains(line, "\n") {
				t.Errorf("%s: %q is not one command", file, m[1])
			}
			c, err := parse(append([]string{"send"}, strings.Fields(line)...))
			if err != nil {
				t.Errorf("%s: %s: %v", file, line, err)
				continue
			}
			command, err := api(spec.Commands).command(c.Send.Command)
			if err == nil {
				_, _, err = c.Send.form(terminal{}, command)
			}
			if err != nil {
				t.Errorf("%s: %s: %v", file, line, err)
			}
		}
	}
	if seen < 16 {
		t.Errorf("only %d commands were looked at: the test is blind", seen)
	}
}

func TestCommandsThatGuidesMentionExist(t *testing.T) {
	seen := 0
	for file, text := range guides(t) {
		for _, m := range guideMention.FindAllStringSubmatch(text, -1) {
			seen++
			var known []string // the part of the mention that is no name to be replaced
			for _, word := range strings.Fields(m[1]) {
				if strings.ToLower(word) == word {
					known = append(known, strings.TrimSuffix(word, ","))
				}
			}
			_, err := parse(known)
			if err != nil && !strings.HasPrefix(err.Error(), "expected") { // what it asks for is left out on purpose
				t.Errorf("%s mentions payoutd %s: %v", file, m[1], err)
			}
		}
	}
	if seen < 8 {
		t.Errorf("only %d mentions were looked at: the test is blind", seen)
	}
}
