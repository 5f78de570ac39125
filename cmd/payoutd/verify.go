package main

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"payout"
	"payout/client"
	"payout/sign"
)

type verifyCallbackCmd struct {
	Message string `arg:"" name:"url-or-query" help:"The callback's URL, its query, or the body of a final redirect; - reads standard input."`
	printed
	merchantControl
}

// Help tells the shape of the JSON.
func (verifyCallbackCmd) Help() string {
	return "Computes the control sum SHA-1(status + orderid + client_orderid + control key) and compares. " +
		"Where they differ, it looks for what would make them agree.\n\n" +
		"Exit code 0: the control is right. 1: it is wrong.\n\n" + shapeOf[checkedView]()
}

// Run verifies.
func (c verifyCallbackCmd) Run(t terminal) error {
	key, err := c.readControlKey()
	if err != nil {
		return err
	}
	text := c.Message
	if text == "-" {
		read, err := io.ReadAll(io.LimitReader(t.in, 1<<20))
		if err != nil {
			return fmt.Errorf("read standard input: %w", err)
		}
		text = string(read)
	}
	message, err := sign.ParseForm(queryOf(text))
	if err != nil {
		return wrongUsage("the query cannot be read: %w", err)
	}
	checked := checkControl(message, key)
	if c.JSON {
		err = t.json(checked)
	} else {
		checked.print(t)
	}
	if err == nil && !checked.Valid {
		err = errQuiet
	}
	return err
}

// queryOf is the query of a URL, or the text itself.
func queryOf(text string) string {
	text = strings.TrimSpace(text)
	text, _, _ = strings.Cut(text, "#")
	if before, query, found := strings.Cut(text, "?"); found && !strings.Contains(before, "=") {
		return query
	}
	return text
}

// A checkedView is the verdict on the control of a callback or final redirect.
type checkedView struct {
	Valid         bool   `json:"valid"`
	Status        string `json:"status"`
	OrderID       string `json:"orderid"`
	ClientOrderID string `json:"client_orderid"`
	String        string `json:"string" doc:"what is hashed, before the control key"`
	Control       string `json:"control" doc:"as received"`
	Computed      string `json:"computed" doc:"as it should be"`
	Reason        string `json:"reason,omitempty" doc:"why it is wrong"`
}

func (v checkedView) print(t terminal) {
	for _, row := range [][2]string{{"status", v.Status}, {"orderid", v.OrderID}, {"client_orderid", v.ClientOrderID},
		{"string", v.String + " + control key"}, {"control", v.Control}, {"computed", v.Computed}} {
		t.printf("%-15s %s\n", row[0], row[1])
	}
	t.printf("%-15s %s\n", "verdict", v.verdict())
}

func (v checkedView) verdict() string {
	if v.Valid {
		return "VALID"
	}
	return "WRONG: " + v.Reason
}

// checkControl verifies the control of a message, and says what is wrong with it.
func checkControl(message []sign.Pair, key payout.Secret) checkedView {
	v := checkedView{Status: valueOf(message, "status"), OrderID: valueOf(message, "orderid"),
		ClientOrderID: valueOf(message, "client_orderid"), Control: valueOf(message, "control")}
	v.String = v.Status + v.OrderID + v.ClientOrderID
	v.Computed = sign.CallbackControl(v.Status, v.OrderID, v.ClientOrderID, key.Reveal())
	for _, name := range []string{"status", "orderid", "client_orderid", "control"} {
		switch given := slices.DeleteFunc(slices.Clone(message), func(p sign.Pair) bool { return p.Name != name }); {
		case len(given) == 0:
			v.Reason = name + " is missing"
		case len(given) > 1:
			v.Reason = name + " is there twice"
		default:
			continue
		}
		return v
	}
	if !sign.EqualControl(v.Control, v.Computed) {
		v.Reason = whyWrong(v, message, key.Reveal())
		return v
	}
	// What the Go client refuses besides, is wrong here too.
	if _, err := client.VerifyCallback(key.Reveal(), sign.EncodeForm(message)); err != nil {
		v.Reason = strings.TrimPrefix(err.Error(), "client: ")
		return v
	}
	v.Valid = true
	return v
}

func valueOf(message []sign.Pair, name string) string {
	for _, p := range message {
		if p.Name == name {
			return p.Value
		}
	}
	return ""
}

// whyWrong looks for a change that would have made a wrong control right.
func whyWrong(v checkedView, message []sign.Pair, key string) string {
	if control := strings.TrimSpace(v.Control); len(control) != len(v.Computed) || strings.Trim(strings.ToLower(control), "0123456789abcdef") != "" {
		return fmt.Sprintf("control is no SHA-1 in hex: it has %d characters, of %d hex digits", len(control), len(v.Computed))
	}
	fits := func(status, order, client, key string) bool {
		return sign.EqualControl(v.Control, sign.CallbackControl(status, order, client, key))
	}
	for _, row := range payout.Stages() {
		if status := string(row.Status); status != v.Status && fits(status, v.OrderID, v.ClientOrderID, key) {
			return fmt.Sprintf("it is the control of status %s: the status was changed on the way", status)
		}
	}
	for _, other := range []struct{ what, client string }{
		{"+ where it has a blank: decode the query once", strings.ReplaceAll(v.ClientOrderID, " ", "+")},
		{"a blank where it has +: decode + as a blank", strings.ReplaceAll(v.ClientOrderID, "+", " ")},
		{"no blanks around it", strings.TrimSpace(v.ClientOrderID)},
		{"the value of merchant_order", valueOf(message, "merchant_order")},
		{"nothing in it", ""},
	} {
		if fits(v.Status, v.OrderID, other.client, key) {
			return "it would be right if client_orderid had " + other.what
		}
	}
	for _, other := range []struct{ what, key string }{
		{"without the control key", ""},
		{"with a line break behind the control key", key + "\n"},
		{"with the control key in upper case", strings.ToUpper(key)},
		{"with the control key in lower case", strings.ToLower(key)},
		{"with the control key without the blanks around it", strings.TrimSpace(key)},
	} {
		if fits(v.Status, v.OrderID, v.ClientOrderID, other.key) {
			return "it is the sum " + other.what
		}
	}
	return "it was made with another control key, or from other values of status, orderid or client_orderid"
}
