package main

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"os"

	"github.com/iomete/saml"
	"github.com/iomete/saml/examples/dataplane/internal/console"
)

// fetchOptions returns how metadata is fetched, with -metadata-proxy and -metadata-ca. Its errors
// name these flags.
func (o *options) fetchOptions(ctx context.Context) (saml.FetchOptions, error) {
	options := saml.FetchOptions{Proxy: o.metadataProxy}
	if o.metadataCA != "" {
		data, err := os.ReadFile(o.metadataCA)
		if err != nil {
			return options, fmt.Errorf("-metadata-ca: %w", err)
		}
		if options.RootCAs, err = x509.SystemCertPool(); err != nil {
			return options, fmt.Errorf("-metadata-ca: the authorities of the system: %w", err)
		}
		if !options.RootCAs.AppendCertsFromPEM(data) {
			return options, fmt.Errorf("-metadata-ca: %s has no certificate, want PEM (BEGIN CERTIFICATE)", o.metadataCA)
		}
	}
	// A proxy that cannot be used is found before the address is looked at: none is needed here.
	if _, err := console.FetchMetadata(ctx, "", options); errors.Is(err, saml.CodeConfig) {
		return options, err
	}
	return options, nil
}
