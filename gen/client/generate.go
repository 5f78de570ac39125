package main

import (
	"bytes"
	"embed"
	"fmt"
	"go/format"
	"slices"
	"strconv"
	"strings"
	"text/template"

	"payout/callback"
	"payout/spec"
)

//go:embed *.tmpl
var templateFiles embed.FS

// generate makes the files of package client, by their names.
func generate(commands []*spec.Command, news, redirect []callback.Field) (map[string][]byte, error) {
	made := tables{}
	if err := made.addCommands(commands); err != nil {
		return nil, err
	}
	made.News = []message{
		{typeName{"Callback", "A Callback is what the gateway tells when an order has ended. Its control sum is verified."}, callbackFields(news)},
		{typeName{"Redirect", "A Redirect is what the Receiver's browser posts at the end. It is no proof of anything; see VerifyRedirect."}, callbackFields(redirect)},
	}
	templates, err := template.New("").Funcs(template.FuncMap{"comment": comment, "lines": lines, "paragraphs": paragraphs, "quote": strconv.Quote}).ParseFS(templateFiles, "*.tmpl")
	if err != nil {
		return nil, err
	}
	files := make(map[string][]byte)
	for _, t := range templates.Templates() {
		name, isFile := strings.CutSuffix(t.Name(), ".tmpl")
		if !isFile || name == "struct" {
			continue
		}
		var text bytes.Buffer
		if err := t.Execute(&text, made); err != nil {
			return nil, err
		}
		if files[name], err = format.Source(text.Bytes()); err != nil {
			return nil, fmt.Errorf("%s: %w\n%s", name, err, text.Bytes())
		}
	}
	return files, nil
}

// tables are what the templates read.
type tables struct {
	Commands []command
	Replies  []message
	News     []message // callback and redirect
}

// A typeName is a type's name and its documentation.
type typeName struct{ Name, Doc string }

// A message is a generated type.
type message struct {
	typeName
	Fields []field
}

// A command is a method with the type of its request.
type command struct {
	*spec.Command
	Method  string
	Var     string // holds the command's description
	Request message
	Reply   string // type of the reply
	Doc     []string
	Login   bool
}

// A field is one field of a generated type.
type field struct {
	Go, Type  string
	Wire      string
	Sensitive bool
	Doc       []string // one line or more each
}

func (t *tables) addCommands(commands []*spec.Command) error {
	replies := make(map[*spec.ReplySpec]string)
	taken := make(map[string]bool) // names of types and methods
	for _, name := range reserved {
		taken[name] = true
	}
	for _, c := range commands {
		method := methodName(c)
		if slices.Contains(reserved, method) {
			method += "Command"
		}
		made := command{Command: c, Method: method, Var: "command" + method, Doc: commandDoc(c, method)}
		made.Request.typeName = typeName{method + "Request", "are the parameters of " + c.Path() + "."}
		if taken[method] || taken[made.Request.Name] {
			return fmt.Errorf("%s: %s is the name of two things", c.Path(), method)
		}
		taken[method], taken[made.Request.Name] = true, true
		fields := fieldNames{"Extra": true, "Format": true, "LogValue": true}
		for _, u := range c.Params {
			switch u.Name {
			case spec.Login.Name:
				made.Login = true
			case spec.ControlSum.Name:
			default:
				made.Request.Fields = append(made.Request.Fields, field{Go: fields.of(u.Name), Type: "string", Wire: u.Name, Sensitive: u.Sensitive, Doc: paramDoc(u)})
			}
		}
		if replies[c.Reply] == "" {
			reply := replyMessage(c.Reply)
			if taken[reply.Name] {
				reply.Name = method + "Response"
			}
			if taken[reply.Name] {
				return fmt.Errorf("%s: %s is the name of two replies", c.Path(), reply.Name)
			}
			taken[reply.Name] = true
			replies[c.Reply] = reply.Name
			t.Replies = append(t.Replies, reply)
		}
		made.Reply = replies[c.Reply]
		t.Commands = append(t.Commands, made)
	}
	return nil
}

func replyMessage(r *spec.ReplySpec) message {
	m := message{typeName: typeName{Name: goName(r.Type), Doc: "is the reply " + r.Type + "."}}
	if m.Name == "" {
		m.Name = "Response"
	}
	fields := fieldNames{"Reply": true, "Format": true, "LogValue": true, "Final": true, "Approved": true, "Confirmed": true}
	for _, f := range r.Fields {
		typ := "string"
		if f.Number {
			typ = "int"
		}
		m.Fields = append(m.Fields, field{Go: fields.of(f.Name), Type: typ, Wire: f.Name, Sensitive: f.Sensitive, Doc: []string{f.Doc.EN}})
	}
	return m
}

func callbackFields(rows []callback.Field) []field {
	fields := fieldNames{"Reply": true, "Format": true, "LogValue": true, "Identity": true}
	var made []field
	for _, f := range rows {
		made = append(made, field{Go: fields.of(f.Name), Type: "string", Wire: f.Name, Sensitive: !harmless[f.Name], Doc: []string{f.Doc.EN, "Source: " + f.Source + "."}})
	}
	return made
}

// harmless are the fields of callbacks and redirects that a log may have.
var harmless = map[string]bool{"status": true, "orderid": true, "merchant_order": true, "client_orderid": true, "type": true,
	"amount": true, "currency": true, "error_code": true, "error_message": true, "serial-number": true}

// commandDoc is the documentation of a method, one paragraph an item.
func commandDoc(c *spec.Command, method string) []string {
	doc := []string{method + " is " + c.Path() + ". " + c.Doc.EN}
	switch c.Repeat {
	case spec.RepeatReads:
		doc = append(doc, "It changes nothing and is sent again when its answer was lost.")
	case spec.RepeatReplays:
		doc = append(doc, "It is sent again when its answer was lost only if Client.Replays says that this is safe.")
	default:
		doc = append(doc, "It is never sent again when its answer was lost: it could act twice.")
	}
	if c.After != nil {
		after := "It goes on from the order of " + c.After.Command.Path()
		if c.After.Gives != nil {
			after = "It takes " + c.After.Takes.Name + " from what " + c.After.Command.Path() + " gave as " + c.After.Gives.Name
		}
		if c.After.Stage != "" {
			after += ", which must be at " + c.After.Stage.OrderStage(c.After.Command.Type)
		}
		doc = append(doc, after+".")
	}
	for _, rule := range c.Rules {
		doc = append(doc, rule.Doc.EN)
	}
	path := "api/" + c.Path() + "/ENDPOINTID"
	if c.Group {
		path += " or /group/ENDPOINTGROUPID"
	}
	return append(doc, fmt.Sprintf("POST %s, authenticated by %s. Source: %s.", path, c.Auth, c.Source))
}

// paramDoc is the documentation of a request's field.
func paramDoc(u spec.Use) []string {
	length := fmt.Sprintf("up to %d characters", u.Length())
	switch {
	case u.Min == u.Length():
		length = fmt.Sprintf("%d characters", u.Min)
	case u.Min > 1:
		length = fmt.Sprintf("%d to %d characters", u.Min, u.Length())
	}
	return []string{u.Doc.EN, fmt.Sprintf("%s, %s, %s, such as %s. Source: %s.", u.Need, u.Kind.Wire(), length, u.Sample, u.Source)}
}

// paragraphs makes a comment of texts, with an empty line between them.
func paragraphs(texts []string) string {
	made := make([]string, len(texts))
	for i, text := range texts {
		made[i] = comment("", text)
	}
	return strings.Join(made, "//\n")
}

// comment makes a comment of texts, each on a line of its own, or more.
func comment(indent string, texts ...string) string {
	const width = 100
	var b strings.Builder
	for _, text := range texts {
		line := ""
		for _, word := range strings.Fields(text) {
			if line != "" && len(line)+len(word) >= width {
				b.WriteString(indent + "// " + line + "\n")
				line = ""
			}
			line = strings.TrimPrefix(line+" "+word, " ")
		}
		b.WriteString(indent + "// " + line + "\n")
	}
	return b.String()
}

// lines is comment for a list, which a template cannot spread.
func lines(indent string, texts []string) string { return comment(indent, texts...) }
