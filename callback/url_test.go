package callback

import (
	"net"
	"net/netip"
	"net/url"
	"strings"
	"testing"

	"payout/sign"
)

func TestCheckAccepts(t *testing.T) {
	sandbox := Policy{AllowLoopback: true}
	for _, c := range []struct {
		url    string
		policy Policy
		want   string
	}{
		{"http://example.com", Policy{}, "example.com:80"},
		{"http://example.com:80/x", Policy{}, "example.com:80"},
		{"http://example.com:8080/x?a=b&c", Policy{}, "example.com:8080"},
		{"https://example.com/", Policy{}, "example.com:443"},
		{"https://example.com:/", Policy{}, "example.com:443"},
		{"https://example.com:443/", Policy{}, "example.com:443"},
		{"HTTPS://EXAMPLE.com:8443/#part", Policy{}, "example.com:8443"},
		{"https://example.com./", Policy{}, "example.com:443"},
		{"https://pay_1.xn--e1afmkfd.xn--p1ai/", Policy{}, "pay_1.xn--e1afmkfd.xn--p1ai:443"},
		{"https://localhost/", Policy{}, "localhost:443"}, // a name: refused when it is connected to
		{"https://8.8.8.8/", Policy{}, "8.8.8.8:443"},
		{"https://[2A00:1450::1]:8443/", Policy{}, "[2a00:1450::1]:8443"},
		{"https://[::ffff:8.8.8.8]/", Policy{}, "8.8.8.8:443"},
		{"https://" + strings.Repeat("a", labelMax) + ".example/", Policy{}, strings.Repeat("a", labelMax) + ".example:443"},
		{"http://127.0.0.1:4010/x", sandbox, "127.0.0.1:4010"},
		{"http://127.255.255.255:81/x", sandbox, "127.255.255.255:81"},
		{"https://[::1]:1/", sandbox, "[::1]:1"},
		{"http://[::ffff:127.0.0.1]:65535/", sandbox, "127.0.0.1:65535"},
		{"http://localhost:08081/", sandbox, "localhost:8081"},
	} {
		got, err := Check(c.url, c.policy)
		if err != nil || got != c.want {
			t.Errorf("%s: got %q, %v, want %q", c.url, got, err, c.want)
		}
	}
}

func TestCheckRefuses(t *testing.T) {
	const (
		port80  = "must use port 80 or 8080 with http"
		port443 = "must use port 443 or 8443 with https"
	)
	for _, c := range []struct{ url, want string }{
		{"", errAbsolute.Error()},
		{"/callback", errAbsolute.Error()},
		{"example.com/callback", errAbsolute.Error()},
		{"//example.com/", errAbsolute.Error()},
		{"ftp://example.com/", errAbsolute.Error()},
		{"file:///etc/passwd", errAbsolute.Error()},
		{"http:example.com", errAbsolute.Error()},
		{"http://example.com:abc/", errAbsolute.Error()},
		{"http://example.com/%zz", errAbsolute.Error()},
		{"http://::1/", errAbsolute.Error()},
		{"http://example.com/a b", errCharacters.Error()},
		{"http://example.com/\r\nX: y", errCharacters.Error()},
		{"http://пример.рф/", errCharacters.Error()},
		{"http://example.com/\x7f", errCharacters.Error()},
		{"http://user@example.com/", errUserInfo.Error()},
		{"http://user:password@example.com/", errUserInfo.Error()},
		{"http://@example.com/", errUserInfo.Error()},
		{"http:///x", errHost.Error()},
		{"http://:80/", errHost.Error()},
		{"http://./", errHost.Error()},
		{"http://a..b/", errHost.Error()},
		{"http://a!b/", errHost.Error()},
		{"http://%D0%BF.example/", errHost.Error()},
		{"http://127.1/", errHost.Error()},
		{"http://2130706433/", errHost.Error()},
		{"http://0x7f000001/", errHost.Error()},
		{"http://0x7f.1/", errHost.Error()},
		{"http://0177.0.0.1/", errHost.Error()},
		{"http://127.0.0.08/", errHost.Error()},
		{"http://8.8.8.8./", errHost.Error()},
		{"http://99999999999999999999999/", errHost.Error()},
		{"http://" + strings.Repeat("a", labelMax+1) + ".example/", errHost.Error()},
		{"http://" + strings.Repeat("abc.", 63) + "xx/", errHost.Error()}, // 254 characters
		{"http://127.0.0.1/", errLiteral.Error()},
		{"http://[::1]/", errLiteral.Error()},
		{"http://[::ffff:127.0.0.1]/", errLiteral.Error()},
		{"http://[::ffff:7f00:1]/", errLiteral.Error()},
		{"http://[64:ff9b::7f00:1]/", errLiteral.Error()},
		{"http://[fe80::1%25eth0]/", errLiteral.Error()},
		{"http://169.254.169.254/latest/meta-data", errLiteral.Error()},
		{"http://10.0.0.1:8080/", errLiteral.Error()},
		{"http://0.0.0.0/", errLiteral.Error()},
		{"http://example.com:0/", port80},
		{"http://example.com:79/", port80},
		{"http://example.com:81/", port80},
		{"http://example.com:8079/", port80},
		{"http://example.com:8081/", port80},
		{"http://example.com:443/", port80},
		{"http://example.com:080/", port80},
		{"https://example.com:80/", port443},
		{"https://example.com:442/", port443},
		{"https://example.com:444/", port443},
		{"https://example.com:8442/", port443},
		{"https://example.com:8444/", port443},
	} {
		got, err := Check(c.url, Policy{})
		if err == nil || got != "" || err.Error() != c.want {
			t.Errorf("%s: got %q, %v, want %q", c.url, got, err, c.want)
		}
	}
}

func TestSandboxOpensLoopbackAndPortsOnly(t *testing.T) {
	for _, u := range []string{
		"http://0.0.0.0:4010/", "http://10.0.0.1:4010/", "http://169.254.169.254/", "http://[::]/", "http://[fe80::1]/",
		"http://128.0.0.1:0/", "http://126.0.0.1:65536/", "http://user@127.0.0.1/", "http://127.1/",
	} {
		if got, err := Check(u, Policy{AllowLoopback: true}); err == nil {
			t.Errorf("%s is accepted as %s", u, got)
		}
	}
}

// Each row of the table is shut from its first address to its last; just
// outside are listed those neighbours that are public.
func TestNetworksAreRefused(t *testing.T) {
	for _, n := range networks {
		for _, addr := range []netip.Addr{n.prefix.Masked().Addr(), last(n.prefix)} {
			if checkAddr(addr, Policy{}) == nil {
				t.Errorf("%v of %v is accepted", addr, n.prefix)
			}
			if checkAddr(addr.WithZone("eth0"), Policy{}) == nil {
				t.Errorf("%v of %v is accepted with a zone", addr, n.prefix)
			}
			mapped := netip.AddrFrom16(addr.As16())
			if checkAddr(mapped, Policy{}) == nil {
				t.Errorf("%v is accepted", mapped)
			}
			if (checkAddr(addr, Policy{AllowLoopback: true}) == nil) != n.loopback {
				t.Errorf("%v of %v: wrong in the sandbox", addr, n.prefix)
			}
		}
		if n.prefix != n.prefix.Masked() || n.what == "" || n.source == "" {
			t.Errorf("row %v is not clean", n.prefix)
		}
	}
	for _, public := range []string{
		"1.0.0.0", "9.255.255.255", "11.0.0.0", "100.63.255.255", "100.128.0.0", "126.255.255.255", "128.0.0.0",
		"169.253.255.255", "169.255.0.0", "172.15.255.255", "172.32.0.0", "191.255.255.255", "192.0.1.0", "192.0.3.0",
		"192.167.255.255", "192.169.0.0", "198.17.255.255", "198.20.0.0", "198.51.99.255", "198.51.101.0",
		"203.0.112.255", "203.0.114.0", "223.255.255.255", "168.63.129.15", "168.63.129.17",
		"2001:200::", "2001:db7:ffff::", "2001:db9::", "2003::", "2a00:1450::1", "3ffe::1", "3fff:1000::",
	} {
		if err := checkAddr(netip.MustParseAddr(public), Policy{}); err != nil {
			t.Errorf("%s: %v", public, err)
		}
	}
}

func last(p netip.Prefix) netip.Addr {
	bytes := p.Masked().Addr().AsSlice()
	for bit := p.Bits(); bit < 8*len(bytes); bit++ {
		bytes[bit/8] |= 1 << (7 - bit%8)
	}
	addr, _ := netip.AddrFromSlice(bytes)
	return addr
}

func TestNetworkIsNamedByItsFirstRow(t *testing.T) {
	for addr, want := range map[string]string{
		"10.1.2.3": "private", "255.255.255.255": "broadcast", "255.255.255.254": "reserved", "::": "unspecified",
		"::2": "IPv4-compatible", "2001::1": "Teredo", "2001:2::1": "benchmarking", "64:ff9b::808:808": "NAT64",
		"2002:808:808::": "6to4", "fd00:ec2::254": "unique local", "ff02::1": "multicast", "4000::": "not global unicast",
	} {
		err := checkAddr(netip.MustParseAddr(addr), Policy{})
		if err == nil || !strings.Contains(err.Error(), ": "+want+" (") {
			t.Errorf("%s: %v, want %s", addr, err, want)
		}
	}
}

func TestAppend(t *testing.T) {
	params := []sign.Pair{{Name: "status", Value: "approved"}, {Name: "name", Value: "Ян & Co=1"}, {Name: "error_message"}}
	const form = "status=approved&name=%D0%AF%D0%BD+%26+Co%3D1&error_message="
	for _, c := range []struct{ url, want string }{
		{"https://example.com", "https://example.com?" + form},
		{"https://example.com/x", "https://example.com/x?" + form},
		{"https://example.com/x?", "https://example.com/x?" + form},
		{"https://example.com/x?a=%zz;b", "https://example.com/x?a=%zz;b&" + form},
		{"https://example.com/x?a=1&", "https://example.com/x?a=1&" + form},
		{"https://example.com/x?a=1?", "https://example.com/x?a=1?&" + form},
		{"https://example.com/x#part", "https://example.com/x?" + form},
		{"https://example.com/x?a=1#part?x", "https://example.com/x?a=1&" + form},
		{"https://example.com/x#part?x", "https://example.com/x?" + form},
	} {
		if got := Append(c.url, params); got != c.want {
			t.Errorf("%s: got  %s\nwant %s", c.url, got, c.want)
		}
	}
	if got := Append("https://example.com/x?a=1#part", nil); got != "https://example.com/x?a=1" {
		t.Errorf("without parameters: %s", got)
	}
}

func FuzzCheck(f *testing.F) {
	for _, s := range []string{"http://example.com/x?y", "https://user@[::1]:8443/#f", "http://127.1:99999/", "http://A.:8080"} {
		f.Add(s, true)
		f.Add(s, false)
	}
	f.Fuzz(func(t *testing.T, rawURL string, allowLoopback bool) {
		receiver, err := Check(rawURL, Policy{AllowLoopback: allowLoopback})
		if err != nil {
			if receiver != "" || len(rawURL) > 20 && strings.Contains(err.Error(), rawURL) {
				t.Fatalf("refused with %q, %v", receiver, err)
			}
			return
		}
		host, port, err := net.SplitHostPort(receiver)
		if err != nil || host == "" || port == "" || receiver != strings.ToLower(receiver) {
			t.Fatalf("receiver %q: %v", receiver, err)
		}
		if addr, err := netip.ParseAddr(host); err == nil && checkAddr(addr, Policy{AllowLoopback: allowLoopback}) != nil {
			t.Fatalf("receiver %q is not public", receiver)
		}
		if again, err := Check("http"+map[bool]string{true: "s"}[port == "443" || port == "8443"]+"://"+receiver, Policy{AllowLoopback: allowLoopback}); err != nil || again != receiver {
			t.Fatalf("receiver %q read again is %q, %v", receiver, again, err)
		}
	})
}

func FuzzAppend(f *testing.F) {
	f.Add("https://example.com/x?a=1#f", "name", "Ян & Co=1")
	f.Add("http://example.com?", "status", "")
	f.Fuzz(func(t *testing.T, rawURL, name, value string) {
		if _, err := Check(rawURL, Policy{}); err != nil || name == "" {
			return
		}
		before, err := url.Parse(rawURL)
		if err != nil {
			t.Fatal(err)
		}
		text := Append(rawURL, []sign.Pair{{Name: name, Value: value}})
		after, err := url.Parse(text)
		if err != nil {
			t.Fatalf("%q: %v", text, err)
		}
		if after.Host != before.Host || after.EscapedPath() != before.EscapedPath() || after.Fragment != "" ||
			!strings.HasPrefix(after.RawQuery, before.RawQuery) || !visibleASCII(text) {
			t.Fatalf("%q became %q", rawURL, text)
		}
		added := strings.TrimPrefix(after.RawQuery[len(before.RawQuery):], "&")
		query, err := url.ParseQuery(added)
		if err != nil || len(query) != 1 || query.Get(name) != value {
			t.Fatalf("added %q: %v, %v", added, query, err)
		}
	})
}
