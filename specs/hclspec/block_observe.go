package hclspec

import (
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"regexp"
	"strconv"
	"strings"

	"github.com/mcpc-dev/mcpc/specs"
	"github.com/mcpc-dev/mcpc/specs/diag"
)

func observeBlock() *block {
	log := func(target any) *specs.CallLog {
		o := target.(*specs.Observe)
		if o.Log == nil {
			o.Log = &specs.CallLog{}
		}
		return o.Log
	}
	otlp := func(target any) *specs.OTLP {
		o := target.(*specs.Observe)
		if o.OTLP == nil {
			o.OTLP = &specs.OTLP{}
		}
		return o.OTLP
	}
	// file is a file that is written or read, relative to the spec.
	file := func(to func(target any, path *specs.Text)) func(*parser, any, *setting) {
		return func(p *parser, target any, s *setting) {
			to(target, &specs.Text{Value: p.resolve(s.text.Value), Range: s.text.Range})
		}
	}
	return &block{
		name: "observe", once: true,
		doc: "What is recorded of calls, and for whom. At most one in a spec; without it nothing is, and nothing is spent on it. The form of a record, the audit log and the metrics are described in `runtime/OBSERVE.md`; `mcpc tail` shows a log to people.\n\n" +
			"Records hold no answers, and arguments only with `arguments`. Never written are: values of secrets that the server has used, wherever they turn up; arguments whose schema says `format = \"password\"`, `writeOnly` or `x-sensitive`; arguments with a name that has password, secret, token, apikey, authorization, credential, privatekey or cookie in it; and what `redact` names.",
		example: `observe {
  log         = { level = "info", format = "json", file = "calls.log" }
  redact      = { names = ["iban"], patterns = ["[0-9]{3}-[0-9]{2}-[0-9]{4}"] }
  audit       = { file = "audit.log" }
  admin       = "127.0.0.1:9090"
  correlation = true
  otlp        = { endpoint = "http://127.0.0.1:4318", sample = 0.01 }
}`,
		attrs: []attr{
			{name: "log", kind: settingsKind, doc: "one line for each call, in place of what `--log-level debug` shows of calls", example: `log = { level = "warn", file = "calls.log" }`,
				set: func(p *parser, target any, s *setting) { log(target); setMembers(p, target, s) },
				members: []attr{
					{name: "level", kind: textKind, standard: "`\"info\"`", words: []string{"debug", "info", "warn", "error"}, doc: "`info` is every call of a client, `debug` also those that steps make, `warn` only calls that failed, `error` only those that failed inside this server", example: `level = "warn"`,
						set: func(_ *parser, target any, s *setting) { log(target).Level = s.text }},
					{name: "format", kind: textKind, standard: "`\"json\"`", words: []string{"json", "text"}, doc: "for programs or for people", example: `format = "text"`,
						set: func(_ *parser, target any, s *setting) { log(target).Format = s.text }},
					{name: "file", kind: textKind, local: true, standard: "stderr", doc: "appended to; its path relative to the spec", example: `file = "calls.log"`, check: checkFile,
						set: file(func(target any, path *specs.Text) { log(target).File = path })},
				}},
			{name: "arguments", kind: boolKind, standard: "`false`", doc: "write arguments into the log and the audit log, without what is secret", example: "arguments = true",
				set: into(func(o *specs.Observe, s *setting) { o.Arguments = s.flag })},
			{name: "redact", kind: settingsKind, doc: "what is secret besides what is known to be", example: `redact = { names = ["iban"] }`, set: setMembers,
				members: []attr{
					{name: "names", kind: textsKind, doc: "of arguments, at any depth; case, `_`, `-` and `.` make no difference", example: `names = ["iban"]`,
						set: into(func(o *specs.Observe, s *setting) { o.Names = s.texts })},
					{name: "patterns", kind: textsKind, doc: "regular expressions (RE2); what matches in a text is replaced by `(secret)`", example: `patterns = ["[0-9]{16}"]`,
						set: func(p *parser, target any, s *setting) {
							for _, t := range s.texts {
								switch x, err := regexp.Compile(t.Value); {
								case err != nil:
									p.add(diag.Diagnostic{Code: "invalid-value", Message: "a pattern is no regular expression: " + strings.TrimPrefix(err.Error(), "error parsing regexp: "), Hint: "the syntax is RE2: no look-around and no back-references; in quotes a backslash is written twice", Range: t.Range})
								case x.MatchString(""):
									p.add(diag.Diagnostic{Code: "invalid-value", Message: fmt.Sprintf("the pattern %q matches the empty text, which is everywhere", t.Value), Hint: "let it match at least one character", Range: t.Range})
								}
							}
							target.(*specs.Observe).Patterns = s.texts
						}},
				}},
			{name: "audit", kind: settingsKind, doc: "a log of every call whose lines are chained by hashes, so that a change shows; `mcpc audit verify` checks it. While it cannot be written, calls are refused", example: `audit = { file = "audit.log" }`, set: setMembers,
				members: []attr{
					{name: "file", kind: textKind, local: true, required: true, doc: "appended to; its path relative to the spec", example: `file = "audit.log"`, check: checkFile,
						set: file(func(target any, path *specs.Text) { target.(*specs.Observe).Audit = path })},
				}},
			{name: "admin", kind: textKind, doc: "host:port of a listener for operators: `/metrics` (Prometheus), `/healthz`, `/readyz`, `/info`. It has no TLS and asks nobody who he is, so it must be an address of this machine or of a private network", example: `admin = "127.0.0.1:9090"`,
				check: func(s string) (string, string) {
					if problem, advice := checkAddress(s); problem != "" {
						return problem, advice
					}
					host, _, _ := net.SplitHostPort(s)
					a, err := netip.ParseAddr(host)
					if host != "" && host != "localhost" && (err != nil || !a.IsLoopback() && !a.IsPrivate() && !a.IsUnspecified()) {
						return fmt.Sprintf("cannot be %q", s), `name an address of this machine or of a private network: "127.0.0.1:9090"`
					}
					return "", ""
				},
				set: into(func(o *specs.Observe, s *setting) { o.Admin = s.text })},
			{name: "otlp", kind: settingsKind, doc: "send traces and metrics to a collector: OpenTelemetry's protocol (OTLP) over HTTP. What is not written, the `OTEL_*` variables of the environment say; `otlp = {}` takes all from there. A generated server links OpenTelemetry only with this", example: `otlp = { endpoint = "http://127.0.0.1:4318" }`,
				set: func(p *parser, target any, s *setting) {
					otlp(target).Range = s.rng
					setMembers(p, target, s)
					if o := otlp(target); o.Traces != nil && !o.Traces.Value && o.Metrics != nil && !o.Metrics.Value {
						p.add(diag.Diagnostic{Code: "otlp-nothing", Message: "neither traces nor metrics are sent", Hint: "let one of traces and metrics be true, or leave out otlp", Range: o.Metrics.Range})
					}
				},
				members: []attr{
					{name: "endpoint", kind: textKind, carries: true, standard: "`OTEL_EXPORTER_OTLP_ENDPOINT`", secret: true, doc: "URL of the collector; `/v1/traces` and `/v1/metrics` are appended", example: `endpoint = "https://collector.example:4318"`, check: checkCollector,
						set: func(_ *parser, target any, s *setting) { otlp(target).Endpoint = s.text }},
					{name: "headers", kind: entriesKind, standard: "`OTEL_EXPORTER_OTLP_HEADERS`", doc: "sent with every export; may hold sensitive values, which are read anew each time", example: `headers = { "Api-Key" = var.collector_key }`,
						set: func(p *parser, target any, s *setting) { p.checkHeaders(s.entries); otlp(target).Headers = s.entries }},
					{name: "traces", kind: boolKind, standard: "`true`", doc: "send traces: a span for each request of a client, each step and each request to an upstream", example: "traces = false",
						set: func(_ *parser, target any, s *setting) { otlp(target).Traces = s.flag }},
					{name: "metrics", kind: boolKind, standard: "`true`", doc: "send metrics", example: "metrics = false",
						set: func(_ *parser, target any, s *setting) { otlp(target).Metrics = s.flag }},
					{name: "sample", kind: numberKind, standard: "`OTEL_TRACES_SAMPLER`", doc: "share of the traces that begin here that are recorded, from 0 to 1; one that a client began is recorded if the client's is", example: "sample = 0.01",
						set: func(p *parser, target any, s *setting) {
							if f, err := strconv.ParseFloat(s.node.Text, 64); err != nil || !(f >= 0 && f <= 1) {
								p.add(diag.Diagnostic{Code: "invalid-value", Message: fmt.Sprintf("sample cannot be %s", s.node.Text), Hint: "write a share from 0 to 1: 0.01 is one in a hundred", Range: s.rng})
								return
							}
							otlp(target).Sample = &specs.Text{Value: s.node.Text, Range: s.rng}
						}},
					{name: "interval", kind: durationKind, standard: "`OTEL_METRIC_EXPORT_INTERVAL`", doc: "time between exports of metrics", example: `interval = "30s"`,
						set: func(_ *parser, target any, s *setting) { otlp(target).Interval = s.text }},
					{name: "attributes", kind: textMapKind, standard: "`OTEL_RESOURCE_ATTRIBUTES`", doc: "of the resource, beside `service.name` and `service.version`, which are those of the server", example: `attributes = { "deployment.environment.name" = "production" }`,
						set: func(p *parser, target any, s *setting) {
							for _, a := range s.pairs {
								if a.Name.Value == "" {
									p.add(diag.Diagnostic{Code: "invalid-name", Message: "an attribute has no name", Hint: `write its name: "deployment.environment.name"`, Range: a.Name.Range})
								}
							}
							otlp(target).Attributes = s.pairs
						}},
					{name: "ca", kind: textKind, local: true, standard: "the system's", doc: "file of the certificates (PEM) that the collector's is signed by; relative to the spec", example: `ca = "collector-ca.pem"`, check: checkFile,
						set: file(func(target any, path *specs.Text) { otlp(target).CA = path })},
				}},
			{name: "correlation", kind: boolKind, standard: "`false`", doc: "take the ids of a call from its client (headers `traceparent` and `X-Request-Id`, `_meta.traceparent`), send them upstream in these headers, and return the id as `_meta[\"mcpc/correlation\"]`", example: "correlation = true",
				set: into(func(o *specs.Observe, s *setting) { o.Correlation = s.flag })},
		},
		open: func(p *parser, h *head, _ any) any {
			if first := p.doc.Observe; first != nil {
				p.add(diag.Diagnostic{Code: "duplicate-block", Message: "the spec has a second observe block", Hint: "keep one of the two", Range: h.rng,
					Notes: []diag.Note{{Message: "the first one", Range: first.Range}}})
				return nil
			}
			p.doc.Observe = &specs.Observe{Range: h.rng}
			return p.doc.Observe
		},
		close: func(p *parser, h *head, _, target any) {
			o := target.(*specs.Observe)
			if o.Log != nil && o.Log.File != nil && o.Audit != nil && o.Log.File.Value == o.Audit.Value {
				p.add(diag.Diagnostic{Code: "same-file", Message: "the log and the audit log are one file, and every line of the log would break the chain", Hint: "give each a file of its own", Range: o.Audit.Range})
			}
			if o.Log == nil && o.Audit == nil && o.Admin == nil && o.OTLP == nil && !(o.Correlation != nil && o.Correlation.Value) && !p.diags.HasErrors() {
				p.add(diag.Diagnostic{Severity: diag.Warning, Code: "observe-nothing", Message: "the observe block has nothing recorded", Hint: "add log = { file = \"calls.log\" }, audit, admin or otlp", Range: h.rng})
			}
		},
	}
}

// checkCollector accepts the URL of a collector.
func checkCollector(s string) (problem, advice string) {
	u, err := url.Parse(s)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return "is no URL of a collector", `write scheme, host and port, and credentials in headers: "https://collector.example:4318"`
	}
	for _, tail := range []string{"/v1/traces", "/v1/metrics"} {
		if strings.HasSuffix(strings.TrimRight(u.Path, "/"), tail) {
			return "names one signal", "leave out " + tail + ", which is appended"
		}
	}
	return "", ""
}

// checkFile accepts the path of a file.
func checkFile(s string) (problem, advice string) {
	if s == "" || strings.HasSuffix(s, "/") || strings.ContainsRune(s, 0) {
		return fmt.Sprintf("cannot be %q", s), "write the path of a file"
	}
	return "", ""
}
