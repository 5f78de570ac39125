package postman

import (
	"slices"

	"payout"
	"payout/spec"
)

// A plan is the order in which commands are sent.
type plan struct {
	commands []*spec.Command
	install  Install
	steps    []step
	stages   map[*spec.Command]payout.Stage // that the order of a command has reached so far
	handed   []string                       // variables that requests set
}

// A step is a folder: one command and what follows from it.
type step struct {
	command  *spec.Command
	requests []*request
}

func newPlan(commands []*spec.Command, install Install) *plan {
	return &plan{commands: commands, install: install, stages: make(map[*spec.Command]payout.Stage)}
}

func (p *plan) in(t payout.Text) string { return t.In(p.install.Lang) }

// run plans a command after what it goes on from, once.
func (p *plan) run(c *spec.Command) {
	if slices.ContainsFunc(p.steps, func(s step) bool { return s.command == c }) {
		return
	}
	if c.After != nil {
		p.run(c.After.Command)
	}
	requests := []*request{p.request(c)}
	if c.Reaches != "" {
		p.stages[owner(c)] = c.Reaches
		requests = append(requests, p.poll(c))
	}
	p.steps = append(p.steps, step{c, requests})
}

func (p *plan) folders() []any {
	var all []any
	for _, s := range p.steps {
		all = append(all, &folder{Name: s.command.Path(), Description: p.in(s.command.Doc), Items: s.requests})
	}
	return all
}

// owner is the command whose order a command is about: its own, unless it goes on
// from another's.
func owner(c *spec.Command) *spec.Command {
	for c.After != nil && c.After.Takes == nil {
		c = c.After.Command
	}
	return c
}

// The variables of an order, by the command that made it.
func clientOrderOf(c *spec.Command) string { return slug(owner(c)) + "." + spec.ClientOrderID.Name }
func orderOf(c *spec.Command) string       { return slug(owner(c)) + "." + spec.OrderNumber.Name }

// givenBy is the variable of a field that a command's reply gives to others.
func givenBy(c *spec.Command, f *spec.Field) string { return slug(c) + "." + f.Name }

// hand notes a variable that a request sets.
func (p *plan) hand(name string) string {
	if !slices.Contains(p.handed, name) {
		p.handed = append(p.handed, name)
	}
	return name
}

// statusCommand is the command that tells where orders stand, with the same proof
// of who calls if there is one.
func (p *plan) statusCommand(auth spec.Auth) *spec.Command {
	found := spec.StatusV4
	for _, c := range p.commands {
		if c.Reply == spec.StatusReply {
			if found = c; c.Auth == auth {
				break
			}
		}
	}
	return found
}

// gives lists what a command's reply gives to the commands of the API.
func (p *plan) gives(c *spec.Command) []*spec.Field {
	var fields []*spec.Field
	for _, other := range p.commands {
		if a := other.After; a != nil && a.Command == c && a.Gives != nil && !slices.Contains(fields, a.Gives) {
			fields = append(fields, a.Gives)
		}
	}
	return fields
}
