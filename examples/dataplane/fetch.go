package main

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/iomete/saml"
)

// fetchMetadata returns what fetches metadata for the settings page, with -metadata-proxy and
// -metadata-ca. Its errors name these flags.
func (o *options) fetchMetadata() (func(ctx context.Context, address string) ([]byte, error), error) {
	options := saml.FetchOptions{Proxy: o.metadataProxy}
	if o.metadataCA != "" {
		data, err := os.ReadFile(o.metadataCA)
		if err != nil {
			return nil, fmt.Errorf("-metadata-ca: %w", err)
		}
		if options.RootCAs, err = x509.SystemCertPool(); err != nil {
			return nil, fmt.Errorf("-metadata-ca: the authorities of the system: %w", err)
		}
		if !options.RootCAs.AppendCertsFromPEM(data) {
			return nil, fmt.Errorf("-metadata-ca: %s has no certificate, want PEM (BEGIN CERTIFICATE)", o.metadataCA)
		}
	}
	fetch := func(ctx context.Context, address string) ([]byte, error) {
		data, err := saml.FetchMetadata(ctx, address, options)
		var e *saml.Error
		if !errors.As(err, &e) {
			return data, err
		}
		own := *e
		names := strings.NewReplacer("FetchOptions.Proxy", "-metadata-proxy", "FetchOptions.RootCAs", "-metadata-ca")
		own.Message, own.Hint = names.Replace(e.Message), names.Replace(e.Hint)
		return nil, &own
	}
	// A proxy that cannot be used is found before the address is looked at: none is needed here.
	if _, err := fetch(context.Background(), ""); errors.Is(err, saml.CodeConfig) {
		return nil, err
	}
	return fetch, nil
}
