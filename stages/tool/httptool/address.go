package httptool

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"syscall"
)

// reserved is what looks like a public address and isn't: see the IANA's registries of special-purpose addresses.
var reserved = []netip.Prefix{
	netip.MustParsePrefix("0.0.0.0/8"),       // this network
	netip.MustParsePrefix("100.64.0.0/10"),   // behind a provider's NAT
	netip.MustParsePrefix("192.0.0.0/24"),    // protocol assignments
	netip.MustParsePrefix("192.0.2.0/24"),    // documentation
	netip.MustParsePrefix("192.88.99.0/24"),  // 6to4 relays
	netip.MustParsePrefix("198.18.0.0/15"),   // benchmarks
	netip.MustParsePrefix("198.51.100.0/24"), // documentation
	netip.MustParsePrefix("203.0.113.0/24"),  // documentation
	netip.MustParsePrefix("240.0.0.0/4"),     // for the future, and broadcast
	netip.MustParsePrefix("2001::/23"),       // protocol assignments, Teredo
	netip.MustParsePrefix("2001:db8::/32"),   // documentation
	netip.MustParsePrefix("3fff::/20"),       // documentation
}

var (
	nat64      = netip.MustParsePrefix("64:ff9b::/96")
	sixToFour  = netip.MustParsePrefix("2002::/16")
	globalIPv6 = netip.MustParsePrefix("2000::/3")
)

// public tells whether an address is one of the internet at large. One of IPv6 that stands for one of IPv4 is what that is.
func public(a netip.Addr) bool {
	a = a.Unmap().WithZone("")
	if bytes := a.AsSlice(); nat64.Contains(a) {
		a = netip.AddrFrom4([4]byte(bytes[12:16]))
	} else if sixToFour.Contains(a) {
		a = netip.AddrFrom4([4]byte(bytes[2:6]))
	}
	if !a.IsGlobalUnicast() || a.IsPrivate() || a.Is6() && !globalIPv6.Contains(a) {
		return false
	}
	for _, prefix := range reserved {
		if prefix.Contains(a) {
			return false
		}
	}
	return true
}

// privateError is the refusal of an address.
type privateError struct{ address string }

func (e *privateError) Error() string {
	return fmt.Sprintf("the address %s is not public: this tool isn't allowed to reach it", e.address)
}

// refusePrivate is asked for each address that is about to be connected to: a name may have another one each time.
func refusePrivate(_ context.Context, _, address string, _ syscall.RawConn) error {
	at, err := netip.ParseAddrPort(address)
	if err != nil || !public(at.Addr()) {
		return &privateError{address: address}
	}
	return nil
}

// checkHost finds at once what could never be reached.
func checkHost(host string, allowPrivate bool) error {
	name := host
	if only, _, err := net.SplitHostPort(host); err == nil {
		name = only
	}
	address, err := netip.ParseAddr(strings.Trim(name, "[]"))
	local := err == nil && !public(address) || err != nil && strings.EqualFold(strings.TrimSuffix(name, "."), "localhost")
	if local && !allowPrivate {
		return fmt.Errorf("%s is not a public address: AllowPrivate (allow_private) lets the tool reach it", host)
	}
	return nil
}
