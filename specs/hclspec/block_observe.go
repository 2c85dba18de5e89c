package hclspec

import (
	"fmt"
	"net"
	"net/netip"
	"regexp"
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
	// file is a file that is written, relative to the spec.
	file := func(to func(target any, path *specs.Text)) func(*parser, any, *setting) {
		return func(p *parser, target any, s *setting) {
			if p.remote {
				p.refuseRemote(s.text.Range)
				return
			}
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
}`,
		attrs: []attr{
			{name: "log", kind: settingsKind, doc: "one line for each call, in place of what `--log-level debug` shows of calls", example: `log = { level = "warn", file = "calls.log" }`,
				set: func(p *parser, target any, s *setting) { log(target); setMembers(p, target, s) },
				members: []attr{
					{name: "level", kind: textKind, standard: "`\"info\"`", words: []string{"debug", "info", "warn", "error"}, doc: "`info` is every call of a client, `debug` also those that steps make, `warn` only calls that failed, `error` only those that failed inside this server", example: `level = "warn"`,
						set: func(_ *parser, target any, s *setting) { log(target).Level = s.text }},
					{name: "format", kind: textKind, standard: "`\"json\"`", words: []string{"json", "text"}, doc: "for programs or for people", example: `format = "text"`,
						set: func(_ *parser, target any, s *setting) { log(target).Format = s.text }},
					{name: "file", kind: textKind, standard: "stderr", doc: "appended to; its path relative to the spec", example: `file = "calls.log"`, check: checkFile,
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
					{name: "file", kind: textKind, required: true, doc: "appended to; its path relative to the spec", example: `file = "audit.log"`, check: checkFile,
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
			if o.Log == nil && o.Audit == nil && o.Admin == nil && !(o.Correlation != nil && o.Correlation.Value) && !p.diags.HasErrors() {
				p.add(diag.Diagnostic{Severity: diag.Warning, Code: "observe-nothing", Message: "the observe block has nothing recorded", Hint: "add log = { file = \"calls.log\" }, audit or admin", Range: h.rng})
			}
		},
	}
}

// checkFile accepts the path of a file.
func checkFile(s string) (problem, advice string) {
	if s == "" || strings.HasSuffix(s, "/") || strings.ContainsRune(s, 0) {
		return fmt.Sprintf("cannot be %q", s), "write the path of a file"
	}
	return "", ""
}
