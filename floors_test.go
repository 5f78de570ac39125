package payout_test

import (
	"fmt"
	"go/build"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// floors is the plan of the house: one row a floor, the lowest first. A package
// imports lower floors only, never its own floor.
var floors = [][]string{
	{".", "sign"},
	{"spec", "vault"},
	{"storage", "processor", "callback", "web", "diagram", "client"},
	{"gateway", "processor/simulator", "processor/processortest", "storage/storagetest", "gen/client", "openapi", "postman"},
	{"api", "payoutform", "panel", "docs"},
	{"server"},
	{"cmd/payoutd", "cmd/payoutbench", "cmd/payouttorture", "cmd/storybook", "journeys", "foreign", "server/servertest"},
}

// apart are programs that no package imports and that import none of ours.
var apart = []string{"gen/currencies"}

// mayImport narrows the floors for single packages: what else they must not
// import, and why, stands in the architecture.
var mayImport = map[string][]string{
	"spec":                    {".", "sign"},
	"vault":                   {"."},
	"storage":                 {".", "sign", "vault"},
	"processor":               {"."},
	"callback":                {".", "sign"},
	"web":                     {"."},
	"diagram":                 {"."},
	"client":                  {".", "sign", "spec"},
	"gen/client":              {".", "spec", "callback"},
	"openapi":                 {".", "sign", "spec", "callback"},
	"postman":                 {".", "spec"},
	"processor/simulator":     {".", "processor"},
	"processor/processortest": {".", "processor"},
}

func floorOf(folder string) int {
	return slices.IndexFunc(floors, func(floor []string) bool { return slices.Contains(floor, folder) })
}

// broken names the rule that an import breaks, or is empty. Both are folders.
func broken(from, to string) string {
	if slices.Contains(apart, from) || slices.Contains(apart, to) {
		return "stands apart"
	}
	upper, lower := floorOf(from), floorOf(to)
	switch {
	case upper < 0:
		return from + " is not in the plan"
	case lower < 0:
		return to + " is not in the plan"
	case lower >= upper:
		return fmt.Sprintf("floor %d imports floor %d", upper, lower)
	}
	if allowed, ok := mayImport[from]; ok && !slices.Contains(allowed, to) {
		return "not allowed for this package"
	}
	return ""
}

// packages lists the folders of the module that contain Go code.
func packages(t *testing.T) []string {
	t.Helper()
	var folders []string
	err := filepath.WalkDir(".", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || !entry.IsDir() {
			return err
		}
		if name := entry.Name(); name != "." && (strings.HasPrefix(name, ".") || name == "testdata" || name == "data" || name == "tools" || name == "bin") {
			return fs.SkipDir
		}
		if files, err := filepath.Glob(filepath.Join(path, "*.go")); err != nil {
			return err
		} else if len(files) > 0 {
			folders = append(folders, filepath.ToSlash(path))
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return folders
}

func TestPackagesImportLowerFloorsOnly(t *testing.T) {
	seen := 0
	for _, folder := range packages(t) {
		if floorOf(folder) < 0 && !slices.Contains(apart, folder) {
			t.Errorf("%s is not in the plan", folder)
		}
		p, err := build.ImportDir(folder, 0)
		if err != nil {
			t.Fatal(err)
		}
		for _, path := range p.Imports {
			to, ours := strings.CutPrefix(path, "payout/")
			if path == "payout" {
				to, ours = ".", true
			}
			if !ours {
				continue
			}
			seen++
			if rule := broken(folder, to); rule != "" {
				t.Errorf("%s imports %s: %s", folder, to, rule)
			}
		}
	}
	if seen < 30 {
		t.Errorf("only %d imports were looked at: the test is blind", seen)
	}
}

func TestBrokenFindsPlantedImports(t *testing.T) {
	for _, planted := range [][2]string{{".", "sign"}, {"spec", "storage"}, {"storage", "gateway"}, {"processor/simulator", "gateway"},
		{"gateway", "processor/simulator"}, {"processor", "storage"}, {"processor", "spec"}, {"api", "server"}, {"nowhere", "."}, {"gateway", "nowhere"}, {"gen/currencies", "."}} {
		if broken(planted[0], planted[1]) == "" {
			t.Errorf("%s may import %s", planted[0], planted[1])
		}
	}
	for _, fine := range [][2]string{{"spec", "."}, {"gateway", "storage"}, {"cmd/payoutd", "sign"}, {"server", "processor/simulator"}} {
		if rule := broken(fine[0], fine[1]); rule != "" {
			t.Errorf("%s imports %s: %s", fine[0], fine[1], rule)
		}
	}
}
