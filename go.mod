module github.com/iomete/saml

go 1.26.0
