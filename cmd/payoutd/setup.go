package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"payout"
	"payout/callback"
	"payout/gateway"
	"payout/server"
	"payout/sign"
	"payout/spec"
	"payout/storage"
	"payout/vault"
)

// change runs one change of the set-up with the present set-up at hand.
func (s stored) change(ctx context.Context, fn func(*storage.Directory, *storage.Tx) error) error {
	return s.with(ctx, func(db *storage.DB, _ *vault.Vault) error {
		d, err := db.Directory(ctx)
		if err != nil {
			return err
		}
		return db.Transact(ctx, time.Now(), func(tx *storage.Tx) error { return fn(d, tx) })
	})
}

// A listing is the flags of commands that list a part of the set-up.
type listing struct {
	stored
	printed
}

// list prints a part of the set-up: a table, some rows for each view, or the
// views as JSON.
func list[V any](ctx context.Context, t terminal, c listing, views func(*storage.Directory) []V, header string, rows func(V, func(...any))) error {
	return c.with(ctx, func(db *storage.DB, _ *vault.Vault) error {
		d, err := db.Directory(ctx)
		if err != nil {
			return err
		}
		all := views(d)
		if c.JSON {
			return t.json(all)
		}
		table := tabwriter.NewWriter(t.out, 0, 4, 2, ' ', 0)
		fmt.Fprintln(table, header)
		for _, v := range all {
			rows(v, func(cells ...any) {
				texts := make([]string, len(cells))
				for i, cell := range cells {
					texts[i] = fmt.Sprint(cell)
				}
				fmt.Fprintln(table, strings.Join(texts, "\t"))
			})
		}
		return table.Flush()
	})
}

func onOff(enabled bool) string {
	if enabled {
		return "on"
	}
	return "off"
}

type partyCmd struct {
	Add     partyAddCmd   `cmd:"" help:"Add a Connecting Party; prints its control key once."`
	List    partyListCmd  `cmd:"" help:"List the Connecting Parties and their keys."`
	Key     partyKeyCmd   `cmd:"" help:"Add, enable or disable public keys of a party."`
	Token   partyTokenCmd `cmd:"" help:"Make, list or revoke tokens for a party's integration panel."`
	Enable  partyOnCmd    `cmd:"" help:"Let a disabled party call again."`
	Disable partyOffCmd   `cmd:"" help:"Refuse all requests of a party."`
}

type partyAddCmd struct {
	stored
	Login      string `arg:"" help:"Login: oauth_consumer_key and login on the wire."`
	Name       string `help:"Name for people (default: the login)."`
	PublicKey  string `placeholder:"FILE" help:"Public key, SPKI or PKCS#1 PEM, 2048 to 4096 bits."`
	ControlKey string `env:"PAYOUTD_CONTROL_KEY" placeholder:"KEY" help:"Control key (merchant_control); made when left out (env $$${env})."`
}

// Run adds a party.
func (c partyAddCmd) Run(ctx context.Context, t terminal) error {
	if strings.TrimSpace(c.Login) != c.Login || c.Login == "" || len(c.Login) > 128 {
		return errors.New("the login must be 1 to 128 characters without blanks around it")
	}
	made := c.ControlKey == ""
	if made {
		c.ControlKey = gateway.NewControlKey().Reveal()
	}
	err := c.change(ctx, func(_ *storage.Directory, tx *storage.Tx) error {
		name := c.Name
		if name == "" {
			name = c.Login
		}
		id, err := tx.AddParty(payout.ConnectingParty{Login: c.Login, Name: name, ControlKey: payout.Secret(c.ControlKey), Enabled: true})
		if err != nil || c.PublicKey == "" {
			return err
		}
		return addKey(tx, id, c.PublicKey)
	})
	if err != nil {
		return err
	}
	t.printf("party %s added\n", c.Login)
	if made {
		t.printf("control key  %s   (shown only now)\n", c.ControlKey)
	}
	if c.PublicKey == "" {
		t.printf("It has no public key yet: payoutd party key add %s FILE\n", c.Login)
	}
	return nil
}

func addKey(tx *storage.Tx, party payout.PartyID, file string) error {
	key, err := readPublicKey(file)
	if err != nil {
		return err
	}
	return tx.AddPartyKey(party, payout.PartyKey{Fingerprint: sign.Fingerprint(key), Public: key, Enabled: true})
}

// partyNamed finds a party for a command.
func partyNamed(d *storage.Directory, login string) (*payout.ConnectingParty, error) {
	party := d.PartyByLogin(login)
	if party == nil {
		return nil, fmt.Errorf("there is no party %q", login)
	}
	return party, nil
}

type partyListCmd struct{ listing }

// Help tells the shape of the JSON.
func (partyListCmd) Help() string { return shapeOf[[]partyView]() }

// Run lists parties.
func (c partyListCmd) Run(ctx context.Context, t terminal) error {
	return list(ctx, t, c.listing, partyViews, "LOGIN\tNAME\tSTATE\tKEY\tKEY STATE", func(p partyView, row func(...any)) {
		if len(p.Keys) == 0 {
			row(p.Login, p.Name, onOff(p.Enabled), "none", "")
		}
		for _, k := range p.Keys {
			row(p.Login, p.Name, onOff(p.Enabled), fmt.Sprintf("%s… (%d bits)", k.Fingerprint[:16], k.Bits), onOff(k.Enabled))
		}
	})
}

type partyOnCmd struct {
	stored
	Login string `arg:"" help:"Login of the party."`
}
type partyOffCmd struct {
	stored
	Login string `arg:"" help:"Login of the party."`
}

// Run enables a party.
func (c partyOnCmd) Run(ctx context.Context) error { return c.switchParty(ctx, c.Login, true) }

// Run disables a party.
func (c partyOffCmd) Run(ctx context.Context) error { return c.switchParty(ctx, c.Login, false) }

func (s stored) switchParty(ctx context.Context, login string, enabled bool) error {
	return s.change(ctx, func(d *storage.Directory, tx *storage.Tx) error {
		party, err := partyNamed(d, login)
		if err != nil {
			return err
		}
		return tx.Switch(storage.SwitchParty, int64(party.ID), enabled)
	})
}

type partyKeyCmd struct {
	Add     partyKeyAddCmd `cmd:"" help:"Add a public key; several may be active at once."`
	Enable  partyKeyOnCmd  `cmd:"" help:"Accept signatures by a key again."`
	Disable partyKeyOffCmd `cmd:"" help:"Refuse signatures by a key."`
}

type partyKeyAddCmd struct {
	stored
	Login string `arg:"" help:"Login of the party."`
	File  string `arg:"" complete:"file" help:"Public key, SPKI or PKCS#1 PEM."`
}

// Run adds a key.
func (c partyKeyAddCmd) Run(ctx context.Context) error {
	return c.change(ctx, func(d *storage.Directory, tx *storage.Tx) error {
		party, err := partyNamed(d, c.Login)
		if err != nil {
			return err
		}
		return addKey(tx, party.ID, c.File)
	})
}

type partyKeyOnCmd struct {
	stored
	Login       string `arg:"" help:"Login of the party."`
	Fingerprint string `arg:"" help:"Fingerprint of the key, or its beginning."`
}
type partyKeyOffCmd struct {
	stored
	Login       string `arg:"" help:"Login of the party."`
	Fingerprint string `arg:"" help:"Fingerprint of the key, or its beginning."`
}

// Run enables a key.
func (c partyKeyOnCmd) Run(ctx context.Context) error {
	return c.switchKey(ctx, c.Login, c.Fingerprint, true)
}

// Run disables a key.
func (c partyKeyOffCmd) Run(ctx context.Context) error {
	return c.switchKey(ctx, c.Login, c.Fingerprint, false)
}

func (s stored) switchKey(ctx context.Context, login, fingerprint string, enabled bool) error {
	return s.change(ctx, func(d *storage.Directory, tx *storage.Tx) error {
		party, err := partyNamed(d, login)
		if err != nil {
			return err
		}
		fits := func(k payout.PartyKey) bool { return strings.HasPrefix(k.Fingerprint, fingerprint) }
		i := slices.IndexFunc(party.Keys, fits)
		if i < 0 || slices.ContainsFunc(party.Keys[i+1:], fits) {
			return fmt.Errorf("the fingerprint must belong to exactly one key of %s: see payoutd party list", login)
		}
		return tx.SwitchKey(party.ID, party.Keys[i].Fingerprint, enabled)
	})
}

type projectCmd struct {
	Add     projectAddCmd  `cmd:"" help:"Add a project."`
	List    projectListCmd `cmd:"" help:"List the projects."`
	Enable  projectOnCmd   `cmd:"" help:"Switch a project's endpoints on."`
	Disable projectOffCmd  `cmd:"" help:"Switch all endpoints of a project off."`
}

type projectAddCmd struct {
	stored
	Name string `arg:"" help:"Name for people; endpoints are added by it."`
}

// Run adds a project.
func (c projectAddCmd) Run(ctx context.Context, t terminal) error {
	return c.change(ctx, func(_ *storage.Directory, tx *storage.Tx) error {
		id, err := tx.AddProject(payout.Project{Name: c.Name, Enabled: true})
		if err == nil {
			t.printf("project %d added\n", id)
		}
		return err
	})
}

type projectListCmd struct{ listing }

// Help tells the shape of the JSON.
func (projectListCmd) Help() string { return shapeOf[[]projectView]() }

// Run lists projects.
func (c projectListCmd) Run(ctx context.Context, t terminal) error {
	return list(ctx, t, c.listing, projectViews, "ID\tNAME\tSTATE", func(p projectView, row func(...any)) {
		row(p.ID, p.Name, onOff(p.Enabled))
	})
}

type gateCmd struct {
	Add     gateAddCmd  `cmd:"" help:"Add a gate."`
	List    gateListCmd `cmd:"" help:"List the gates."`
	Set     gateSetCmd  `cmd:"" help:"Change a gate while gateways serve; they follow within about two seconds."`
	Enable  gateOnCmd   `cmd:"" help:"Pay through a gate again."`
	Disable gateOffCmd  `cmd:"" help:"Let a gate's orders wait."`
}

type gateAddCmd struct {
	stored
	Name        string            `arg:"" help:"Name for people; endpoints are added by it."`
	Processor   string            `default:"simulator" complete:"processor" help:"Connector that speaks the rail's protocol (default: ${default})."`
	Currency    []string          `placeholder:"CODE" help:"Currencies that the gate takes (default: any)."`
	Set         map[string]string `mapsep:"none" placeholder:"NAME=VALUE" help:"A setting of the connector; may be repeated."`
	Require     []string          `placeholder:"PARAMETER" help:"Conditional parameters that the gate needs, such as account_name."`
	AskReceiver bool              `help:"Ask the Receiver on the payout form for what a v4/payout leaves out; status tells the form's address in redirect-to."`
	Concurrency int               `default:"32" help:"Calls to the rail at once, of all nodes together; to charge cards, one per node at least: a node without any refuses sales as busy (default: ${default})."`
	Descriptor  string            `help:"Descriptor told in status and callback."`
}

// Run adds a gate.
func (c gateAddCmd) Run(ctx context.Context, t terminal) error {
	gate, err := c.gate()
	if err != nil {
		return err
	}
	return c.change(ctx, func(_ *storage.Directory, tx *storage.Tx) error {
		id, err := tx.AddGate(gate)
		if err == nil {
			t.printf("gate %d added\n", id)
		}
		return err
	})
}

func (c gateAddCmd) gate() (payout.Gate, error) {
	gate := payout.Gate{Name: c.Name, Processor: c.Processor, Settings: c.Set, Required: c.Require, AskReceiver: c.AskReceiver,
		Concurrency: c.Concurrency, Descriptor: c.Descriptor, Enabled: true}
	if !slices.Contains(server.ProcessorNames(), c.Processor) {
		return gate, fmt.Errorf("there is no processor %q; there are: %s", c.Processor, strings.Join(server.ProcessorNames(), ", "))
	}
	if err := checkConcurrency(c.Concurrency); err != nil {
		return gate, err
	}
	for _, name := range c.Require {
		if !spec.IsConditional(name) {
			return gate, fmt.Errorf("--require %s: no command has a Conditional parameter of this name", name)
		}
	}
	for _, code := range c.Currency {
		currency, err := payout.ParseCurrency(code)
		if err != nil {
			return gate, fmt.Errorf("--currency %s: %w", code, err)
		}
		gate.Currencies = append(gate.Currencies, currency)
	}
	return gate, nil
}

func checkConcurrency(n int) error {
	if n < 1 {
		return errors.New("--concurrency must be at least 1")
	}
	return nil
}

type gateSetCmd struct {
	numbered
	Concurrency *int    `placeholder:"N" help:"Calls to the rail at once, of all nodes together."`
	Descriptor  *string `help:"Descriptor told in status and callback; empty: none."`
}

// Run changes a gate; what is not named stays.
func (c gateSetCmd) Run(ctx context.Context, t terminal) error {
	if c.Concurrency == nil && c.Descriptor == nil {
		return wrongUsage("nothing is to be changed: name --concurrency or --descriptor")
	}
	return c.change(ctx, func(d *storage.Directory, tx *storage.Tx) error {
		there := d.Gates[payout.GateID(c.ID)]
		if there == nil {
			return fmt.Errorf("there is no gate %d", c.ID)
		}
		gate := *there
		if c.Concurrency != nil {
			if err := checkConcurrency(*c.Concurrency); err != nil {
				return err
			}
			gate.Concurrency = *c.Concurrency
		}
		if c.Descriptor != nil {
			gate.Descriptor = *c.Descriptor
		}
		if err := tx.SetGate(gate.ID, gate.Concurrency, gate.Descriptor); err != nil {
			return err
		}
		t.printf("gate %d: concurrency %d, descriptor %q\n", c.ID, gate.Concurrency, gate.Descriptor)
		return nil
	})
}

type gateListCmd struct{ listing }

// Help tells the shape of the JSON.
func (gateListCmd) Help() string { return shapeOf[[]gateView]() }

// Run lists gates.
func (c gateListCmd) Run(ctx context.Context, t terminal) error {
	return list(ctx, t, c.listing, gateViews, "ID\tNAME\tPROCESSOR\tCURRENCIES\tREQUIRES\tCONCURRENCY\tSTATE", func(g gateView, row func(...any)) {
		currencies := "any"
		if len(g.Currencies) > 0 {
			currencies = fmt.Sprint(g.Currencies)
		}
		row(g.ID, g.Name, g.Processor, currencies, strings.Join(g.Requires, ","), g.Concurrency, onOff(g.Enabled))
	})
}

type endpointCmd struct {
	Add     endpointAddCmd   `cmd:"" help:"Add an endpoint."`
	List    endpointListCmd  `cmd:"" help:"List the endpoints."`
	Enable  endpointOnCmd    `cmd:"" help:"Take new orders again."`
	Brand   endpointBrandCmd `cmd:"" help:"Change how the endpoint's pages look to the Receiver."`
	Disable endpointOffCmd   `cmd:"" help:"Refuse new orders; accepted ones go on."`
}

type endpointAddCmd struct {
	stored
	Login       string   `arg:"" help:"Login of the party that it belongs to."`
	Gate        []string `required:"" placeholder:"NAME" help:"Gates by name; several form a chain that is tried in order."`
	Project     string   `required:"" placeholder:"NAME" help:"Project by name."`
	ID          int64    `placeholder:"N" help:"Id in the URL (default: the next free one)."`
	Name        string   `help:"Name for people."`
	Currency    string   `placeholder:"CODE" help:"The endpoint's currency (default: any that its gates take)."`
	Repeat      string   `default:"replay" enum:"replay,allow" help:"What a repeated client_orderid does: replay answers as the first time, allow makes another order (default: ${default})."`
	CallbackURL string   `placeholder:"URL" help:"Callback URL for requests that name none."`
}

// Run adds an endpoint.
func (c endpointAddCmd) Run(ctx context.Context, t terminal) error {
	return c.change(ctx, func(d *storage.Directory, tx *storage.Tx) error {
		endpoint, err := c.endpoint(d)
		if err != nil {
			return err
		}
		id, err := tx.AddEndpoint(endpoint)
		if err == nil {
			t.printf("endpoint %d added\n", id)
		}
		return err
	})
}

func (c endpointAddCmd) endpoint(d *storage.Directory) (payout.Endpoint, error) {
	e := payout.Endpoint{ID: payout.EndpointID(c.ID), Name: c.Name, Repeat: payout.RepeatPolicy(c.Repeat), CallbackURL: c.CallbackURL, Enabled: true}
	party, err := partyNamed(d, c.Login)
	if err != nil {
		return e, err
	}
	e.PartyID = party.ID
	for _, p := range d.Projects {
		if p.Name == c.Project {
			e.ProjectID = p.ID
		}
	}
	if e.ProjectID == 0 {
		return e, fmt.Errorf("there is no project %q", c.Project)
	}
	if c.Currency != "" {
		if e.Currency, err = payout.ParseCurrency(c.Currency); err != nil {
			return e, fmt.Errorf("--currency %s: %w", c.Currency, err)
		}
	}
	if c.CallbackURL != "" {
		if _, err := callback.Check(c.CallbackURL, callback.Policy{AllowLoopback: true}); err != nil {
			return e, fmt.Errorf("--callback-url: %w", err)
		}
	}
	for _, name := range c.Gate {
		gate := gateNamed(d, name)
		if gate == nil {
			return e, fmt.Errorf("there is no gate %q", name)
		}
		if e.Currency != "" && !gate.Takes(e.Currency) {
			return e, fmt.Errorf("gate %s does not take %s", name, e.Currency)
		}
		e.Gates = append(e.Gates, gate.ID)
	}
	return e, nil
}

func gateNamed(d *storage.Directory, name string) *payout.Gate {
	for _, g := range d.Gates {
		if g.Name == name {
			return g
		}
	}
	return nil
}

type endpointListCmd struct{ listing }

// Help tells the shape of the JSON.
func (endpointListCmd) Help() string { return shapeOf[[]endpointView]() }

// Run lists endpoints.
func (c endpointListCmd) Run(ctx context.Context, t terminal) error {
	return list(ctx, t, c.listing, endpointViews, "ID\tPARTY\tPROJECT\tNAME\tCURRENCY\tGATES\tREPEAT\tSTATE", func(e endpointView, row func(...any)) {
		row(e.ID, e.Party, e.Project, e.Name, cmp.Or(e.Currency, "any"), strings.Join(e.Gates, ","), e.Repeat, onOff(e.Enabled))
	})
}

type groupCmd struct {
	Add     groupAddCmd  `cmd:"" help:"Add an endpoint group."`
	List    groupListCmd `cmd:"" help:"List the endpoint groups."`
	Enable  groupOnCmd   `cmd:"" help:"Take requests to a group again."`
	Disable groupOffCmd  `cmd:"" help:"Refuse requests to a group."`
}

type groupAddCmd struct {
	stored
	Login    string  `arg:"" help:"Login of the party that it belongs to."`
	Endpoint []int64 `required:"" placeholder:"ID" help:"Endpoints; asked for the currency in this order."`
	ID       int64   `placeholder:"N" help:"Id in the URL (default: the next free one)."`
	Name     string  `help:"Name for people."`
}

// Run adds a group.
func (c groupAddCmd) Run(ctx context.Context, t terminal) error {
	return c.change(ctx, func(d *storage.Directory, tx *storage.Tx) error {
		party, err := partyNamed(d, c.Login)
		if err != nil {
			return err
		}
		group := payout.EndpointGroup{ID: payout.GroupID(c.ID), PartyID: party.ID, Name: c.Name, Enabled: true}
		for _, id := range c.Endpoint {
			e := d.Endpoints[payout.EndpointID(id)]
			if e == nil || e.PartyID != party.ID {
				return fmt.Errorf("party %s has no endpoint %d", c.Login, id)
			}
			group.Endpoints = append(group.Endpoints, e.ID)
		}
		id, err := tx.AddGroup(group)
		if err == nil {
			t.printf("group %d added\n", id)
		}
		return err
	})
}

type groupListCmd struct{ listing }

// Help tells the shape of the JSON.
func (groupListCmd) Help() string { return shapeOf[[]groupView]() }

// Run lists groups.
func (c groupListCmd) Run(ctx context.Context, t terminal) error {
	return list(ctx, t, c.listing, groupViews, "ID\tPARTY\tNAME\tENDPOINTS\tSTATE", func(g groupView, row func(...any)) {
		row(g.ID, g.Party, g.Name, g.Endpoints, onOff(g.Enabled))
	})
}

// numbered is a part of the set-up that is switched by its id.
type numbered struct {
	stored
	ID int64 `arg:"" help:"The id, as list shows it."`
}

func (n numbered) turn(ctx context.Context, part storage.Switchable, enabled bool) error {
	return n.change(ctx, func(_ *storage.Directory, tx *storage.Tx) error {
		err := tx.Switch(part, n.ID, enabled)
		if errors.Is(err, storage.ErrNotFound) {
			return fmt.Errorf("there is no number %d among the %s", n.ID, strings.ReplaceAll(string(part), "_", " "))
		}
		return err
	})
}

type (
	projectOnCmd   struct{ numbered }
	projectOffCmd  struct{ numbered }
	gateOnCmd      struct{ numbered }
	gateOffCmd     struct{ numbered }
	endpointOnCmd  struct{ numbered }
	endpointOffCmd struct{ numbered }
	groupOnCmd     struct{ numbered }
	groupOffCmd    struct{ numbered }
)

// Run switches a project on.
func (c projectOnCmd) Run(ctx context.Context) error { return c.turn(ctx, storage.SwitchProject, true) }

// Run switches a project off.
func (c projectOffCmd) Run(ctx context.Context) error {
	return c.turn(ctx, storage.SwitchProject, false)
}

// Run switches a gate on.
func (c gateOnCmd) Run(ctx context.Context) error { return c.turn(ctx, storage.SwitchGate, true) }

// Run switches a gate off.
func (c gateOffCmd) Run(ctx context.Context) error { return c.turn(ctx, storage.SwitchGate, false) }

// Run switches an endpoint on.
func (c endpointOnCmd) Run(ctx context.Context) error {
	return c.turn(ctx, storage.SwitchEndpoint, true)
}

// Run switches an endpoint off.
func (c endpointOffCmd) Run(ctx context.Context) error {
	return c.turn(ctx, storage.SwitchEndpoint, false)
}

// Run switches a group on.
func (c groupOnCmd) Run(ctx context.Context) error { return c.turn(ctx, storage.SwitchGroup, true) }

// Run switches a group off.
func (c groupOffCmd) Run(ctx context.Context) error { return c.turn(ctx, storage.SwitchGroup, false) }
