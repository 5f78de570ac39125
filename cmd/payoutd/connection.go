package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"

	"payout"
	"payout/sign"
)

// merchantControl are the flags for the secret of an integrator's control sums.
type merchantControl struct {
	ControlKey     payout.Secret `env:"PAYOUTD_CONTROL_KEY" placeholder:"KEY" help:"Control key (merchant_control); better in the environment or a file, where the process list does not show it (env $$${env})."`
	ControlKeyFile string        `default:"data/TestMerchant.control" env:"PAYOUTD_CONTROL_KEY_FILE" placeholder:"FILE" help:"File with the control key, where it is not given itself; payoutd demo writes it (default: ${default}; env $$${env})."`
}

// readControlKey returns the control key. The errors never quote it.
func (m merchantControl) readControlKey() (payout.Secret, error) {
	if m.ControlKey != "" {
		return m.ControlKey, nil
	}
	text, err := os.ReadFile(m.ControlKeyFile)
	switch key := strings.TrimSpace(string(text)); {
	case errors.Is(err, fs.ErrNotExist):
		return "", fmt.Errorf("there is no control key: --control-key-file %s does not exist, and neither --control-key nor $PAYOUTD_CONTROL_KEY is given", m.ControlKeyFile)
	case err != nil:
		return "", fmt.Errorf("--control-key-file: %w", err)
	case key == "":
		return "", fmt.Errorf("--control-key-file %s is empty", m.ControlKeyFile)
	case strings.Contains(key, "-----BEGIN"):
		return "", fmt.Errorf("--control-key-file %s holds a PEM key; the control key is the merchant_control, a short text", m.ControlKeyFile)
	case strings.ContainsAny(key, "\r\n"):
		return "", fmt.Errorf("--control-key-file %s has more than one line", m.ControlKeyFile)
	default:
		return payout.Secret(key), nil
	}
}

// readFormFile reads a form from a file, or from standard input if it is "-".
func readFormFile(t terminal, file string) ([]sign.Pair, error) {
	if file == "-" {
		return readForm(t.in)
	}
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return readForm(f)
}

// readForm reads a form.
func readForm(r io.Reader) ([]sign.Pair, error) {
	text, err := io.ReadAll(r)
	if err != nil {
		return nil, err
	}
	return sign.ParseForm(strings.TrimRight(string(text), "\r\n")) // editors end files with a newline; a form never ends with one
}
