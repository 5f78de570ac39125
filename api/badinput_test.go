package api_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"payout"
	"payout/gateway"
	"payout/sign"
	"payout/spec"
	"payout/storage"
	"payout/storage/storagetest"
)

const (
	payoutPath = "/paynet/api/v4/payout/39915"
	statusPath = "/paynet/api/v4/status/39915"
)

// payoutForm is the body of a good payout.
func payoutForm(clientOrderID string) string {
	return "client_orderid=" + clientOrderID + "&account_number=1234567890&amount=10.42&currency=USD"
}

// goodPayout is a payout that is accepted.
func goodPayout(clientOrderID string) message {
	return message{method: http.MethodPost, path: payoutPath, login: login, body: payoutForm(clientOrderID)}
}

// read reads a reply's body.
func read(t *testing.T, reply *http.Response) string {
	t.Helper()
	body, err := io.ReadAll(reply.Body)
	check(t, err)
	check(t, reply.Body.Close())
	return string(body)
}

// field returns a field of a form-encoded reply as it is written.
func field(reply, name string) string {
	for line := range strings.Lines(reply) {
		if value, ok := strings.CutPrefix(strings.TrimPrefix(line, "&"), name+"="); ok {
			return strings.TrimSuffix(value, "\n")
		}
	}
	return ""
}

// orders counts the orders in the database.
func (s *sandbox) orders() int {
	s.t.Helper()
	orders, err := s.Gateway.DB.LatestOrders(s.t.Context(), "", 10_000)
	check(s.t, err)
	return len(orders)
}

// logged returns the last line of the log.
func (s *sandbox) logged() map[string]any {
	s.t.Helper()
	lines := bytes.Split(bytes.TrimSpace(s.log.Bytes()), []byte("\n"))
	var line map[string]any
	check(s.t, json.Unmarshal(lines[len(lines)-1], &line))
	return line
}

// remembered reads the request that was answered last from the database.
func (s *sandbox) remembered() (payout.Request, error) {
	s.t.Helper()
	serial, err := payout.ParseSerialNumber(s.logged()["serial"].(string))
	check(s.t, err)
	return s.Gateway.DB.Request(s.t.Context(), 0, serial) // refused ones belong to order 0
}

// wantAccepted sends a message that makes an order or repeats one.
func (s *sandbox) wantAccepted(what string, m message) {
	s.t.Helper()
	reply := s.send(m)
	if body := read(s.t, reply); reply.StatusCode != http.StatusOK || field(body, "type") != "async-response" {
		s.t.Errorf("%s: answered %d %s (log: %v), want it accepted", what, reply.StatusCode, body, s.logged())
	}
}

// wantDenied sends a message that is answered by the page of 403, and nothing
// of it is stored. The reason is one for the log.
func (s *sandbox) wantDenied(what string, m message, reason string) {
	s.t.Helper()
	before := s.orders()
	reply := s.send(m)
	if body := read(s.t, reply); reply.StatusCode != http.StatusForbidden || !strings.Contains(body, "<p>Access is denied</p>") {
		s.t.Errorf("%s: answered %d %s, want the page of 403", what, reply.StatusCode, body)
	}
	if got := fmt.Sprint(s.logged()["reason"]); !strings.Contains(got, reason) {
		s.t.Errorf("%s: the log's reason is %q, want %q", what, got, reason)
	}
	if after := s.orders(); after != before {
		s.t.Errorf("%s: %d orders before and %d after", what, before, after)
	}
	if r, err := s.remembered(); !errors.Is(err, storage.ErrNotFound) {
		s.t.Errorf("%s: the request is remembered as %+v (%v)", what, r, err)
	}
}

func TestBodyOfOneMebibyteIsReadAndOneByteMoreIsRefused(t *testing.T) {
	s := newSandbox(t)
	padded := func(clientOrderID string, size int) message {
		m := goodPayout(clientOrderID)
		m.body += "&padding="
		m.body += strings.Repeat("a", size-len(m.body))
		return m
	}
	s.wantAccepted("1 MiB", padded("fits", 1<<20))
	reply := s.send(padded("too-large", 1<<20+1))
	if code := field(read(t, reply), "error-code"); reply.StatusCode != http.StatusRequestEntityTooLarge || code != "312" {
		t.Errorf("1 MiB + 1 byte: answered %d with code %s, want 413 with 312", reply.StatusCode, code)
	}
	if n := s.orders(); n != 1 {
		t.Errorf("%d orders, want 1", n)
	}
}

func TestFormOfAThousandParametersIsReadAndOneMoreIsRefused(t *testing.T) {
	s := newSandbox(t)
	m := goodPayout("many") // four parameters
	m.body += strings.Repeat("&a=", sign.FormPairsMax-4)
	s.wantAccepted("1000 parameters", m)
	m.body += "&a="
	if code := field(read(t, s.send(m)), "error-code"); code != "12" {
		t.Errorf("1001 parameters: code %s, want 12", code)
	}
}

func TestUsedNonceIsDeniedAlsoAfterARestart(t *testing.T) {
	s := newSandbox(t)
	m := goodPayout("once")
	m.nonce = "used"
	s.wantAccepted("the first time", m)
	s.wantDenied("the second time", m, "nonce was used")
	other := goodPayout("another")
	other.nonce = "used"
	s.wantDenied("for another request", other, "nonce was used")

	s = newNode(t, storagetest.Again(t, s.Gateway.DB))
	s.wantDenied("after a restart", m, "nonce was used")
	other.path, other.login = "/paynet/api/v4/payout/39916", otherLogin
	s.wantAccepted("by another party", other)
	if n := s.orders(); n != 2 {
		t.Errorf("%d orders, want 2", n)
	}
}

func TestNonceOfARefusedRequestOrAStatusIsUsed(t *testing.T) {
	s := newSandbox(t)
	for i, body := range []string{payoutForm("a") + "&amount=1", "login=TestMerchant&client_orderid=unknown"} {
		m := message{method: http.MethodPost, path: []string{payoutPath, statusPath}[i], login: login, body: body, nonce: fmt.Sprint("refused-", i)}
		if reply := s.send(m); reply.StatusCode != http.StatusOK {
			t.Fatalf("%s: answered %d, want a refusal", m.path, reply.StatusCode)
		}
		s.wantDenied(m.path, m, "nonce was used")
	}
}

// Otherwise anybody could use up the nonces that a party is about to send.
func TestNonceOfADeniedRequestIsNotUsed(t *testing.T) {
	s := newSandbox(t)
	m := goodPayout("a")
	m.nonce, m.key = "stolen", newKey(t)
	s.wantDenied("signed by a stranger", m, "signature")
	m.key = nil
	s.wantAccepted("signed by the party", m)
}

func TestNonceIsRememberedAsLongAsItsTimestampIsAccepted(t *testing.T) {
	for _, off := range []time.Duration{-5 * time.Minute, -time.Second, 0, time.Second, 5 * time.Minute} {
		for _, left := range []time.Duration{time.Second, time.Microsecond, 0} { // until the timestamp is refused
			t.Run(fmt.Sprint(off, " off, ", left, " left"), func(t *testing.T) {
				s := newSandbox(t)
				m := goodPayout("a")
				m.nonce, m.at = "once", s.now.Add(off)
				s.wantAccepted("the first time", m)
				s.now = m.at.Add(s.TimestampWindow - left)
				s.forgetNonces()
				s.wantDenied("the second time", m, "nonce was used")
			})
		}
	}
}

// forgetNonces deletes the nonces that have expired.
func (s *sandbox) forgetNonces() {
	s.t.Helper()
	check(s.t, s.Gateway.DB.Transact(s.t.Context(), s.now, func(tx *storage.Tx) error {
		_, err := tx.ForgetNonces(1000)
		return err
	}))
}

func TestTimestampIsAcceptedUpToTheWindowEitherWay(t *testing.T) {
	s := newSandbox(t)
	for i, test := range []struct {
		off      time.Duration
		accepted bool
	}{
		{0, true},
		{-5 * time.Minute, true},
		{-5*time.Minute - time.Second, false},
		{5 * time.Minute, true},
		{5*time.Minute + time.Second, false},
		{-20 * 365 * 24 * time.Hour, false},
		{20 * 365 * 24 * time.Hour, false},
	} {
		m := goodPayout(fmt.Sprint(i))
		m.at = s.now.Add(test.off)
		if test.accepted {
			s.wantAccepted(test.off.String(), m)
		} else {
			s.wantDenied(test.off.String(), m, "oauth_timestamp")
		}
	}
}

func TestWithoutAWindowAnyTimestampIsAcceptedAndItsNonceRememberedForEver(t *testing.T) {
	s := newSandbox(t)
	s.TimestampWindow = 0
	m := goodPayout("old")
	m.at, m.nonce = time.Unix(1, 0), "old"
	s.wantAccepted("of 1970", m)
	s.now = s.now.AddDate(100, 0, 0)
	s.forgetNonces()
	s.wantDenied("again after 100 years", m, "nonce was used")
}

func newKey(t *testing.T) *rsa.PrivateKey {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	check(t, err)
	return key
}

func TestPartyChangesItsKey(t *testing.T) {
	s := newSandbox(t)
	party := s.Gateway.Directory().PartyByLogin(login).ID
	second := newKey(t)
	signed := func(name string, key *rsa.PrivateKey) message {
		m := goodPayout(name)
		m.key = key
		return m
	}
	change := func(fn func(*storage.Tx) error) {
		t.Helper()
		check(t, s.Gateway.DB.Transact(t.Context(), s.now, fn))
		check(t, s.Gateway.Reload(t.Context()))
	}
	s.wantDenied("second key before it is added", signed("a", second), "signature")
	change(func(tx *storage.Tx) error {
		return tx.AddPartyKey(party, payout.PartyKey{Fingerprint: sign.Fingerprint(&second.PublicKey), Public: &second.PublicKey, Enabled: true})
	})
	s.wantAccepted("first key beside the second", signed("b", testKey()))
	s.wantAccepted("second key beside the first", signed("c", second))
	change(func(tx *storage.Tx) error {
		return tx.SwitchKey(party, sign.Fingerprint(&testKey().PublicKey), false)
	})
	s.wantDenied("first key after it is disabled", signed("d", testKey()), "signature")
	s.wantAccepted("second key alone", signed("e", second))
	change(func(tx *storage.Tx) error { return tx.SwitchKey(party, sign.Fingerprint(&second.PublicKey), false) })
	s.wantDenied("no key at all", signed("f", second), "key")
}

// deniedReasons are requests that are not authentic, by the reason in the log.
func deniedReasons(s *sandbox) map[string]message {
	with := func(change func(*message)) message {
		m := goodPayout("denied")
		change(&m)
		return m
	}
	header := func(values ...string) message {
		return with(func(m *message) { m.header = http.Header{"Authorization": values} })
	}
	good := s.authorize(goodPayout("denied"))
	return map[string]message{
		"several Authorization headers":  header(good, good),
		"no party has the login":         with(func(m *message) { m.login = "Nobody" }),
		"party DisabledMerchant":         with(func(m *message) { m.login = "DisabledMerchant" }),
		"oauth_timestamp is":             with(func(m *message) { m.at = s.now.Add(-time.Hour) }),
		"oauth_nonce was used":           with(func(m *message) { m.nonce = "used" }),
		"signature":                      with(func(m *message) { m.key = newKey(s.t) }),
		"Authorization":                  with(func(m *message) { m.unsigned = true }),
		"OAuth":                          header("Basic VGVzdE1lcmNoYW50Og=="),
		"RSA-SHA256":                     header(strings.Replace(good, "RSA-SHA256", "HMAC-SHA1", 1)),
		"oauth_signature":                header(strings.ReplaceAll(good, "oauth_signature=", "oauth_other=")),
		"TestMerchant":                   header(strings.Replace(good, "oauth_version=", "oauth_token=", 1)),
		"party DisabledMerchant is disa": {method: http.MethodPost, path: "/paynet/api/v2/status/39915", unsigned: true, body: "login=DisabledMerchant&client_orderid=1&control=" + sign.StatusControl("DisabledMerchant", "1", "", controlKey)},
		"party TestMerchant":             with(func(m *message) { m.header = http.Header{"Authorization": {good}}; m.body += "&oauth_token=a" }),
	}
}

func TestDeniedPageIsTheSameForEveryReason(t *testing.T) {
	s := newSandbox(t)
	used := goodPayout("used")
	used.nonce = "used"
	s.wantAccepted("before", used)
	wantHeader := http.Header{
		"Server": {"server"}, "Content-Type": {"text/html"}, "X-Xss-Protection": {"1"},
		"X-Content-Type-Options": {"nosniff"}, "Strict-Transport-Security": {"max-age=31536000"},
	}
	page := ""
	for reason, m := range deniedReasons(s) {
		for _, accept := range []string{"", "application/vnd.pay+json"} {
			m.header = maps.Clone(m.header)
			if m.header == nil {
				m.header = http.Header{}
			}
			m.header.Set("Accept", accept)
			s.wantDenied(reason, m, reason)
			reply := s.send(m)
			body := read(t, reply)
			if page == "" {
				page = body
				wantHeader.Set("Content-Length", fmt.Sprint(len(page)))
			}
			if body != page {
				t.Errorf("%s: another page: %s", reason, body)
			}
			if diff := cmp.Diff(wantHeader, reply.Header); diff != "" {
				t.Errorf("%s: headers differ (-want +got):\n%s", reason, diff)
			}
			if line := s.logged(); line["verdict"] != "denied" || line["level"] != "WARN" {
				t.Errorf("%s: logged as %v", reason, line)
			}
		}
	}
}

func TestSlowClientIsGivenUpAndStoresNothing(t *testing.T) {
	s := newSandbox(t)
	server := httptest.NewUnstartedServer(s)
	server.Config.ReadTimeout = 500 * time.Millisecond
	server.Start()
	defer server.Close()
	m := goodPayout("slow")
	authorization := s.authorize(m)
	conn, err := net.Dial("tcp", server.Listener.Addr().String())
	check(t, err)
	defer conn.Close()
	_, err = fmt.Fprintf(conn, "POST %s HTTP/1.1\r\nHost: %s\r\nContent-Type: application/x-www-form-urlencoded\r\n"+
		"Authorization: %s\r\nContent-Length: %d\r\n\r\n%s", m.path, host, authorization, len(m.body), m.body[:len(m.body)-1])
	check(t, err)
	connection := bufio.NewReader(conn)
	reply, err := http.ReadResponse(connection, nil)
	check(t, err)
	if body := read(t, reply); field(body, "error-code") != "12" {
		t.Errorf("answered %d %s, want code 12", reply.StatusCode, body)
	}
	if _, err := connection.ReadByte(); !errors.Is(err, io.EOF) {
		t.Errorf("the connection is not closed: %v", err)
	}
	server.Close() // waits for the log line
	if line := s.logged(); !strings.Contains(fmt.Sprint(line["cause"]), "timeout") {
		t.Errorf("the log does not tell the cause: %v", line)
	}
	if n := s.orders(); n != 0 {
		t.Errorf("%d orders, want none", n)
	}
}

func TestOtherMethodsAreToldTheOneThatIsAllowed(t *testing.T) {
	s := newSandbox(t)
	for _, method := range []string{http.MethodGet, http.MethodHead, http.MethodPut, http.MethodDelete} {
		reply := s.send(message{method: method, path: payoutPath, unsigned: true})
		if allow := reply.Header.Get("Allow"); reply.StatusCode != http.StatusMethodNotAllowed || allow != http.MethodPost {
			t.Errorf("%s: answered %d with Allow: %q", method, reply.StatusCode, allow)
		}
	}
}

// What is no answer of the command must look like a failure of the transport, so
// that the client repeats the request instead of believing it refused.
func TestFaultsOfTheGatewayAreLoggedAndNotTold(t *testing.T) {
	for _, test := range []struct {
		fault  error
		status int
		code   string
		retry  string
	}{
		{fmt.Errorf("secret of the disk"), http.StatusInternalServerError, "399", ""},
		{fmt.Errorf("secret: %w", storage.ErrUnknown), http.StatusInternalServerError, "399", ""},
		{fmt.Errorf("secret: %w", storage.ErrBusy), http.StatusServiceUnavailable, "398", "1"},
		{fmt.Errorf("secret: %w", storage.ErrUnavailable), http.StatusServiceUnavailable, "398", "1"},
	} {
		for _, accept := range []string{"*/*", "application/vnd.pay+json"} {
			s := newSandbox(t)
			s.Pay = func(context.Context, *gateway.Call, *spec.Request) (*payout.Order, error) { return nil, test.fault }
			m := goodPayout("a")
			m.header = http.Header{"Accept": {accept}}
			reply := s.send(m)
			if body := read(t, reply); reply.StatusCode != test.status || !strings.Contains(body, test.code) || strings.Contains(body, "secret") ||
				reply.Header.Get("Retry-After") != test.retry {
				t.Errorf("%v: answered %d %s, want %d and code %s alone", test.fault, reply.StatusCode, body, test.status, test.code)
			}
			if line := s.logged(); line["level"] != "ERROR" || !strings.Contains(fmt.Sprint(line["error"]), "secret") {
				t.Errorf("%v: logged as %v", test.fault, line)
			}
		}
	}
}

// A client that hangs up is no fault of the gateway, and wakes nobody at night.
func TestClientThatDoesNotWaitIsNoFault(t *testing.T) {
	for gone, want := range map[bool]string{true: "WARN busy", false: "ERROR failed"} {
		s := newSandbox(t)
		m := goodPayout("a")
		ctx, hangUp := context.WithCancel(t.Context())
		defer hangUp()
		s.Pay = func(context.Context, *gateway.Call, *spec.Request) (*payout.Order, error) {
			if gone {
				hangUp()
			}
			return nil, fmt.Errorf("read order: %w", context.Canceled)
		}
		r := httptest.NewRequest(m.method, "https://"+host+m.path, strings.NewReader(m.body)).WithContext(ctx)
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.Header.Set("Authorization", s.authorize(m))
		s.ServeHTTP(httptest.NewRecorder(), r)
		if line := s.logged(); fmt.Sprintf("%v %v", line["level"], line["verdict"]) != want {
			t.Errorf("gone %v: logged as %v, want %s", gone, line, want)
		}
	}
}

func TestRefusedRequestLeavesNoOrderAndCanBeSentCorrected(t *testing.T) {
	s := newSandbox(t)
	for i, test := range []struct {
		path, old, new string
		code           payout.ErrCode
	}{
		{payoutPath, "amount=10.42", "amount=0", payout.CodeAmount},
		{payoutPath, "amount=10.42", "", payout.CodeRequired},
		{payoutPath, "amount=10.42", "amount=10.42&amount=10.42", payout.CodeRepeated},
		{payoutPath, "USD", "usd", payout.CodeCurrency},
		{payoutPath, "1234567890", strings.Repeat("1", 35), payout.CodeTooLong},
		{payoutPath, "USD", "USD&ipaddress=1.2.3", payout.CodeTooShort},
		{payoutPath, "USD", "USD&phone=letters", payout.CodeFormat},
		{payoutPath, "USD", "USD&credit_card_number=4444555566661111", payout.CodeContradiction},
		{payoutPath, "account_number=1234567890", "credit_card_number=4444555566661112", payout.CodeFormat},
		{payoutPath, "USD", "USD&server_callback_url=http%3A%2F%2F10.0.0.1%2F", payout.CodeURL},
		{payoutPath + "?amount=1", "", "", payout.CodeNotSupported},
		{"/paynet/api/v4/payout/39916", "", "", payout.CodeEndpointUnknown},
		{"/paynet/api/v4/payout/39917", "", "", payout.CodeEndpointDisabled},
		{"/paynet/api/v4/payout/39918", "", "", payout.CodeRequired},
		{"/paynet/api/v4/payout/39919", "", "", payout.CodeCurrencyEndpoint},
		{"/paynet/api/v4/payout-pay/39915", "USD", "USD&orderid=1&login=TestMerchant", payout.CodeOrderUnknown},
	} {
		good := goodPayout(fmt.Sprint("corrected-", i))
		bad := good
		bad.path, bad.body = test.path, strings.Replace(bad.body, test.old, test.new, 1)
		body := read(t, s.send(bad))
		if field(body, "error-code") != fmt.Sprint(int(test.code)) {
			t.Errorf("%s %s: answered %s, want code %d", test.path, test.new, body, test.code)
		}
		if n := s.orders(); n != i {
			t.Fatalf("%s %s: %d orders, want %d", test.path, test.new, n, i)
		}
		r, err := s.remembered()
		if err != nil || r.ErrorCode != test.code || r.OrderID != 0 {
			t.Errorf("%s %s: remembered as %+v (%v)", test.path, test.new, r, err)
		}
		s.wantAccepted("corrected after "+test.path+" "+test.new, good)
	}
}

// overHTTP sends a message to a real server.
func (s *sandbox) overHTTP(server *httptest.Server, m message) *http.Response {
	s.t.Helper()
	reply, err := server.Client().Do(s.request(server, m))
	check(s.t, err)
	return reply
}

// request makes a message ready to be sent to a real server.
func (s *sandbox) request(server *httptest.Server, m message) *http.Request {
	s.t.Helper()
	r, err := http.NewRequestWithContext(s.t.Context(), m.method, server.URL+m.path, strings.NewReader(m.body))
	check(s.t, err)
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	if m.signs() {
		r.Header.Set("Authorization", s.authorize(m))
	}
	maps.Copy(r.Header, m.header)
	return r
}

// The headers are those of 3.26, but for its second Strict-Transport-Security
// and the Connection: close that its client asked for.
func TestReplyIsThatOfTheReferenceToTheByte(t *testing.T) {
	s := newSandbox(t)
	server := httptest.NewServer(s)
	defer server.Close()
	server.Client().Transport.(*http.Transport).DisableCompression = true
	header := func(contentType, length string) http.Header {
		return http.Header{"Server": {"server"}, "Content-Type": {contentType}, "Vary": {"Accept-Encoding"}, "X-Xss-Protection": {"1"},
			"X-Content-Type-Options": {"nosniff"}, "Strict-Transport-Security": {"max-age=31536000"}, "Content-Language": {"en-US"},
			"Content-Length": {length}}
	}
	json := http.Header{"Accept": {"application/vnd.pay+json"}}
	noAmount := goodPayout("2")
	noAmount.body = strings.Replace(noAmount.body, "amount", "Amount", 1)
	asJSON := func(m message) message { m.header = json; return m }
	for _, test := range []struct {
		message
		status      int
		contentType string
		body        string
	}{
		{goodPayout("1"), 200, "text/html;charset=utf-8", "type=async-response\n&serial-number=00000000-0000-0000-0000-000000000001\n" +
			"&merchant-order-id=1\n&paynet-order-id=1000001\n&end-point-id=39915\n"},
		{noAmount, 200, "text/html;charset=utf-8", "type=validation-error\n&serial-number=00000000-0000-0000-0000-000000000002\n" +
			"&merchant-order-id=2\n&error-message=Parameter+amount+is+required\n&error-code=1\n"},
		{asJSON(goodPayout("1")), 200, "application/vnd.pay+json", `{"type":"async-response","serial-number":"00000000-0000-0000-0000-000000000003",` +
			`"merchant-order-id":"1","paynet-order-id":"1000001","end-point-id":"39915"}`},
		{asJSON(noAmount), 400, "application/vnd.pay+json", `{"type":"validation-error","serial-number":"00000000-0000-0000-0000-000000000004",` +
			`"merchant-order-id":"2","error-message":"Parameter amount is required","error-code":1}`},
	} {
		reply := s.overHTTP(server, test.message)
		body := read(t, reply)
		if reply.StatusCode != test.status || body != test.body {
			t.Errorf("answered %d %q, want %d %q", reply.StatusCode, body, test.status, test.body)
		}
		if reply.Header.Get("Date") == "" {
			t.Error("no Date")
		}
		reply.Header.Del("Date")
		if diff := cmp.Diff(header(test.contentType, fmt.Sprint(len(test.body))), reply.Header); diff != "" {
			t.Errorf("headers differ (-want +got):\n%s", diff)
		}
	}
}

func TestSerialNumbersGrowByOneWithEveryRequest(t *testing.T) {
	s := newSandbox(t)
	refused := goodPayout("b")
	refused.path += "?amount=1"
	tooLarge := goodPayout(strings.Repeat("a", 1<<20))
	denied := goodPayout("c")
	denied.unsigned = true
	messages := []message{goodPayout("a"), goodPayout("a"), refused, tooLarge, denied,
		{method: http.MethodGet, path: payoutPath, login: login},
		{method: http.MethodPost, path: "/paynet/api/v4/nothing/39915", login: login},
		{method: http.MethodPost, path: statusPath, login: login, body: "login=TestMerchant&client_orderid=a"},
	}
	for i, m := range append(messages, messages...) {
		reply := s.send(m)
		want := payout.SerialNumber(i + 1).String()
		if got := s.logged()["serial"]; got != want {
			t.Errorf("request %d: serial-number %v in the log, want %s", i, got, want)
		}
		if got := field(read(t, reply), "serial-number"); reply.StatusCode != http.StatusForbidden && got != want {
			t.Errorf("request %d: serial-number %s in the reply, want %s", i, got, want)
		}
	}
}
