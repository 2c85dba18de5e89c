package judges

import (
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/histogram"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/rulefmt"
	"github.com/prometheus/prometheus/model/textparse"
	"github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/promql/parser"
	"github.com/prometheus/prometheus/storage"
	"github.com/prometheus/prometheus/tsdb/chunkenc"
	"github.com/prometheus/prometheus/tsdb/chunks"
	"github.com/prometheus/prometheus/util/annotations"
)

const watched = "../../examples/observe"

var promQL = parser.NewParser(parser.Options{})

// served are the metrics of a server in which everything has happened once: the
// label names of each name.
func served(t *testing.T) map[string]map[string]bool {
	t.Helper()
	up := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, `{"ok":true}`)
	}))
	defer up.Close()
	admin := freeAddress(t)
	spec := filepath.Join(t.TempDir(), "served.hcl")
	if err := os.WriteFile(spec, []byte(`
observe { admin = "`+admin+`" }
api "a" { base_url = "http://127.0.0.1:1" }
tool "get" {
  api         = api.a
  description = "Get a thing."
  read_only   = true
  request "GET" "/things" {}
}
resource "things://all" {
  api  = api.a
  name = "things"
  request "GET" "/things" {}
}
prompt "ask" {
  description = "Ask."
  message "user" { text = "What is there?" }
}
`), 0o600); err != nil {
		t.Fatal(err)
	}
	mcp := serve(t, nil, spec, "--base-url", up.URL)
	for _, m := range []string{
		`{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"get"}}`, `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"unknown"}}`,
		`{"jsonrpc":"2.0","id":1,"method":"resources/read","params":{"uri":"things://all"}}`, `{"jsonrpc":"2.0","id":1,"method":"prompts/get","params":{"name":"ask"}}`,
	} {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, mcp, strings.NewReader(m))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Content-Type", "application/json")
		res, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		_ = res.Body.Close()
	}
	res, err := http.Get("http://" + admin + "/metrics") //nolint:noctx // a test
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	names := map[string]map[string]bool{
		// Prometheus' own, of a scrape.
		"up": {"job": true},
	}
	p, err := textparse.New(text, res.Header.Get("Content-Type"), labels.NewSymbolTable(), textparse.ParserOptions{})
	if err != nil {
		t.Fatal(err)
	}
	for {
		entry, err := p.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatalf("%v in\n%s", err, text)
		}
		if entry != textparse.EntrySeries {
			continue
		}
		var l labels.Labels
		p.Labels(&l)
		name := l.Get(model.MetricNameLabel)
		if names[name] == nil {
			names[name] = map[string]bool{}
		}
		l.Range(func(one labels.Label) { names[name][one.Name] = true })
	}
	for _, of := range names {
		of["instance"], of["job"] = true, true
	}
	return names
}

// unknown is what a query asks for that there is not, or why it is none.
func unknown(names map[string]map[string]bool, query string) (problems []string) {
	expr, err := promQL.ParseExpr(query)
	if err != nil {
		return []string{err.Error()}
	}
	var used []map[string]bool
	parser.Inspect(expr, func(n parser.Node, _ []parser.Node) error {
		if v, ok := n.(*parser.VectorSelector); ok {
			if names[v.Name] == nil {
				problems = append(problems, "metric "+v.Name)
				return nil
			}
			used = append(used, names[v.Name])
			for _, m := range v.LabelMatchers {
				if m.Name != model.MetricNameLabel && !names[v.Name][m.Name] {
					problems = append(problems, "label "+m.Name+" of "+v.Name)
				}
			}
		}
		return nil
	})
	if len(used) == 0 {
		problems = append(problems, "it asks for nothing")
	}
	parser.Inspect(expr, func(n parser.Node, _ []parser.Node) error {
		if a, ok := n.(*parser.AggregateExpr); ok {
			for _, l := range a.Grouping {
				if !slices.ContainsFunc(used, func(of map[string]bool) bool { return of[l] }) {
					problems = append(problems, "label "+l)
				}
			}
		}
		return nil
	})
	return problems
}

// The dashboard asks for what a server serves.
func TestDashboard(t *testing.T) {
	names := served(t)
	text, err := os.ReadFile(filepath.Join(watched, "grafana", "dashboards", "mcpc.json"))
	if err != nil {
		t.Fatal(err)
	}
	var d struct {
		UID, Title string
		Templating struct {
			List []struct {
				Name  string
				Query any
			}
		}
		Panels []struct {
			ID      int
			Type    string
			Title   string
			GridPos struct{ X, Y, W, H int }
			Targets []struct{ Expr string }
		}
	}
	if err := json.Unmarshal(text, &d); err != nil {
		t.Fatal(err)
	}
	if d.UID == "" || d.Title == "" || len(d.Panels) < 10 {
		t.Errorf("%q, %q, %d panels", d.UID, d.Title, len(d.Panels))
	}
	plain := strings.NewReplacer("$instance", ".*", "$tool", ".*", "$__rate_interval", "5m")
	for _, p := range d.Panels {
		if len(p.Targets) == 0 || p.GridPos.X+p.GridPos.W > 24 {
			t.Errorf("panel %q is empty or too wide", p.Title)
		}
		for _, target := range p.Targets {
			if problems := unknown(names, plain.Replace(target.Expr)); problems != nil {
				t.Errorf("%s: %v", target.Expr, problems)
			}
		}
	}
	values := regexp.MustCompile(`^label_values\((\w+), (\w+)\)$`)
	for _, v := range d.Templating.List {
		q, ok := v.Query.(map[string]any)
		if !ok {
			continue
		}
		query, _ := q["query"].(string)
		if m := values.FindStringSubmatch(query); m == nil || !names[m[1]][m[2]] {
			t.Errorf("the variable %s asks %q", v.Name, query)
		}
	}
	// The test would notice.
	for _, wrong := range []string{`rate(mcpc_call_total[5m])`, `sum by (tol) (mcpc_calls_total)`, `mcpc_calls_total{outcom="ok"}`, `sum(`, `1`} {
		if unknown(names, wrong) == nil {
			t.Errorf("%s is taken", wrong)
		}
	}
}

// The alerts are rules that Prometheus takes, ask for what a server serves, and fire
// when they should and not otherwise.
func TestAlerts(t *testing.T) {
	names := served(t)
	text, err := os.ReadFile(filepath.Join(watched, "prometheus", "alerts.yml"))
	if err != nil {
		t.Fatal(err)
	}
	groups, errs := rulefmt.Parse(text, false, model.UTF8Validation, promQL, slog.New(slog.DiscardHandler))
	if len(errs) > 0 {
		t.Fatal(errs)
	}
	rules := map[string]rulefmt.Rule{}
	for _, g := range groups.Groups {
		for _, r := range g.Rules {
			rules[r.Alert] = r
			if problems := unknown(names, r.Expr); problems != nil {
				t.Errorf("%s: %v", r.Expr, problems)
			}
			if r.Labels["severity"] == "" || r.Annotations["summary"] == "" || r.Annotations["description"] == "" {
				t.Errorf("%s has no severity, summary or description", r.Alert)
			}
		}
	}
	const ok, failed = `mcpc_calls_total{instance="i",tool="get",outcome="ok"} `, `mcpc_calls_total{instance="i",tool="get",outcome="http-500"} `
	tested := map[string]bool{}
	for name, c := range map[string]struct {
		alert  string
		series []string // one value a minute
		fires  bool     // after 30 minutes
	}{
		"down":                         {"McpServerDown", []string{`up{job="mcpc",instance="i"} 1x20 0x20`}, true},
		"down for a minute":            {"McpServerDown", []string{`up{job="mcpc",instance="i"} 1x28 0x20`}, false},
		"up":                           {"McpServerDown", []string{`up{job="mcpc",instance="i"} 1x40`, `up{job="other",instance="j"} 0x40`}, false},
		"audit log full":               {"McpServerNotReady", []string{`mcpc_ready{instance="i"} 1x20 0x20`}, true},
		"ready":                        {"McpServerNotReady", []string{`mcpc_ready{instance="i"} 1x40`}, false},
		"one mistake of ours":          {"McpInternalErrors", []string{`mcpc_calls_total{instance="i",tool="get",outcome="internal"} 1x23 2x20`}, true},
		"no mistake of ours":           {"McpInternalErrors", []string{`mcpc_calls_total{instance="i",tool="get",outcome="internal"} 2x40`}, false},
		"one in ten fails":             {"McpCallsFail", []string{ok + "0+90x40", failed + "0+10x40"}, true},
		"one in ten fails, just now":   {"McpCallsFail", []string{ok + "0+90x40", failed + "0x26 0+10x20"}, false},
		"one in a hundred fails":       {"McpCallsFail", []string{ok + "0+99x40", failed + "0+1x40"}, false},
		"callers' mistakes":            {"McpCallsFail", []string{ok + "0+50x40", `mcpc_calls_total{instance="i",tool="get",outcome="invalid-arguments"} 0+50x40`, `mcpc_calls_total{instance="i",tool="get",outcome="http-404"} 0+50x40`}, false},
		"one call, which failed":       {"McpCallsFail", []string{failed + "0x20 1x20"}, false},
		"upstream fails":               {"McpUpstreamFails", []string{`mcpc_upstream_calls_total{instance="i",upstream="u",status="2xx"} 0+80x40`, `mcpc_upstream_calls_total{instance="i",upstream="u",status="none"} 0+20x40`}, true},
		"upstream refuses":             {"McpUpstreamFails", []string{`mcpc_upstream_calls_total{instance="i",upstream="u",status="2xx"} 0+80x40`, `mcpc_upstream_calls_total{instance="i",upstream="u",status="4xx"} 0+20x40`}, false},
		"slow":                         {"McpCallsSlow", []string{`mcpc_call_duration_seconds_bucket{instance="i",tool="get",le="5"} 0+10x40`, `mcpc_call_duration_seconds_bucket{instance="i",tool="get",le="10"} 0+100x40`, `mcpc_call_duration_seconds_bucket{instance="i",tool="get",le="+Inf"} 0+100x40`}, true},
		"fast":                         {"McpCallsSlow", []string{`mcpc_call_duration_seconds_bucket{instance="i",tool="get",le="5"} 0+99x40`, `mcpc_call_duration_seconds_bucket{instance="i",tool="get",le="10"} 0+100x40`, `mcpc_call_duration_seconds_bucket{instance="i",tool="get",le="+Inf"} 0+100x40`}, false},
		"busy":                         {"McpServerBusy", []string{`mcpc_calls_total{instance="i",tool="get",outcome="busy"} 0+1x40`}, true},
		"was busy":                     {"McpServerBusy", []string{`mcpc_calls_total{instance="i",tool="get",outcome="busy"} 9x40`}, false},
		"somebody guesses keys":        {"McpManyRefusals", []string{`mcpc_refusals_total{instance="i",reason="unauthenticated"} 0+600x40`}, true},
		"somebody has forgotten a key": {"McpManyRefusals", []string{`mcpc_refusals_total{instance="i",reason="unauthenticated"} 0+2x40`}, false},
	} {
		r, ok := rules[c.alert]
		if !ok {
			t.Errorf("%s: there is no alert %s", name, c.alert)
			continue
		}
		tested[c.alert] = tested[c.alert] || c.fires
		if got := fires(t, r, c.series, 30*time.Minute); got != c.fires {
			t.Errorf("%s: %s fires: %t", name, c.alert, got)
		}
	}
	for alert := range rules {
		if !tested[alert] {
			t.Errorf("nothing shows that %s fires", alert)
		}
	}
}

// fires tells whether an alert fires at a time: its expression has had a value for
// as long as it says, looked at every minute.
func fires(t *testing.T, r rulefmt.Rule, series []string, at time.Duration) bool {
	t.Helper()
	var list []storage.Series
	for _, s := range series {
		l, values, err := promQL.ParseSeriesDesc(s)
		if err != nil {
			t.Fatalf("%s: %v", s, err)
		}
		var samples []chunks.Sample
		for i, v := range values {
			if !v.Omitted {
				samples = append(samples, point{time.Duration(i) * time.Minute, v.Value})
			}
		}
		list = append(list, storage.NewListSeries(l, samples))
	}
	q := &storage.MockQueryable{MockQuerier: &storage.MockQuerier{SelectMockFunction: func(_ bool, _ *storage.SelectHints, matchers ...*labels.Matcher) storage.SeriesSet {
		return &set{list: slices.DeleteFunc(slices.Clone(list), func(s storage.Series) bool {
			return slices.ContainsFunc(matchers, func(m *labels.Matcher) bool { return !m.Matches(s.Labels().Get(m.Name)) })
		}), at: -1}
	}}}
	engine := promql.NewEngine(promql.EngineOpts{MaxSamples: 1e6, Timeout: time.Minute, Parser: promQL})
	begin := time.Unix(0, 0).Add(at - time.Duration(r.For))
	query, err := engine.NewRangeQuery(context.Background(), q, nil, r.Expr, begin, time.Unix(0, 0).Add(at), time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	defer query.Close()
	res := query.Exec(context.Background())
	if res.Err != nil {
		t.Fatalf("%s: %v", r.Expr, res.Err)
	}
	m, err := res.Matrix()
	if err != nil {
		t.Fatal(err)
	}
	return slices.ContainsFunc(m, func(s promql.Series) bool {
		return len(s.Floats) == int(time.Duration(r.For)/time.Minute)+1
	})
}

type point struct {
	at    time.Duration
	value float64
}

func (s point) T() int64                      { return s.at.Milliseconds() }
func (s point) ST() int64                     { return 0 }
func (s point) F() float64                    { return s.value }
func (s point) H() *histogram.Histogram       { return nil }
func (s point) FH() *histogram.FloatHistogram { return nil }
func (s point) Type() chunkenc.ValueType      { return chunkenc.ValFloat }
func (s point) Copy() chunks.Sample           { return s }

// set is a storage.SeriesSet of a list.
type set struct {
	list []storage.Series
	at   int
}

func (s *set) Next() bool {
	s.at++
	return s.at < len(s.list)
}
func (s *set) At() storage.Series { return s.list[s.at] }
func (s *set) Err() error         { return nil }

func (s *set) Warnings() annotations.Annotations { return nil }
