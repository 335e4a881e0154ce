package saml

import "github.com/iomete/saml/internal/address"

// isLoopback reports whether a host, without a port, is of this machine.
func isLoopback(host string) bool { return address.IsLoopback(host) }

// withoutUserInfo hides the user name and password that an address may hold.
func withoutUserInfo(s string) string { return address.WithoutUserInfo(s) }
