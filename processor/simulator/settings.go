package simulator

import (
	"fmt"
	"time"

	"payout/processor"
)

// The names of the gate's settings.
const (
	SettingDecideAfter = "decide_after"
	SettingLatency     = "latency"
	SettingSilence     = "silence"
)

const settingMost = 24 * time.Hour

// A Setting is one row of the table of gate settings. All are durations in Go's
// notation, such as 1.5s, from 0 to 24 hours.
type Setting struct {
	Name    string
	Default time.Duration // for a setting that is missing or empty
	Doc     string
}

var settingRows = []Setting{
	{SettingDecideAfter, 2 * time.Second, "Time from accepting a payment to deciding it, in the scenarios that accept first."},
	{SettingLatency, 0, "Added to the time of every answer."},
	{SettingSilence, 5 * time.Second, "Time until the line is cut, in the scenarios without an answer."},
}

// Settings returns the table of gate settings. Other names are ignored.
func Settings() []Setting { return append([]Setting(nil), settingRows...) }

// settings are a gate's settings, read.
type settings struct {
	decideAfter, latency, silence time.Duration
}

// readSettings reads the settings of the payment's gate, and makes sure that the
// payment can be told from others. A value that cannot be read is an error and
// never a guess; the error does not show it, for it may be a secret in the wrong
// field.
func readSettings(p processor.Payment) (settings, error) {
	if p.Reference == "" {
		return settings{}, errNoReference
	}
	var (
		s      settings
		fields = map[string]*time.Duration{SettingDecideAfter: &s.decideAfter, SettingLatency: &s.latency, SettingSilence: &s.silence}
	)
	for _, row := range settingRows {
		value := row.Default
		if text := p.Settings[row.Name]; text != "" {
			var err error
			if value, err = time.ParseDuration(text); err != nil || value < 0 || value > settingMost {
				return settings{}, fmt.Errorf("simulator: the gate's setting %s must be a duration from 0s to %s", row.Name, settingMost)
			}
		}
		*fields[row.Name] = value
	}
	return s, nil
}
