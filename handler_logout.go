package saml

import "net/http"

// A logoutDelivery is a logout message and how it came.
type logoutDelivery struct {
	logoutArrival
	relayState *string // decoded; nil if there was none
}

// logoutAddresses returns the names of the address that r came to, for Destination.
func (sp *ServiceProvider) logoutAddresses(*http.Request) []string { return sp.ownAddresses() }
