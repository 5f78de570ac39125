package panel

import (
	"errors"
	"net/http"
	"strings"
	"time"

	"payout/gateway"
)

// How often a browser's address may try tokens, and a token may have callbacks
// sent again, per minute.
const (
	triesPerAddress = 10
	resendsPerToken = 20
)

// cookieName holds the session.
const cookieName = "payoutd_panel"

// signInView is the page that asks for the token.
type signInView struct{ Problem string } // key of a message, or empty

func (h *Handler) signInPage(status int, problem string) *page {
	return &page{template: "sign-in.html", title: "sign-in.title", view: signInView{problem}, status: status}
}

// visitor is whose session a request carries.
func (h *Handler) visitor(r *http.Request) (gateway.PanelVisitor, error) {
	cookie, err := r.Cookie(cookieName)
	if err != nil {
		return gateway.PanelVisitor{}, gateway.ErrNotSignedIn
	}
	return h.Gateway.PanelVisitor(r.Context(), cookie.Value)
}

// signIn takes a token. Wrong ones may be tried a few times a minute.
func (h *Handler) signIn(v *visit) (*page, error) {
	if !h.limits.Allow("sign-in "+h.remoteAddress(v.r), triesPerAddress, v.began) {
		return nil, errTooMany
	}
	visitor, session, ends, err := h.Gateway.PanelSignIn(v.r.Context(), v.r.PostFormValue("token"))
	if errors.Is(err, gateway.ErrNotSignedIn) {
		return h.signInPage(http.StatusForbidden, "sign-in.wrong"), nil
	}
	if err != nil {
		return nil, err
	}
	v.visitor = visitor
	http.SetCookie(v.w, h.cookie(v.r, session, ends))
	http.Redirect(v.w, v.r, v.root(), http.StatusSeeOther)
	return nil, nil
}

// signOut makes the browser forget the session.
func (h *Handler) signOut(v *visit) {
	http.SetCookie(v.w, h.cookie(v.r, "", time.Unix(1, 0)))
	http.Redirect(v.w, v.r, v.root(), http.StatusSeeOther)
}

// cookie keeps a session from scripts, from other sites and from our own other
// pages.
func (h *Handler) cookie(r *http.Request, session string, ends time.Time) *http.Cookie {
	return &http.Cookie{Name: cookieName, Value: session, Path: folder, Expires: ends, HttpOnly: true, SameSite: http.SameSiteStrictMode,
		Secure: strings.HasPrefix(h.publicURL(r), "https://")}
}
