package saml

import (
	"context"
	"errors"
)

// CheckTenants reports providers of different tenants that trust the same identity provider for the
// same audience. A response for one of them can be used at the other: an administrator of tenant B
// who enters the entity ID, login URL and certificate of A's identity provider gets A's people
// signed in to B, because what it issues for one entity ID and Redirect URL is good for both
// tenants. Tenants that differ in either are safe: an assertion names its audience and its
// recipient.
//
// Call it before settings are saved, with their provider and those of all tenants with the same
// IdentityProvider.EntityID. Providers of one tenant may share everything. The error joins one
// *Error with CodeSharedIssuer for each provider that could be confused with an earlier one. It
// names no tenant. A nil provider is an error with CodeConfig. If settings cannot be read, the error
// says so too, and the other providers are compared. Metadata that has run out, or that a
// MetadataSource with an EntityID has not read yet, is compared by its entity ID.
func CheckTenants(providers ...*ServiceProvider) error {
	type key struct{ issuer, audience, recipient string }
	tenants := map[key]string{}
	var faults []error
	for _, sp := range providers {
		if sp == nil {
			return refuse(CodeConfig, "CheckTenants was given a nil ServiceProvider", "", "").
				advised("Look why one of the tenants has no ServiceProvider, and leave it out if single sign-on is not set up there.")
		}
		issuer, err := sp.issuer(context.Background())
		if err != nil { // the others are compared all the same
			faults = append(faults, err)
			continue
		}
		shared := false
		for _, audience := range sp.audiences {
			for _, recipient := range sp.recipients {
				k := key{issuer, audience, recipient}
				if tenant, known := tenants[k]; !known {
					tenants[k] = sp.config.Tenant
				} else if tenant != sp.config.Tenant {
					shared = true
				}
			}
		}
		if shared {
			faults = append(faults, refuse(CodeSharedIssuer,
				"another tenant trusts the same identity provider for the same entity ID and Redirect URL", issuer, "a Redirect URL or entity ID that only this tenant has"))
		}
	}
	return completeAll(errors.Join(faults...), nil)
}

// issuer returns the entity ID of the identity provider that sp trusts, or will trust.
func (sp *ServiceProvider) issuer(ctx context.Context) (string, *Error) {
	idp, err := sp.configured(ctx)
	if err == nil {
		return idp.entityID, nil
	}
	if source, ok := sp.config.IdentityProvider.(*MetadataSource); ok && source.entityID() != "" {
		return source.entityID(), nil
	}
	return "", err
}
