module github.com/iomete/saml/bench

go 1.26.0

require (
	github.com/alexedwards/scs/v2 v2.9.0
	github.com/beevik/etree v1.8.1
	github.com/crewjam/saml v0.6.3
	github.com/gorilla/securecookie v1.1.2
	github.com/iomete/saml v0.0.0
	github.com/russellhaering/gosaml2 v0.12.0
	github.com/russellhaering/goxmldsig v1.6.1
)

require (
	github.com/golang-jwt/jwt/v5 v5.3.1 // indirect
	github.com/jonboulle/clockwork v0.5.0 // indirect
	github.com/mattermost/xml-roundtrip-validator v0.1.0 // indirect
	golang.org/x/crypto v0.59.0 // indirect
)

replace github.com/iomete/saml => ../
