package sign

import (
	"encoding/json"
	"os"
	"strings"
	"testing"
)

func TestControlMatchesTheVectors(t *testing.T) {
	text, err := os.ReadFile("testdata/control.json")
	if err != nil {
		t.Fatal(err)
	}
	var vectors []struct {
		What    string
		Parts   []string
		Control string
	}
	if err := json.Unmarshal(text, &vectors); err != nil {
		t.Fatal(err)
	}
	if len(vectors) == 0 {
		t.Fatal("no vectors")
	}
	for _, v := range vectors {
		if got := Control(v.Parts...); got != v.Control {
			t.Errorf("%s: %s, want %s", v.What, got, v.Control)
		}
	}
}

func TestControlMatchesApiFacts(t *testing.T) {
	for _, c := range []struct{ got, want string }{
		{StatusControl("cool_merchant", "5624444333322221111110", "9625", "r45a019070772d1c4c2b503bbdc0fa22"),
			"c52cfb609f20a3677eb280cc4709278ea8f7024c"},
		{CallbackControl("approved", "1234567", "hf-abc", "test-merchant-control"),
			"652ace404c4dfe8bba069ecee594ec23a89340e1"},
		{CallbackControl("approved", "123", "invoice-1", "AF4B5DE6-3468-424C-A922-C1DAD7CB4509"),
			"5bc8ee48f9ba37c0fd1e0b052a9bc105c6df87e1"},
		{Control("test string to sha1"), "bd4c24bb656d161a66d89a45f50bf52cb7134851"},
		{Control(strings.Repeat("a", 255), strings.Repeat("a", 2)), Control(strings.Repeat("a", 257))},
	} {
		if c.got != c.want {
			t.Errorf("got %s, want %s", c.got, c.want)
		}
	}
}

func TestEqualControlTrimsAndIgnoresCase(t *testing.T) {
	good := "c52cfb609f20a3677eb280cc4709278ea8f7024c"
	for _, c := range []struct {
		got  string
		want bool
	}{
		{good, true},
		{strings.ToUpper(good), true},
		{" " + good + "\r\n", true},
		{good[:39], false},
		{good + "0", false},
		{good[:39] + "d", false},
		{"", false},
	} {
		if EqualControl(c.got, good) != c.want || EqualControl(good, c.got) != c.want {
			t.Errorf("EqualControl(%q) is not %v", c.got, c.want)
		}
	}
	if EqualControl("", "") {
		t.Error("an empty control equals an empty one")
	}
	// "\x10" and "0" differ by the bit that differs between the cases of letters.
	if EqualControl(strings.Repeat("\x10", 40), strings.Repeat("0", 40)) {
		t.Error("another byte than a letter is lowered")
	}
}
