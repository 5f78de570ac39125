package web

import (
	"regexp"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

var variable = regexp.MustCompile(`--([a-z-]+):(#[0-9a-f]{6})`)

// TestEveryAccentIsReadable: 4.5:1 is AA for text (WCAG 2.2, 1.4.3).
func TestEveryAccentIsReadable(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		accent := rapid.StringMatching(`#[0-9a-f]{6}`).Draw(t, "accent")
		sheet, err := AccentSheet(accent)
		if err != nil {
			t.Fatal(err)
		}
		light, dark, _ := strings.Cut(sheet, "@media")
		for surface, part := range map[colour]string{lightSurface: light, darkSurface: dark} {
			found := make(map[string]colour)
			for _, m := range variable.FindAllStringSubmatch(part, -1) {
				if found[m[1]], err = parseColour(m[2]); err != nil {
					t.Fatal(err)
				}
			}
			if len(found) != 3 || contrast(found["on-accent"], found["accent"]) < 4.5 || contrast(found["accent-text"], surface) < 4.5 {
				t.Fatalf("%s: %s", accent, part)
			}
		}
	})
}

func TestAccentSheetRefusesWhatIsNoColour(t *testing.T) {
	for _, fine := range []string{"#0a6cff", "#FFF", "#000000"} {
		if _, err := AccentSheet(fine); err != nil {
			t.Errorf("%s: %v", fine, err)
		}
	}
	for _, wrong := range []string{"", "#", "0a6cff", "#0a6cf", "#0a6cff0", "red", "#0a6cfg", "#+a6cff", "#fff;}*{", "#0x1"} {
		if sheet, err := AccentSheet(wrong); err == nil {
			t.Errorf("%q gives %s", wrong, sheet)
		}
	}
}

func TestSurfacesAreThoseOfTheStyleSheet(t *testing.T) {
	css, err := assetFiles.ReadFile("assets/page.css")
	if err != nil {
		t.Fatal(err)
	}
	for _, surface := range []string{"--surface: #fff;", "--surface: " + darkSurface.String() + ";"} {
		if !strings.Contains(string(css), surface) {
			t.Errorf("page.css has no %s", surface)
		}
	}
}
