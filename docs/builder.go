package docs

import (
	"slices"
	"strconv"

	"payout"
	"payout/spec"
	"payout/web"
)

// builderPages are the request builders, one for each command. The navigation
// has the first alone: the page itself lists the others.
func (h *Handler) builderPages() []*page {
	var all []*page
	for i, c := range h.commands() {
		all = append(all, &page{path: "builder/" + slug(c), section: inTools, unlisted: i > 0, wide: true, private: true,
			title:    h.toolText("builderTitle", "command", c.Path()),
			menu:     h.toolText("builderMenu"),
			summary:  h.toolText("builderSummary", "command", c.Path()),
			template: "builder.html", scripts: []string{"builder.js"}, connect: builderConnect,
			view: func(v *visit) (any, error) { return h.builderView(v, c), nil }})
	}
	return all
}

// builderConnect lists what the builder's script may call: the API, the builders
// of the other commands, the sandbox's sign-up, and the search. There is no other
// way out of the page. The scheme http stands for https too (CSP level 3, 6.7.2.8).
func builderConnect(v *visit) []string {
	here := "http://" + v.r.Host
	return []string{here + v.install.Context + "/api/", here + v.root() + "builder/", here + folder + signUpPath, here + v.root() + searchPath}
}

// A builderView is what the page of a builder shows.
type builderView struct {
	Command     *spec.Command
	Commands    []*spec.Command
	CommandPage string
	CommandLine string // that does the same without a browser
	Words       map[string]string
	Assets      string
	Groups      []builderGroup
	Programs    []builderProgram
	Data        builderData
}

// A builderProgram is a tab of a program in samples.js.
type builderProgram struct{ ID, Name string }

var builderPrograms = []builderProgram{{"curl", "curl"}, {"go", "Go"}, {"php", "PHP"}, {"python", "Python"}, {"node", "Node"}}

// A builderGroup is a part of the fields.
type builderGroup struct {
	Title, Hint string
	Folded      bool
	Fields      []builderField
}

// A builderField is one field of the builder.
type builderField struct {
	spec.Use
	NeedWord, Range string
	Long            bool // text of several lines
	Fresh           bool // a new value can be drawn
	Numeric         bool
	Values          []string
}

// Required reports whether the request must have it.
func (f builderField) Required() bool { return f.Need == spec.Required }

// Aliases lists the other names that the command accepts.
func (f builderField) Aliases() []string { return f.Names()[1:] }

// builderData is what the script of the builder reads.
type builderData struct {
	Command    string            `json:"command"`
	Auth       string            `json:"auth"` // oauth or control
	ByGroup    bool              `json:"byGroup"`
	Origin     string            `json:"origin"`  // that clients sign
	Context    string            `json:"context"` // such as /paynet
	Base       string            `json:"base"`
	Endpoint   string            `json:"endpoint"`
	Group      string            `json:"group"` // empty: none is known
	Login      string            `json:"login"`
	ControlKey string            `json:"controlKey"` // of the sandbox's merchant; empty elsewhere
	SignUp     string            `json:"signUp"`     // empty: this is no sandbox
	Checker    string            `json:"checker"`
	Fields     []fieldData       `json:"fields"`
	Ties       []tieData         `json:"ties"`
	Sum        []spec.SumPart    `json:"sum"`
	SumID      spec.SumPart      `json:"sumID"`
	SumMinor   spec.SumPart      `json:"sumMinor"`
	Control    string            `json:"control"` // names of parameters that the script knows
	Amount     string            `json:"amount"`
	Currency   string            `json:"currency"`
	Exponents  map[string]int    `json:"exponents"` // of currencies
	Carried    map[string]string `json:"carried"`   // parameters that earlier replies give, by the field that does
	Rules      map[string]string `json:"rules"`     // texts by rule
	Words      map[string]string `json:"words"`
}

// fieldData is one row of the command's table.
type fieldData struct {
	Name     string    `json:"name"`
	Kind     spec.Kind `json:"kind"`
	Pattern  string    `json:"pattern"`
	Values   []string  `json:"values,omitempty"`
	Min      int       `json:"min"`
	Max      int       `json:"max"`
	Required bool      `json:"required"`
	Role     string    `json:"role,omitempty"` // login or control, which the page fills in
	Fresh    bool      `json:"fresh,omitempty"`
	Sample   string    `json:"sample"` // empty: not in the example
}

// tieData is a rule that ties parameters together.
type tieData struct {
	Tie    spec.Tie `json:"tie"`
	Params []string `json:"params"`
}

func (h *Handler) builderView(v *visit, c *spec.Command) *builderView {
	words := h.toolWords(v.lang)
	return &builderView{Command: c, Commands: h.commands(), CommandPage: v.root() + "commands/" + slug(c), CommandLine: commandLine(v.install, c),
		Words: words, Assets: "/docs/" + h.site.assets.Path(), Groups: h.builderGroups(v.lang, c), Programs: builderPrograms, Data: h.builderData(v, c, words)}
}

// commandLine is how the program signs an example of a command.
func commandLine(i install, c *spec.Command) string {
	e := fixedExample(i, c)
	if c.Auth == spec.OAuthRSA {
		return "printf %s " + shellQuoted(e.Body()) + " | payoutd oauth sign --url " + shellQuoted(e.URL) + " --login " + shellQuoted(i.Login) +
			" --private-key merchant.key --body - --base-string"
	}
	line := "PAYOUTD_CONTROL_KEY=... payoutd control sum --"
	for _, part := range e.Sum {
		if !part.Secret {
			line += " " + shellQuoted(part.Value)
		}
	}
	return line
}

// builderGroups sorts the fields into what a request needs and what it may have.
func (h *Handler) builderGroups(lang web.Lang, c *spec.Command) []builderGroup {
	word := func(key string, pairs ...string) string { return h.toolText(key, pairs...).In(string(lang)) }
	groups := []builderGroup{{Title: word("required")}, {Title: word("conditional"), Hint: word("conditionalHint"), Folded: true},
		{Title: word("optional"), Hint: word("optionalHint"), Folded: true}}
	for _, u := range c.Params {
		if u.Param == spec.ControlSum {
			continue // computed
		}
		f := builderField{Use: u, NeedWord: word("need" + string(u.Need)), Range: lengthWords(word, u), Long: u.Length() > 1024 && u.Kind == spec.String,
			Fresh: makesOrder(c, u.Param), Numeric: u.Kind.Wire() == "Numeric" && u.Kind != spec.Phone && u.Kind != spec.Amount, Values: u.Kind.Values()}
		i := slices.Index([]spec.Need{spec.Required, spec.Conditional, spec.Optional}, u.Need)
		if slices.Contains(c.Shows, u.Param) {
			i = 0
		}
		groups[i].Fields = append(groups[i].Fields, f)
	}
	return slices.DeleteFunc(groups, func(g builderGroup) bool { return len(g.Fields) == 0 })
}

func lengthWords(word func(string, ...string) string, u spec.Use) string {
	longest := strconv.Itoa(u.Length())
	switch {
	case u.Min == u.Length():
		return word("exactly", "n", longest)
	case u.Min > 1:
		return word("fromTo", "from", strconv.Itoa(u.Min), "to", longest)
	}
	return word("upTo", "n", longest)
}

// makesOrder reports whether a new value of a parameter makes a new order.
func makesOrder(c *spec.Command, p *spec.Param) bool {
	_, carries := carried(c)[p.Name]
	return p == spec.ClientOrderID && !carries
}

// carried says which parameters of a command come from the reply to the one
// before it: parameter by field.
func carried(c *spec.Command) map[string]string {
	from := make(map[string]string)
	switch {
	case c.After == nil:
	case c.After.Gives != nil && c.After.Takes != nil:
		from[c.After.Takes.Name] = c.After.Gives.Name
	default:
		from[spec.OrderNumber.Name] = spec.FieldPaynetOrder.Name
		from[spec.ClientOrderID.Name] = spec.FieldMerchantOrder.Name
	}
	return from
}

func (h *Handler) builderData(v *visit, c *spec.Command, words map[string]string) builderData {
	d := builderData{Command: c.Path(), Auth: "control", ByGroup: c.Group, Origin: v.install.Origin, Context: v.install.Context, Base: v.install.Base(),
		Endpoint: v.install.Endpoint, Login: v.install.Login, ControlKey: v.install.ControlKey.Reveal(), Checker: v.root() + "checker",
		Fields: fieldsData(c), Ties: []tieData{}, Sum: c.Sum, SumID: spec.SumID, SumMinor: spec.SumMinor, Control: spec.ControlSum.Name,
		Amount: spec.AmountParam.Name, Currency: spec.CurrencyParam.Name, Exponents: make(map[string]int), Carried: carried(c),
		Rules: ruleTexts(v.lang), Words: words}
	if c.Auth == spec.OAuthRSA {
		d.Auth = "oauth"
	}
	if v.install.Group != groupWord {
		d.Group = v.install.Group
	}
	if h.SignUp != nil {
		d.SignUp = folder + signUpPath
	}
	if _, ok := c.Use(spec.AmountParam); ok {
		for _, currency := range payout.Currencies() {
			d.Exponents[currency.Code()] = currency.Exponent()
		}
	}
	for _, rule := range c.Rules {
		tie := tieData{Tie: rule.Tie}
		for _, p := range rule.Params {
			tie.Params = append(tie.Params, p.Name)
		}
		d.Ties = append(d.Ties, tie)
	}
	return d
}

func fieldsData(c *spec.Command) []fieldData {
	samples := make(map[string]string)
	for _, pair := range c.Example() {
		samples[pair.Name] = pair.Value
	}
	var all []fieldData
	for _, u := range c.Params {
		f := fieldData{Name: u.Name, Kind: u.Kind, Pattern: u.Kind.Pattern(), Values: u.Kind.Values(), Min: u.Min, Max: u.Length(),
			Required: u.Need == spec.Required, Fresh: makesOrder(c, u.Param), Sample: samples[u.Name]}
		switch u.Param {
		case spec.Login:
			f.Role = "login"
		case spec.ControlSum:
			f.Role = "control"
		}
		all = append(all, f)
	}
	return all
}
