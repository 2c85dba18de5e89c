package otlp

import (
	"context"
	"sync"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	"github.com/mcpc-dev/mcpc/runtime/internal/observe"
)

// maxSets bounds the sets of attributes that are told apart. They are made of what
// the plan names, of statuses and of codes; the bound is for upstreams that answer
// with every status there is. What comes after it is counted under otherSet.
const maxSets = 2000

func (t *telemetry) instruments(m metric.Meter) (err error) {
	histogram := func(name, about string, bounds []float64) metric.Float64Histogram {
		h, herr := m.Float64Histogram(name, metric.WithUnit("s"), metric.WithDescription(about), metric.WithExplicitBucketBoundaries(bounds...))
		if herr != nil {
			err = herr
		}
		return h
	}
	t.operations = histogram(operationDuration, "Duration of an MCP request, as seen by its receiver.", operationBuckets)
	t.sessions = histogram(sessionDuration, "Duration of an MCP session on stdio.", operationBuckets)
	t.sends = histogram(clientDuration, "Duration of a request to an upstream, until its answer was read.", clientBuckets)
	if err != nil {
		return err
	}
	t.refused, err = m.Int64Counter(refusals, metric.WithUnit("{request}"), metric.WithDescription("Requests that became no call, by reason."))
	return err
}

// Keys of sets: all that attributes are made of.
type (
	requestSet struct {
		method, version, http, target, outcome string
		stdio                                  bool
		kind                                   observe.Kind
		code                                   int
	}
	sendSet struct {
		upstream, method, scheme, host, proto, problem string
		port, status                                   int
	}
)

// otherSet is of what is too much to be told apart.
var otherSet = []metric.RecordOption{metric.WithAttributeSet(attribute.NewSet(errorType.String(otherValue)))}

// sets are attributes ready to be recorded, by what they are of.
type sets[K comparable] struct {
	mu    sync.RWMutex
	known map[K][]metric.RecordOption
}

// of returns attributes that were made before, or makes them.
func (s *sets[K]) of(key K, make func() []attribute.KeyValue) []metric.RecordOption {
	s.mu.RLock()
	options, ok := s.known[key]
	s.mu.RUnlock()
	if ok {
		return options
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.known) >= maxSets {
		return otherSet
	}
	if s.known == nil {
		s.known = map[K][]metric.RecordOption{}
	}
	options = []metric.RecordOption{metric.WithAttributeSet(attribute.NewSet(make()...))}
	s.known[key] = options
	return options
}

func (t *telemetry) measureRequest(r *observe.Request) {
	if t.metrics == nil {
		return
	}
	key := requestSet{r.Method, r.Version, r.HTTP, r.Target, failure(r), r.Stdio, r.Kind, r.Code}
	options := t.requestSets.of(key, func() []attribute.KeyValue {
		return appendRequest([]attribute.KeyValue{methodName.String(r.Method)}, r)
	})
	t.operations.Record(context.Background(), time.Since(r.Start).Seconds(), options...)
}

func (t *telemetry) measureSend(ctx context.Context, s *observe.Send) {
	if t.metrics == nil {
		return
	}
	key := sendSet{s.Upstream, httpMethodOf(s.Method), s.Scheme, s.Host, s.Proto, s.Error, s.Port, s.Status}
	options := t.sendSets.of(key, func() []attribute.KeyValue {
		return append(appendSend(nil, s), upstreamName.String(s.Upstream))
	})
	t.sends.Record(ctx, time.Since(s.Start).Seconds(), options...)
}

// Refused implements [observe.Telemetry].
func (t *telemetry) Refused(reason string) {
	if t.metrics != nil {
		t.refused.Add(context.Background(), 1, metric.WithAttributes(refusal.String(reason)))
	}
}

// Session implements [observe.Telemetry].
func (t *telemetry) Session(d time.Duration, version string) {
	if t.metrics == nil {
		return
	}
	a := []attribute.KeyValue{transport.String("pipe")}
	if version != "" {
		a = append(a, protocolVersion.String(version))
	}
	t.sessions.Record(context.Background(), d.Seconds(), metric.WithAttributes(a...))
}
