package docs

import (
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"time"

	"payout/gateway"
	"payout/sign"
	"payout/web"
)

// signUpPath is the door of the sandbox's sign-up below /docs/.
const signUpPath = "sandbox/merchants"

const (
	signUpBodyMax = 4 << 10 // bytes; a public key of 4096 bits has 800
	signUpEvery   = 2 * time.Second
	signUpBurst   = 20
)

// signedUp is the reply of the sign-up.
type signedUp struct {
	Login      string `json:"login"`
	Endpoint   string `json:"endpoint"`
	Group      string `json:"group,omitempty"`
	ControlKey string `json:"control_key"`
}

// signUp makes a merchant of the sandbox for a key that was made in the page. The
// body is the public key in PEM; the private one stays where it was made. The
// control key is told once, here, and stands in no log.
func (h *Handler) signUp(w http.ResponseWriter, r *http.Request) {
	web.Policy{}.Set(w.Header())
	refuse := func(status int, text string) { http.Error(w, text, status) }
	var foreign http.CrossOriginProtection
	switch {
	case h.SignUp == nil:
		refuse(http.StatusNotFound, "This gateway is no sandbox.")
		return
	case r.Method != http.MethodPost:
		w.Header().Set("Allow", http.MethodPost)
		refuse(http.StatusMethodNotAllowed, "Method Not Allowed")
		return
	case foreign.Check(r) != nil:
		refuse(http.StatusForbidden, "Merchants sign up on the sandbox's own pages.")
		return
	case !h.site.signUps.AllowN(h.Now(), 1):
		w.Header().Set("Retry-After", "10")
		refuse(http.StatusTooManyRequests, "Too many merchants sign up at the moment. Try again in a few seconds.")
		return
	}
	text, err := io.ReadAll(http.MaxBytesReader(w, r.Body, signUpBodyMax))
	if tooLarge, ok := errors.AsType[*http.MaxBytesError](err); ok && tooLarge != nil {
		refuse(http.StatusRequestEntityTooLarge, "A public key is shorter.")
		return
	}
	key, keyErr := sign.ParsePublicKey(text)
	if err != nil || keyErr != nil {
		refuse(http.StatusBadRequest, errors.Join(err, keyErr).Error()) // it never quotes what was sent
		return
	}
	merchant, err := h.SignUp(r.Context(), key)
	switch {
	case errors.Is(err, gateway.ErrSandboxFull):
		refuse(http.StatusServiceUnavailable, err.Error())
		return
	case err != nil:
		h.Log.LogAttrs(r.Context(), slog.LevelError, "sign-up failed", slog.String("error", err.Error()))
		refuse(http.StatusInternalServerError, "Internal Server Error")
		return
	}
	h.Log.LogAttrs(r.Context(), slog.LevelInfo, "merchant signed up", slog.String("login", merchant.Login), slog.String("endpoint", merchant.Endpoint.String()))
	reply := signedUp{Login: merchant.Login, Endpoint: merchant.Endpoint.String(), ControlKey: merchant.ControlKey.Reveal()}
	if merchant.Group != 0 {
		reply.Group = merchant.Group.String()
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(http.StatusCreated)
	_ = json.NewEncoder(w).Encode(reply) // the browser has gone away
}
