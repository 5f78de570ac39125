package client_test

import (
	"encoding/json"
	"go/parser"
	"go/token"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestTheFirstExampleOfTheDocumentationCompiles: a newcomer copies it.
func TestTheFirstExampleOfTheDocumentationCompiles(t *testing.T) {
	file, err := parser.ParseFile(token.NewFileSet(), "doc.go", nil, parser.ParseComments|parser.PackageClauseOnly)
	if err != nil {
		t.Fatal(err)
	}
	var code []string
	for line := range strings.Lines(file.Doc.Text()) {
		if text, indented := strings.CutPrefix(line, "\t"); indented {
			code = append(code, text)
		}
	}
	if len(code) < 10 || len(code) > 20 {
		t.Errorf("the example has %d lines", len(code))
	}
	program := `package main

import (
	"context"
	"errors"
	"log"

	"payout/client"
)

func main() { log.Print(pay(context.Background(), nil)) }

func pay(ctx context.Context, pemText []byte) error {
` + strings.Join(code, "") + "\treturn err\n}\n"
	root, err := filepath.Abs("..")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	source, list := filepath.Join(dir, "main.go"), filepath.Join(dir, "overlay.json")
	overlay, err := json.Marshal(map[string]map[string]string{"Replace": {filepath.Join(root, "client", "newcomer", "main.go"): source}})
	if err != nil {
		t.Fatal(err)
	}
	for path, text := range map[string][]byte{source: []byte(program), list: overlay} {
		if err := os.WriteFile(path, text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	build := exec.CommandContext(t.Context(), "go", "build", "-overlay", list, "-o", os.DevNull, "./client/newcomer")
	build.Dir = root
	if out, err := build.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s\n%s", err, out, program)
	}
}
