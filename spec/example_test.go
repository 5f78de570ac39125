package spec

import (
	"slices"
	"testing"

	"payout/sign"
)

func TestExamplesAreAccepted(t *testing.T) {
	for _, c := range Commands {
		form := c.Example()
		if c.Auth == Control {
			form = append(form, sign.Pair{Name: ControlSum.Name, Value: c.Control("39915", form, "key")})
		}
		r, err := c.Parse(form)
		if err != nil {
			t.Errorf("%s: %s", c.Path(), err)
			continue
		}
		if c.Auth == Control && r.Text(ControlSum) != r.Control("39915", "key") {
			t.Errorf("%s: its control sum is not the one that the server wants", c.Path())
		}
		if body, err := c.Reply.Example().Form(); err != nil || len(body) == 0 {
			t.Errorf("%s: reply %q, %v", c.Path(), body, err)
		}
	}
}

func TestWhatComesBeforeACommandIsListed(t *testing.T) {
	for _, c := range Commands {
		if c.After == nil {
			if u, ok := c.Use(OrderNumber); ok && u.Need == Required {
				t.Errorf("%s wants an order, and does not say whose", c.Path())
			}
			continue
		}
		if (c.After.Gives == nil) != (c.After.Takes == nil) {
			t.Errorf("%s: what is given is not taken", c.Path())
		}
		if c.After.Takes != nil {
			if _, ok := c.Use(c.After.Takes); !ok {
				t.Errorf("%s does not take %s", c.Path(), c.After.Takes.Name)
			}
		} else if _, ok := c.Use(OrderNumber); !ok {
			t.Errorf("%s takes no order", c.Path())
		}
	}
}

func TestWhatACommandGoesOnFromIsReached(t *testing.T) {
	for _, c := range Commands {
		if makes := c.Reply == AsyncReply || c.Reply == FormReply; makes != (c.Reaches != "") {
			t.Errorf("%s reaches %q", c.Path(), c.Reaches)
		}
		if c.After != nil && c.After.Stage != "" && c.After.Command.Reaches != c.After.Stage {
			t.Errorf("%s wants %s, and %s reaches %s", c.Path(), c.After.Stage, c.After.Command.Path(), c.After.Command.Reaches)
		}
	}
}

func TestWhatAReplyAlwaysHasIsListedAndInItsExample(t *testing.T) {
	for _, c := range Commands {
		example := c.Reply.Example()
		for _, f := range c.Reply.Always {
			if !slices.Contains(c.Reply.Fields, f) || example.Get(f) == "" {
				t.Errorf("%s: the example has no %s", c.Path(), f.Name)
			}
		}
	}
}
