package hclspec

import (
	"fmt"
	"slices"
	"strings"

	"github.com/mcpc-dev/mcpc/specs"
	"github.com/mcpc-dev/mcpc/specs/diag"
)

// testTarget is a test block while it is decoded.
type testTarget struct {
	test   *specs.Test
	expect *setting // the attribute
	reply  *setting
}

func testBlock() *block {
	return &block{
		name: "test", label: "name", labelDoc: "what is tested, in a few words",
		doc: "A test of a tool that needs no network: the call, what the service answers, and what must hold then. `mcpc test` runs it: the call goes through all that a client's call goes through, and the answers come from the spec. Secrets have the value `secret-NAME`, a person who is asked agrees, nothing is tried twice, and policies and rate limits do not hold. Tests are in no plan; serving does not read them.\n\n" +
			"The expectations know `args`; `result`, the structured content or else the text of what the tool answered; `request`, the last request that was sent (`method`, `url`, `path`, `query`, `headers`, `cookies`, `form`, `json` and `body`, its text); `requests`, all of them; and `response`, the last answer (`status`, `headers`, `body`). " +
			"`query`, `form` and `cookies` are objects of text, with a list where a name is repeated; names of headers are in lower case.",
		example: `api "shop" { base_url = "https://shop.example" }

tool "find_orders" {
  input "status" { type = enum("open", "shipped") }
  request "GET" "/orders" {
    query = { state = { open = "10", shipped = "40" }[args.status] }
  }
}

test "find_orders maps the status" {
  call   = tool.find_orders
  args   = { status = "open" }
  reply  = [{ id = 1 }, { id = 2 }]
  expect = request.query.state == "10" && length(result) == 2
}

test "a service that is down is told as such" {
  call = tool.find_orders
  args = { status = "open" }
  reply {
    status = 503
    body   = "down for maintenance"
  }
  error = "http-503"
}`,
		attrs: []attr{
			{name: "call", kind: toolKind, required: true, doc: "the tool that is called; an `internal` one too", example: "call = tool.find_orders",
				set: into(func(t *testTarget, s *setting) { t.test.Call = s.tool })},
			{name: "args", kind: valueKind, standard: "`{}`", doc: "its arguments", example: `args = { status = "open" }`,
				set: func(p *parser, target any, s *setting) {
					if s.node.Kind != specs.Object {
						p.add(diag.Diagnostic{Code: "wrong-type", Message: "args takes an object", Hint: `for example args = { status = "open" }`, Range: s.rng})
						return
					}
					target.(*testTarget).test.Args = s.node
					target.(*testTarget).test.ArgsAt = s.rng
				}},
			{name: "reply", kind: valueKind, block: true, doc: "the body of the only answer, status 200: text, also `file(\"…\")`, or any other value, which is written as JSON. Text is of the type that the tool expects, or looks like", example: `reply = [{ id = 1 }]`,
				set: into(func(t *testTarget, s *setting) { t.reply = s })},
			{name: "recording", kind: textKind, local: true, doc: "a file with the answers, as `mcpc test --record` writes it; takes the place of `reply`", example: `recording = "testdata/orders.json"`,
				set: func(p *parser, target any, s *setting) {
					if specs.IsURL(s.text.Value) {
						p.refuseRemote(s.rng)
						return
					}
					target.(*testTarget).test.Recording = &specs.Text{Value: p.resolve(s.text.Value), Range: s.rng}
				}},
			{name: "expect", kind: exprKind, phase: testPhase, block: true, doc: "a condition that must be true", example: "expect = length(result) == 2",
				set: into(func(t *testTarget, s *setting) { t.expect = s })},
			{name: "error", kind: valueKind, standard: "`false`", doc: "true: the tool must answer with an error; or the code of the error it must be, such as `\"http-404\"` or `\"invalid-arguments\"`", example: `error = "http-404"`,
				set: func(p *parser, target any, s *setting) {
					switch t := target.(*testTarget).test; {
					case s.node.IsTrue():
						t.Error = &specs.ExpectedError{Range: s.rng}
					case s.node.Kind == specs.String && s.node.Text != "":
						t.Error = &specs.ExpectedError{Code: s.node.Text, Range: s.rng}
					case s.node.Kind != specs.Bool:
						p.add(diag.Diagnostic{Code: "wrong-type", Message: "error takes true, false or the code of an error", Hint: `for example error = "http-404"`, Range: s.rng})
					}
				}},
		},
		inner: []*block{
			{
				name: "reply", label: "method", second: "path", optional: true,
				labelDoc: "both or none: the HTTP method and the path with its query, if it has one, below `base_url`; the answer is then for such requests only",
				doc:      "An answer of the service. Several are given in the order written, each once; one with labels to the next request that fits it.",
				example: `api "shop" { base_url = "https://shop.example" }

tool "item" {
  input "sku" { type = string }
  request "GET" "/items/{sku}" {}
}

test "an unknown item" {
  call = tool.item
  args = { sku = "x" }
  reply "GET" "/items/x" {
    status = 404
    body   = { message = "no such item" }
  }
  error = "http-404"
}`,
				attrs: []attr{
					{name: "status", kind: integerKind, standard: "`200`", doc: "the HTTP status", example: "status = 404",
						set: func(p *parser, target any, s *setting) {
							if s.number < 200 || s.number > 599 {
								p.add(diag.Diagnostic{Code: "invalid-value", Message: fmt.Sprintf("%d is no HTTP status of an answer", s.number), Hint: "statuses are numbers from 200 to 599", Range: s.rng})
								return
							}
							target.(*specs.Reply).Status = s.number
						}},
					{name: "headers", kind: textMapKind, doc: "headers; `Content-Type` by the body when it is not among them", example: `headers = { "Content-Type" = "text/csv" }`,
						set: into(func(r *specs.Reply, s *setting) { r.Headers = s.node })},
					{name: "body", kind: valueKind, doc: "text, also `file(\"…\")`, or any other value, which is written as JSON", example: `body = { message = "no such item" }`,
						set: into(func(r *specs.Reply, s *setting) { r.Body = s.node })},
				},
				open: func(p *parser, h *head, parent any) any {
					r := &specs.Reply{Status: 200, Range: h.rng}
					if len(h.labels) == 2 {
						r.Method, r.Path = h.labels[0].Value, h.labels[1].Value
						if !slices.Contains(httpMethods, r.Method) {
							p.add(diag.Diagnostic{Code: "unknown-method", Message: fmt.Sprintf("there is no HTTP method %q", r.Method), Hint: didYouMean(strings.ToUpper(r.Method), httpMethods, "methods are "), Range: h.labels[0].Range})
						}
						if !strings.HasPrefix(r.Path, "/") {
							p.add(diag.Diagnostic{Code: "invalid-path", Message: fmt.Sprintf("the path %q does not begin with /", r.Path), Hint: fmt.Sprintf("write %q", "/"+r.Path), Range: h.labels[1].Range})
						}
					}
					t := parent.(*testTarget)
					t.test.Replies = append(t.test.Replies, r)
					return r
				},
			},
			{
				name: "expect",
				doc:  "Something that must be true, with words for when it is not.",
				example: `api "shop" { base_url = "https://shop.example" }

tool "ping" {
  request "GET" "/ping" {}
}

test "ping" {
  call  = tool.ping
  reply = { ok = true }
  expect {
    condition = result.ok
    message   = "the service said ${jsonencode(result)}"
  }
}`,
				attrs: []attr{
					{name: "condition", kind: exprKind, phase: testPhase, required: true, doc: "what must be true", example: "condition = result.ok",
						set: into(func(e *specs.Expectation, s *setting) { e.Condition = s.expr })},
					{name: "message", kind: templateKind, phase: testPhase, doc: "what to say when it is not", example: `message = "no order came"`,
						set: into(func(e *specs.Expectation, s *setting) { e.Message = s.expr })},
				},
				open: func(_ *parser, h *head, _ any) any { return &specs.Expectation{Range: h.rng} },
				close: func(_ *parser, _ *head, parent, target any) {
					if e := target.(*specs.Expectation); e.Condition != nil {
						t := parent.(*testTarget)
						t.test.Expect = append(t.test.Expect, e)
					}
				},
			},
		},
		open: func(p *parser, h *head, _ any) any {
			for _, t := range p.doc.Tests {
				if t.Name == h.label().Value {
					p.duplicate("test", t.Name, h.rng, t.Range)
				}
			}
			return &testTarget{test: &specs.Test{Name: h.label().Value, Range: h.rng}}
		},
		close: func(p *parser, h *head, _, target any) { p.closeTest(h, target.(*testTarget)) },
	}
}

func (p *parser) closeTest(h *head, t *testTarget) {
	test := t.test
	if t.expect != nil {
		test.Expect = append([]*specs.Expectation{{Condition: t.expect.expr, Range: t.expect.rng}}, test.Expect...)
	}
	if t.reply != nil {
		if len(test.Replies) > 0 {
			p.add(diag.Diagnostic{Code: "duplicate-block", Message: fmt.Sprintf("%s has a reply twice, as attribute and as block", h.title()), Hint: "write all of them as blocks", Range: t.reply.rng,
				Notes: []diag.Note{{Message: "the block", Range: test.Replies[0].Range}}})
		}
		test.Replies = append(test.Replies, &specs.Reply{Status: 200, Body: t.reply.node, Range: t.reply.rng})
	}
	if test.Recording != nil && len(test.Replies) > 0 {
		p.add(diag.Diagnostic{Code: "two-replies", Message: fmt.Sprintf("%s has a recording and replies of its own", h.title()), Hint: "keep one of the two", Range: test.Replies[0].Range,
			Notes: []diag.Note{{Message: "the recording", Range: test.Recording.Range}}})
	}
	names := map[string]bool{}
	if test.Args != nil {
		for _, f := range test.Args.Fields {
			names[f.Key] = true
		}
	}
	for _, e := range test.Expect {
		for _, x := range []*specs.Expr{e.Condition, e.Message} {
			if x == nil {
				continue
			}
			eachExpr(x, func(x *specs.Expr) {
				if x.Op == specs.ExprArg && !names[x.Name] && !h.failed {
					p.add(diag.Diagnostic{Severity: diag.Warning, Code: "unknown-input", Message: fmt.Sprintf("the test gives no argument %q, so it is null here", x.Name), Hint: didYouMean(x.Name, keysOfArgs(test.Args), "it gives "), Range: x.Range})
				}
			})
		}
	}
	if !h.failed {
		p.doc.Tests = append(p.doc.Tests, test)
	}
}

func keysOfArgs(n *specs.Node) []string {
	if n == nil {
		return nil
	}
	return keysOf(n)
}
