package saml

import (
	"context"
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"log/slog"
	"net"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/iomete/saml/internal/refresh"
)

// A deniedNetwork refuses every use of the network by a name, and counts them.
type deniedNetwork struct{ uses atomic.Int32 }

var errDenied = errors.New("denied by the test")

// RoundTrip implements http.RoundTripper.
func (d *deniedNetwork) RoundTrip(*http.Request) (*http.Response, error) {
	d.uses.Add(1)
	return nil, errDenied
}

// denyNetwork holds for the whole process until the test ends, so the test must not be parallel.
func denyNetwork(t *testing.T) *deniedNetwork {
	d := &deniedNetwork{}
	transport, resolver := http.DefaultTransport, net.DefaultResolver
	t.Cleanup(func() { http.DefaultTransport, net.DefaultResolver = transport, resolver })
	http.DefaultTransport = d
	net.DefaultResolver = &net.Resolver{PreferGo: true, Dial: func(context.Context, string, string) (net.Conn, error) {
		d.uses.Add(1)
		return nil, errDenied
	}}
	return d
}

// lonelySource is a MetadataSource that has read idp, and that looks only if it is asked to.
func lonelySource(t *testing.T, idp *IdentityProvider) *MetadataSource {
	t.Helper()
	s, err := newMetadataSource(t.Context(), MetadataSourceConfig{Address: "https://metadata.invalid/",
		Logger: slog.New(slog.DiscardHandler)},
		&refresh.Scheduler{Extra: refresh.Limiter{InAll: 1, OfHost: 1}, Waiting: refresh.Places{InAll: 1}})
	if err != nil {
		t.Fatal(err)
	}
	s.keep(&keptMetadata{idp: idp, readAt: s.config.Now(), since: s.config.Now(), origin: MetadataFetched})
	return s
}

// looks returns how often the source has looked.
func (s *MetadataSource) looks() uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.begun
}

// TestNoNetworkWhileAResponseIsChecked: every vector is judged without the network, accepted,
// refused and encrypted ones alike. The one exception is the look for a key that is not known: it
// comes only if the signature or the decryption refused, for the answer to a login that this
// service began, and once.
func TestNoNetworkWhileAResponseIsChecked(t *testing.T) {
	network := denyNetwork(t)
	mayLook := []Code{CodeSignature, CodeSignatureAlgorithm, CodeDecryption}
	silent, looked, part := 0, 0, 1
	if RaceDetector {
		part = 10
	}
	for i, v := range readVectors(t) {
		if i%part != 0 {
			continue
		}
		sp, err := v.provider(t)
		if err != nil {
			continue // no key that can be used
		}
		idp := sp.config.IdentityProvider.(*IdentityProvider)
		finish := func(r FormResponse) (looks uint64, refused *Error) {
			source := lonelySource(t, idp)
			sp.config.IdentityProvider = source
			network.uses.Store(0)
			_, refused = sp.finish(t.Context(), r, allChecks)
			if looks = source.looks(); looks == 0 && network.uses.Load() > 0 {
				t.Errorf("%s: the network was used %d times without a look", v.Name, network.uses.Load())
			}
			return looks, refused
		}
		begun := v.response(t, sp)
		looks, refused := finish(FormResponse{SAMLResponse: v.Form, RequestID: v.Header["request_id"]})
		if looks > 0 {
			t.Errorf("%s: %d looks without a pending login, for %v", v.Name, looks, refused)
		}
		looks, refused = finish(begun)
		switch {
		case looks == 0:
			silent++
		case looks != 1 || refused == nil || !slices.Contains(mayLook, refused.Code) || begun.State == "":
			t.Errorf("%s: %d looks for %v", v.Name, looks, refused)
		default:
			looked++
		}
	}
	t.Logf("%d responses without the network, %d with one look", silent, looked)
	if silent < 500/part || looked < 50/part {
		t.Errorf("%d responses without the network, %d with one look: too few to show anything", silent, looked)
	}
}

// TestNoNetworkWhileALogoutIsChecked: logout messages cause no look at all, those with an unknown
// key neither.
func TestNoNetworkWhileALogoutIsChecked(t *testing.T) {
	network := denyNetwork(t)
	unknownKeys := 0
	judge := func(name string, changes ...func(*sampleLogout)) {
		s := newSampleLogout()
		for _, change := range changes {
			change(s)
		}
		before := s.config
		var source *MetadataSource
		s.config = func(t testing.TB, c *Config) {
			if before != nil {
				before(t, c)
			}
			source = lonelySource(t.(*testing.T), c.IdentityProvider.(*IdentityProvider))
			c.IdentityProvider = source
		}
		j := s.judge(t, allLogoutChecks)
		if j.refusal != nil && j.refusal.Code == CodeSignature {
			unknownKeys++
		}
		if looks, uses := source.looks(), network.uses.Load(); looks != 0 || uses != 0 {
			t.Errorf("%s: %d looks, and the network was used %d times", name, looks, uses)
		}
	}
	for group, rows := range logoutRows {
		for _, row := range rows {
			judge(group+": "+row.name, row.twin, row.spoil)
		}
	}
	for name, change := range positiveLogouts {
		judge(name, change)
	}
	if unknownKeys < 5 {
		t.Errorf("%d messages with an unknown key", unknownKeys)
	}
}

// networkNames are what a package needs to use the network, or another program.
var networkNames = map[string][]string{
	"net": {"Dial", "DialTimeout", "DialTCP", "DialUDP", "DialUnix", "DialIP", "Dialer", "Resolver", "DefaultResolver",
		"Listen", "ListenConfig", "LookupHost", "LookupIP", "LookupAddr", "LookupCNAME", "LookupTXT"},
	"net/http": {"Get", "Head", "Post", "PostForm", "Client", "DefaultClient", "Transport", "DefaultTransport",
		"ListenAndServe"},
	"crypto/tls": {"Dial", "DialWithDialer", "Dialer"},
	"os/exec":    {"Command", "CommandContext", "Cmd"},
}

// TestOnlyFetchUsesTheNetwork: in the library and what it is made of, one package can use the
// network. What a message is checked with does not import it.
func TestOnlyFetchUsesTheNetwork(t *testing.T) {
	t.Parallel()
	directories, err := filepath.Glob("internal/*")
	if err != nil {
		t.Fatal(err)
	}
	found := map[string][]string{}
	for _, dir := range append(directories, ".", "session") {
		files, err := filepath.Glob(filepath.Join(dir, "*.go"))
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range files {
			if !strings.HasSuffix(name, "_test.go") {
				found[filepath.ToSlash(dir)] = append(found[filepath.ToSlash(dir)], networkUses(t, name)...)
			}
		}
	}
	for dir, uses := range found {
		allowed := dir == "internal/fetch" || dir == "internal/proxytest" // which is for tests
		if allowed != (len(uses) > 0) {
			t.Errorf("%s can use the network by %q; only internal/fetch may, and internal/proxytest for tests", dir, uses)
		}
	}
}

// networkUses returns which of networkNames a file mentions.
func networkUses(t *testing.T, name string) (uses []string) {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	imported := map[string]string{} // the name in the file -> the path
	for _, i := range file.Imports {
		path := strings.Trim(i.Path.Value, `"`)
		local := path[strings.LastIndex(path, "/")+1:]
		if i.Name != nil {
			local = i.Name.Name
		}
		imported[local] = path
	}
	ast.Inspect(file, func(n ast.Node) bool {
		s, ok := n.(*ast.SelectorExpr)
		if !ok {
			return true
		}
		x, ok := s.X.(*ast.Ident)
		if ok && slices.Contains(networkNames[imported[x.Name]], s.Sel.Name) {
			uses = append(uses, name+": "+x.Name+"."+s.Sel.Name)
		}
		return true
	})
	return uses
}
