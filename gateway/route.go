package gateway

import (
	"slices"

	"payout"
	"payout/storage"
)

// ownEndpoint checks that the path names an endpoint or group of the caller.
// Somebody else's is as unknown as one that does not exist.
func (g *Gateway) ownEndpoint(d *storage.Directory, c *Call) error {
	unknown := &payout.Error{Code: payout.CodeEndpointUnknown}
	if c.GroupID != 0 {
		group := d.Groups[c.GroupID]
		if group == nil || group.PartyID != c.Party.ID {
			return unknown
		}
		return nil
	}
	endpoint := d.Endpoints[c.EndpointID]
	if endpoint == nil || endpoint.PartyID != c.Party.ID {
		return unknown
	}
	return nil
}

// route picks the endpoint for a new order: the one in the path, or the
// group's one for the currency.
func (g *Gateway) route(d *storage.Directory, c *Call, currency payout.Currency) (*payout.Endpoint, error) {
	if err := g.ownEndpoint(d, c); err != nil {
		return nil, err
	}
	if c.GroupID == 0 {
		endpoint := d.Endpoints[c.EndpointID]
		if !open(d, endpoint) {
			return nil, &payout.Error{Code: payout.CodeEndpointDisabled}
		}
		if !takes(d, endpoint, currency) {
			return nil, payout.Errorf(payout.CodeCurrencyEndpoint, "currency", "%s is not among its currencies", currency)
		}
		return endpoint, nil
	}
	if !d.Groups[c.GroupID].Enabled {
		return nil, &payout.Error{Code: payout.CodeEndpointDisabled}
	}
	var general *payout.Endpoint // one that takes any currency serves when none has just this one
	for _, id := range d.Groups[c.GroupID].Endpoints {
		endpoint := d.Endpoints[id]
		if !open(d, endpoint) || !takes(d, endpoint, currency) {
			continue
		}
		if endpoint.Currency == currency {
			return endpoint, nil
		}
		if general == nil {
			general = endpoint
		}
	}
	if general == nil {
		return nil, payout.Errorf(payout.CodeCurrencyEndpoint, "currency", "the group has no endpoint for %s", currency)
	}
	return general, nil
}

// open reports whether an endpoint takes orders at all.
func open(d *storage.Directory, e *payout.Endpoint) bool {
	project := d.Projects[e.ProjectID]
	return e.Enabled && project != nil && project.Enabled && len(e.Gates) > 0
}

// takes reports whether an endpoint pays in the currency.
func takes(d *storage.Directory, e *payout.Endpoint, currency payout.Currency) bool {
	if e.Currency != "" && e.Currency != currency {
		return false
	}
	return slices.ContainsFunc(e.Gates, func(id payout.GateID) bool { return d.Gates[id].Takes(currency) })
}

// gateAfter finds the next gate of an endpoint's chain that can pay in the
// currency, after a position; -1 finds the first. Switched-off gates are
// passed over when another follows.
func gateAfter(d *storage.Directory, e *payout.Endpoint, position int, currency payout.Currency) (int, *payout.Gate) {
	fallback, rests := -1, (*payout.Gate)(nil)
	for i := position + 1; i < len(e.Gates); i++ {
		gate := d.Gates[e.Gates[i]]
		if !gate.Takes(currency) {
			continue
		}
		if gate.Enabled {
			return i, gate
		}
		if rests == nil {
			fallback, rests = i, gate
		}
	}
	return fallback, rests
}

// asksReceiver reports whether a gate of the chain asks the Receiver for what a
// payout leaves out.
func asksReceiver(d *storage.Directory, e *payout.Endpoint, currency payout.Currency) bool {
	return slices.ContainsFunc(e.Gates, func(id payout.GateID) bool { return d.Gates[id].AskReceiver && d.Gates[id].Takes(currency) })
}

// requiredBy lists the Conditional parameters that any gate of the chain needs,
// so that every one of them can be tried.
func requiredBy(d *storage.Directory, e *payout.Endpoint, currency payout.Currency) []string {
	var names []string
	for _, id := range e.Gates {
		if gate := d.Gates[id]; gate.Takes(currency) {
			names = append(names, gate.Required...)
		}
	}
	return names
}
