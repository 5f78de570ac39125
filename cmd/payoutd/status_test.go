package main

import (
	"strings"
	"testing"
)

func TestStatusIsAskedByTheKeyAtHand(t *testing.T) {
	t.Parallel()
	b := newSandbox(t)
	paid := b.send(exitDone, "send", "payout", "--example", "--wait", "--every", "10ms")
	id, order := paid.ClientOrderID, paid.Reply["paynet-order-id"]
	for _, c := range []struct {
		command string
		args    []string
	}{
		{"v4/status", []string{"status", id}},
		{"v4/status", []string{"status", id, order}},
		{"v2/status", []string{"status", id, order, "--by-control"}},
		{"v4/status", []string{"status", id, "--by-request-sn", paid.Reply["serial-number"]}},
		{"v4/status", []string{"status", id, "--wait"}},
		{"v2/status", []string{"status", id, order, "--wait", "--by-control"}},
		{"v4/status", []string{"status", id, "--group", "77"}},
	} {
		s := b.send(exitDone, c.args...)
		if s.Command != c.command || s.Outcome != "approved" || s.Reply["paynet-order-id"] != order {
			t.Errorf("%q: %+v", c.args, s)
		}
		if asked := strings.Contains(strings.Join(c.args, " "), "by-request-sn"); asked != (s.Reply["by-request-sn"] != "") {
			t.Errorf("%q: %v", c.args, s.Reply)
		}
	}
	// Who has no private key asks by the control sum.
	r := execute(t.Context(), "", "status", id, "--url", b.url, "--private-key", b.file("none"), "--control-key-file", b.file("TestMerchant.control"))
	if r.code != exitDone || !strings.Contains(r.out, "/api/v2/status/39915") || !strings.HasSuffix(r.out, "\napproved\n") {
		t.Errorf("exit %d: %s%s", r.code, r.out, r.err)
	}
	r = execute(t.Context(), "", "status", id, "--url", b.url, "--private-key", b.file("none"), "--control-key-file", b.file("none"))
	if r.code != exitFailed || !strings.Contains(r.err, "--private-key") {
		t.Errorf("without any key: exit %d: %s%s", r.code, r.out, r.err)
	}
}

func TestStatusExitCodes(t *testing.T) {
	t.Parallel()
	b := newSandbox(t)
	declined := b.send(exitFailed, "send", "payout", "--example", "--field", "account_number=0987654321", "--wait", "--every", "10ms")
	if s := b.send(exitFailed, "status", declined.ClientOrderID); s.Outcome != "declined" || s.Reason == "" {
		t.Errorf("%+v", s)
	}
	open := b.send(exitDone, "send", "payout", "--example", "--field", "account_number=2000000010")
	for _, more := range [][]string{nil, {"--wait", "--timeout", "100ms", "--every", "10ms"}} {
		if s := b.send(exitNotFinal, append([]string{"status", open.ClientOrderID}, more...)...); s.Outcome != "processing" {
			t.Errorf("%+v", s)
		}
	}
	if s := b.send(exitFailed, "status", "no-such-order", "--wait"); s.Outcome != outcomeRefused || s.Reply["error-code"] != "303" {
		t.Errorf("%+v", s)
	}
	if r := b.caller("status", "a", "--wait", "--by-request-sn", "b"); r.code != exitUsage || !strings.Contains(r.err, "--by-request-sn") {
		t.Errorf("exit %d: %s", r.code, r.err)
	}
}

// The road of an integrator: listen, pay, and be told.
func TestListenIsToldByTheGatewayHowAPayoutEnded(t *testing.T) {
	t.Parallel()
	b := newSandbox(t)
	listen := start(t, "listen", "--listen", "127.0.0.1:0", "--control-key-file", b.file("TestMerchant.control"), "--count", "1")
	address := listen.line()
	listen.line() // redirect_url
	paid := b.send(exitDone, "send", "payout", "--example", "--field", address, "--wait", "--every", "10ms")
	r := listen.rest()
	if r.code != exitDone || !strings.Contains(r.out, "  orderid="+paid.Reply["paynet-order-id"]+"\n") || !strings.HasSuffix(r.out, "  control: VALID\n") {
		t.Errorf("exit %d: %s%s", r.code, r.out, r.err)
	}
	if strings.Contains(r.out, b.control) {
		t.Error("listen shows the control key")
	}
}
