package console

import (
	"context"
	"net/http"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// metrics count sign-ins, and say at each scrape how long the certificates in use are good for.
type metrics struct {
	console  *Console
	registry *prometheus.Registry
	logins   *prometheus.CounterVec
	tests    *prometheus.CounterVec
	days     *prometheus.Desc
	enabled  *prometheus.Desc
}

func newMetrics(c *Console) *metrics {
	m := &metrics{
		console:  c,
		registry: prometheus.NewRegistry(),
		logins: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "saml_logins_total",
			Help: "Sign-ins by outcome (started, succeeded, refused) and, for refusals, by code. Each one that comes back ends once."}, []string{"outcome", "code"}),
		tests: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "saml_test_logins_total",
			Help: "Test sign-ins of administrators by outcome and, for refusals, by code."}, []string{"outcome", "code"}),
		days: prometheus.NewDesc("saml_certificate_days_left",
			"Days until a certificate of the identity provider in use ends; negative afterwards.",
			[]string{"thumbprint"}, nil),
		enabled: prometheus.NewDesc("saml_enabled",
			"1 while single sign-on is enabled, else 0. Absent while the settings cannot be read.", nil, nil),
	}
	m.registry.MustRegister(m.logins, m.tests, m, collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	for _, outcome := range []string{"started", "succeeded"} {
		m.logins.WithLabelValues(outcome, "") // counts from 0
	}
	return m
}

// count counts a login, a test or a real one.
func (m *metrics) count(test bool, outcome, code string) {
	if test {
		m.tests.WithLabelValues(outcome, code).Inc()
		return
	}
	m.logins.WithLabelValues(outcome, code).Inc()
}

// Describe implements prometheus.Collector.
func (m *metrics) Describe(ch chan<- *prometheus.Desc) { ch <- m.days; ch <- m.enabled }

// Collect implements prometheus.Collector.
func (m *metrics) Collect(ch chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), readTime)
	defer cancel()
	sp, err := m.console.liveProvider(ctx)
	if isNotConfigured(err) {
		ch <- prometheus.MustNewConstMetric(m.enabled, prometheus.GaugeValue, 0)
		return
	}
	if err != nil {
		return
	}
	ch <- prometheus.MustNewConstMetric(m.enabled, prometheus.GaugeValue, 1)
	idp, err := sp.IdentityProvider(ctx)
	if err != nil {
		return
	}
	for _, k := range idp.Keys() {
		left := k.NotAfter().Sub(m.console.Now()).Hours() / 24
		ch <- prometheus.MustNewConstMetric(m.days, prometheus.GaugeValue, left, k.ThumbprintSHA1())
	}
}

// Metrics serves them in Prometheus' format.
func (c *Console) Metrics() http.Handler {
	return promhttp.HandlerFor(c.metrics.registry, promhttp.HandlerOpts{})
}

// health says that the process runs.
func (c *Console) health(w http.ResponseWriter, _ *http.Request) { plain(w, http.StatusOK, "alive") }

// ready says whether requests should come here: not while the database is away, nor once the
// process is about to end.
func (c *Console) ready(w http.ResponseWriter, r *http.Request) {
	if c.draining.Load() {
		plain(w, http.StatusServiceUnavailable, "ending")
		return
	}
	if _, err := c.DB.LiveID(r.Context()); err != nil {
		plain(w, http.StatusServiceUnavailable, "the database does not answer")
		return
	}
	plain(w, http.StatusOK, "ready")
}

func plain(w http.ResponseWriter, status int, text string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	w.Write([]byte(text + "\n"))
}
