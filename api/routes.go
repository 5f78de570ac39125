package api

import (
	"context"
	"net/http"
	"strconv"
	"strings"

	"payout"
	"payout/spec"
)

// A handler calls one method of the gateway with a parsed request and makes the reply.
type handler func(*Handler, context.Context, *exchange, *spec.Request) (*spec.Reply, error)

// handlers says what answers each command.
var handlers = map[*spec.Command]handler{
	spec.Payout:              (*Handler).payout,
	spec.PayoutCheck:         (*Handler).payout,
	spec.PayoutPay:           (*Handler).payoutPay,
	spec.PayoutForm:          (*Handler).payoutForm,
	spec.PayoutByRef:         (*Handler).payout,
	spec.WithdrawalSBP:       (*Handler).payout,
	spec.TransferByRef:       (*Handler).payout,
	spec.Sale:                (*Handler).payout,
	spec.Preauth:             (*Handler).payout,
	spec.AccountVerification: (*Handler).payout,
	spec.CreateCardRefV2:     (*Handler).createCardRef,
	spec.CreateCardRefV4:     (*Handler).createCardRef,
	spec.StatusV4:            (*Handler).status,
	spec.StatusV2:            (*Handler).status,
}

// commandsByPath finds a command by its path below api/.
var commandsByPath = func() map[string]*spec.Command {
	byPath := make(map[string]*spec.Command, len(spec.Commands))
	for _, c := range spec.Commands {
		byPath[c.Path()] = c
	}
	return byPath
}()

// A route is what a request's path names.
type route struct {
	command  *spec.Command
	handle   handler
	endpoint payout.EndpointID
	group    payout.GroupID
}

// find reads {ContextPath}/api/v4/payout/39915 or .../group/77. The path is
// matched as it came: nothing is cleaned or redirected, because it is signed.
func (h *Handler) find(r *http.Request) (route, error) {
	unknown := &payout.Error{Code: payout.CodeCommandUnknown}
	rest, ok := strings.CutPrefix(r.URL.EscapedPath(), h.ContextPath+"/api/")
	if !ok {
		return route{}, unknown
	}
	parts := strings.Split(rest, "/")
	if len(parts) < 2 || parts[len(parts)-1] == "" {
		return route{}, unknown
	}
	command := commandsByPath[parts[0]+"/"+parts[1]]
	if command == nil {
		return route{}, unknown
	}
	found := route{command: command, handle: handlers[command]}
	if r.Method != http.MethodPost {
		return found, &payout.Error{Code: payout.CodeMethod}
	}
	switch {
	case len(parts) == 3:
		found.endpoint = payout.EndpointID(pathID(parts[2]))
	case len(parts) == 4 && parts[2] == "group" && command.Group:
		found.group = payout.GroupID(pathID(parts[3]))
	default:
		return found, unknown
	}
	if found.endpoint == 0 && found.group == 0 {
		return found, &payout.Error{Code: payout.CodeEndpointUnknown}
	}
	return found, nil
}

// pathID reads an id of the path; 0 when it is none. Other spellings of a
// number are not the same id: "+1" and "01" are signed differently.
func pathID(s string) int64 {
	id, err := strconv.ParseInt(s, 10, 64)
	if err != nil || id <= 0 || strconv.FormatInt(id, 10) != s {
		return 0
	}
	return id
}
