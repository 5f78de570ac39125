package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// completions runs payoutd complete and returns the words without their meaning.
func completions(t *testing.T, words ...string) []string {
	t.Helper()
	r := execute(t.Context(), "", append([]string{"complete", "--"}, words...)...)
	if r.code != 0 || r.err != "" {
		t.Fatalf("complete %q exits %d: %s", words, r.code, r.err)
	}
	return firsts(r.out)
}

func firsts(lines string) []string {
	var all []string
	for line := range strings.Lines(lines) {
		word, _, _ := strings.Cut(line, "\t")
		all = append(all, word)
	}
	return all
}

func TestWordsAreCompletedByWhatStandsBefore(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		words string // separated by blanks
		want  string
	}{
		{"vers", "version"},
		{"par", "party"},
		{"party ", "add list key enable disable"},
		{"party list --data", "--database"},
		{"party list --database=x --js", "--json"},
		{"party list --json --js", ""},                         // it is there already
		{"gate add --currency EUR --curr", "--currency"},       // may be repeated
		{"party list --database ", filesWanted},                // a file
		{"party list --database=", filesWanted},                //
		{"party key add M ", filesWanted},                      // so says the argument
		{"completion ", "bash zsh fish"},                       // an enum argument
		{"endpoint add M --repeat ", "replay allow"},           // an enum flag
		{"endpoint add M --repeat=al", "--repeat=allow"},       //
		{"order list --stage do", "doubtful"},                  //
		{"gate add B --processor ", "simulator"},               //
		{"demo ", "payout cards form all"},                     //
		{"gate add B --require ", ""},                          // any text
		{"gate set 1 --conc", "--concurrency"},                 //
		{"party --json list --databa", "--database"},           // a flag before its command
		{"control sum -- --k", ""},                             // no flags behind --
		{"com", "completion"},                                  // complete itself is hidden
		{"nonsense ", "serve demo"},                            // what cannot be helped does no harm
		{"party list --no-such-flag x --databa", "--database"}, //
	} {
		got, want := completions(t, strings.Split(c.words, " ")...), strings.Fields(c.want)
		if c.words == "party " || c.words == "nonsense " || strings.HasPrefix(c.words, "gate add B --proc") {
			got = slices.DeleteFunc(got, func(word string) bool { return !slices.Contains(want, word) })
		}
		if !slices.Equal(got, want) {
			t.Errorf("%q: %q, want %q", c.words, got, want)
		}
	}
}

func TestAnUnfinishedLineIsSplitAsAShellDoes(t *testing.T) {
	t.Parallel()
	for line, want := range map[string][]string{
		"payoutd":                   {"payoutd"},
		"payoutd ":                  {"payoutd", ""},
		"payoutd  send":             {"payoutd", "send"},
		`payoutd --field a="b c"`:   {"payoutd", "--field", "a=b c"},
		`payoutd 'it is" one' x\ y`: {"payoutd", `it is" one`, "x y"},
		`payoutd --field 'open q`:   {"payoutd", "--field", "open q"},
		"payoutd Описание ":         {"payoutd", "Описание", ""},
	} {
		if got := shellWords(line); !slices.Equal(got, want) {
			t.Errorf("%s: %q, want %q", line, got, want)
		}
	}
}

// built builds the program into a folder and returns the folder.
func built(t *testing.T) string {
	t.Helper()
	folder := t.TempDir()
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", filepath.Join(folder, "payoutd"), ".").CombinedOutput(); err != nil {
		t.Fatalf("build payoutd: %v\n%s", err, out)
	}
	return folder
}

// typed lets a shell complete a line, by a program in the shell's language that
// has the script in $SCRIPT and prints the completions of $LINE.
func typed(t *testing.T, folder, shell, program, line string) []string {
	t.Helper()
	path, err := exec.LookPath(shell)
	if err != nil {
		t.Skipf("%s is not installed", shell)
	}
	command := exec.CommandContext(t.Context(), path, "-c", program)
	command.Dir = folder
	command.Env = []string{"PATH=" + folder + ":" + os.Getenv("PATH"), "HOME=" + folder, "LINE=" + line,
		"SCRIPT=" + execute(t.Context(), "", "completion", shell).out}
	command.WaitDelay = 10 * time.Second
	var problems strings.Builder
	command.Stderr = &problems
	out, err := command.Output()
	if err != nil || problems.Len() > 0 {
		t.Fatalf("%s: %v %s", shell, err, &problems)
	}
	words := strings.Split(strings.TrimSuffix(string(out), "\n"), "\n")
	slices.Sort(words)
	return words
}

// What readline does: it splits the line at $COMP_WORDBREAKS and calls the function.
const bashDriver = `
eval "$SCRIPT"
COMP_LINE=$LINE COMP_POINT=${#LINE}
complete -p payoutd | grep -q -- '-F _payoutd ' || echo unregistered
_payoutd payoutd "${LINE##*[ =:]}" ""
printf '%s\n' "${COMPREPLY[@]}"
`

// What the line editor of zsh does: it has the words, and takes what the
// function gives to compadd.
const zshDriver = `
compdef() { registered=$1 }
compadd() {
	while [[ $1 != -a ]]; do [[ $1 == -d ]] && shift; shift; done
	print -l -- ${(P)2}
}
_files() { print -l files }
compset() { : }
eval "$SCRIPT"
[[ $registered == _payoutd ]] || print unregistered
words=("${(@Q)${(z)LINE}}")
[[ $LINE == *' ' ]] && words+=('')
CURRENT=$#words PREFIX=$words[-1]
_payoutd
true
`

// fish completes a line by itself, as it would on a terminal.
const fishDriver = `
printenv SCRIPT | source
complete -C "$LINE" | cut -f1
`

func TestShellsComplete(t *testing.T) {
	t.Parallel()
	folder := built(t)
	for _, name := range []string{"my.key", "my other.key"} {
		check(t, os.WriteFile(filepath.Join(folder, name), nil, 0o600))
	}
	for _, c := range []struct {
		shell, driver string
		lines         map[string][]string
	}{
		{"bash", bashDriver, map[string][]string{
			"payoutd vers":                                {"version"},
			"payoutd party list --json --databa":          {"--database"},
			"payoutd endpoint add M --repeat ":            {"allow", "replay"},
			"payoutd endpoint add M --repeat=al":          {"allow"}, // bash keeps what is before the '='
			"payoutd party key add M my.":                 {"my.key"},
			"payoutd party key add M my":                  {"my other.key", "my.key"},
			"payoutd version nothing":                     {""},
			"payoutd send pay":                            {"payout", "payout-by-ref", "payout-check", "payout-form", "payout-pay"},
			"payoutd send payout --field acc":             {"account_name=", "account_number="},
			"payoutd send payout --field account_number=": {"1234567890"}, // the sample
			"payoutd send payout --field=acc":             {"account_name=", "account_number="},
			"payoutd send v2/status --field or":           {"orderid="},
		}},
		{"zsh", zshDriver, map[string][]string{
			"payoutd vers":                       {"version"},
			"payoutd endpoint add M --repeat ":   {"allow", "replay"},
			"payoutd endpoint add M --repeat=al": {"--repeat=allow"},
			"payoutd party key add M my":         {"files"},
			"payoutd send payout --field acc":    {"account_name=", "account_number="},
		}},
		{"fish", fishDriver, map[string][]string{
			"payoutd vers":                       {"version"},
			"payoutd endpoint add M --repeat ":   {"allow", "replay"},
			"payoutd endpoint add M --repeat=al": {"--repeat=allow"},
			"payoutd party key add M my":         {"my other.key", "my.key"},
			"payoutd send payout --field acc":    {"account_name=", "account_number="},
		}},
	} {
		t.Run(c.shell, func(t *testing.T) {
			for line, want := range c.lines {
				if got := typed(t, folder, c.shell, c.driver, line); !slices.Equal(got, want) {
					t.Errorf("%q: %q, want %q", line, got, want)
				}
			}
		})
	}
}
