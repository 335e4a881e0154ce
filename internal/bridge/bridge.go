// Package bridge lets package session put an identity together again that it sealed earlier. Nobody outside this module can: for them an
// identity exists only after a response was checked.
package bridge

// RestoreKeys sets the account keys of a *saml.Identity. Package saml sets it when the program starts.
var RestoreKeys func(identity any, object, nameID string)
