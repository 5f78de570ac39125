package payoutform

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"payout"
	"payout/gateway"
	"payout/sign"
	"payout/spec"
	"payout/storage"
	"payout/web"
)

const (
	bodyMax  = 64 << 10 // bytes of a sent form
	langName = "lang"   // query parameter
)

// A Handler serves the Receiver's pages below ContextPath. Its fields do not
// change once it serves.
type Handler struct {
	Gateway     *gateway.Gateway
	Pages       *Pages
	ContextPath string   // such as /paynet, without a slash at the end
	Directory   []Bank   // SBP banks, sorted by name
	Ancestors   []string // origins that may show the pages in a frame
	PublicURL   string   // scheme and host that browsers see; empty: taken from the request
	// AddressHeader is the header in which a proxy tells the browser's address, such
	// as X-Forwarded-For; empty: there is no proxy.
	AddressHeader string
	// UnknownAfter ends the wait page of an order without an answer, counted from
	// the moment at which the form was sent; 0 means a minute.
	UnknownAfter time.Duration
	Stopping     <-chan struct{} // closed when the server stops: open streams end then; may be nil
	Log          *slog.Logger

	limits limits
}

// A visit is one request of a browser on its way to its page.
type visit struct {
	w     http.ResponseWriter
	r     *http.Request
	lang  web.Lang
	began time.Time
	token string        // of the address; never logged
	order *payout.Order // nil until it is found
}

// formIsOpen reports whether the order still waits for the Receiver.
func (v *visit) formIsOpen() bool {
	return v.order.Stage == payout.AtForm && v.began.Before(v.order.ExpiresAt)
}

// Serves reports whether a path is one of these pages.
func (h *Handler) Serves(path string) bool {
	rest, ok := strings.CutPrefix(path, h.ContextPath+"/")
	if !ok {
		return false
	}
	first, _, _ := strings.Cut(rest, "/")
	return first == "form" || first == "view-receipt" || first == "brand" || first == "assets"
}

// ServeHTTP answers one request.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	v := &visit{w: w, r: r, began: h.Gateway.Now()}
	v.lang = web.Choose(r.URL.Query().Get(langName), r.Header.Get("Accept-Language"), web.English)
	parts := strings.Split(strings.TrimPrefix(r.URL.Path, h.ContextPath+"/"), "/")
	name, err := h.route(v, parts)
	h.answer(v, name, err)
}

// route finds what a path names; the name of the page is for the log.
func (h *Handler) route(v *visit, parts []string) (page string, err error) {
	reads := v.r.Method == http.MethodGet || v.r.Method == http.MethodHead
	switch {
	case parts[0] == "assets":
		name, ok := strings.CutPrefix(strings.Join(parts, "/"), web.AssetsPath())
		if !ok {
			return "", storage.ErrNotFound
		}
		web.ServeAsset(v.w, v.r, name)
		return "", nil
	case parts[0] == "brand" && len(parts) == 3 && reads:
		return "", h.brandFile(v, parts[1], parts[2])
	case parts[0] == "view-receipt" && reads && (len(parts) == 3 || len(parts) == 4 && parts[3] == ""):
		return "receipt", h.receipt(v, parts[1], parts[2])
	case parts[0] == "form" && len(parts) == 2 && reads:
		return "form", h.withOrder(v, parts[1], h.show)
	case parts[0] == "form" && len(parts) == 2 && v.r.Method == http.MethodPost:
		return "submit", h.withOrder(v, parts[1], h.submit)
	case parts[0] == "form" && len(parts) == 3 && parts[2] == "state" && reads:
		return "state", h.withOrder(v, parts[1], h.state)
	case parts[0] == "form" && len(parts) == 3 && parts[2] == "events" && reads:
		return "events", h.withOrder(v, parts[1], h.events)
	}
	return "unknown", storage.ErrNotFound
}

// withOrder finds the order of a token and goes on.
func (h *Handler) withOrder(v *visit, token string, next func(*visit) error) error {
	order, err := h.Gateway.OrderOfForm(v.r.Context(), token)
	if err != nil {
		return h.missed(v, err)
	}
	v.token, v.order = token, order
	if endpoint := h.Gateway.Directory().Endpoints[order.EndpointID]; endpoint != nil && endpoint.Brand.Language != "" {
		v.lang = web.Choose(v.r.URL.Query().Get(langName), v.r.Header.Get("Accept-Language"), web.Lang(endpoint.Brand.Language))
	}
	return next(v)
}

// missed is what to tell of an order that was not found. Whoever tries tokens or
// receipts is stopped after a few; those who have a right one are not, though
// they may share the address.
func (h *Handler) missed(v *visit, err error) error {
	if errors.Is(err, storage.ErrNotFound) && !h.limits.missesLeft(h.remoteAddress(v.r), v.began) {
		return errTooMany
	}
	return err
}

// The reasons for which there is no page.
var (
	errTooMany = errors.New("too many attempts")
	errForeign = errors.New("the form was sent by another site")
)

// answer shows the page of an error, and logs the visit. The log has the order
// and the verdict, never the address: it is the key to the page.
func (h *Handler) answer(v *visit, page string, err error) {
	trouble, status, level := Trouble(""), http.StatusOK, slog.LevelInfo
	switch {
	case err == nil:
	case errors.Is(err, storage.ErrNotFound):
		trouble, status = TroubleNotFound, http.StatusNotFound
	case errors.Is(err, errTooMany):
		trouble, status = TroubleTooMany, http.StatusTooManyRequests
		v.w.Header().Set("Retry-After", "60")
	case errors.Is(err, errForeign):
		trouble, status = TroubleForeign, http.StatusForbidden
	case gateway.Busy(err): // surely nothing was stored
		trouble, status, level = TroubleBusy, http.StatusServiceUnavailable, slog.LevelError
		v.w.Header().Set("Retry-After", "1")
	default:
		trouble, status, level = TroubleInternal, http.StatusInternalServerError, slog.LevelError
	}
	if trouble != "" {
		view := TroubleView{Frame: h.frame(v, nil), Trouble: trouble}
		if trouble == TroubleBusy {
			view.Again = v.r.URL.RequestURI() // read, also where a form was sent: the order's stage tells what is shown
		}
		if e := h.draw(v, status, func(w io.Writer) error { return h.Pages.Trouble(w, view) }); e != nil {
			h.Log.Error("page cannot be drawn", "page", "trouble", "error", e)
		}
	}
	if page == "" || page == "state" && err == nil {
		return
	}
	attrs := []slog.Attr{slog.String("page", page), slog.Duration("took", h.Gateway.Now().Sub(v.began)), slog.String("remote", h.remoteAddress(v.r))}
	if v.order != nil {
		attrs = append(attrs, slog.String("order", v.order.ID.String()), slog.String("stage", string(v.order.Stage)))
	}
	if err != nil {
		attrs = append(attrs, slog.String("error", err.Error()))
	}
	h.Log.LogAttrs(v.r.Context(), level, "page", attrs...)
}

// draw writes a page as a whole: one that cannot be drawn is not half sent.
func (h *Handler) draw(v *visit, status int, page func(io.Writer) error, formAction ...string) error {
	var b bytes.Buffer
	if err := page(&b); err != nil {
		return fmt.Errorf("draw page: %w", err)
	}
	header := v.w.Header()
	web.Policy{FormAction: formAction, FrameAncestors: h.Ancestors}.Set(header)
	header.Set("Content-Type", "text/html; charset=utf-8")
	header.Set("Content-Language", string(v.lang))
	header.Set("Vary", "Accept-Language")
	header.Set("Content-Length", strconv.Itoa(b.Len()))
	v.w.WriteHeader(status)
	if v.r.Method != http.MethodHead {
		_, _ = v.w.Write(b.Bytes()) // a browser that is gone sees nothing
	}
	return nil
}

// frame is what surrounds a page of an endpoint, or of none.
func (h *Handler) frame(v *visit, order *payout.Order) Frame {
	f := Frame{Lang: v.lang, Assets: h.ContextPath + "/" + web.AssetsPath()}
	for _, lang := range web.Languages() {
		if lang == v.lang {
			continue
		}
		query := v.r.URL.Query()
		query.Set(langName, string(lang))
		f.Languages = append(f.Languages, LanguageLink{Lang: lang, Name: lang.Name(), URL: v.r.URL.EscapedPath() + "?" + query.Encode()})
	}
	if order == nil {
		return f
	}
	d := h.Gateway.Directory()
	if party := d.Parties[order.PartyID]; party != nil {
		f.Brand.Name = cmp.Or(party.Name, party.Login)
	}
	if endpoint := d.Endpoints[order.EndpointID]; endpoint != nil {
		f.Brand.Name = cmp.Or(endpoint.Brand.Name, f.Brand.Name)
		f.Brand.Accent = endpoint.Brand.Accent
		folder := h.ContextPath + "/brand/" + endpoint.ID.String() + "/"
		if len(endpoint.Brand.Logo) > 0 {
			f.Brand.Logo = folder + "logo"
		}
		if endpoint.Brand.Accent != "" {
			f.AccentSheet = folder + "accent.css"
		}
	}
	return f
}

// brandFile serves an endpoint's logo or style sheet.
func (h *Handler) brandFile(v *visit, id, file string) error {
	n, err := strconv.ParseInt(id, 10, 64)
	endpoint := h.Gateway.Directory().Endpoints[payout.EndpointID(n)]
	if err != nil || endpoint == nil {
		return storage.ErrNotFound
	}
	var content []byte
	var kind string
	switch brand := endpoint.Brand; {
	case file == "logo" && len(brand.Logo) > 0:
		content, kind = brand.Logo, http.DetectContentType(brand.Logo)
	case file == "accent.css" && brand.Accent != "":
		sheet, err := web.AccentSheet(brand.Accent)
		if err != nil {
			return err
		}
		content, kind = []byte(sheet), "text/css; charset=utf-8"
	default:
		return storage.ErrNotFound
	}
	header := v.w.Header()
	header.Set("Content-Type", kind)
	header.Set("X-Content-Type-Options", "nosniff")
	header.Set("Content-Security-Policy", "default-src 'none'")
	header.Set("Cache-Control", "public, max-age=300")
	http.ServeContent(v.w, v.r, "", time.Time{}, bytes.NewReader(content))
	return nil
}

// show answers the form's address: the form while the order waits for it, then
// the page that waits, then the one of the end.
func (h *Handler) show(v *visit) error {
	if v.formIsOpen() {
		return h.showForm(v, http.StatusOK, nil, nil)
	}
	since, sent, err := h.sentAt(v)
	if err != nil {
		return err
	}
	if state := h.waiting(v.order, since, v.began); state != "" {
		return h.showWait(v, state)
	}
	return h.showFinish(v, sent)
}

// self is the path of the form of a visit; what else is known of it follows it.
func (h *Handler) self(v *visit, more string) string {
	path := h.ContextPath + "/form/" + v.token + more
	if lang := v.r.URL.Query().Get(langName); lang != "" {
		path += "?" + url.Values{langName: {lang}}.Encode()
	}
	return path
}

// showForm shows the form, with what was typed and what is wrong with it.
func (h *Handler) showForm(v *visit, status int, typed []sign.Pair, problems map[string]Problem) error {
	o := v.order
	uses := h.Gateway.FormFields(o)
	view := FormView{Frame: h.frame(v, o), Action: h.self(v, ""), Method: methodOf(uses), Amount: o.Amount,
		Description: o.Params[spec.OrderDesc.Name], Expires: o.ExpiresAt}
	for _, u := range uses {
		field := Field{Name: u.Name, Input: inputOf(u.Param), Value: o.Params[u.Name], Problem: problems[u.Name],
			Required: u.Need == spec.Required, Max: u.Length()}
		for _, pair := range typed {
			if pair.Name == u.Name {
				field.Value = pair.Value
			}
		}
		if u.Param == spec.CreditCardNumber {
			field.Value = ""
		}
		if field.Input == InputBank {
			view.Banks = h.Directory
		}
		view.Fields = append(view.Fields, field)
	}
	return h.draw(v, status, func(w io.Writer) error { return h.Pages.Form(w, view) })
}

// inputs are the inputs of parameters that are not plain text.
var inputs = map[*spec.Param]Input{
	spec.AccountNumber: InputIBAN, spec.ReceiverPhone: InputPhone, spec.FormBank: InputBank, spec.CreditCardNumber: InputCard,
	spec.ReceiverEmail: InputEmail, spec.ExpireMonth: InputMonth, spec.ExpireYear: InputYear, spec.RoutingNumber: InputText,
	spec.ReceiverZipCode: InputDigits, spec.ReceiverCountryCode: InputCountry,
}

func inputOf(p *spec.Param) Input { return cmp.Or(inputs[p], InputText) }

func methodOf(uses []spec.Use) Method {
	switch uses[0].Param {
	case spec.CreditCardNumber:
		return ToCard
	case spec.ReceiverPhone:
		return ToPhone
	}
	return ToAccount
}

// submit takes what the Receiver filled in. Sent twice, by a double click, from
// two tabs or after "back", it counts once, and each sees what became of it.
func (h *Handler) submit(v *visit) error {
	if err := h.sameSite(v.r); err != nil {
		return err
	}
	if !h.limits.submitsLeft(v.token, h.remoteAddress(v.r), v.began) {
		return errTooMany
	}
	v.r.Body = http.MaxBytesReader(v.w, v.r.Body, bodyMax)
	body, err := io.ReadAll(v.r.Body)
	var form []sign.Pair
	if err == nil {
		form, err = sign.ParseForm(string(body))
	}
	if err != nil {
		return h.showForm(v, http.StatusBadRequest, nil, nil) // no browser sends this
	}
	values, problems := h.read(v, form)
	if len(problems) > 0 && v.formIsOpen() {
		return h.showForm(v, http.StatusUnprocessableEntity, form, problems)
	}
	browser := gateway.Browser{Address: h.remoteAddress(v.r), Agent: v.r.UserAgent(), Language: v.r.Header.Get("Accept-Language")}
	if err := h.Gateway.Submit(v.r.Context(), v.order, values, browser); err != nil && !errors.Is(err, gateway.ErrFormClosed) {
		return err
	}
	web.Policy{FrameAncestors: h.Ancestors}.Set(v.w.Header())
	http.Redirect(v.w, v.r, h.self(v, ""), http.StatusSeeOther)
	return nil
}

// read reads the fields of a sent form and tells what is wrong with them.
func (h *Handler) read(v *visit, form []sign.Pair) (map[string]string, map[string]Problem) {
	values, problems := make(map[string]string), make(map[string]Problem)
	for _, u := range h.Gateway.FormFields(v.order) {
		value, err := u.ReadField(form)
		if err != nil {
			problems[u.Name] = problemOf(u, err, form)
		} else if value != "" {
			values[u.Name] = value
		}
	}
	month, year := values[spec.ExpireMonth.Name], values[spec.ExpireYear.Name]
	if month != "" && year != "" && payout.CardExpired(month, year, v.began) {
		problems[spec.ExpireMonth.Name] = ProblemExpired
	}
	if bank := values[spec.FormBank.Name]; bank != "" && !h.hasBank(bank) {
		problems[spec.FormBank.Name] = ProblemFormat
	}
	return values, problems
}

func (h *Handler) hasBank(id string) bool {
	for _, bank := range h.Directory {
		if bank.ID == id {
			return true
		}
	}
	return false
}

// problemOf is what to tell of a value that its row refuses.
func problemOf(u spec.Use, err error, form []sign.Pair) Problem {
	var refusal *payout.Error
	if !errors.As(err, &refusal) {
		return ProblemFormat
	}
	switch refusal.Code {
	case payout.CodeRequired:
		return ProblemMissing
	case payout.CodeTooLong:
		return ProblemLong
	case payout.CodeTooShort:
		return ProblemShort
	}
	for _, pair := range form {
		typed := strings.NewReplacer(" ", "", "-", "", "\u00a0", "").Replace(pair.Value)
		digits := strings.Trim(typed, "0123456789") == ""
		switch {
		case pair.Name != u.Name:
		case u.Param == spec.AccountNumber, u.Param == spec.CreditCardNumber && digits && len(typed) >= 16 && len(typed) <= 19:
			return ProblemCheck
		}
	}
	return ProblemFormat
}

// sameSite refuses a form that another site has sent.
func (h *Handler) sameSite(r *http.Request) error {
	protection := http.NewCrossOriginProtection()
	if h.PublicURL != "" {
		if err := protection.AddTrustedOrigin(h.PublicURL); err != nil {
			return err
		}
	}
	if err := protection.Check(r); err != nil {
		return errForeign
	}
	return nil
}

func (h *Handler) remoteAddress(r *http.Request) string {
	return web.RemoteAddress(r, h.AddressHeader)
}
