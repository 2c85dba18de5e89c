// Package otlp sends traces and metrics of a server to an OpenTelemetry collector,
// by OTLP over HTTP. A program that imports it, for nothing but that, can serve
// specs with observe { otlp }:
//
//	import _ "github.com/mcpc-dev/mcpc/runtime/otlp"
//
// Generated packages do so by themselves when their spec asks for it; mcpc always
// does. What is sent is described in runtime/OBSERVE.md.
//
// No call waits for a collector: spans wait in a queue of a bounded size, and when
// it is full those that come are lost. What cannot be sent is said once in the log.
package otlp

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/otlp/otlpmetric/otlpmetrichttp"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/metric"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"

	"github.com/mcpc-dev/mcpc/runtime/internal/observe"
	"github.com/mcpc-dev/mcpc/runtime/plan"
)

func init() { observe.Register(open) } //nolint:gochecknoinits // being linked is what asks for it

// scope names this package as what makes spans and metrics.
const scope = "github.com/mcpc-dev/mcpc/runtime/otlp"

// retryFor is how long an export is tried again; then what it holds is lost.
const retryFor = 20 * time.Second

// telemetry is what a server tells; see [observe.Telemetry].
type telemetry struct {
	observe.TelemetryOptions
	traces  *sdktrace.TracerProvider // nil: no spans
	metrics *sdkmetric.MeterProvider // nil: no metrics
	tracer  trace.Tracer
	// sample decides on requests that nobody has decided on; nil: the library does,
	// as the environment says.
	sample sdktrace.Sampler

	operations, sessions, sends metric.Float64Histogram
	refused                     metric.Int64Counter
	requestSets                 sets[requestSet]
	sendSets                    sets[sendSet]
}

// open makes a telemetry. No collector is asked for: it may come later.
func open(p *plan.OTLP, o observe.TelemetryOptions) (observe.Telemetry, error) {
	t := &telemetry{TelemetryOptions: o}
	if t.Logger == nil {
		t.Logger = slog.New(slog.DiscardHandler)
	}
	if t.ReadFile == nil {
		t.ReadFile = os.ReadFile
	}
	if t.Redact == nil {
		t.Redact = func(s string) string { return s }
	}
	client, err := t.client(p)
	if err != nil {
		return nil, err
	}
	of, err := t.resource(p)
	if err != nil {
		return nil, fmt.Errorf("otlp: %w", err)
	}
	say := func(signal string) *teller { return &teller{signal: signal, log: t.Logger, redact: t.Redact} }
	ctx := context.Background()
	if p.Traces {
		options := []otlptracehttp.Option{otlptracehttp.WithRetry(otlptracehttp.RetryConfig{Enabled: true, InitialInterval: time.Second, MaxInterval: 5 * time.Second, MaxElapsedTime: retryFor})}
		if p.Endpoint != "" {
			options = append(options, otlptracehttp.WithEndpointURL(p.Endpoint+"/v1/traces"))
		}
		if client != nil {
			options = append(options, otlptracehttp.WithHTTPClient(client))
		}
		exporter, err := otlptrace.New(ctx, otlptracehttp.NewClient(options...))
		if err != nil {
			return nil, fmt.Errorf("otlp: %w", err)
		}
		settings := []sdktrace.TracerProviderOption{sdktrace.WithBatcher(spans{exporter, say("traces")}), sdktrace.WithResource(of)}
		if p.Sample != "" {
			share, err := strconv.ParseFloat(p.Sample, 64)
			if err != nil || !(share >= 0 && share <= 1) {
				return nil, fmt.Errorf("otlp: the sample %q is no share from 0 to 1", p.Sample)
			}
			t.sample = sdktrace.TraceIDRatioBased(share)
			settings = append(settings, sdktrace.WithSampler(sdktrace.ParentBased(t.sample)), sdktrace.WithIDGenerator(ids{}))
		}
		t.traces = sdktrace.NewTracerProvider(settings...)
		t.tracer = t.traces.Tracer(scope)
	}
	if p.Metrics {
		options := []otlpmetrichttp.Option{otlpmetrichttp.WithRetry(otlpmetrichttp.RetryConfig{Enabled: true, InitialInterval: time.Second, MaxInterval: 5 * time.Second, MaxElapsedTime: retryFor})}
		if p.Endpoint != "" {
			options = append(options, otlpmetrichttp.WithEndpointURL(p.Endpoint+"/v1/metrics"))
		}
		if client != nil {
			options = append(options, otlpmetrichttp.WithHTTPClient(client))
		}
		exporter, err := otlpmetrichttp.New(ctx, options...)
		if err != nil {
			return nil, fmt.Errorf("otlp: %w", err)
		}
		var every []sdkmetric.PeriodicReaderOption
		if p.Interval > 0 {
			every = append(every, sdkmetric.WithInterval(p.Interval))
		}
		t.metrics = sdkmetric.NewMeterProvider(sdkmetric.WithReader(sdkmetric.NewPeriodicReader(measures{exporter, say("metrics")}, every...)), sdkmetric.WithResource(of))
		if err := t.instruments(t.metrics.Meter(scope)); err != nil {
			return nil, fmt.Errorf("otlp: %w", err)
		}
	}
	return t, nil
}

// resource is what the server is. What the spec and the environment say of it wins
// over what is known anyway.
func (t *telemetry) resource(p *plan.OTLP) (*resource.Resource, error) {
	known := []attribute.KeyValue{serviceName.String(t.Name)}
	if t.Version != "" {
		known = append(known, serviceVersion.String(t.Version))
	}
	var written []attribute.KeyValue
	for _, a := range p.Attributes {
		written = append(written, attribute.String(a.Name, a.Value))
	}
	return resource.New(context.Background(), resource.WithTelemetrySDK(), resource.WithAttributes(known...), resource.WithAttributes(written...), resource.WithFromEnv())
}

// client is the HTTP client of exports; nil is the library's own, which the
// environment configures.
func (t *telemetry) client(p *plan.OTLP) (*http.Client, error) {
	if t.Headers == nil && p.CA == "" {
		return nil, nil
	}
	base, ok := http.DefaultTransport.(*http.Transport)
	if !ok {
		return nil, errors.New("otlp: the transport of HTTP was replaced")
	}
	rt := base.Clone()
	if p.CA != "" {
		text, err := t.ReadFile(p.CA)
		if err != nil {
			return nil, fmt.Errorf("otlp: ca: %w", err)
		}
		pool := x509.NewCertPool()
		if !pool.AppendCertsFromPEM(text) {
			return nil, fmt.Errorf("otlp: ca: %s holds no certificate in PEM form", p.CA)
		}
		rt.TLSClientConfig = &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}
	}
	return &http.Client{
		Transport: withHeaders{rt, t.Headers},
		// The headers are for the collector, and nobody it names.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}, nil
}

// withHeaders adds the spec's headers to exports, as they are at that moment.
type withHeaders struct {
	http.RoundTripper
	make func() (http.Header, error) // nil: none
}

func (w withHeaders) RoundTrip(r *http.Request) (*http.Response, error) {
	if w.make == nil {
		return w.RoundTripper.RoundTrip(r)
	}
	h, err := w.make()
	if err != nil {
		return nil, err
	}
	r = r.Clone(r.Context())
	for name, values := range h {
		r.Header[name] = values
	}
	return w.RoundTripper.RoundTrip(r)
}

// Flush implements [observe.Telemetry].
func (t *telemetry) Flush(ctx context.Context) error {
	return t.both(func() error { return t.traces.ForceFlush(ctx) }, func() error { return t.metrics.ForceFlush(ctx) })
}

// Shutdown implements [observe.Telemetry].
func (t *telemetry) Shutdown(ctx context.Context) error {
	return t.both(func() error { return t.traces.Shutdown(ctx) }, func() error { return t.metrics.Shutdown(ctx) })
}

// both does something to traces and metrics at the same time.
func (t *telemetry) both(traces, metrics func() error) error {
	var wg sync.WaitGroup
	var terr, merr error
	if t.traces != nil {
		wg.Go(func() { terr = traces() })
	}
	if t.metrics != nil {
		wg.Go(func() { merr = metrics() })
	}
	wg.Wait()
	return errors.Join(terr, merr)
}

// teller says once that a signal cannot be sent, and that it can again.
type teller struct {
	signal  string // "traces" or "metrics"
	log     *slog.Logger
	redact  func(string) string
	failing atomic.Bool
}

// maxProblem bounds what is written of a collector's words, in bytes.
const maxProblem = 300

func (t *teller) tell(err error) {
	switch {
	case errors.Is(err, context.Canceled): // the last one goes on where this one ended
	case err == nil:
		if t.failing.Swap(false) {
			t.log.Info("telemetry is sent again", "signal", t.signal)
		}
	case !t.failing.Swap(true):
		problem := strings.Join(strings.Fields(t.redact(err.Error())), " ")
		if len(problem) > maxProblem {
			problem = problem[:maxProblem] + "…"
		}
		t.log.Warn("telemetry cannot be sent; calls go on without", "signal", t.signal, "error", problem)
	}
}

// spans sends spans. What cannot be sent is said here: the library would say it on
// a logger of the whole process.
type spans struct {
	sdktrace.SpanExporter
	say *teller
}

// ExportSpans implements [sdktrace.SpanExporter].
func (s spans) ExportSpans(ctx context.Context, list []sdktrace.ReadOnlySpan) error {
	s.say.tell(s.SpanExporter.ExportSpans(ctx, list))
	return nil
}

// measures sends metrics, the same way.
type measures struct {
	sdkmetric.Exporter
	say *teller
}

// Export implements [sdkmetric.Exporter].
func (m measures) Export(ctx context.Context, data *metricdata.ResourceMetrics) error {
	m.say.tell(m.Exporter.Export(ctx, data))
	return nil
}
