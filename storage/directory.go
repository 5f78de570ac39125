package storage

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"

	"payout"
	"payout/sign"
)

// A Directory is the whole set-up as of one version: who may call, and which
// way an order goes. It does not change; a changed set-up is a new Directory.
type Directory struct {
	Version   int64
	Parties   map[payout.PartyID]*payout.ConnectingParty
	Projects  map[payout.ProjectID]*payout.Project
	Gates     map[payout.GateID]*payout.Gate
	Endpoints map[payout.EndpointID]*payout.Endpoint
	Groups    map[payout.GroupID]*payout.EndpointGroup

	// RestoredBelow is above the ids of the orders that a restored backup has brought; 0
	// when there was none. They may have been sent since it was made: see Restored.
	RestoredBelow payout.OrderID

	byLogin map[string]*payout.ConnectingParty
}

// PartyByLogin finds a party by its login, or returns nil.
func (d *Directory) PartyByLogin(login string) *payout.ConnectingParty { return d.byLogin[login] }

// DirectoryVersion tells the version of the set-up: it grows with every change.
func (db *DB) DirectoryVersion(ctx context.Context) (int64, error) {
	var version int64
	err := readOne(ctx, db.engine.reader(), func(r rows) error { return r.Scan(&version) },
		"SELECT next FROM counters WHERE name = 'config'")
	if err != nil {
		return 0, fmt.Errorf("read version of set-up: %w", err)
	}
	return version, nil
}

// Directory reads the whole set-up, as it is at one moment. No endpoint names a
// gate that is not there, and no group an endpoint.
func (db *DB) Directory(ctx context.Context) (*Directory, error) {
	for {
		d, err := db.readDirectory(ctx)
		if err != nil {
			return nil, err
		}
		// It takes several statements; when the set-up has changed meanwhile, their
		// answers need not fit together.
		version, err := db.DirectoryVersion(ctx)
		if err != nil {
			return nil, err
		}
		if version == d.Version {
			return d, nil
		}
	}
}

func (db *DB) readDirectory(ctx context.Context) (*Directory, error) {
	d := &Directory{
		Parties:   make(map[payout.PartyID]*payout.ConnectingParty),
		Projects:  make(map[payout.ProjectID]*payout.Project),
		Gates:     make(map[payout.GateID]*payout.Gate),
		Endpoints: make(map[payout.EndpointID]*payout.Endpoint),
		Groups:    make(map[payout.GroupID]*payout.EndpointGroup),
		byLogin:   make(map[string]*payout.ConnectingParty),
	}
	var err error
	if d.Version, err = db.DirectoryVersion(ctx); err != nil {
		return nil, err
	}
	read := directoryReader{db: db, ctx: ctx, q: db.engine.reader(), d: d}
	for _, part := range []func() error{read.parties, read.keys, read.projects, read.gates, read.endpoints, read.groups, read.restored} {
		if err := part(); err != nil {
			return nil, fmt.Errorf("read set-up: %w", err)
		}
	}
	return d, nil
}

type directoryReader struct {
	db  *DB
	ctx context.Context
	q   querier
	d   *Directory
}

func (read directoryReader) restored() error {
	return readAll(read.ctx, read.q, func(r rows) error { return r.Scan(&read.d.RestoredBelow) }, "SELECT next FROM counters WHERE name = $1", restoredCounter)
}

func (read directoryReader) parties() error {
	return readAll(read.ctx, read.q, func(r rows) error {
		var p payout.ConnectingParty
		var sealed []byte
		var created int64
		if err := r.Scan(&p.ID, &p.Login, &p.Name, &sealed, &p.Enabled, &created); err != nil {
			return err
		}
		key, err := read.db.vault.Open(sealed, controlKeyPlace(p.Login))
		if err != nil {
			return err
		}
		p.ControlKey, p.CreatedAt = payout.Secret(key), fromUS(created)
		read.d.Parties[p.ID], read.d.byLogin[p.Login] = &p, &p
		return nil
	}, "SELECT id, login, name, control_key_sealed, enabled, created_us FROM parties")
}

func (read directoryReader) keys() error {
	return readAll(read.ctx, read.q, func(r rows) error {
		var k payout.PartyKey
		var party payout.PartyID
		var text string
		var created int64
		err := r.Scan(&party, &k.Fingerprint, &text, &k.Enabled, &created)
		if err != nil {
			return err
		}
		if k.Public, err = sign.ParsePublicKey([]byte(text)); err != nil {
			return err
		}
		k.CreatedAt = fromUS(created)
		if p := read.d.Parties[party]; p != nil {
			p.Keys = append(p.Keys, k)
		}
		return nil
	}, "SELECT party_id, fingerprint, public_pem, enabled, created_us FROM party_keys ORDER BY created_us, fingerprint")
}

func (read directoryReader) projects() error {
	return readAll(read.ctx, read.q, func(r rows) error {
		var p payout.Project
		err := r.Scan(&p.ID, &p.Name, &p.Enabled)
		read.d.Projects[p.ID] = &p
		return err
	}, "SELECT id, name, enabled FROM projects")
}

func (read directoryReader) gates() error {
	return readAll(read.ctx, read.q, func(r rows) error {
		var g payout.Gate
		var currencies, required string
		var sealed []byte
		err := r.Scan(&g.ID, &g.Name, &g.Processor, &currencies, &sealed, &required, &g.Concurrency, &g.Descriptor, &g.Enabled, &g.AskReceiver)
		if err != nil {
			return err
		}
		settings, err := read.db.vault.Open(sealed, settingsPlace(g.Name))
		if err != nil {
			return err
		}
		var codes []string
		for text, into := range map[string]any{currencies: &codes, required: &g.Required, string(settings): &g.Settings} {
			if err := json.Unmarshal([]byte(text), into); err != nil {
				return fmt.Errorf("gate %s: %w", g.Name, err)
			}
		}
		for _, code := range codes {
			c, err := payout.ParseCurrency(code)
			if err != nil {
				return fmt.Errorf("gate %s: %w", g.Name, err)
			}
			g.Currencies = append(g.Currencies, c)
		}
		read.d.Gates[g.ID] = &g
		return nil
	}, "SELECT id, name, processor, currencies, settings_sealed, required, concurrency, descriptor, enabled, ask_receiver FROM gates")
}

func (read directoryReader) endpoints() error {
	err := readAll(read.ctx, read.q, func(r rows) error {
		var e payout.Endpoint
		var currency string
		var sealed []byte
		err := r.Scan(&e.ID, &e.PartyID, &e.ProjectID, &e.Name, &currency, &e.Repeat, &sealed, &e.Enabled,
			&e.Brand.Name, &e.Brand.Accent, &e.Brand.Language, &e.Brand.Logo)
		if err != nil {
			return err
		}
		if currency != "" {
			if e.Currency, err = payout.ParseCurrency(currency); err != nil {
				return err
			}
		}
		url, err := read.db.vault.Open(sealed, endpointPlace(e.ID))
		if err != nil {
			return err
		}
		e.CallbackURL = string(url)
		read.d.Endpoints[e.ID] = &e
		return nil
	}, `SELECT id, party_id, project_id, name, currency, repeat_policy, callback_url_sealed, enabled,
		brand_name, accent, language, logo FROM endpoints`)
	if err != nil {
		return err
	}
	return readAll(read.ctx, read.q, func(r rows) error {
		var endpoint payout.EndpointID
		var gate payout.GateID
		err := r.Scan(&endpoint, &gate)
		if e := read.d.Endpoints[endpoint]; e != nil && read.d.Gates[gate] != nil {
			e.Gates = append(e.Gates, gate)
		}
		return err
	}, "SELECT endpoint_id, gate_id FROM endpoint_gates ORDER BY endpoint_id, position")
}

func (read directoryReader) groups() error {
	err := readAll(read.ctx, read.q, func(r rows) error {
		var g payout.EndpointGroup
		err := r.Scan(&g.ID, &g.PartyID, &g.Name, &g.Enabled)
		read.d.Groups[g.ID] = &g
		return err
	}, "SELECT id, party_id, name, enabled FROM endpoint_groups")
	if err != nil {
		return err
	}
	return readAll(read.ctx, read.q, func(r rows) error {
		var group payout.GroupID
		var endpoint payout.EndpointID
		err := r.Scan(&group, &endpoint)
		if g := read.d.Groups[group]; g != nil && read.d.Endpoints[endpoint] != nil {
			g.Endpoints = append(g.Endpoints, endpoint)
		}
		return err
	}, "SELECT group_id, endpoint_id FROM endpoint_group_members ORDER BY group_id, position")
}

// Sorted returns a part of a directory in the order of its ids, for lists.
func Sorted[ID ~int64, T any](part map[ID]*T) []*T {
	ids := make([]ID, 0, len(part))
	for id := range part {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	sorted := make([]*T, len(ids))
	for i, id := range ids {
		sorted[i] = part[id]
	}
	return sorted
}
