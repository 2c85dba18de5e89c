package observe

import (
	"bytes"
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"
)

// Metrics counts calls, for Prometheus. Labels are tools, resources, prompts and
// upstreams, of which the plan has so many and no more, outcomes, and reasons of
// refusals; nothing that a client or an
// upstream can make up is one.
type Metrics struct {
	mu        sync.Mutex
	calls     map[callKey]uint64
	durations map[named]*histogram
	refusals  map[string]uint64 // by reason
	upstreams map[upstreamKey]uint64
	outcomes  map[string]bool
}

// named is what was called; the label is that of its kind.
type named struct {
	kind Kind
	name string
}

func (n named) label() string { return n.kind.String() + "=" + label(n.name) }

func (n named) compare(o named) int {
	return cmp.Or(cmp.Compare(n.kind, o.kind), strings.Compare(n.name, o.name))
}

type callKey struct {
	named
	outcome string
}

type upstreamKey struct{ upstream, class string }

// buckets of call durations, in seconds.
var buckets = []float64{0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30}

type histogram struct {
	counts []uint64 // one more than buckets
	sum    time.Duration
}

// maxOutcomes bounds how many outcomes are told apart. Codes of native code could
// be anything; the rest is "other".
const maxOutcomes = 100

// NewMetrics returns metrics of nothing.
func NewMetrics() *Metrics {
	return &Metrics{calls: map[callKey]uint64{}, durations: map[named]*histogram{}, refusals: map[string]uint64{}, upstreams: map[upstreamKey]uint64{}, outcomes: map[string]bool{}}
}

// classes are those of HTTP statuses, by their first digit.
var classes = [...]string{1: "1xx", 2: "2xx", 3: "3xx", 4: "4xx", 5: "5xx"}

// Class is that of an HTTP status, as "2xx"; "none" for what is no status.
func Class(status int) string {
	if status < 100 || status >= 600 {
		return "none"
	}
	return classes[status/100]
}

func (m *Metrics) count(r *Record) {
	m.mu.Lock()
	defer m.mu.Unlock()
	outcome := r.Outcome
	if !m.outcomes[outcome] {
		if len(m.outcomes) >= maxOutcomes {
			outcome = "other"
		} else {
			m.outcomes[outcome] = true
		}
	}
	what := named{r.Kind, r.Tool}
	m.calls[callKey{what, outcome}]++
	h := m.durations[what]
	if h == nil {
		h = &histogram{counts: make([]uint64, len(buckets)+1)}
		m.durations[what] = h
	}
	i, _ := slices.BinarySearch(buckets, r.Total.Seconds())
	h.counts[i]++
	h.sum += r.Total
	if r.Upstream != "" && r.Attempts > 0 && !r.Cached {
		m.upstreams[upstreamKey{r.Upstream, Class(r.Status)}]++
	}
}

// refuse counts a request that became no call. Reasons are the transport's own.
func (m *Metrics) refuse(reason string) {
	m.mu.Lock()
	m.refusals[reason]++
	m.mu.Unlock()
}

// Append appends the metrics in Prometheus' text format, version 0.0.4.
func (m *Metrics) Append(out []byte) []byte {
	m.mu.Lock()
	defer m.mu.Unlock()
	b := bytes.NewBuffer(out)
	b.WriteString("# HELP mcpc_calls_total Calls of tools, reads of resources and requests of prompts that have ended, by outcome: ok, or the code of the failure.\n# TYPE mcpc_calls_total counter\n")
	for _, k := range slices.SortedFunc(maps.Keys(m.calls), func(a, b callKey) int {
		return cmp.Or(a.compare(b.named), strings.Compare(a.outcome, b.outcome))
	}) {
		fmt.Fprintf(b, "mcpc_calls_total{%s,outcome=%s} %d\n", k.label(), label(k.outcome), m.calls[k])
	}
	b.WriteString("# HELP mcpc_call_duration_seconds Time of a call, from its arguments to its result.\n# TYPE mcpc_call_duration_seconds histogram\n")
	for _, what := range slices.SortedFunc(maps.Keys(m.durations), named.compare) {
		h, name := m.durations[what], what.label()
		var n uint64
		for i, le := range buckets {
			n += h.counts[i]
			fmt.Fprintf(b, "mcpc_call_duration_seconds_bucket{%s,le=\"%g\"} %d\n", name, le, n)
		}
		n += h.counts[len(buckets)]
		fmt.Fprintf(b, "mcpc_call_duration_seconds_bucket{%s,le=\"+Inf\"} %d\n", name, n)
		fmt.Fprintf(b, "mcpc_call_duration_seconds_sum{%s} %g\n", name, h.sum.Seconds())
		fmt.Fprintf(b, "mcpc_call_duration_seconds_count{%s} %d\n", name, n)
	}
	b.WriteString("# HELP mcpc_refusals_total Requests that became no call, by reason.\n# TYPE mcpc_refusals_total counter\n")
	for _, reason := range slices.Sorted(maps.Keys(m.refusals)) {
		fmt.Fprintf(b, "mcpc_refusals_total{reason=%s} %d\n", label(reason), m.refusals[reason])
	}
	b.WriteString("# HELP mcpc_upstream_calls_total Calls that were sent to an upstream, by class of the final status; none is no answer.\n# TYPE mcpc_upstream_calls_total counter\n")
	for _, k := range slices.SortedFunc(maps.Keys(m.upstreams), func(a, b upstreamKey) int {
		return cmp.Or(strings.Compare(a.upstream, b.upstream), strings.Compare(a.class, b.class))
	}) {
		fmt.Fprintf(b, "mcpc_upstream_calls_total{upstream=%s,status=%s} %d\n", label(k.upstream), label(k.class), m.upstreams[k])
	}
	return b.Bytes()
}

// label is the value of a label in quotes.
func label(s string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`).Replace(s) + `"`
}
