package journeys

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"unicode/utf8"

	"github.com/chromedp/chromedp"
)

// The guide "First payout in five minutes" is followed word for word here: its
// commands are run as they stand, its buttons are found by the names that it
// gives them. Only the ports are others.

const guideFile = "10-first-payout.md"

var (
	guideBlock = regexp.MustCompile("(?ms)^```sh\n(.*?)\n```$")
	guideBold  = regexp.MustCompile(`\*\*([^*]+)\*\*`)
	guideStep  = regexp.MustCompile(`(?m)^\d+\. (.*)$`)
)

func readGuide(t *testing.T, lang string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("../docs/guides", lang, guideFile))
	check(t, err)
	return string(text)
}

// A beginner sits in the folder of a fresh clone.
type beginner struct {
	t      *testing.T
	folder string
	env    []string
	base   string // of the sandbox, with the context path
}

// newBeginner builds what "make demo" builds, and starts what it starts.
func newBeginner(t *testing.T) *beginner {
	t.Helper()
	b := &beginner{t: t, folder: t.TempDir()}
	build := exec.Command("go", "build", "-o", filepath.Join(b.folder, "bin")+"/", "../cmd/payoutd")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	recipe, err := exec.Command("make", "--dry-run", "--no-print-directory", "-C", "..", "demo").Output()
	check(t, err)
	lines := strings.Split(strings.TrimSpace(string(recipe)), "\n")
	b.env = append(os.Environ(), "PAYOUTD_LISTEN=127.0.0.1:0")
	out := b.starts(lines[len(lines)-1])
	first := out.line("payoutd sandbox: ")
	b.base, _, _ = strings.Cut(strings.TrimPrefix(first, "payoutd sandbox: "), " ")
	out.line("The sandbox keeps serving")
	b.env = append(b.env, "PAYOUTD_URL="+b.base, "PAYOUTD_CALLBACK_LISTEN=127.0.0.1:0")
	return b
}

func (b *beginner) command(ctx context.Context, line string) *exec.Cmd {
	c := exec.CommandContext(ctx, "sh", "-c", "exec "+line)
	c.Dir, c.Env = b.folder, b.env
	c.Cancel = func() error { return c.Process.Signal(os.Interrupt) } // Ctrl-C
	return c
}

// output is what a terminal shows of a program that goes on.
type output struct {
	t     *testing.T
	lines *bufio.Scanner
	seen  bytes.Buffer
	ended func() error // waits for the program's end
}

// line waits for a line that has the text in it.
func (o *output) line(text string) string {
	o.t.Helper()
	for o.lines.Scan() {
		o.seen.WriteString(o.lines.Text() + "\n")
		if strings.Contains(o.lines.Text(), text) {
			return o.lines.Text()
		}
	}
	o.t.Fatalf("the terminal shows no %q:\n%s", text, o.seen.String())
	return ""
}

// starts starts a program that goes on, in a terminal of its own, until the test ends.
func (b *beginner) starts(line string) *output {
	b.t.Helper()
	ctx, stop := context.WithTimeout(context.Background(), patience)
	c := b.command(ctx, line)
	shown, err := c.StdoutPipe()
	check(b.t, err)
	c.Stderr = c.Stdout
	check(b.t, c.Start())
	ended := sync.OnceValue(c.Wait)
	b.t.Cleanup(func() {
		stop()
		_, _ = io.Copy(io.Discard, shown) // it may still have to say something; then it ends
		_ = ended()                       // by our signal
	})
	return &output{t: b.t, lines: bufio.NewScanner(shown), ended: ended}
}

// runs runs a program to its end.
func (b *beginner) runs(line string) (out string, code int) {
	b.t.Helper()
	ctx, stop := context.WithTimeout(b.t.Context(), patience)
	defer stop()
	shown, err := b.command(ctx, line).Output()
	var failed *exec.ExitError
	if err != nil && !errors.As(err, &failed) {
		b.t.Fatalf("%s: %v", line, err)
	}
	if failed != nil {
		return string(shown) + string(failed.Stderr), failed.ExitCode()
	}
	return string(shown), 0
}

func TestFirstPayoutInFiveMinutesOnTheCommandLine(t *testing.T) {
	text := readGuide(t, "en")
	blocks := guideBlock.FindAllStringSubmatch(text, -1)
	if len(blocks) != 8 || blocks[0][1] != "make demo" {
		t.Fatalf("the guide has other commands than this test follows: %q", blocks)
	}
	b := newBeginner(t)
	lastLine := func(out string) string {
		lines := strings.Split(strings.TrimSpace(out), "\n")
		return lines[len(lines)-1]
	}
	// What the guide says of each command, in its order.
	said := []func(out string, code int) bool{
		func(out string, code int) bool { // pays, and waits
			return code == 0 && strings.Contains(out, "async-response") && lastLine(out) == "approved"
		},
		func(out string, code int) bool { // asks again
			return code == 0 && strings.Contains(out, "status-response") && lastLine(out) == "approved"
		},
		nil, // the same again, see below
		func(out string, code int) bool { // is refused
			return code == 1 && lastLine(out) == "declined: Declined by the processor"
		},
	}
	order := regexp.MustCompile(`paynet-order-id\W+(\d+)`)
	var first string
	for i, says := range said {
		line := blocks[1+i][1]
		out, code := b.runs(line)
		number := order.FindStringSubmatch(out)
		if i == 0 && number != nil {
			first = number[1]
		}
		if says == nil {
			says = func(string, int) bool { return code == 0 && number != nil && number[1] == first }
		}
		if !says(out, code) {
			t.Errorf("%s exits %d:\n%s", line, code, out)
		}
	}

	listening := b.starts(blocks[5][1])
	_, address, _ := strings.Cut(listening.line("server_callback_url="), "server_callback_url=")
	address = strings.TrimSpace(address)
	send := strings.Replace(blocks[6][1], "http://127.0.0.1:9090/callback", address, 1)
	if send == blocks[6][1] {
		t.Errorf("%q names no address of the listener", send)
	}
	if out, code := b.runs(send); code != 0 {
		t.Errorf("%s exits %d:\n%s", send, code, out)
	}
	listening.line("control: VALID")
	_, err := io.Copy(io.Discard, readerOf(listening))
	check(t, err)
	check(t, listening.ended()) // by itself, after one callback

	if out, code := b.runs(blocks[7][1]); code != 0 || !strings.Contains(out, "Authorization") || !strings.Contains(out, "POST&http") || !strings.Contains(out, "curl") {
		t.Errorf("%s exits %d:\n%s", blocks[7][1], code, out)
	}
}

// readerOf reads the rest of what a program says.
func readerOf(o *output) io.Reader {
	var rest strings.Builder
	for o.lines.Scan() {
		rest.WriteString(o.lines.Text() + "\n")
	}
	return strings.NewReader(rest.String())
}

func TestFirstPayoutInFiveMinutesInTheBrowser(t *testing.T) {
	for _, lang := range []string{"en", "ru"} {
		t.Run(lang, func(t *testing.T) {
			b := newBeginner(t)
			_, section, _ := strings.Cut(readGuide(t, lang), "\n## ")
			_, section, _ = strings.Cut(section, "\n## ") // the second one
			var steps []string
			for _, m := range guideStep.FindAllStringSubmatch(section, 6) {
				steps = append(steps, m[1])
			}
			if len(steps) != 6 {
				t.Fatalf("the guide has %d steps in the browser", len(steps))
			}
			name := func(step int) string { // of what is pressed or chosen in a step
				bold := guideBold.FindStringSubmatch(steps[step-1])
				if bold == nil {
					t.Fatalf("step %d names nothing: %s", step, steps[step-1])
				}
				return bold[1]
			}
			address := regexp.MustCompile("http://127.0.0.1:8080[^`]*").FindString(steps[0])
			root := strings.TrimSuffix(b.base, "/paynet")
			page := newTab(t)
			press := func(label string) {
				var found int
				page.run(`(() => { document.querySelector("#reply").textContent = "";
					const all = [...document.querySelectorAll("button")].filter(b => b.innerText.trim() === input);
					all.forEach(b => b.dataset.guide = input.length);
					return all.length; })()`, label, &found)
				if found != 1 {
					t.Fatalf("%d buttons are labelled %q", found, label)
				}
				page.do(chromedp.Click(css(fmt.Sprintf(`button[data-guide="%d"]`, utf8.RuneCountInString(label)))))
			}
			page.do(chromedp.Navigate(strings.Replace(address, "http://127.0.0.1:8080", root, 1)))
			page.becomes(`document.querySelector("#out-base")?.innerText.startsWith("POST&")`) // the script is ready
			press(name(2))
			page.becomes(`document.querySelector("#login").value.startsWith("sandbox-")`)
			press(name(4))
			page.becomes(`document.querySelector("#reply").innerText.includes("async-response")`)
			var label string
			page.run(`[...document.querySelectorAll("label")].find(l => l.innerText.trim() === input)?.htmlFor ?? ""`, name(5), &label)
			if label != "command" {
				t.Fatalf("nothing is labelled %q", name(5))
			}
			var chosen bool
			page.run(`(() => { const s = document.querySelector("#command"); const o = [...s.options].find(o => o.text === input);
				s.value = o.value; s.dispatchEvent(new Event("change", {bubbles: true})); return true; })()`, "v4/status", &chosen)
			page.becomes(`document.querySelector("#command-part").dataset.title === "v4/status"`)
			// "If it still says processing, send once more."
			for range 20 {
				press(name(6))
				page.becomes(`document.querySelector("#reply").innerText.includes("status-response")`)
				var reply string
				page.run(`document.querySelector("#reply").innerText`, nil, &reply)
				if strings.Contains(reply, "payout_approved") {
					return
				}
			}
			t.Error("the payout was not approved")
		})
	}
}
