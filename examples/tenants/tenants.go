package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"sync"

	"github.com/iomete/saml"
)

// tenants are the settings of all tenants, in a table of the database.
type tenants struct {
	db      *sql.DB
	baseURL string
	keys    [][]byte
	store   saml.Store

	mu   sync.Mutex
	made map[string]provider // by name of the tenant
}

// A provider is what one row of the table says.
type provider struct {
	version int64
	sp      *saml.ServiceProvider
}

// create makes the table. The lock is for replicas that start at the same moment.
func (t *tenants) create(ctx context.Context) error {
	_, err := t.db.ExecContext(ctx, `do $$ begin
		perform pg_advisory_xact_lock(hashtext('tenants'));
		create table if not exists tenants (name text primary key, version bigint not null, metadata bytea not null);
	end $$`)
	return err
}

var tenantName = regexp.MustCompile(`^[a-z0-9][a-z0-9-]{0,39}$`)

// save makes a tenant or changes its settings, for all replicas. It refuses what could not be used.
func (t *tenants) save(ctx context.Context, name string, metadata []byte) (*saml.ServiceProvider, error) {
	if !tenantName.MatchString(name) {
		return nil, fmt.Errorf("the name of the tenant is %q, want 1 to 40 of a-z, 0-9 and -", name)
	}
	sp, err := t.make(name, metadata)
	if err != nil {
		return nil, err
	}
	// A name may be given again, to another company: the first version is one that no replica knows.
	_, err = t.db.ExecContext(ctx, `insert into tenants (name, version, metadata)
		values ($1, (random() * 1e15)::bigint, $2)
		on conflict (name) do update set version = tenants.version + 1, metadata = excluded.metadata`, name, metadata)
	return sp, err
}

// make returns the provider of a tenant. Its Redirect URL is its entity ID too, so the tenant is an
// audience of its own.
func (t *tenants) make(name string, metadata []byte) (*saml.ServiceProvider, error) {
	idp, err := saml.ParseMetadata(metadata)
	if err != nil {
		return nil, err
	}
	return saml.New(saml.Config{
		BaseURL:          t.baseURL,
		RedirectPath:     redirectPath(name),
		Tenant:           name,
		IdentityProvider: idp,
		StateKeys:        t.keys,
		Store:            t.store,
	})
}

// redirectPath returns the path of a tenant's Redirect URL, or its pattern for "{tenant}".
func redirectPath(name string) string { return "/t/" + name + "/saml/acs" }

// resolve is HandlerConfig.Resolve. It answers for the address, or for a session's tenant.
func (t *tenants) resolve(r *http.Request, tenant string) (*saml.ServiceProvider, error) {
	if tenant != "" {
		return t.provider(r.Context(), tenant)
	}
	named := r.PathValue("tenant")
	if named == "" {
		return nil, saml.ErrNotConfigured // "/" names no tenant: that of the session decides
	}
	sp, err := t.provider(r.Context(), named)
	if errors.Is(err, saml.ErrNotConfigured) {
		return nil, saml.ErrNotEnabled // a name that nobody has: no session counts at this address
	}
	return sp, err
}

// provider returns the provider of a tenant: the same one until the settings change on any replica.
func (t *tenants) provider(ctx context.Context, name string) (*saml.ServiceProvider, error) {
	known := t.known(name)
	var version int64
	var metadata []byte // null if the version is known
	err := t.db.QueryRowContext(ctx, `select version, case when version <> $2 then metadata end
		from tenants where name = $1`, name, known.version).Scan(&version, &metadata)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return nil, saml.ErrNotConfigured
	case err != nil:
		return nil, err
	case version == known.version:
		return known.sp, nil
	}
	sp, err := t.make(name, metadata)
	if err != nil {
		return nil, err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.made[name] = provider{version, sp}
	return sp, nil
}

func (t *tenants) known(name string) provider {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.made[name]
}
