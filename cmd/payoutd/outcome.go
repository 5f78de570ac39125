package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"payout/client"
	"payout/sign"
	"payout/spec"
)

// The outcomes of a request that are no status of an order.
const (
	outcomeAccepted  = "accepted"
	outcomeConfirmed = "confirmed" // a payout-check waits for its payout-pay
	outcomeRefused   = "refused"
	outcomeLost      = "lost" // it is not known whether the gateway carried it out
)

// judge says what became of a request: by its reply, or by the error in its
// place. What says nothing about the order is returned.
func (v *sentView) judge(reply client.Reply, err error) error {
	refusal, refused := errors.AsType[*client.Error](err)
	lost, isLost := errors.AsType[*client.LostError](err)
	switch {
	case refused:
		v.Outcome, v.Reason, reply = outcomeRefused, reasonOf(refusal), refusal.Reply
	case isLost:
		v.Outcome, v.Reason, reply = outcomeLost, lost.Err.Error(), lost.Reply
	case err != nil:
		return err
	default:
		v.Outcome = outcomeAccepted
		v.follow(reply)
	}
	v.Reply = reply.Fields()
	return nil
}

// follow takes the outcome from a reply that tells the status of an order.
func (v *sentView) follow(reply client.Reply) {
	if status := reply.Get(spec.FieldStatus.Name); status != "" {
		v.Outcome, v.Reason = status, reply.Get(spec.FieldErrorMessage.Name)
	}
}

// lose says that the order may be anywhere.
func (v *sentView) lose(err error) {
	v.Outcome, v.Reason = outcomeLost, strings.TrimPrefix(err.Error(), "client: ")
}

// reasonOf is a refusal in the words of the command line.
func reasonOf(e *client.Error) string {
	text := strings.NewReplacer("Client.BaseURL", "--url", "Client.Key", "--private-key").Replace(e.Message)
	if e.Type != "" {
		text += fmt.Sprintf(" (%s %d)", e.Type, e.Code)
	}
	return text
}

// exit is the exit code of an outcome, nil for success.
func (v sentView) exit() error {
	switch status := (client.StatusResponse{Status: v.Outcome}); {
	case v.Outcome == outcomeAccepted || v.Outcome == outcomeConfirmed || status.Approved():
		return nil
	case v.Outcome == outcomeRefused || status.Final():
		return errQuiet
	}
	return exitError{code: exitNotFinal}
}

// open reports whether the order may still change.
func (v sentView) open() bool {
	coded, ok := errors.AsType[exitError](v.exit())
	return ok && coded.code == exitNotFinal
}

// finish prints the outcome, and returns its exit code.
func (v sentView) finish(t terminal, p printed) error {
	if p.JSON {
		if err := t.json(v); err != nil {
			return err
		}
		return v.exit()
	}
	line := v.Outcome
	if v.Reason != "" {
		line += ": " + v.Reason
	}
	t.printf("\n%s\n", line)
	order := v.Reply.get(spec.FieldPaynetOrder.Name)
	ask := strings.TrimSpace("payoutd status " + v.ClientOrderID + " " + order)
	switch {
	case v.Outcome == outcomeConfirmed:
		t.printf("To go on: payoutd send %s --field %s=%s --field %s=%s\n", v.next, spec.ClientOrderID.Name, v.ClientOrderID, spec.OrderNumber.Name, order)
	case v.Outcome == outcomeAccepted && v.ClientOrderID != "" && order != "":
		t.printf("Where it stands: %s\n", ask)
	case v.Outcome == outcomeLost && v.ClientOrderID != "":
		t.printf("It is not known whether the gateway carried the request out. Ask before you send anything else: %s\n", ask)
	}
	return v.exit()
}

// forPeople is where a command prints what JSON leaves out.
func (t terminal) forPeople(p printed) terminal {
	if p.JSON {
		t.out = io.Discard
	}
	return t
}

// waiting are the flags of commands that wait for the end of an order.
type waiting struct {
	Wait    bool          `help:"Ask for the status until it is final: every 3 to 5 seconds, as the reference wants it."`
	Timeout time.Duration `default:"5m" placeholder:"TIME" help:"With --wait: for so long at most (default: ${default})."`
	Every   time.Duration `placeholder:"TIME" help:"With --wait: ask so often instead."`
}

// checkTimes refuses what is no time to wait.
func (w waiting) checkTimes() error {
	if w.Timeout <= 0 || w.Every < 0 {
		return wrongUsage("--timeout must be positive, and --every must not be negative")
	}
	return nil
}

// wait asks until the order of a view is final, or confirmed at an order-stage. The
// error is why no status came at all.
func (w waiting) wait(ctx context.Context, t terminal, caller *client.Client, to client.Terminal, v *sentView, confirmed string) error {
	ctx, cancel := context.WithTimeout(ctx, w.Timeout)
	defer cancel()
	patient := *caller
	patient.WaitMax = w.Timeout + time.Minute // the context ends it
	if w.Every > 0 {
		patient.Sleep = func(ctx context.Context, _ time.Duration) error {
			select {
			case <-time.After(w.Every):
				return nil
			case <-ctx.Done():
				return ctx.Err()
			}
		}
	}
	last := ""
	status, err := patient.Wait(ctx, to, v.ClientOrderID, v.Reply.get(spec.FieldPaynetOrder.Name), func(s client.StatusResponse) bool {
		if stage := s.Status + "  " + s.OrderStage; stage != last {
			t.printf("%s\n", stage)
			last = stage
		}
		return confirmed != "" && s.OrderStage == confirmed
	})
	if status.Reply.HTTPStatus == 0 {
		return err
	}
	v.Status = status.Reply.Fields()
	v.follow(status.Reply)
	if confirmed != "" && status.OrderStage == confirmed {
		v.Outcome = outcomeConfirmed
	}
	t.printf("\n")
	v.Status.print(t)
	return nil
}

// goesOn is the command that goes on from an order of this one that is not final,
// and the order-stage at which it does; both are empty if there is none.
func goesOn(commands api, command *spec.Command) (next, stage string) {
	for _, c := range commands {
		if c.After != nil && c.After.Command == command && c.After.Stage != "" && !c.After.Stage.Final() {
			return c.Path(), c.After.Stage.OrderStage(command.Type)
		}
	}
	return "", ""
}

// fields are the fields of a reply in their order; an object in JSON.
type fields []sign.Pair

// get returns the value of a field, or "".
func (f fields) get(name string) string { return valueOf(f, name) }

// print prints the fields for people.
func (f fields) print(t terminal) {
	for _, p := range f {
		t.printf("  %s=%s\n", p.Name, p.Value)
	}
}

// MarshalJSON writes an object with the names in their order; of a repeated one
// the first value counts, as for get.
func (f fields) MarshalJSON() ([]byte, error) {
	b := []byte("{")
	for i, p := range f {
		if slices.ContainsFunc(f[:i], func(before sign.Pair) bool { return before.Name == p.Name }) {
			continue
		}
		name, err := json.Marshal(p.Name)
		if err != nil {
			return nil, err
		}
		value, err := json.Marshal(p.Value)
		if err != nil {
			return nil, err
		}
		if len(b) > 1 {
			b = append(b, ',')
		}
		b = append(append(append(b, name...), ':'), value...)
	}
	return append(b, '}'), nil
}
