//go:build linux

package main

import (
	"context"
	"fmt"
	"log/slog"
	"runtime"

	"github.com/iomete/saml"
	"github.com/iomete/saml/samltest"
)

// measureTenants makes n service providers, each with settings that were read from a document of its
// own, and prints what one of them takes. What their certificates take is measured in the same way.
func measureTenants(n int) error {
	idp, err := samltest.New(samltest.Options{})
	if err != nil {
		return err
	}
	for range 2 { // Entra's metadata has three certificates
		if _, err := idp.AddKey(nil); err != nil {
			return err
		}
	}
	document, err := idp.Metadata()
	if err != nil {
		return err
	}
	certificates, err := keep(n, func(int) ([]saml.TrustedKey, error) { return saml.ParseKeys(document) })
	if err != nil {
		return err
	}
	providers, err := keep(n, func(int) (*saml.IdentityProvider, error) { return saml.ParseMetadata(document) })
	if err != nil {
		return err
	}
	c := saml.Config{BaseURL: "https://console.example.com", StateKeys: [][]byte{saml.NewStateKey()},
		Store: saml.NewMemoryStore(), Logger: slog.New(slog.DiscardHandler)}
	provider := func(i int) (*saml.ServiceProvider, error) {
		c := c
		c.Tenant = fmt.Sprint("tenant ", i)
		c.RedirectPath = fmt.Sprint("/saml/", i)
		var err error
		if c.IdentityProvider, err = saml.ParseMetadata(document); err != nil {
			return nil, err
		}
		return saml.New(c)
	}
	all, err := keep(n, provider)
	if err != nil {
		return err
	}
	used, err := keep(n, func(i int) (*saml.ServiceProvider, error) {
		sp, err := provider(i)
		if err == nil {
			_, err = sp.StartLogin(context.Background(), saml.LoginOptions{})
		}
		return sp, err
	})
	if err != nil {
		return err
	}
	fmt.Printf("\n%d tenants, each with metadata of %.1f KiB and three certificates\n", n, float64(len(document))/1024)
	fmt.Printf("  %.2f KiB a tenant, %.2f of them for the certificates\n", all/1024, certificates/1024)
	fmt.Printf("  %.2f KiB beside the certificates: %.2f for the IdentityProvider, %.2f for the ServiceProvider\n",
		(all-certificates)/1024, (providers-certificates)/1024, (all-providers)/1024)
	fmt.Printf("  %.2f KiB more when a login has begun\n", (used-all)/1024)
	return nil
}

// keep makes n values and returns how many bytes one takes.
func keep[T any](n int, make1 func(i int) (T, error)) (float64, error) {
	before := heap()
	list := make([]T, n)
	for i := range list {
		var err error
		if list[i], err = make1(i); err != nil {
			return 0, err
		}
	}
	each := (heap() - before) / float64(n)
	runtime.KeepAlive(list)
	return each, nil
}
