package api

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"payout/spec"
)

func TestEveryCommandHasAHandler(t *testing.T) {
	for _, c := range spec.Commands {
		if handlers[c] == nil {
			t.Errorf("%s has no handler in routes.go", c.Path())
		}
		if commandsByPath[c.Path()] != c {
			t.Errorf("%s is not found by its path", c.Path())
		}
	}
	if len(handlers) != len(spec.Commands) {
		t.Errorf("%d handlers for %d commands: one serves a command that spec.Commands does not list", len(handlers), len(spec.Commands))
	}
}

func TestEveryCommandHasRequestsInTestdata(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil {
		t.Fatal(err)
	}
	var all strings.Builder
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		all.Write(text)
	}
	for _, c := range spec.Commands {
		if !strings.Contains(all.String(), "\n> POST /paynet/api/"+c.Path()+"/") {
			t.Errorf("no file in testdata has a request of %s", c.Path())
		}
	}
}
