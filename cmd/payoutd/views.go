package main

import (
	"time"

	"payout"
	"payout/storage"
)

// What the lists print with --json, and what their tables are made of.

// A partyView is a Connecting Party without its control key.
type partyView struct {
	Login   string    `json:"login"`
	Name    string    `json:"name"`
	Enabled bool      `json:"enabled"`
	Keys    []keyView `json:"keys"`
}

// A keyView is a public key of a party.
type keyView struct {
	Fingerprint string    `json:"fingerprint" doc:"SHA-256 of the SPKI form, hex"`
	Bits        int       `json:"bits"`
	Enabled     bool      `json:"enabled"`
	CreatedAt   time.Time `json:"created_at"`
}

func partyViews(d *storage.Directory) []partyView {
	views := []partyView{}
	for _, p := range storage.Sorted(d.Parties) {
		v := partyView{Login: p.Login, Name: p.Name, Enabled: p.Enabled, Keys: []keyView{}}
		for _, k := range p.Keys {
			v.Keys = append(v.Keys, keyView{k.Fingerprint, k.Public.N.BitLen(), k.Enabled, k.CreatedAt})
		}
		views = append(views, v)
	}
	return views
}

// A projectView is a project.
type projectView struct {
	ID      payout.ProjectID `json:"id,string"`
	Name    string           `json:"name"`
	Enabled bool             `json:"enabled"`
}

func projectViews(d *storage.Directory) []projectView {
	views := []projectView{}
	for _, p := range storage.Sorted(d.Projects) {
		views = append(views, projectView{p.ID, p.Name, p.Enabled})
	}
	return views
}

// A gateView is a gate without its settings, which may hold secrets.
type gateView struct {
	ID          payout.GateID `json:"id,string"`
	Name        string        `json:"name"`
	Processor   string        `json:"processor"`
	Currencies  []string      `json:"currencies" doc:"ISO 4217; empty: any"`
	Requires    []string      `json:"requires" doc:"Conditional parameters that it needs"`
	AskReceiver bool          `json:"ask_receiver"`
	Concurrency int           `json:"concurrency"`
	Descriptor  string        `json:"descriptor"`
	Enabled     bool          `json:"enabled"`
}

func gateViews(d *storage.Directory) []gateView {
	views := []gateView{}
	for _, g := range storage.Sorted(d.Gates) {
		v := gateView{g.ID, g.Name, g.Processor, []string{}, append([]string{}, g.Required...), g.AskReceiver, g.Concurrency, g.Descriptor, g.Enabled}
		for _, c := range g.Currencies {
			v.Currencies = append(v.Currencies, c.Code())
		}
		views = append(views, v)
	}
	return views
}

// An endpointView is an endpoint with the names of what it belongs to.
type endpointView struct {
	ID       payout.EndpointID   `json:"id,string"`
	Party    string              `json:"party" doc:"login"`
	Project  string              `json:"project"`
	Name     string              `json:"name"`
	Currency string              `json:"currency" doc:"ISO 4217; empty: any that its gates take"`
	Gates    []string            `json:"gates" doc:"names, in the order of the chain"`
	Repeat   payout.RepeatPolicy `json:"repeat" doc:"replay or allow"`
	Enabled  bool                `json:"enabled"`
}

func endpointViews(d *storage.Directory) []endpointView {
	views := []endpointView{}
	for _, e := range storage.Sorted(d.Endpoints) {
		v := endpointView{e.ID, d.Parties[e.PartyID].Login, d.Projects[e.ProjectID].Name, e.Name, "", []string{}, e.Repeat, e.Enabled}
		if e.Currency != "" {
			v.Currency = e.Currency.Code()
		}
		for _, id := range e.Gates {
			v.Gates = append(v.Gates, d.Gates[id].Name)
		}
		views = append(views, v)
	}
	return views
}

// A groupView is an endpoint group.
type groupView struct {
	ID        payout.GroupID `json:"id,string"`
	Party     string         `json:"party" doc:"login"`
	Name      string         `json:"name"`
	Endpoints []string       `json:"endpoints" doc:"ids, asked for the currency in this order"`
	Enabled   bool           `json:"enabled"`
}

func groupViews(d *storage.Directory) []groupView {
	views := []groupView{}
	for _, g := range storage.Sorted(d.Groups) {
		v := groupView{g.ID, d.Parties[g.PartyID].Login, g.Name, []string{}, g.Enabled}
		for _, id := range g.Endpoints {
			v.Endpoints = append(v.Endpoints, id.String())
		}
		views = append(views, v)
	}
	return views
}

// A cardView is a card reference.
type cardView struct {
	ID        string    `json:"card_ref_id"`
	Card      string    `json:"card" doc:"masked"`
	Unique    string    `json:"unq_card_ref_id"`
	OrderID   string    `json:"paynet_order_id"`
	CreatedAt time.Time `json:"created_at"`
	DeletedAt time.Time `json:"deleted_at,omitzero"`
}

func cardViews(cards []storage.ListedCard) []cardView {
	views := []cardView{}
	for _, c := range cards {
		views = append(views, cardView{c.ID.String(), c.Mask, c.Unique.String(), c.OrderID.String(), c.CreatedAt, c.DeletedAt})
	}
	return views
}
