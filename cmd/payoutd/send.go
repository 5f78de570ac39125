package main

import (
	"context"
	"crypto/rand"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"payout/sign"
	"payout/spec"
)

type sendCmd struct {
	Command string   `arg:"" complete:"command" help:"Path such as v4/payout, or name such as payout; of two with one name v4 is taken."`
	Field   []string `sep:"none" placeholder:"NAME=VALUE" complete:"field" help:"A parameter; may be repeated. It replaces one of --fields."`
	Fields  string   `placeholder:"FILE" help:"Parameters, form-encoded: a=1&b=2; - reads standard input."`
	Example bool     `help:"Fill in what the command's example has and you have not given."`
	Raw     bool     `help:"Send names that the command does not know, repeated ones too, and make up no client_orderid: to see refusals. Signature, login and control are added still, where they are not given."`
	DryRun  bool     `help:"Send nothing; print the request, its base string, and the same for curl."`
	waiting
	printed
	connection `embed:"" group:"Which gateway, and as whom:"`
}

// Help tells the exit codes and the shape of the JSON.
func (sendCmd) Help() string {
	return `The request is signed with OAuth RSA-SHA256 or gets a control sum, as the command demands. A client_orderid is made up when a new order needs one.

    payoutd send payout --example --wait       # in the sandbox of payoutd demo
    payoutd send payout --field amount=25.00 --field currency=EUR --field account_number=0987654321
    payoutd send sale --example --field cvv2=123 --dry-run

Others on this machine can see what stands on a command line: real card numbers belong into --fields.

` + outcomesHelp + shapeWith[sentView]("--json") + "\n" + shapeWith[preparedView]("--json and --dry-run") + shapeNote
}

// outcomesHelp tells the exit codes of commands that send.
const outcomesHelp = `Exit code 0: accepted or approved. 1: refused, declined or failed. 2: wrong command line. 3: not final in time, or it is not known whether the gateway carried the request out.

`

// A sentView is one request and what became of it.
type sentView struct {
	Command       string `json:"command"`
	URL           string `json:"url"`
	ClientOrderID string `json:"client_orderid,omitempty"`
	HTTPStatus    int    `json:"http_status,omitempty" doc:"of the reply"`
	Reply         fields `json:"reply" doc:"by field"`
	Status        fields `json:"status,omitempty" doc:"with --wait: the last reply to status"`
	Outcome       string `json:"outcome" doc:"accepted, confirmed (a payout-check), refused, lost (not known), or the order's status"`
	Reason        string `json:"reason,omitempty"`

	next string // the command that goes on from a confirmed order
}

// Run sends.
func (c sendCmd) Run(ctx context.Context, t terminal, commands api) error {
	command, err := commands.command(c.Command)
	if err != nil {
		return err
	}
	switch orders := slices.Contains(command.Reply.Fields, spec.FieldPaynetOrder); {
	case c.Wait && !orders:
		return wrongUsage("--wait: %s has no order to wait for", command.Path())
	case c.Group != 0 && !command.Group && !c.Raw:
		return wrongUsage("--group: %s is sent to an endpoint only", command.Path())
	}
	if err := c.checkTimes(); err != nil {
		return err
	}
	form, madeUp, err := c.form(t, command)
	if err != nil {
		return err
	}
	caller, err := c.client(command.Auth)
	if err != nil {
		return err
	}
	seen := new(recorder)
	caller.HTTP = &http.Client{Transport: seen, Timeout: sendTimeout}
	if c.DryRun {
		seen.dry = true
		_, err := caller.Do(ctx, command, c.terminal(), form)
		return c.printPrepared(t, command, seen, err)
	}
	reply, err := caller.Do(ctx, command, c.terminal(), form)
	view := sentView{Command: command.Path(), ClientOrderID: clientOrderID(command, form)}
	if err := view.judge(reply, err); err != nil {
		return c.unsent(err)
	}
	view.noticed(seen)
	view.print(t.forPeople(c.printed), madeUp)
	if c.Wait && (view.Outcome == outcomeAccepted || view.Outcome == outcomeLost) {
		next, stage := goesOn(commands, command)
		if err := c.wait(ctx, t.forPeople(c.printed), caller, c.terminal(), &view, stage); err != nil {
			view.lose(err)
		}
		view.next = next
	}
	return view.finish(t, c.printed)
}

const sendTimeout = 30 * time.Second

// form puts the parameters together: those of --fields, --field and --example,
// and a client_orderid where a new order needs one.
func (c sendCmd) form(t terminal, command *spec.Command) (form []sign.Pair, madeUp bool, err error) {
	if form, err = c.given(t); err != nil {
		return nil, false, err
	}
	if !c.Raw {
		if err := checkNames(command, form); err != nil {
			return nil, false, err
		}
	}
	if c.Example {
		if form, err = withExample(command, form, c.Raw); err != nil {
			return nil, false, err
		}
	}
	id, needed := command.Use(spec.ClientOrderID)
	if needed && newOrder(command) && !given(form, id) && (c.Example || !c.Raw) {
		form = append([]sign.Pair{{Name: id.Name, Value: "cli-" + strings.ToLower(rand.Text()[:12])}}, form...)
		madeUp = true
	}
	return form, madeUp, nil
}

// given reads --fields and --field.
func (c sendCmd) given(t terminal) ([]sign.Pair, error) {
	var form []sign.Pair
	if c.Fields != "" {
		var err error
		if form, err = readFormFile(t, c.Fields); err != nil {
			return nil, fmt.Errorf("--fields: %w", err)
		}
	}
	var typed []sign.Pair
	for _, field := range c.Field {
		name, value, found := strings.Cut(field, "=")
		if !found || name == "" {
			return nil, wrongUsage("--field must be NAME=VALUE; an empty value is NAME=")
		}
		form = slices.DeleteFunc(form, func(p sign.Pair) bool { return p.Name == name })
		typed = append(typed, sign.Pair{Name: name, Value: value})
	}
	return append(form, typed...), nil
}

// checkNames refuses names that the command does not know, or that say the same.
func checkNames(command *spec.Command, form []sign.Pair) error {
	known := names(command)
	for _, p := range form {
		if slices.Contains(known, p.Name) {
			continue
		}
		if near := nearest(p.Name, known); near != "" {
			return wrongUsage("--field %s: %s has no such parameter; did you mean %s? --raw sends it anyway", p.Name, command.Path(), near)
		}
		return wrongUsage("--field %s: %s has no such parameter; it has %s. --raw sends it anyway", p.Name, command.Path(), strings.Join(known, ", "))
	}
	for _, u := range command.Params {
		count := 0
		for _, p := range form {
			if slices.Contains(u.Names(), p.Name) {
				count++
			}
		}
		if count > 1 {
			return wrongUsage("--field %s: it is given %d times, under %s; --raw sends all", u.Name, count, strings.Join(u.Names(), " or "))
		}
	}
	return nil
}

// withExample adds what the command's example has and the form has not. What
// comes from an earlier command cannot be made up.
func withExample(command *spec.Command, form []sign.Pair, raw bool) ([]sign.Pair, error) {
	for _, sample := range command.Example() {
		i := slices.IndexFunc(command.Params, func(u spec.Use) bool { return u.Name == sample.Name })
		use := command.Params[i]
		switch {
		case given(form, use), use.Param == spec.Login, excluded(command, use, form):
		case use.Param == spec.ClientOrderID && newOrder(command): // made up
		case comesFromBefore(command, use) && !raw:
			return nil, wrongUsage("--example: %s goes on from %s; give the %s that it led to: --field %s=...",
				command.Path(), command.After.Command.Path(), use.Name, use.Name)
		default:
			form = append(form, sample)
		}
	}
	return form, nil
}

// given reports whether a form has a parameter, under any of its names.
func given(form []sign.Pair, use spec.Use) bool {
	return slices.ContainsFunc(form, func(p sign.Pair) bool { return slices.Contains(use.Names(), p.Name) })
}

// excluded reports whether a parameter contradicts one that is given.
func excluded(command *spec.Command, use spec.Use, form []sign.Pair) bool {
	for _, rule := range command.Rules {
		if rule.Tie != spec.OneOf && rule.Tie != spec.NotBoth || !slices.Contains(rule.Params, use.Param) {
			continue
		}
		for _, p := range rule.Params {
			if other, ok := command.Use(p); ok && p != use.Param && given(form, other) {
				return true
			}
		}
	}
	return false
}

// newOrder reports whether a command makes an order of its own.
func newOrder(command *spec.Command) bool { return command.After == nil || command.After.Gives != nil }

// comesFromBefore reports whether only an earlier command gives a parameter's value.
func comesFromBefore(command *spec.Command, use spec.Use) bool {
	if command.After == nil {
		return false
	}
	if command.After.Gives != nil {
		return use.Param == command.After.Takes
	}
	return use.Param == spec.ClientOrderID || use.Param == spec.OrderNumber
}

// clientOrderID is the order that a form names.
func clientOrderID(command *spec.Command, form []sign.Pair) string {
	use, ok := command.Use(spec.ClientOrderID)
	for _, p := range form {
		if ok && slices.Contains(use.Names(), p.Name) {
			return p.Value
		}
	}
	return ""
}

// noticed takes from the request what the client does not tell.
func (v *sentView) noticed(seen *recorder) {
	if seen.request != nil {
		v.URL, v.HTTPStatus = seen.request.URL.String(), seen.status
	}
}

// print tells for people what was sent and answered.
func (v sentView) print(t terminal, madeUp bool) {
	t.printf("POST %s\n", v.URL)
	if madeUp {
		t.printf("client_orderid %s is made up\n", v.ClientOrderID)
	}
	if v.HTTPStatus != 0 {
		t.printf("\nHTTP %d %s\n", v.HTTPStatus, http.StatusText(v.HTTPStatus))
	}
	v.Reply.print(t)
}
