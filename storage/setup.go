package storage

import (
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"

	"payout"
)

// ErrExists says that the name, login or id is taken.
var ErrExists = errors.New("exists already")

// The places of the set-up's sealed values.
func controlKeyPlace(login string) string { return "control key of " + login }
func settingsPlace(gate string) string    { return "settings of gate " + gate }
func endpointPlace(endpoint payout.EndpointID) string {
	return "callback URL of endpoint " + endpoint.String()
}

// changed makes running gateways read the set-up again.
func (tx *Tx) changed() error {
	if _, err := tx.conn.exec(tx.ctx, "UPDATE counters SET next = next + 1 WHERE name = 'config'"); err != nil {
		return fmt.Errorf("note the change of set-up: %w", err)
	}
	return nil
}

// insert stores a row of the set-up and returns its id; ErrExists when the
// statement's ON CONFLICT DO NOTHING left it out.
func (tx *Tx) insert(what, sql string, args ...any) (int64, error) {
	var id int64
	err := readOne(tx.ctx, tx.conn, func(r rows) error { return r.Scan(&id) }, sql, args...)
	if errors.Is(err, ErrNotFound) {
		return 0, fmt.Errorf("add %s: one of the same name or id %w", what, ErrExists)
	}
	if err != nil {
		return 0, fmt.Errorf("add %s: %w", what, err)
	}
	return id, tx.changed()
}

// AddParty stores a Connecting Party, without keys, and returns its id.
func (tx *Tx) AddParty(p payout.ConnectingParty) (payout.PartyID, error) {
	sealed, err := tx.seal([]byte(p.ControlKey.Reveal()), controlKeyPlace(p.Login))
	if err != nil {
		return 0, err
	}
	id, err := tx.insert("party", `INSERT INTO parties (login, name, control_key_sealed, enabled, created_us)
		VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING RETURNING id`, p.Login, p.Name, sealed, p.Enabled, us(tx.Now))
	return payout.PartyID(id), err
}

// AddPartyKey stores a public key of a party.
func (tx *Tx) AddPartyKey(party payout.PartyID, k payout.PartyKey) error {
	der, err := x509.MarshalPKIXPublicKey(k.Public)
	if err != nil {
		return fmt.Errorf("add key: %w", err)
	}
	text := pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})
	_, err = tx.insert("key", `INSERT INTO party_keys (party_id, fingerprint, public_pem, enabled, created_us)
		VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING RETURNING party_id`,
		int64(party), k.Fingerprint, string(text), k.Enabled, us(tx.Now))
	return err
}

// AddProject stores a project and returns its id.
func (tx *Tx) AddProject(p payout.Project) (payout.ProjectID, error) {
	id, err := tx.insert("project", "INSERT INTO projects (name, enabled) VALUES ($1, $2) ON CONFLICT DO NOTHING RETURNING id",
		p.Name, p.Enabled)
	return payout.ProjectID(id), err
}

// AddGate stores a gate and returns its id.
func (tx *Tx) AddGate(g payout.Gate) (payout.GateID, error) {
	codes := make([]string, len(g.Currencies))
	for i, c := range g.Currencies {
		codes[i] = c.String()
	}
	currencies, err1 := json.Marshal(codes)
	required, err2 := json.Marshal(append([]string{}, g.Required...))
	settings, err3 := json.Marshal(g.Settings)
	if err := errors.Join(err1, err2, err3); err != nil {
		return 0, fmt.Errorf("add gate: %w", err)
	}
	sealed, err := tx.seal(settings, settingsPlace(g.Name))
	if err != nil {
		return 0, err
	}
	id, err := tx.insert("gate", `INSERT INTO gates (name, processor, currencies, settings_sealed, required, concurrency, descriptor, enabled, ask_receiver)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) ON CONFLICT DO NOTHING RETURNING id`,
		g.Name, g.Processor, string(currencies), sealed, string(required), int64(g.Concurrency), g.Descriptor, g.Enabled, g.AskReceiver)
	return payout.GateID(id), err
}

// SetGate changes how many calls to its rail a gate allows at once, and its descriptor;
// ErrNotFound when there is none.
func (tx *Tx) SetGate(id payout.GateID, concurrency int, descriptor string) error {
	n, err := tx.conn.exec(tx.ctx, "UPDATE gates SET concurrency = $2, descriptor = $3 WHERE id = $1", int64(id), int64(concurrency), descriptor)
	if err != nil {
		return fmt.Errorf("set gate: %w", err)
	}
	if n == 0 {
		return ErrNotFound
	}
	return tx.changed()
}

// AddEndpoint stores an endpoint with its chain of gates and returns its id: the
// given one, or a new one when that is 0.
func (tx *Tx) AddEndpoint(e payout.Endpoint) (payout.EndpointID, error) {
	id, err := tx.freeID("endpoints", int64(e.ID))
	if err != nil {
		return 0, err
	}
	sealed, err := tx.seal([]byte(e.CallbackURL), endpointPlace(payout.EndpointID(id)))
	if err != nil {
		return 0, err
	}
	_, err = tx.insert("endpoint", `INSERT INTO endpoints (id, party_id, project_id, name, currency, repeat_policy, callback_url_sealed, enabled)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT DO NOTHING RETURNING id`,
		id, int64(e.PartyID), int64(e.ProjectID), e.Name, e.Currency.Code(), string(e.Repeat), sealed, e.Enabled)
	if err != nil {
		return 0, err
	}
	for position, gate := range e.Gates {
		if _, err := tx.conn.exec(tx.ctx, "INSERT INTO endpoint_gates (endpoint_id, position, gate_id) VALUES ($1, $2, $3)",
			id, int64(position), int64(gate)); err != nil {
			return 0, fmt.Errorf("add gate to endpoint: %w", err)
		}
	}
	return payout.EndpointID(id), nil
}

// SetBrand changes how an endpoint's pages look; ErrNotFound when there is none.
func (tx *Tx) SetBrand(id payout.EndpointID, b payout.Brand) error {
	n, err := tx.conn.exec(tx.ctx, "UPDATE endpoints SET brand_name = $2, accent = $3, language = $4, logo = $5 WHERE id = $1",
		int64(id), b.Name, b.Accent, b.Language, b.Logo)
	if err != nil {
		return fmt.Errorf("set brand of endpoint: %w", err)
	}
	if n == 0 {
		return ErrNotFound
	}
	return tx.changed()
}

// AddGroup stores an endpoint group with its members and returns its id: the
// given one, or a new one when that is 0.
func (tx *Tx) AddGroup(g payout.EndpointGroup) (payout.GroupID, error) {
	id, err := tx.freeID("endpoint_groups", int64(g.ID))
	if err != nil {
		return 0, err
	}
	_, err = tx.insert("group", `INSERT INTO endpoint_groups (id, party_id, name, enabled) VALUES ($1, $2, $3, $4)
		ON CONFLICT DO NOTHING RETURNING id`, id, int64(g.PartyID), g.Name, g.Enabled)
	if err != nil {
		return 0, err
	}
	for position, endpoint := range g.Endpoints {
		if _, err := tx.conn.exec(tx.ctx, "INSERT INTO endpoint_group_members (group_id, position, endpoint_id) VALUES ($1, $2, $3)",
			id, int64(position), int64(endpoint)); err != nil {
			return 0, fmt.Errorf("add endpoint to group: %w", err)
		}
	}
	return payout.GroupID(id), nil
}

// freeID returns the wanted id, or the next one after all others.
func (tx *Tx) freeID(table string, wanted int64) (int64, error) {
	if wanted != 0 {
		return wanted, nil
	}
	var id int64
	err := readOne(tx.ctx, tx.conn, func(r rows) error { return r.Scan(&id) }, "SELECT coalesce(max(id), 0) + 1 FROM "+table)
	if err != nil {
		return 0, fmt.Errorf("choose an id: %w", err)
	}
	return id, nil
}

// A Switchable is a part of the set-up that can be switched on and off.
type Switchable string

// The parts that can be switched.
const (
	SwitchParty    Switchable = "parties"
	SwitchProject  Switchable = "projects"
	SwitchGate     Switchable = "gates"
	SwitchEndpoint Switchable = "endpoints"
	SwitchGroup    Switchable = "endpoint_groups"
)

// Switch enables or disables a part of the set-up; ErrNotFound when there is none.
func (tx *Tx) Switch(part Switchable, id int64, enabled bool) error {
	n, err := tx.conn.exec(tx.ctx, "UPDATE "+string(part)+" SET enabled = $1 WHERE id = $2", enabled, id)
	if err != nil {
		return fmt.Errorf("switch %s: %w", part, err)
	}
	if n == 0 {
		return ErrNotFound
	}
	return tx.changed()
}

// SwitchKey enables or disables one key of a party; ErrNotFound when there is none.
func (tx *Tx) SwitchKey(party payout.PartyID, fingerprint string, enabled bool) error {
	n, err := tx.conn.exec(tx.ctx, "UPDATE party_keys SET enabled = $1 WHERE party_id = $2 AND fingerprint = $3",
		enabled, int64(party), fingerprint)
	if err != nil {
		return fmt.Errorf("switch key: %w", err)
	}
	if n == 0 {
		return ErrNotFound
	}
	return tx.changed()
}
