package callback

import (
	"net/netip"
	"syscall"
)

// A network is a block of addresses that callbacks do not go to.
type network struct {
	prefix   netip.Prefix
	what     string
	source   string
	loopback bool // open to Policy.AllowLoopback
}

// networks are all addresses that are not a public host's: IANA's special
// purpose registries (RFC 6890), multicast, and all of IPv6 outside of 2000::/3.
// The first row that matches names an address. IPv4-mapped addresses
// (::ffff:0:0/96, RFC 4291 2.5.5.2) are judged as the IPv4 address they are.
// NAT64, 6to4 and Teredo carry an IPv4 address that a relay may reach for us,
// so they are refused as a whole.
var networks = []network{
	{netip.MustParsePrefix("0.0.0.0/8"), "this network", "RFC 1122 3.2.1.3", false},
	{netip.MustParsePrefix("10.0.0.0/8"), "private", "RFC 1918", false},
	{netip.MustParsePrefix("100.64.0.0/10"), "carrier-grade NAT", "RFC 6598", false},
	{netip.MustParsePrefix("127.0.0.0/8"), "loopback", "RFC 1122 3.2.1.3", true},
	{netip.MustParsePrefix("169.254.0.0/16"), "link-local", "RFC 3927", false},
	{netip.MustParsePrefix("172.16.0.0/12"), "private", "RFC 1918", false},
	{netip.MustParsePrefix("192.0.0.0/24"), "protocol assignments", "RFC 6890", false},
	{netip.MustParsePrefix("192.0.2.0/24"), "documentation", "RFC 5737", false},
	{netip.MustParsePrefix("192.88.99.0/24"), "6to4 relay", "RFC 7526", false},
	{netip.MustParsePrefix("192.168.0.0/16"), "private", "RFC 1918", false},
	{netip.MustParsePrefix("198.18.0.0/15"), "benchmarking", "RFC 2544", false},
	{netip.MustParsePrefix("198.51.100.0/24"), "documentation", "RFC 5737", false},
	{netip.MustParsePrefix("203.0.113.0/24"), "documentation", "RFC 5737", false},
	{netip.MustParsePrefix("224.0.0.0/4"), "multicast", "RFC 5771", false},
	{netip.MustParsePrefix("255.255.255.255/32"), "broadcast", "RFC 919", false},
	{netip.MustParsePrefix("240.0.0.0/4"), "reserved", "RFC 1112 4", false},
	// Public by number, but on Azure the host machine's own service.
	{netip.MustParsePrefix("168.63.129.16/32"), "cloud host", "Azure virtual public IP", false},

	{netip.MustParsePrefix("::/128"), "unspecified", "RFC 4291 2.5.2", false},
	{netip.MustParsePrefix("::1/128"), "loopback", "RFC 4291 2.5.3", true},
	{netip.MustParsePrefix("::/96"), "IPv4-compatible", "RFC 4291 2.5.5.1", false},
	{netip.MustParsePrefix("::ffff:0:0:0/96"), "IPv4-translated", "RFC 2765", false},
	{netip.MustParsePrefix("64:ff9b::/96"), "NAT64", "RFC 6052", false},
	{netip.MustParsePrefix("64:ff9b:1::/48"), "local NAT64", "RFC 8215", false},
	{netip.MustParsePrefix("100::/64"), "discard", "RFC 6666", false},
	{netip.MustParsePrefix("2001::/32"), "Teredo", "RFC 4380", false},
	{netip.MustParsePrefix("2001:2::/48"), "benchmarking", "RFC 5180", false},
	{netip.MustParsePrefix("2001::/23"), "protocol assignments", "RFC 2928", false},
	{netip.MustParsePrefix("2001:db8::/32"), "documentation", "RFC 3849", false},
	{netip.MustParsePrefix("2002::/16"), "6to4", "RFC 3056", false},
	{netip.MustParsePrefix("3fff::/20"), "documentation", "RFC 9637", false},
	{netip.MustParsePrefix("fc00::/7"), "unique local", "RFC 4193", false},
	{netip.MustParsePrefix("fe80::/10"), "link-local", "RFC 4291 2.5.6", false},
	{netip.MustParsePrefix("fec0::/10"), "site-local", "RFC 3879", false},
	{netip.MustParsePrefix("ff00::/8"), "multicast", "RFC 4291 2.7", false},
	{netip.MustParsePrefix("::/3"), "not global unicast", "RFC 4291 2.4, IANA", false},
	{netip.MustParsePrefix("4000::/2"), "not global unicast", "RFC 4291 2.4, IANA", false},
	{netip.MustParsePrefix("8000::/1"), "not global unicast", "RFC 4291 2.4, IANA", false},
}

// An addressError refuses an address. It names the network and not the
// address: what a private name resolves to is not for everybody's eyes.
type addressError struct{ what, source string }

func (e *addressError) Error() string {
	return "address is not public: " + e.what + " (" + e.source + ")"
}

// checkAddr refuses an address that callbacks do not go to.
func checkAddr(addr netip.Addr, p Policy) error {
	addr = addr.Unmap().WithZone("") // Prefix.Contains is false for every address with a zone
	for _, n := range networks {
		if !n.prefix.Contains(addr) {
			continue
		}
		if n.loopback && p.AllowLoopback {
			return nil
		}
		return &addressError{n.what, n.source}
	}
	return nil
}

// control is the dialer's hook: it sees each address after the name is resolved
// and before a byte is sent, so what the name resolved to at other times does
// not matter.
func (p Policy) control(_, address string, _ syscall.RawConn) error {
	to, err := netip.ParseAddrPort(address)
	if err != nil {
		return &addressError{"unreadable", "net.Dialer"}
	}
	return checkAddr(to.Addr(), p)
}
