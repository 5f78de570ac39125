package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/alecthomas/kong"
)

// The hints at the end of the demo run as they are printed.
func TestHintsOfTheDemoRun(t *testing.T) {
	folder := t.TempDir()
	demo := start(t, "demo", "payout", "--dir", folder, "--listen", "127.0.0.1:0")
	for _, passage := range []string{"The sandbox keeps serving", "/docs/", "The same from another terminal"} {
		for !strings.Contains(demo.line(), passage) {
		}
	}
	var order string
	for ran := 0; ran < 6; {
		line := strings.TrimSpace(demo.line())
		if assignment, found := strings.CutPrefix(line, "export "); found {
			name, value, _ := strings.Cut(assignment, "=")
			t.Setenv(name, strings.Trim(value, "'"))
			continue
		}
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		ran++
		words := strings.Fields(line)[1:]
		switch {
		case words[0] == "listen": // until Ctrl-C
			_, err := kong.Must(new(cli), kong.Name("payoutd")).Parse(words)
			check(t, err)
			continue
		case words[0] == "order" && words[1] == "show":
			words[2] = order
		}
		r := execute(t.Context(), "", words...)
		if r.code != exitDone || r.err != "" {
			t.Errorf("%s\nexits %d: %s%s", line, r.code, r.out, r.err)
		}
		if id := regexp.MustCompile(`paynet-order-id=(\d+)`).FindStringSubmatch(r.out); id != nil {
			order = id[1]
		}
	}
}

// On the ways and files of the demo nothing has to be set.
func TestDemoAtItsDefaultsSetsNothing(t *testing.T) {
	t.Parallel()
	var c cli
	_, err := kong.Must(&c, kong.Name("payoutd")).Parse([]string{"demo"})
	check(t, err)
	d := demo{demoCmd: c.Demo, base: "http://" + c.Demo.Listen + "/paynet", store: c.Demo.stored()}
	if lines := d.environment(); lines != "" {
		t.Errorf("the demo wants\n%s", lines)
	}
	d.Dir = "it's here"
	d.store = d.demoCmd.stored()
	for _, want := range []string{`export PAYOUTD_PRIVATE_KEY='it'\''s here/TestMerchant.key'`, `export PAYOUTD_DATABASE='it'\''s here/payoutd.db'`} {
		if !strings.Contains(d.environment(), want+"\n") {
			t.Errorf("no %s in\n%s", want, d.environment())
		}
	}
}

var (
	codeBlock   = regexp.MustCompile("(?s)```[a-z]*\n(.*?)```")
	placeholder = regexp.MustCompile(`\{\{[^}]*\}\}`)
)

// Every command line of the documents is one that payoutd takes.
func TestDocumentedCommandLinesParse(t *testing.T) {
	var files []string
	for _, pattern := range []string{"../../*.md", "../../docs/*.md", "../../docs/guides/*/*.md"} {
		found, err := filepath.Glob(pattern)
		check(t, err)
		files = append(files, found...)
	}
	lines := 0
	for _, file := range files {
		text, err := os.ReadFile(file)
		check(t, err)
		for _, block := range codeBlock.FindAllStringSubmatch(string(text), -1) {
			for line := range strings.Lines(strings.ReplaceAll(block[1], "\\\n", " ")) {
				line, _, _ = strings.Cut(strings.TrimSpace(line), " #")
				line, _, _ = strings.Cut(line, " > ") // into a file
				if documentedLine.MatchString(line) {
					lines++
					t.Run(filepath.Base(file), func(t *testing.T) { parses(t, strings.TrimSpace(line)) })
				}
			}
		}
	}
	if lines < 6 {
		t.Errorf("only %d command lines were found", lines)
	}
}

// documentedLine is a command line of ours, maybe with its environment before it.
var documentedLine = regexp.MustCompile(`^([A-Z_]+=\S+ )*(\S*/)?payoutd \S`)

// parses checks that payoutd takes a command line; it is not run.
func parses(t *testing.T, line string) {
	words := shellWords(placeholder.ReplaceAllString(line, "1"))
	for filepath.Base(words[0]) != "payoutd" {
		name, value, _ := strings.Cut(words[0], "=")
		t.Setenv(name, value)
		words = words[1:]
	}
	if _, err := kong.Must(new(cli), kong.Name("payoutd"), kong.Exit(func(int) {})).Parse(words[1:]); err != nil {
		t.Errorf("%s\n%v", line, err)
	}
}
