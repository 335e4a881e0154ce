package fetch

import (
	"net/netip"
	"slices"
)

// neverDialled are addresses that no identity provider is at: link-local (with the metadata
// services of the clouds), unspecified, multicast, and cloud metadata services elsewhere.
func neverDialled(ip netip.Addr) bool {
	return ip.IsLinkLocalUnicast() || ip.IsUnspecified() || ip.IsMulticast() || cloudMetadata[ip] ||
		slices.ContainsFunc(noServers, func(p netip.Prefix) bool { return p.Contains(ip) })
}

// isPublic reports whether an address is one that servers on the Internet have. All of IPv6 that is
// given to anybody is in 2000::/3.
func isPublic(ip netip.Addr) bool {
	return !neverDialled(ip) && !inside(ip) && (ip.Is4() || internet.Contains(ip)) &&
		!slices.ContainsFunc(notPublic, func(p netip.Prefix) bool { return p.Contains(ip) })
}

// inside are addresses that only our own network leads to.
func inside(ip netip.Addr) bool {
	return ip.IsPrivate() || ip.IsLoopback() || sharedSpace.Contains(ip) || siteLocal.Contains(ip)
}

var (
	noServers = []netip.Prefix{
		netip.MustParsePrefix("0.0.0.0/8"),      // RFC 1122 §3.2.1.3
		netip.MustParsePrefix("240.0.0.0/4"),    // RFC 1112 §4, and the broadcast address
		netip.MustParsePrefix("64:ff9b:1::/48"), // local NAT64 (RFC 8215): an IPv4 address in one of several places
		netip.MustParsePrefix("2001::/32"),      // Teredo (RFC 4380): likewise
	}
	internet  = netip.MustParsePrefix("2000::/3") // RFC 4291 §2.4
	notPublic = []netip.Prefix{
		// https://www.iana.org/assignments/iana-ipv4-special-registry, beside those above
		netip.MustParsePrefix("192.0.0.0/24"),    // RFC 6890
		netip.MustParsePrefix("192.0.2.0/24"),    // examples, RFC 5737
		netip.MustParsePrefix("192.88.99.0/24"),  // 6to4 relays, RFC 7526
		netip.MustParsePrefix("198.18.0.0/15"),   // benchmarks, RFC 2544
		netip.MustParsePrefix("198.51.100.0/24"), // examples, RFC 5737
		netip.MustParsePrefix("203.0.113.0/24"),  // examples, RFC 5737
		// https://www.iana.org/assignments/iana-ipv6-special-registry
		netip.MustParsePrefix("2001::/23"),     // protocols, RFC 2928
		netip.MustParsePrefix("2001:db8::/32"), // examples, RFC 3849
		netip.MustParsePrefix("3fff::/20"),     // examples, RFC 9637
	}
	sharedSpace   = netip.MustParsePrefix("100.64.0.0/10") // RFC 6598
	siteLocal     = netip.MustParsePrefix("fec0::/10")     // RFC 3879
	translated    = netip.MustParsePrefix("64:ff9b::/96")  // NAT64, RFC 6052
	compatible    = netip.MustParsePrefix("::/96")         // RFC 4291 §2.5.5.1
	sixToFour     = netip.MustParsePrefix("2002::/16")     // RFC 3056
	cloudMetadata = map[netip.Addr]bool{
		netip.MustParseAddr("100.100.100.200"): true, // Alibaba Cloud
		netip.MustParseAddr("192.0.0.192"):     true, // Oracle Cloud
		netip.MustParseAddr("168.63.129.16"):   true, // Azure
		netip.MustParseAddr("fd00:ec2::254"):   true, // AWS
		netip.MustParseAddr("fd20:ce::254"):    true, // Google Cloud
	}
)

// embedded returns the IPv4 address that an IPv6 address of a translator stands for, else the
// address itself.
func embedded(ip netip.Addr) netip.Addr {
	b := ip.As16()
	switch {
	case ip.Is4():
	case translated.Contains(ip), compatible.Contains(ip) && !ip.IsLoopback() && !ip.IsUnspecified():
		return netip.AddrFrom4([4]byte(b[12:]))
	case sixToFour.Contains(ip):
		return netip.AddrFrom4([4]byte(b[2:6]))
	}
	return ip
}
