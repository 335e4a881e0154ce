module github.com/iomete/saml/examples/tenants

go 1.26.0

replace (
	github.com/iomete/saml => ../..
	github.com/iomete/saml/examples/internal/testpg => ../internal/testpg
)

require (
	github.com/iomete/saml v0.0.0
	github.com/iomete/saml/examples/internal/testpg v0.0.0
	github.com/jackc/pgx/v5 v5.12.0
)

require (
	github.com/beevik/etree v1.8.1 // indirect
	github.com/crewjam/saml v0.6.3 // indirect
	github.com/jackc/pgpassfile v1.0.0 // indirect
	github.com/jackc/pgservicefile v0.0.0-20240606120523-5a60cdf6a761 // indirect
	github.com/jackc/puddle/v2 v2.2.3 // indirect
	github.com/jonboulle/clockwork v0.5.0 // indirect
	github.com/russellhaering/goxmldsig v1.6.1 // indirect
	golang.org/x/crypto v0.55.0 // indirect
	golang.org/x/sync v0.22.0 // indirect
	golang.org/x/text v0.41.0 // indirect
)
