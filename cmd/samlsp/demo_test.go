package main

import (
	"bytes"
	"context"
	"strings"
	"testing"

	"github.com/iomete/saml"
	"github.com/iomete/saml/samltest"
)

func TestDemo(t *testing.T) {
	t.Parallel()
	r := samlsp(t, "demo")
	if r.code != exitOK || r.stderr != "" {
		t.Fatalf("got %+v", r)
	}
	user := samltest.DefaultUsers()[0]
	for label, value := range map[string]string{"NameID": user.Mail, "Name": user.DisplayName,
		"Object ID": user.ObjectID} {
		hasRow(t, r.stdout, label, value)
	}
	at := 0
	steps := []string{"Redirect URL is copied", "registered", "Reply URL", "Federation Metadata XML is downloaded",
		"Entity ID", "Login URL", "Certificate",
		"Save", "sent to the login URL", "Response received", "bytes"}
	for _, check := range saml.Checks() {
		steps = append(steps, "passed: "+check.Name+" ")
	}
	for _, step := range append(steps, "Signed in: Hello, "+user.Mail) {
		i := strings.Index(r.stdout[at:], step)
		if i < 0 {
			t.Fatalf("no %q behind what came before it in\n%s", step, r.stdout)
		}
		at += i
	}
}

func TestDemoInterrupted(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	var stdout, stderr bytes.Buffer
	if code := run(ctx, []string{"demo"}, nil, &stdout, &stderr); code != exitRefused ||
		!strings.Contains(stderr.String(), "canceled") {
		t.Errorf("got status %d, %q", code, stderr.String())
	}
}
