package docs

import (
	"encoding/json"
	"strconv"
	"strings"

	"payout"
	"payout/processor/simulator"
	"payout/spec"
)

// commandPages are the pages of the commands.
func (h *Handler) commandPages() []*page {
	var all []*page
	for _, c := range h.commands() {
		all = append(all, &page{path: "commands/" + slug(c), section: inCommands, title: spec.T("/api/"+c.Path(), "/api/"+c.Path()),
			short: c.Path(), summary: c.Doc, template: "command.html",
			view: func(v *visit) (any, error) { return h.commandView(v, c) }})
	}
	return all
}

// A commandView is what the page of a command shows.
type commandView struct {
	Command  *spec.Command
	OAuth    bool // otherwise the request has a control sum
	URL      string
	GroupURL string // empty: the command is not called by a group
	Params   []paramRow
	// Conditional: the table has such a parameter.
	Conditional bool
	Example     example
	Fields      []fieldRow
	Success     replyText
	Denied      string // the page of a request that is not authentic
	Refusals    []refusal
	Next        []*spec.Command // that go on from this one
	Asks        []*spec.Command // that tell how its order stands
	Scenarios   *scenarioView   // nil: the simulator decides nothing here
	CardCodes   []simulator.CardCode
}

// A paramRow is a row of the table of parameters.
type paramRow struct {
	spec.Use
	Length string // such as 3 or 7-45
	Others []string
}

// A fieldRow is a row of the table of reply fields.
type fieldRow struct {
	*spec.Field
	Success, Refusal bool // in which replies it may stand
}

// A replyText is an example of a reply in both encodings.
type replyText struct{ Form, JSON string }

// A refusal is an example of a failure.
type refusal struct {
	Name string // key of its message
	Code payout.ErrCode
	HTTP int // of a JSON reply
	Text replyText
}

func (h *Handler) commandView(v *visit, c *spec.Command) (*commandView, error) {
	view := &commandView{Command: c, OAuth: c.Auth == spec.OAuthRSA, URL: v.install.URL(c), Params: paramRows(c), Fields: fieldRows(c.Reply),
		Denied: "HTTP/1.1 403 Forbidden\nContent-Type: text/html\n\n" + strings.TrimSuffix(spec.AccessDenied, "\n")}
	if c.Group {
		view.GroupURL = v.install.GroupURL(c)
	}
	for _, u := range c.Params {
		view.Conditional = view.Conditional || u.Need == spec.Conditional
	}
	var err error
	if view.Example, err = h.exampleOf(v, c); err != nil {
		return nil, err
	}
	if view.Success, err = textOf(c.Reply.Example()); err != nil {
		return nil, err
	}
	if view.Refusals, err = refusalsOf(c); err != nil {
		return nil, err
	}
	for _, other := range h.commands() {
		switch {
		case other.Reply == spec.StatusReply:
			if c.Type != "" && c.Type != payout.TypeCardRef {
				view.Asks = append(view.Asks, other)
			}
		case other.After != nil && other.After.Command == c:
			view.Next = append(view.Next, other)
		}
	}
	view.Scenarios, view.CardCodes = scenariosOf(c)
	return view, nil
}

func paramRows(c *spec.Command) []paramRow {
	rows := make([]paramRow, len(c.Params))
	for i, u := range c.Params {
		rows[i] = paramRow{Use: u, Length: lengthOf(u), Others: u.Names()[1:]}
	}
	return rows
}

// lengthOf writes a parameter's length as the tables of the format do.
func lengthOf(u spec.Use) string {
	longest := strconv.Itoa(u.Length())
	switch {
	case u.Min == u.Length():
		return longest
	case u.Min > 1:
		return strconv.Itoa(u.Min) + "–" + longest
	}
	return longest
}

// fieldRows lists the fields of a reply and those that only a refusal has.
func fieldRows(reply *spec.ReplySpec) []fieldRow {
	var rows []fieldRow
	has := func(fields []*spec.Field, f *spec.Field) bool {
		for _, other := range fields {
			if other == f {
				return true
			}
		}
		return false
	}
	for _, f := range reply.Fields {
		rows = append(rows, fieldRow{f, true, has(spec.ErrorReply.Fields, f)})
	}
	for _, f := range spec.ErrorReply.Fields {
		if !has(reply.Fields, f) {
			rows = append(rows, fieldRow{f, false, true})
		}
	}
	return rows
}

func textOf(r *spec.Reply) (replyText, error) {
	form, err := r.Form()
	if err != nil {
		return replyText{}, err
	}
	text, err := r.JSON()
	if err != nil {
		return replyText{}, err
	}
	indented, err := indentJSON(text)
	return replyText{strings.TrimSuffix(string(form), "\n"), indented}, err
}

func indentJSON(text []byte) (string, error) {
	var b strings.Builder
	encoded := json.NewEncoder(&b)
	encoded.SetIndent("", "  ")
	encoded.SetEscapeHTML(false)
	err := encoded.Encode(json.RawMessage(text))
	return strings.TrimSuffix(b.String(), "\n"), err
}

// refusalsOf gives an example of a validation error and of an error that fit the
// command.
func refusalsOf(c *spec.Command) ([]refusal, error) {
	code := payout.CodeEndpointUnknown
	switch {
	case c.Auth == spec.Control:
		code = payout.CodeControl
	case c.After != nil && c.After.Gives == nil:
		code = payout.CodeOrderUnknown
	}
	var all []refusal
	for _, e := range []struct {
		name string
		err  *payout.Error
	}{{"refusal.validation", &payout.Error{Code: payout.CodeRequired, Param: spec.ClientOrderID.Name}}, {"refusal.error", &payout.Error{Code: code}}} {
		row := e.err.Code.Row()
		reply := spec.ErrorReply.New().Set(spec.FieldType, string(row.Kind)).Set(spec.FieldSerial, spec.FieldSerial.Sample).
			Set(spec.FieldErrorMessage, e.err.Error()).Set(spec.FieldErrorCode, strconv.Itoa(int(row.Code)))
		if row.Kind == payout.KindError {
			reply.Set(spec.FieldMerchantOrder, spec.ClientOrderID.Sample)
		}
		text, err := textOf(reply)
		if err != nil {
			return nil, err
		}
		all = append(all, refusal{e.name, row.Code, row.HTTP, text})
	}
	return all, nil
}

// scenariosOf tells what the simulator decides for a command, by the parameters
// that name where the money goes or, on charges, by the card's code.
func scenariosOf(c *spec.Command) (*scenarioView, []simulator.CardCode) {
	has := func(p *spec.Param) bool { _, ok := c.Use(p); return ok }
	if has(spec.CVV2) {
		return nil, cardCodeTable()
	}
	view := scenarioView{Scenarios: simulator.Scenarios()}
	if has(spec.AccountNumber) {
		view.Account = spec.AccountNumber.Name
	}
	switch {
	case has(spec.CreditCardNumber):
		view.Card = spec.CreditCardNumber.Name
	case has(spec.DestinationCardNo):
		view.Card = spec.DestinationCardNo.Name
	case has(spec.DestinationCardRef):
		view.Card = cardWord
	}
	if phone, ok := c.Use(spec.ReceiverPhone); ok && (phone.Need == spec.Required || has(spec.FormBank)) {
		view.Phone = phone.Name
	}
	if view.Account == "" && view.Card == "" && view.Phone == "" {
		return nil, nil
	}
	return &view, nil
}
