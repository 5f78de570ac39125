package server_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

const (
	alertsFile    = "../deploy/prometheus/alerts.yml"
	alertsTest    = "../deploy/prometheus/alerts_test.yml"
	dashboardFile = "../deploy/grafana/payoutd.json"
)

// An expression is a piece of PromQL and where it stands.
type expression struct{ where, text string }

// alerts reads the rules, name by name. The file has one form only, which the
// test insists on: promtool reads it as YAML.
func alerts(t *testing.T) map[string]string {
	t.Helper()
	text, err := os.ReadFile(alertsFile)
	check(t, err)
	blocks := strings.Split(string(text), "- alert: ")[1:]
	found := make(map[string]string)
	for _, block := range blocks {
		name, rest, _ := strings.Cut(block, "\n")
		found[name] = rest
	}
	return found
}

var (
	exprField   = regexp.MustCompile(`(?s)expr: (?:>\n)?(.*?)\n\s+(?:for|labels):`)
	summary     = regexp.MustCompile(`\n\s+summary: "?(.{20,})`)
	whatToDo    = regexp.MustCompile(`\n\s+description: "?(.{60,})`)
	severity    = regexp.MustCompile(`\n\s+labels: \{severity: (page|ticket)\}\n`)
	expectedOne = regexp.MustCompile(`alertname="(\w+)"`)
)

func TestAlertsSayWhatToDoAndEachHasATest(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile(alertsTest)
	check(t, err)
	tested := make(map[string]bool)
	for _, m := range expectedOne.FindAllStringSubmatch(string(text), -1) {
		tested[m[1]] = true
	}
	rules := alerts(t)
	if len(rules) < 15 {
		t.Errorf("only %d alerts were found: the test is blind", len(rules))
	}
	for name, rule := range rules {
		if !summary.MatchString(rule) || !whatToDo.MatchString(rule) || !severity.MatchString(rule) {
			t.Errorf("%s has no summary, no description of what to do, or no severity", name)
		}
		if !tested[name] {
			t.Errorf("%s never fires in %s", name, alertsTest)
		}
	}
}

// A dashboard is what is looked at of Grafana's own form.
type dashboard struct {
	UID, Title    string
	SchemaVersion int
	Templating    struct{ List []struct{ Name string } }
	Panels        []panel
}

type panel struct {
	ID                       int
	Type, Title, Description string
	GridPos                  struct{ H, W, X, Y int }
	FieldConfig              struct {
		Defaults struct {
			Unit       string
			Thresholds struct{ Steps []struct{ Color string } }
		}
	}
	Targets []struct{ Expr, LegendFormat, RefID string }
}

func readDashboard(t *testing.T) dashboard {
	t.Helper()
	text, err := os.ReadFile(dashboardFile)
	check(t, err)
	var d dashboard
	check(t, json.Unmarshal(text, &d))
	return d
}

func TestDashboardsPanelsAreWhole(t *testing.T) {
	t.Parallel()
	d := readDashboard(t)
	if d.UID == "" || d.Title == "" || d.SchemaVersion < 39 || len(d.Panels) < 30 {
		t.Errorf("the dashboard is %+v", d)
	}
	ids, taken := make(map[int]bool), make(map[[2]int]string)
	for _, p := range d.Panels {
		if ids[p.ID] {
			t.Errorf("the panel %s shares its id with another", p.Title)
		}
		ids[p.ID] = true
		for x := p.GridPos.X; x < p.GridPos.X+p.GridPos.W; x++ {
			for y := p.GridPos.Y; y < p.GridPos.Y+p.GridPos.H; y++ {
				if other := taken[[2]int{x, y}]; other != "" || x >= 24 {
					t.Fatalf("the panel %s lies upon %s, or outside", p.Title, other)
				}
				taken[[2]int{x, y}] = p.Title
			}
		}
		if p.Type == "row" {
			continue
		}
		if p.Title == "" || p.Description == "" || p.FieldConfig.Defaults.Unit == "" || len(p.FieldConfig.Defaults.Thresholds.Steps) == 0 || len(p.Targets) == 0 {
			t.Errorf("the panel %q lacks a description, a unit, thresholds or expressions", p.Title)
		}
	}
}

// expressions are those of the alerts and of the dashboard, its variables filled in.
func expressions(t *testing.T) []expression {
	t.Helper()
	var found []expression
	for name, rule := range alerts(t) {
		m := exprField.FindStringSubmatch(rule)
		if m == nil {
			t.Fatalf("%s has no expression", name)
		}
		found = append(found, expression{name, strings.Join(strings.Fields(m[1]), " ")})
	}
	fill := strings.NewReplacer("$__rate_interval", "5m", "$instance", ".*")
	for _, p := range readDashboard(t).Panels {
		for _, target := range p.Targets {
			found = append(found, expression{"the panel " + p.Title, fill.Replace(target.Expr)})
		}
	}
	return found
}

var (
	selector = regexp.MustCompile(`\b((?:payoutd|go|process)_\w+)(?:\{([^}]*)\})?`)
	matcher  = regexp.MustCompile(`(\w+)(=~|!~|!=|=)"([^"]*)"`)
	grouping = regexp.MustCompile(`\bby \(([^)]*)\)`)
)

// What the alerts and the dashboard ask for must be there: the metrics, their
// labels, and the values of these.
func TestAlertsAndDashboardAskForWhatIsThere(t *testing.T) {
	t.Parallel()
	metrics, kinds := described(t), make(map[string]string)
	c := newConfig(t)
	c.MetricsListen = "127.0.0.1:0"
	h := start(t, c)
	h.pay("1", "1234567890")
	var series scrape
	eventually(t, within, "a rail has answered", func() bool {
		series = h.scrape(kinds)
		return series[`payoutd_rail_seconds_count{gate="Bank"}`] == 1
	})
	values := make(map[string][]string) // by label
	for name := range series {
		for _, m := range matcher.FindAllStringSubmatch(name, -1) {
			values[m[1]] = append(values[m[1]], m[3])
		}
	}
	used := make(map[string]bool)
	for _, e := range expressions(t) {
		for _, s := range selector.FindAllStringSubmatch(e.text, -1) {
			name := s[1]
			m, ours := metrics[name]
			for _, suffix := range []string{"_bucket", "_sum", "_count"} {
				if base := strings.TrimSuffix(name, suffix); !ours && kinds[base] == "histogram" {
					m, ours = metrics[base]
				}
			}
			if !ours {
				if _, there := kinds[name]; !there || strings.HasPrefix(name, "payoutd_") {
					t.Errorf("%s asks for %s, which there is not", e.where, name)
				}
				continue
			}
			used[m.name] = true
			checkMatchers(t, e, m, s[2], values)
		}
		for _, g := range grouping.FindAllStringSubmatch(e.text, -1) {
			for label := range strings.SplitSeq(g[1], ",") {
				if label = strings.TrimSpace(label); !slices.Contains([]string{"le", "instance"}, label) && len(values[label]) == 0 {
					t.Errorf("%s groups by %s, which no metric has", e.where, label)
				}
			}
		}
	}
	for name := range metrics {
		if !used[name] {
			t.Errorf("neither an alert nor the dashboard shows %s", name)
		}
	}
}

func checkMatchers(t *testing.T, e expression, m metric, matchers string, values map[string][]string) {
	t.Helper()
	for _, found := range matcher.FindAllStringSubmatch(matchers, -1) {
		label, op, value := found[1], found[2], found[3]
		if label == "instance" || label == "le" {
			continue
		}
		if !slices.Contains(strings.Split(m.labels, ", "), label) {
			t.Errorf("%s: %s has no label %s", e.where, m.name, label)
		}
		alternatives := []string{value}
		if strings.HasSuffix(op, "~") {
			alternatives = strings.Split(value, "|")
		}
		for _, one := range alternatives {
			pattern := regexp.MustCompile("^(?:" + one + ")$")
			if !slices.ContainsFunc(values[label], pattern.MatchString) {
				t.Errorf("%s: %s is never %s", e.where, label, one)
			}
		}
	}
}

// promtool is Prometheus' own checker.
func promtool(t *testing.T, args ...string) {
	t.Helper()
	program := os.Getenv("PAYOUTD_TEST_PROMTOOL")
	if program == "" {
		if os.Getenv("PAYOUTD_TEST_PROMTOOL_REQUIRED") != "" {
			t.Fatal("PAYOUTD_TEST_PROMTOOL is not set")
		}
		t.Skip("no promtool: run make test, which fetches it")
	}
	if output, err := exec.CommandContext(t.Context(), program, args...).CombinedOutput(); err != nil {
		t.Errorf("promtool %s: %v\n%s", strings.Join(args, " "), err, output)
	}
}

func TestPrometheusTakesTheRulesAndTheyFireWhereTheyShould(t *testing.T) {
	t.Parallel()
	promtool(t, "check", "rules", alertsFile)
	promtool(t, "test", "rules", alertsTest)
}

// The dashboard's expressions are given to promtool as rules.
func TestPrometheusUnderstandsTheDashboard(t *testing.T) {
	t.Parallel()
	rules := map[string]string{}
	for _, e := range expressions(t) {
		rules[fmt.Sprintf("test:%d", len(rules))] = e.text
	}
	var text bytes.Buffer
	text.WriteString("groups:\n- name: dashboard\n  rules:\n")
	for _, name := range slices.Sorted(maps.Keys(rules)) {
		quoted, err := json.Marshal(rules[name])
		check(t, err)
		fmt.Fprintf(&text, "  - record: %s\n    expr: %s\n", name, quoted)
	}
	file := filepath.Join(t.TempDir(), "rules.yml")
	check(t, os.WriteFile(file, text.Bytes(), 0o600))
	promtool(t, "check", "rules", file)
}
