//go:build unix

package main

import (
	"encoding/json"
	"flag"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"payout"
)

var (
	tortureSeed     = flag.Uint64("torture-seed", 0, "seed of TestTorture; 0 picks one")
	withLostStandby = flag.Bool("lost-standby", false, "run TestStandbyIsGoneForLong")
	tortureDuration = flag.Duration("torture-duration", 30*time.Second, "how long TestTorture makes faults; setting up, rest and comparison take about as long again")
)

// A patch is a change of one place of the product's source.
type patch struct{ file, from, to string }

// build builds payoutd, with patches if there are any: the product has no
// switches for what it must never do.
func build(t *testing.T, patches ...patch) string {
	t.Helper()
	dir := t.TempDir()
	overlay := struct{ Replace map[string]string }{make(map[string]string)}
	for _, p := range patches {
		path, err := filepath.Abs(filepath.Join("..", "..", p.file))
		check(t, err)
		text, err := os.ReadFile(path)
		check(t, err)
		if n := strings.Count(string(text), p.from); n != 1 {
			t.Fatalf("%s has %q %d times: the planted fault does not fit any more", p.file, p.from, n)
		}
		patched := filepath.Join(dir, filepath.Base(p.file))
		check(t, os.WriteFile(patched, []byte(strings.Replace(string(text), p.from, p.to, 1)), 0o600))
		overlay.Replace[path] = patched
	}
	text, err := json.Marshal(overlay)
	check(t, err)
	file := filepath.Join(dir, "overlay.json")
	check(t, os.WriteFile(file, text, 0o600))
	program := filepath.Join(dir, "payoutd")
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-overlay", file, "-o", program, "payout/cmd/payoutd").CombinedOutput(); err != nil {
		t.Fatalf("build payoutd: %v\n%s", err, out)
	}
	return program
}

// start makes a run ready for a test, which is skipped where it cannot be done.
func start(t *testing.T, duration time.Duration) *torture {
	t.Helper()
	if testing.Short() {
		t.Skip("it takes a minute")
	}
	bin, err := findPostgres("")
	if err != nil {
		if os.Getenv("PAYOUTD_TEST_POSTGRES_REQUIRED") != "" {
			t.Fatal(err)
		}
		t.Skip(err)
	}
	run := &torture{seed: *tortureSeed, duration: duration, nodeCount: 3, clientCount: 16, rate: 40, postgres: bin, failover: byPlain, restMost: 4 * time.Minute, show: newShow(t.Output(), true)}
	if run.seed == 0 {
		run.seed = rand.Uint64N(1 << 32)
	}
	run.plan = planOf(run.seed, duration, run.nodeCount)
	t.Logf("seed %d; again: go test ./cmd/payouttorture -run '%s$' -torture-seed %d -torture-duration %s", run.seed, t.Name(), run.seed, duration)
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("logs, journals and databases are in %s", run.dir)
		} else if err := os.RemoveAll(run.dir); err != nil {
			t.Error(err)
		}
	})
	return run
}

// The rule is the promise of the README on real processes: what was acknowledged
// ends and is told, as the rail has it, and is paid at most once.
func TestTorture(t *testing.T) {
	run := start(t, *tortureDuration)
	run.program = build(t)
	r, err := run.run(t.Context())
	check(t, err)
	r.print(t.Output())
	for _, f := range r.findings {
		t.Errorf("%s: %s", f.rule, f.what)
	}
	// A run without these would have shown nothing.
	for _, k := range []kind{failover, killNode, stopNode, cutDatabase, loseDatabase, holdDatabase, cutClients, loseClients, holdClients} {
		if run.made[k] == 0 {
			t.Errorf("no %s", k)
		}
	}
	for _, status := range []payout.Status{payout.StatusApproved, payout.StatusDeclined, payout.StatusError} {
		if r.outcomes[string(status)] == 0 {
			t.Errorf("no order is %s", status)
		}
	}
	if c := tallyOf(run.merchants); c.acknowledged < 100 || c.lost == 0 || r.callbacks[payout.CallbackDelivered] == 0 {
		t.Errorf("too little happened: %+v", c)
	}
}

// A standby that is gone for longer than a transaction may last, and nothing else: nothing is
// acknowledged meanwhile, and afterwards the books agree.
func TestStandbyIsGoneForLong(t *testing.T) {
	if !*withLostStandby {
		t.Skip("it takes one to two minutes: run it by -lost-standby, and by -patroni too for a pair that Patroni keeps")
	}
	run := start(t, 40*time.Second)
	run.clientCount, run.rate, run.patient = 8, 10, true
	run.plan = []stream{{name: "database", node: -1, faults: []fault{{kind: loseStandby, pause: 5 * time.Second, lasts: lengths[loseStandby].least}}}}
	if *withPatroni {
		check(t, findPatroni())
		run.failover = byPatroni
	}
	run.program = build(t)
	r, err := run.run(t.Context())
	check(t, err)
	r.print(t.Output())
	for _, f := range r.findings {
		t.Errorf("%s: %s", f.rule, f.what)
	}
	told, asked := 0, 0
	for _, one := range journalOf(run.merchants) {
		told += len(one.Told)
		asked += one.Lost
	}
	t.Logf("%d answers were lost, and %d times a status told of their orders", asked, told)
	if run.made[loseStandby] != 1 || len(run.alone) != 1 || asked == 0 || r.outcomes[string(payout.StatusApproved)] == 0 {
		t.Errorf("too little happened: %v, %v, %v", run.made, run.alone, r.outcomes)
	}
}

// A torture that cannot fail shows nothing: each planted fault is found.
func TestPlantedFaultsAreFound(t *testing.T) {
	const brief = 8 * time.Second
	tests := map[string]struct {
		patch    patch
		duration time.Duration
		rule     string
		database bool // only the database is broken, while all nodes work
	}{
		"answering before the commit": {patch{"storage/commit.go", "\tpatience := time.NewTimer(", "\tif o.accept != nil {\n\t\treturn nil\n\t}\n\tpatience := time.NewTimer("}, brief, ruleKept, false},
		"resending after a lost answer": {patch{"gateway/work.go", "\toutcome := g.call(pay, gate, o, \"\")\n",
			"\toutcome := g.call(pay, gate, o, \"\")\n\tif outcome.Result == processor.ResultLost {\n\t\toutcome = g.call(pay, gate, o, \"\")\n\t}\n"}, brief, ruleOnce, false},
		"a callback counts as delivered when it was sent": {patch{"gateway/callbacks.go", "\tif !result.Delivered {\n", "\tif false {\n"}, brief, ruleTold, false},
		"commits that the standby does not have": {patch{"storage/postgres.go", `parameters["synchronous_commit"] = "on"`, `_ = "the server's own setting"`},
			30 * time.Second, ruleKept, true},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			run := start(t, tt.duration)
			run.restMost = 30 * time.Second
			if tt.database {
				run.plan, run.rate = slices.DeleteFunc(run.plan, func(s stream) bool { return s.node >= 0 }), 100
			}
			run.program = build(t, tt.patch)
			r, err := run.run(t.Context())
			check(t, err)
			if !slices.ContainsFunc(r.findings, func(f finding) bool { return f.rule == tt.rule }) {
				t.Errorf("not found: %s", tt.rule)
				r.print(t.Output())
			}
		})
	}
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
