package saml

import (
	"context"
	"errors"
)

// CheckTenants reports providers of different tenants that trust the same identity provider for the same audience. Between them a response can be carried: an
// administrator of tenant B who enters the entity ID, login URL and certificate of A's identity provider gets A's people signed in to B, because what it
// issues for one entity ID is good for both tenants. Tenants with a Redirect URL or EntityID of their own are safe: an assertion names the audience that it is for.
//
// Call it before settings are saved, with their provider and those of all tenants with the same IdentityProvider.EntityID. Providers of one tenant may share
// everything. The error joins one *Error with CodeSharedIssuer for each pair, which names no tenant; if settings cannot be read, it is that error.
func CheckTenants(providers ...*ServiceProvider) error {
	type key struct{ issuer, audience string }
	tenants := map[key]string{}
	var faults []error
	for _, sp := range providers {
		idp, err := sp.snapshot(context.Background())
		if err != nil {
			return err
		}
		for _, audience := range sp.audiences {
			k := key{idp.entityID, audience}
			if tenant, known := tenants[k]; !known {
				tenants[k] = sp.config.Tenant
			} else if tenant != sp.config.Tenant {
				faults = append(faults, refuse(CodeSharedIssuer, "another tenant trusts the same identity provider for the same entity ID", idp.entityID, "an entity ID that only this tenant has"))
				break
			}
		}
	}
	return errors.Join(faults...)
}
