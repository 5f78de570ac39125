package gateway

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"payout"
	"payout/sign"
	"payout/storage"
)

// The set-up of a sandbox: the names of the reference's examples (seed 3.26).
const (
	SandboxLogin    = "TestMerchant"
	SandboxEndpoint = payout.EndpointID(39915) // any currency, by account, card or phone
	SandboxGroup    = payout.GroupID(77)
	// The endpoints whose gates ask the Receiver for a card, and for a phone number.
	SandboxCardForm  = payout.EndpointID(39925)
	SandboxPhoneForm = payout.EndpointID(39935)
)

// sandboxMerchants is the most merchants that may sign up at a sandbox: who
// fills it has to make a new one.
const sandboxMerchants = 1000

// signedUp begins the logins of merchants that signed up themselves.
const signedUp = "sandbox-"

// ErrSandboxFull says that no more merchants can sign up.
var ErrSandboxFull = fmt.Errorf("this sandbox has %d merchants that signed up, and takes no more", sandboxMerchants)

// NewControlKey makes a random control key in the shape of a UUID (api-facts 2).
func NewControlKey() payout.Secret {
	var b [16]byte
	_, _ = rand.Read(b[:]) // it never fails: crypto/rand ends the program instead
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	return payout.Secret(strings.ToUpper(fmt.Sprintf("%x-%x-%x-%x-%x", b[0:4], b[4:6], b[6:8], b[8:10], b[10:])))
}

// SetUpSandbox makes what a sandbox has from the start, unless it is there: the
// merchant SandboxLogin who signs by the key, and the endpoints above, all paid
// by the simulator. It returns the merchant as stored.
func SetUpSandbox(ctx context.Context, db *storage.DB, now time.Time, key *rsa.PublicKey) (*payout.ConnectingParty, error) {
	d, err := db.Directory(ctx)
	if err != nil {
		return nil, err
	}
	err = db.Transact(ctx, now, func(tx *storage.Tx) error { return setUpSandbox(d, tx, key) })
	if err != nil {
		return nil, fmt.Errorf("set up the sandbox: %w", err)
	}
	if d, err = db.Directory(ctx); err != nil {
		return nil, err
	}
	return d.PartyByLogin(SandboxLogin), nil
}

func setUpSandbox(d *storage.Directory, tx *storage.Tx, key *rsa.PublicKey) error {
	party := d.PartyByLogin(SandboxLogin)
	if party == nil {
		id, err := tx.AddParty(payout.ConnectingParty{Login: SandboxLogin, Name: "Test Merchant", ControlKey: NewControlKey(), Enabled: true})
		if err != nil {
			return err
		}
		party = &payout.ConnectingParty{ID: id}
	}
	fingerprint := sign.Fingerprint(key)
	if !slices.ContainsFunc(party.Keys, func(k payout.PartyKey) bool { return k.Fingerprint == fingerprint }) {
		if err := tx.AddPartyKey(party.ID, payout.PartyKey{Fingerprint: fingerprint, Public: key, Enabled: true}); err != nil {
			return err
		}
	}
	if endpoint := d.Endpoints[SandboxEndpoint]; endpoint == nil {
		project, err := addSandboxEndpoint(tx, party.ID)
		if err != nil {
			return err
		}
		return addSandboxForms(tx, party.ID, project)
	} else if d.Endpoints[SandboxCardForm] == nil { // made by an older payoutd
		return addSandboxForms(tx, party.ID, endpoint.ProjectID)
	}
	return nil
}

func addSandboxEndpoint(tx *storage.Tx, party payout.PartyID) (payout.ProjectID, error) {
	project, err := tx.AddProject(payout.Project{Name: "Sandbox", Enabled: true})
	if err != nil {
		return 0, err
	}
	var gates []payout.GateID
	for _, g := range []payout.Gate{{Name: "Simulator", Descriptor: "payoutd sandbox"}, {Name: "Simulator 2", Descriptor: "payoutd sandbox 2"}} {
		g.Processor, g.Concurrency, g.Enabled = "simulator", 32, true
		id, err := tx.AddGate(g)
		if err != nil {
			return 0, err
		}
		gates = append(gates, id)
	}
	endpoint, err := tx.AddEndpoint(payout.Endpoint{ID: SandboxEndpoint, PartyID: party, ProjectID: project, Name: "Sandbox, any currency",
		Gates: gates, Repeat: payout.RepeatReplay, Enabled: true})
	if err != nil {
		return 0, err
	}
	_, err = tx.AddGroup(payout.EndpointGroup{ID: SandboxGroup, PartyID: party, Name: "Sandbox", Endpoints: []payout.EndpointID{endpoint}, Enabled: true})
	return project, err
}

// addSandboxForms makes the endpoints of the forms: a gate's Conditional
// parameters say what the form asks for.
func addSandboxForms(tx *storage.Tx, party payout.PartyID, project payout.ProjectID) error {
	for _, f := range []struct {
		id       payout.EndpointID
		name     string
		required []string
		brand    payout.Brand
	}{
		{SandboxCardForm, "Form for cards", []string{"credit_card_number", "card_printed_name"}, payout.Brand{Name: "Northwind Games", Accent: "#0f766e"}},
		{SandboxPhoneForm, "Form for phones", []string{"receiver_phone"}, payout.Brand{Name: "Северный ветер", Accent: "#7c3aed", Language: "ru"}},
	} {
		gate, err := tx.AddGate(payout.Gate{Name: f.name, Processor: "simulator", Required: f.required, Concurrency: 32, Descriptor: "payoutd sandbox", Enabled: true})
		if err != nil {
			return err
		}
		_, err = tx.AddEndpoint(payout.Endpoint{ID: f.id, PartyID: party, ProjectID: project, Name: f.name, Gates: []payout.GateID{gate},
			Repeat: payout.RepeatReplay, Enabled: true})
		if err != nil {
			return err
		}
		if err := tx.SetBrand(f.id, f.brand); err != nil {
			return err
		}
	}
	return nil
}

// SignUp makes a new merchant of a sandbox, who signs by a key of its own, and an
// endpoint for it that pays by the same gates as SandboxEndpoint. The merchant
// can call at once on this node. ErrSandboxFull says that there are enough.
func (g *Gateway) SignUp(ctx context.Context, key *rsa.PublicKey) (*payout.ConnectingParty, payout.EndpointID, error) {
	d, err := g.DB.Directory(ctx)
	if err != nil {
		return nil, 0, err
	}
	model := d.Endpoints[SandboxEndpoint]
	if model == nil {
		return nil, 0, errors.New("sign up: the gateway is no sandbox")
	}
	merchants := 0
	for _, p := range d.Parties {
		if strings.HasPrefix(p.Login, signedUp) {
			merchants++
		}
	}
	if merchants >= sandboxMerchants {
		return nil, 0, ErrSandboxFull
	}
	fingerprint := sign.Fingerprint(key)
	party := payout.ConnectingParty{Login: signedUp + strings.ToLower(rand.Text()[:10]), ControlKey: NewControlKey(), Enabled: true}
	party.Name = party.Login
	var endpoint payout.EndpointID
	err = g.DB.Transact(ctx, g.Now(), func(tx *storage.Tx) (err error) {
		if party.ID, err = tx.AddParty(party); err != nil {
			return err
		}
		if err := tx.AddPartyKey(party.ID, payout.PartyKey{Fingerprint: fingerprint, Public: key, Enabled: true}); err != nil {
			return err
		}
		endpoint, err = tx.AddEndpoint(payout.Endpoint{PartyID: party.ID, ProjectID: model.ProjectID, Name: "Sandbox, any currency",
			Gates: model.Gates, Repeat: payout.RepeatReplay, Enabled: true})
		return err
	})
	if err != nil {
		return nil, 0, fmt.Errorf("sign up: %w", err)
	}
	return &party, endpoint, g.reloadSetUp(ctx)
}
