package saml_test

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http/httptest"
	"runtime"
	"testing"
	"time"

	"github.com/iomete/saml"
	"github.com/iomete/saml/samltest"
)

// BenchmarkTenThousandSources is a deploy of a service with 10,000 tenants: how long until each has
// been read for the first time, what they take in memory, and what is left when they have ended. Run
// it with -benchtime=1x.
func BenchmarkTenThousandSources(b *testing.B) {
	const sources, servers = 10_000, 8
	r := &ring{b, map[string][]byte{}}
	document := []byte(r.xml(with(func(e *entity) { e.signing = []string{"a", "b"} })))
	var addresses []string
	var most []func() int
	for range servers {
		server := samltest.NewMetadataServer()
		server.Serve(document)
		web := httptest.NewServer(server)
		defer web.Close()
		addresses, most = append(addresses, web.URL), append(most, server.MostAtOnce)
	}
	for b.Loop() {
		goroutines, heap := runtime.NumGoroutine(), heapNow()
		ctx, end := context.WithCancel(b.Context())
		registry := saml.NewSources(ctx, sources)
		begin := time.Now()
		for i := range sources {
			_, err := registry.Get(saml.MetadataSourceConfig{Tenant: fmt.Sprint(i), Address: addresses[i%servers],
				Logger: slog.New(slog.NewTextHandler(io.Discard, nil))})
			if err != nil {
				b.Fatal(err)
			}
		}
		b.ReportMetric(time.Since(begin).Seconds(), "s/begin")
		for _, s := range registry.All() {
			if err := s.Ready(b.Context()); err != nil {
				b.Fatal(err)
			}
		}
		b.ReportMetric(time.Since(begin).Seconds(), "s/read")
		b.ReportMetric(float64(runtime.NumGoroutine()-goroutines), "goroutines")
		b.ReportMetric((heapNow()-heap)/sources, "B/source")
		atOnce := 0
		for _, n := range most {
			atOnce = max(atOnce, n())
		}
		b.ReportMetric(float64(atOnce), "at-once/host")
		runtime.KeepAlive(registry)
		end()
		time.Sleep(time.Second)
		b.ReportMetric(float64(runtime.NumGoroutine()-goroutines), "goroutines/left")
	}
}

func heapNow() float64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return float64(m.HeapAlloc)
}
