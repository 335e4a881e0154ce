module github.com/iomete/saml/testdata/vectors

go 1.25.0
