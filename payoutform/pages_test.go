package payoutform

import "testing"

func TestOurPagesCanBeDrawn(t *testing.T) {
	if _, err := NewPages(""); err != nil {
		t.Fatal(err)
	}
}
