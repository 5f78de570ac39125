package payout_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// A source is one parsed file of the product, tests left out unless wanted.
type source struct {
	folder, path string
	test         bool
	file         *ast.File
	set          *token.FileSet
}

func sources(t *testing.T) []source {
	t.Helper()
	var all []source
	for _, folder := range packages(t) {
		files, err := filepath.Glob(filepath.Join(folder, "*.go"))
		if err != nil {
			t.Fatal(err)
		}
		for _, path := range files {
			set := token.NewFileSet()
			file, err := parser.ParseFile(set, path, nil, parser.ParseComments)
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, source{filepath.ToSlash(folder), path, strings.HasSuffix(path, "_test.go"), file, set})
		}
	}
	return all
}

func TestEveryPackageHasAComment(t *testing.T) {
	commented := make(map[string]bool)
	for _, s := range sources(t) {
		if !s.test {
			commented[s.folder] = commented[s.folder] || s.file.Doc != nil
		}
	}
	for folder, ok := range commented {
		if !ok {
			t.Errorf("package in %s has no comment", folder)
		}
	}
}

// selectors finds the calls and values x.Name of a package in a file.
func selectors(file *ast.File, x, name string) []ast.Node {
	var found []ast.Node
	ast.Inspect(file, func(n ast.Node) bool {
		if s, ok := n.(*ast.SelectorExpr); ok && s.Sel.Name == name {
			if id, isName := s.X.(*ast.Ident); x == "" || isName && id.Name == x {
				found = append(found, n)
			}
		}
		return true
	})
	return found
}

func TestClockAndEnvironmentComeInFromServerAndPrograms(t *testing.T) {
	for _, s := range sources(t) {
		// The client runs in programs of others, which have no server of ours; and how long
		// something takes is not what time it is.
		if s.test || s.path == filepath.Join("client", "defaults.go") || filepath.Base(s.path) == "stopwatch.go" || s.folder == "server" || s.folder == "storage/storagetest" || strings.HasPrefix(s.folder, "cmd/") || strings.HasPrefix(s.folder, "gen/") {
			continue
		}
		for _, call := range [][2]string{{"time", "Now"}, {"time", "Since"}, {"os", "Getenv"}, {"os", "LookupEnv"}} {
			for _, n := range selectors(s.file, call[0], call[1]) {
				t.Errorf("%s: %s.%s", s.set.Position(n.Pos()), call[0], call[1])
			}
		}
	}
}

func TestOnlyGatewayAndProgramsWrite(t *testing.T) {
	for _, s := range sources(t) {
		if s.test || s.folder == "gateway" || s.folder == "storage" || strings.HasPrefix(s.folder, "cmd/") {
			continue
		}
		for _, method := range []string{"Transact", "Accept", "Move", "ClaimOrders", "ClaimCallbacks", "RecordAttempt", "Postpone", "Fill"} {
			for _, n := range selectors(s.file, "", method) {
				if slices.ContainsFunc(s.file.Imports, func(i *ast.ImportSpec) bool { return i.Path.Value == `"payout/storage"` }) {
					t.Errorf("%s: %s", s.set.Position(n.Pos()), method)
				}
			}
		}
	}
}

const functionMax = 70 // lines

func TestNoFunctionGrowsPast70Lines(t *testing.T) {
	for _, s := range sources(t) {
		for _, declaration := range s.file.Decls {
			f, ok := declaration.(*ast.FuncDecl)
			if !ok {
				continue
			}
			if n := s.set.Position(f.End()).Line - s.set.Position(f.Pos()).Line + 1; n > functionMax {
				t.Errorf("%s: %s has %d lines, at most %d", s.set.Position(f.Pos()), f.Name.Name, n, functionMax)
			}
			if f.Name.Name == "init" && f.Recv == nil {
				t.Errorf("%s: func init", s.set.Position(f.Pos()))
			}
		}
	}
}

func TestNoPackageIsADrawer(t *testing.T) {
	for _, s := range sources(t) {
		switch s.file.Name.Name {
		case "util", "utils", "common", "helpers", "helper", "models", "manager", "impl", "misc", "base", "core", "internal", "pkg":
			t.Errorf("%s: package %s tells nothing", s.path, s.file.Name.Name)
		}
	}
}

// begins reports whether a comment begins with the name, maybe after an article.
func begins(comment, name string) bool {
	for _, article := range []string{"", "A ", "An ", "The "} {
		if strings.HasPrefix(comment, article+name) {
			return true
		}
	}
	return strings.HasPrefix(comment, "Deprecated:")
}

func TestExportedNamesHaveComments(t *testing.T) {
	for _, s := range sources(t) {
		if s.test {
			continue
		}
		for _, declaration := range s.file.Decls {
			switch d := declaration.(type) {
			case *ast.FuncDecl:
				// ServeHTTP and the like are documented by their interface.
				if d.Name.IsExported() && receiverExported(d) && !begins(d.Doc.Text(), d.Name.Name) {
					t.Errorf("%s: %s has no comment that begins with its name", s.set.Position(d.Pos()), d.Name.Name)
				}
			case *ast.GenDecl:
				for _, spec := range d.Specs {
					if name, ok := spec.(*ast.TypeSpec); ok && name.Name.IsExported() {
						comment := name.Doc.Text() + d.Doc.Text()
						if !begins(comment, name.Name.Name) {
							t.Errorf("%s: %s has no comment that begins with its name", s.set.Position(spec.Pos()), name.Name.Name)
						}
					}
				}
			}
		}
	}
}

func receiverExported(f *ast.FuncDecl) bool {
	if f.Recv == nil {
		return true
	}
	receiver := f.Recv.List[0].Type
	if star, ok := receiver.(*ast.StarExpr); ok {
		receiver = star.X
	}
	name, ok := receiver.(*ast.Ident)
	return ok && name.IsExported()
}

var markdownLink = regexp.MustCompile(`\]\(([^)#]+)[^)]*\)`)

func TestMarkdownLinksResolve(t *testing.T) {
	files, err := filepath.Glob("*.md")
	if err != nil {
		t.Fatal(err)
	}
	more, err := filepath.Glob("*/*.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range append(files, more...) {
		for _, link := range markdownLink.FindAllStringSubmatch(read(t, file), -1) {
			if strings.Contains(link[1], "://") {
				continue
			}
			if _, err := os.Stat(filepath.Join(filepath.Dir(file), link[1])); err != nil {
				t.Errorf("%s links to %s: %v", file, link[1], err)
			}
		}
	}
}

func read(t *testing.T, file string) string {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestChangelogHasAnUnreleasedPart(t *testing.T) {
	if !strings.Contains(read(t, "CHANGELOG.md"), "## Unreleased\n") {
		t.Error("CHANGELOG.md has no Unreleased part")
	}
}

// TestFragileVersionsArePinned: modernc.org/sqlite demands exactly this libc,
// and other modules may raise it silently (DECISIONS.md).
func TestFragileVersionsArePinned(t *testing.T) {
	mod := read(t, "go.mod")
	for _, pin := range []string{"modernc.org/sqlite v1.60.1\n", "modernc.org/libc v1.77.1\n", "github.com/pressly/goose/v3 v3.28.0\n"} {
		if !strings.Contains(mod, pin) {
			t.Errorf("go.mod does not pin %s", strings.TrimSpace(pin))
		}
	}
}

func TestEveryDirectDependencyHasItsParagraph(t *testing.T) {
	direct := regexp.MustCompile(`(?m)^\t(\S+) v\S+$`)
	decisions := read(t, "DECISIONS.md")
	for _, module := range direct.FindAllStringSubmatch(read(t, "go.mod"), -1) {
		if !strings.Contains(decisions, module[1]) {
			t.Errorf("DECISIONS.md says nothing about %s", module[1])
		}
	}
}
