package main

import (
	"embed"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/alecthomas/kong"

	"payout/server"
	"payout/spec"
)

//go:embed completion
var completionScripts embed.FS

type completionCmd struct {
	Shell string `arg:"" enum:"bash,zsh,fish" help:"bash, zsh or fish."`
}

// Help tells how the script is switched on.
func (completionCmd) Help() string {
	return `The script completes commands, flags and their values; for payoutd send also the commands of the API and, behind --field, their parameters.

    bash   payoutd completion bash > ~/.local/share/bash-completion/completions/payoutd
    zsh    payoutd completion zsh > ~/.zfunc/_payoutd    # with fpath+=~/.zfunc before compinit
    fish   payoutd completion fish > ~/.config/fish/completions/payoutd.fish

For the running shell only: source <(payoutd completion bash)`
}

// Run prints the script.
func (c completionCmd) Run(t terminal) error {
	script, err := completionScripts.ReadFile("completion/payoutd." + c.Shell)
	if err != nil {
		return err
	}
	t.printf("%s", script)
	return nil
}

type completeCmd struct {
	Line  string   `placeholder:"TEXT" help:"The command line up to the cursor, instead of words: for bash."`
	Tail  string   `placeholder:"TEXT" help:"With --line: the end of its last word that the shell replaces."`
	Words []string `arg:"" optional:"" help:"The words behind payoutd; the last one is completed."`
}

// filesWanted is the answer that lets the shell complete the name of a file.
const filesWanted = ":files"

// Run prints the completions of the last word, one a line, each with a tab and
// its meaning behind.
func (c completeCmd) Run(t terminal, commands api) error {
	words := c.Words
	if c.Line != "" {
		words = shellWords(c.Line)
		words = words[1:] // payoutd itself
	}
	if len(words) == 0 {
		words = []string{""}
	}
	parser, err := kong.New(new(cli), kong.Name("payoutd"), kong.Writers(io.Discard, io.Discard))
	if err != nil {
		return err
	}
	last := words[len(words)-1]
	found := newCompleter(parser.Model.Node, commands).complete(words)
	cut := 0 // what the shell keeps of the last word
	if c.Line != "" {
		cut = max(len(last)-len(c.Tail), 0)
	}
	for _, f := range found {
		text := f.text
		if text != filesWanted {
			text = text[min(cut, len(text)):]
		}
		t.printf("%s\t%s\n", text, f.means)
	}
	return nil
}

// shellWords splits a command line as a shell does; the last word may be empty
// or not be closed yet.
func shellWords(line string) []string {
	words := []string{""}
	var quote rune
	escaped := false
	for _, r := range line {
		last := &words[len(words)-1]
		switch {
		case escaped:
			*last += string(r)
			escaped = false
		case r == '\\' && quote != '\'':
			escaped = true
		case quote != 0:
			if r == quote {
				quote = 0
			} else {
				*last += string(r)
			}
		case r == '\'' || r == '"':
			quote = r
		case r == ' ' || r == '\t' || r == '\n':
			if *last != "" {
				words = append(words, "")
			}
		default:
			*last += string(r)
		}
	}
	return words
}

// A completion is one way to end the last word.
type completion struct{ text, means string }

// A completer walks a command line along the tree of commands.
type completer struct {
	api         api
	node        *kong.Node
	positionals []string   // seen since the node
	pending     *kong.Flag // that waits for its value
	flagsEnded  bool       // by --
	used        map[string]bool
}

func newCompleter(root *kong.Node, commands api) *completer {
	return &completer{api: commands, node: root, used: make(map[string]bool)}
}

// complete returns what the last of the words may become.
func (c *completer) complete(words []string) []completion {
	for _, word := range words[:len(words)-1] {
		c.pass(word)
	}
	last := words[len(words)-1]
	var all []completion
	name, value, valued := strings.Cut(last, "=")
	switch {
	case c.pending != nil:
		all = c.values(c.pending.Value, last)
	case !c.flagsEnded && strings.HasPrefix(last, "--") && valued:
		if f := c.flag(name); f != nil {
			for _, v := range c.values(f.Value, value) {
				if v.text != filesWanted {
					v.text = name + "=" + v.text
				}
				all = append(all, v)
			}
		}
	case !c.flagsEnded && strings.HasPrefix(last, "-"):
		all = c.flags()
	default:
		for _, child := range c.node.Children {
			if !child.Hidden {
				all = append(all, completion{child.Name, child.Help})
			}
		}
		if p := c.positional(); p != nil {
			all = append(all, c.values(p, last)...)
		}
	}
	return slices.DeleteFunc(all, func(f completion) bool { return f.text != filesWanted && !strings.HasPrefix(f.text, last) })
}

// pass walks over one finished word.
func (c *completer) pass(word string) {
	switch {
	case c.pending != nil:
		c.pending = nil
	case c.flagsEnded:
		c.positionals = append(c.positionals, word)
	case word == "--":
		c.flagsEnded = true
	case strings.HasPrefix(word, "-") && word != "-":
		name, _, valued := strings.Cut(word, "=")
		c.used[name] = true
		if f := c.flag(name); f != nil && !f.IsBool() && !valued {
			c.pending = f
		}
	default:
		for _, child := range c.node.Children {
			if child.Name == word {
				c.node, c.positionals = child, nil
				return
			}
		}
		c.positionals = append(c.positionals, word)
	}
}

// flag finds a flag of the command by its name with the dashes.
func (c *completer) flag(name string) *kong.Flag {
	for _, group := range c.node.AllFlags(false) {
		for _, f := range group {
			if "--"+f.Name == name || f.Short != 0 && "-"+string(f.Short) == name {
				return f
			}
		}
	}
	return nil
}

// flags lists the flags that may still come.
func (c *completer) flags() []completion {
	var all []completion
	for _, group := range c.node.AllFlags(true) {
		for _, f := range group {
			if name := "--" + f.Name; !c.used[name] || f.IsCumulative() {
				all = append(all, completion{name, f.Help})
			}
		}
	}
	return all
}

// positional is the argument that the next word is, or nil.
func (c *completer) positional() *kong.Positional {
	at := len(c.positionals)
	if n := len(c.node.Positional); at >= n && n > 0 && c.node.Positional[n-1].IsCumulative() {
		at = n - 1
	}
	if at >= len(c.node.Positional) {
		return nil
	}
	return c.node.Positional[at]
}

// values lists the values of a flag or an argument: its enum, a file, or what
// its tag complete names.
func (c *completer) values(v *kong.Value, typed string) []completion {
	switch kind := v.Tag.Get("complete"); {
	case v.Enum != "":
		return plain(v.EnumSlice())
	case kind == "stage":
		return plain(stageNames())
	case kind == "processor":
		return plain(server.ProcessorNames())
	case kind == "command":
		return c.commands()
	case kind == "field":
		return c.fields(typed)
	case kind == "file" || strings.HasPrefix(v.Tag.PlaceHolder, "FILE") || v.Tag.PlaceHolder == "FOLDER":
		return []completion{{filesWanted, ""}}
	}
	return nil
}

func plain(words []string) []completion {
	all := make([]completion, len(words))
	for i, word := range words {
		all[i].text = word
	}
	return all
}

// commands lists the commands of the API by path, and by name where it says the same.
func (c *completer) commands() []completion {
	var names, paths []completion
	for _, command := range c.api {
		if found, err := c.api.command(command.Name); err == nil && found == command {
			names = append(names, completion{command.Name, command.Doc.EN})
		}
		paths = append(paths, completion{command.Path(), command.Doc.EN})
	}
	return append(names, paths...)
}

// fields lists the parameters of the command that the line names, and behind
// the '=' the values of one of them.
func (c *completer) fields(typed string) []completion {
	if len(c.positionals) == 0 {
		return nil
	}
	command, err := c.api.command(c.positionals[0])
	if err != nil {
		return nil
	}
	name, _, valued := strings.Cut(typed, "=")
	var all []completion
	for _, use := range command.Params {
		for _, alias := range use.Names() {
			if !valued {
				all = append(all, completion{alias + "=", fmt.Sprintf("%s. %s", use.Need, use.Doc.EN)})
			} else if alias == name {
				for _, value := range sampleValues(use) {
					all = append(all, completion{name + "=" + value, use.Doc.EN})
				}
			}
		}
	}
	return all
}

// sampleValues lists what a parameter may be, or its sample, where a shell
// takes it as it stands.
func sampleValues(use spec.Use) []string {
	values := use.Kind.Values()
	if values == nil {
		values = []string{use.Sample}
	}
	return slices.DeleteFunc(values, func(value string) bool { return !shellSafe(value) })
}

// shellSafe reports whether a word means itself to every shell.
func shellSafe(word string) bool {
	return word != "" && strings.Trim(word, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-+./:@,=%") == ""
}
