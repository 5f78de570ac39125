package docs

import (
	"cmp"
	"net/http"

	"payout"
	"payout/spec"
)

// An install is what pages tell of the gateway that serves them.
type install struct {
	Origin     string // scheme and host that clients call
	Context    string // such as /paynet
	Login      string
	Endpoint   string
	Group      string        // ENDPOINTGROUPID when there is none to show
	ControlKey payout.Secret // of a sandbox's example only
	Sandbox    bool          // its examples are accepted
}

// Base is the address up to the context path.
func (i install) Base() string { return i.Origin + i.Context }

// URL is the address of a command by the endpoint.
func (i install) URL(c *spec.Command) string {
	return i.Base() + "/api/" + c.Path() + "/" + i.Endpoint
}

// GroupURL is the address of a command by the endpoint group.
func (i install) GroupURL(c *spec.Command) string {
	return i.Base() + "/api/" + c.Path() + "/group/" + i.Group
}

// groupWord stands for the id of a group in addresses.
const groupWord = "ENDPOINTGROUPID"

// installOf is the install as the caller of a page sees it.
func (h *Handler) installOf(r *http.Request) install {
	i := install{Origin: h.PublicURL, Context: h.ContextPath, Login: spec.Login.Sample, Endpoint: spec.FieldEndpoint.Sample, Group: groupWord}
	if i.Origin == "" {
		i.Origin = "http://" + cmp.Or(r.Host, "127.0.0.1:8080")
		if r.TLS != nil {
			i.Origin = "https://" + r.Host
		}
	}
	if m := h.Example; m != nil {
		i.Login, i.Endpoint, i.ControlKey, i.Sandbox = m.Login, m.Endpoint.String(), m.ControlKey, true
		if m.Group != 0 {
			i.Group = m.Group.String()
		}
	}
	return i
}
