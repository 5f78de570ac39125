package server_test

import (
	"net/http"
	"testing"
)

func TestDocumentationIsServedUnlessSwitchedOff(t *testing.T) {
	for off, want := range map[bool]int{false: http.StatusOK, true: http.StatusNotFound} {
		c := newConfig(t)
		c.NoDocs = off
		h := start(t, c)
		if status, _ := h.get("http://" + h.addr.API + "/docs/en/reference/errors"); status != want {
			t.Errorf("switched off %v: HTTP %d, want %d", off, status, want)
		}
	}
}
