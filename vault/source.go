package vault

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"time"

	"payout"
)

// A Source is where the master key comes from: a command or a text, if given,
// otherwise a file.
type Source struct {
	File    string        // made when it does not exist
	Text    payout.Secret // the key set itself, from the environment
	Command string        // prints the key set; run once, by the shell
}

// IsFile reports whether the key is kept in a file, which can be made,
// watched and changed.
func (s Source) IsFile() bool { return s.Text == "" && s.Command == "" }

// Missing reports whether the key is to be a file that does not exist yet.
func (s Source) Missing() bool {
	if !s.IsFile() {
		return false
	}
	_, err := os.Stat(s.File)
	return errors.Is(err, fs.ErrNotExist)
}

// Open reads the master key.
func (s Source) Open(ctx context.Context) (*Vault, error) {
	switch {
	case s.Text != "" && s.Command != "":
		return nil, errors.New("the master key has two sources: its text in the environment and a key command")
	case s.IsFile():
		return Open(s.File)
	}
	text, from := []byte(s.Text.Reveal()), "the environment"
	if s.Command != "" {
		from = "the key command"
		var err error
		if text, err = printed(ctx, s.Command); err != nil {
			return nil, err
		}
	}
	set, err := ParseKeySet(text)
	if err != nil {
		return nil, fmt.Errorf("read master key from %s: %w", from, err)
	}
	return newVault(set)
}

const (
	commandMost = time.Minute // longest run of a key command
	textMax     = 1 << 20     // bytes of a key set
)

// printed runs a command and returns what it prints. Its errors tell neither
// the command, which may hold a password, nor its output.
func printed(ctx context.Context, command string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, commandMost)
	defer cancel()
	run := exec.CommandContext(ctx, "/bin/sh", "-c", command)
	run.WaitDelay = time.Second // children that keep its output open
	var out bytes.Buffer
	run.Stdout = &limited{out: &out, left: textMax}
	err := run.Run()
	var exit *exec.ExitError
	switch {
	case err == nil:
		return out.Bytes(), nil
	case ctx.Err() != nil:
		return nil, fmt.Errorf("the key command was stopped: %w", ctx.Err())
	case errors.As(err, &exit):
		return nil, fmt.Errorf("the key command failed: %s", exit.ProcessState)
	}
	return nil, errors.New("the key command could not be run, or printed too much")
}

// limited takes so many bytes and refuses more.
type limited struct {
	out  io.Writer
	left int
}

func (l *limited) Write(p []byte) (int, error) {
	if l.left -= len(p); l.left < 0 {
		return 0, io.ErrShortWrite
	}
	return l.out.Write(p)
}
