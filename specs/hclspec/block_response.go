package hclspec

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/hashicorp/hcl/v2/hclsyntax"

	"github.com/mcpc-dev/mcpc/specs"
	"github.com/mcpc-dev/mcpc/specs/diag"
)

// responseKinds are the labels of a response block.
var responseKinds = []string{"json", "ndjson", "xml", "soap", "csv", "tsv", "form", "html", "text", "bytes"}

// retryWords are the values of retry.
var retryWords = []string{"no", "later"}

// htmlSelector is what main takes: a tag, an id or a class.
var htmlSelector = regexp.MustCompile(`^[#.]?[A-Za-z_][A-Za-z0-9_-]*$`)

func responseBlock() *block {
	row := func(name string, kind kind, standard, doc, example string, set func(r *specs.Shaping, s *setting)) attr {
		return attr{name: name, kind: kind, standard: standard, doc: doc, example: example, set: into(set)}
	}
	worded := func(a attr, words ...string) attr {
		a.words = words
		return a
	}
	checked := func(a attr, check func(string) (string, string)) attr {
		a.check = check
		return a
	}
	return &block{
		name: "response", label: "kind", labels: responseKinds, optional: true, once: true,
		labelDoc: "how the body is read, when its Content-Type does not say it: `json`, `ndjson`, `xml`, `soap` (XML in a SOAP envelope), `csv`, `tsv`, `form`, `html`, `text`, `bytes`; may be left out",
		doc: "How an answer becomes a result. The body is decoded; then errors are looked for, `root` is entered, names and types are changed, `fields`, `drop` and `max_items` select, `jq` computes, and the rest is written for the model. " +
			"In an `api` it says what holds for all its tools, in an `override` for those of the pattern; what is written further in wins, attribute by attribute, and of `error_when` and `error` blocks the inner ones are tried first.\n\n" +
			"A **path** is names with dots between them: `user.login`, `labels[].name`. Lists are entered by themselves, with `[]` or without. In `fields` and `drop`, `*` is any text within a name and `**` any number of names: `**.*_url`. " +
			"A name with dots or spaces is written in single quotes: `'@odata.nextLink'`. Of XML and CSV, names are those of elements and columns, `@name` is an attribute, `#text` the text beside attributes or elements.",
		example: `api "erp" { base_url = "https://erp.example" }

tool "search_orders" {
  input "customer" { type = string }

  request "POST" "/orders/search" {
    form = { CUSTNO = args.customer }
  }

  response "xml" {
    charset = "iso-8859-1"
    root    = "ORDERS.ORDER"
    lists   = ["ORDER", "LINE"]
    types   = { QTY = integer, TOTAL = number }
    rename  = { ORDNO = "order_id", "@STAT" = "status" }
    fields  = ["order_id", "status", "TOTAL", "LINE[].SKU", "LINE[].QTY"]
    empty   = "No orders matched."
    error_when {
      xml     = "ERROR"
      message = "ERP says: ${response.body.ERROR.TEXT}"
    }
  }
}`,
		attrs: []attr{
			checked(row("charset", textKind, "what the answer says", "its character encoding, whatever the answer says; a byte order mark still wins", `charset = "iso-8859-1"`,
				func(r *specs.Shaping, s *setting) { r.Charset = s.text }), checkCharset),
			row("lists", textsKind, "", "XML elements that are lists even when there is one of them", `lists = ["ORDER", "LINE"]`,
				func(r *specs.Shaping, s *setting) { r.Lists = s.texts }),
			row("types", typesKind, "", "elements, attributes, columns or fields whose text is an `integer`, `number` or `bool`, by the names they come with; a text that is none stays text", "types = { QTY = integer }",
				func(r *specs.Shaping, s *setting) { r.Types = s.typed }),
			row("namespaces", textMapKind, "prefixes are dropped", "prefixes for XML names, by the URI of their namespace: names of these namespaces are then written `prefix:name`, here and in the result", `namespaces = { inv = "urn:erp:invoice" }`,
				func(r *specs.Shaping, s *setting) { r.Namespaces = s.pairs }),
			checked(row("delimiter", textKind, "comma, semicolon or tab, by the first line", "what separates the columns of CSV", `delimiter = ";"`,
				func(r *specs.Shaping, s *setting) { r.Delimiter = s.text }), oneCharacter("delimiter")),
			checked(row("quote", textKind, "`\"`", "what quotes a value of CSV; `\"\"` for nothing", `quote = "'"`,
				func(r *specs.Shaping, s *setting) { r.Quote = s.text }), oneCharacter("quote")),
			row("header", boolKind, "`true`", "whether the first row of CSV names the columns; without names a row is a list", "header = false",
				func(r *specs.Shaping, s *setting) { r.Header = s.flag }),
			row("columns", textsKind, "the first row", "names of the columns of CSV, in place of those in the first row", `columns = ["sku", "quantity"]`,
				func(r *specs.Shaping, s *setting) { r.Columns = s.texts }),
			checked(row("main", textKind, "found out", "the part of an HTML page that counts: the first element of a tag, `#id` or `.class`", `main = "#content"`,
				func(r *specs.Shaping, s *setting) { r.Main = s.text }), func(s string) (string, string) {
				if !htmlSelector.MatchString(s) {
					return fmt.Sprintf("cannot be %q", s), `write a tag, an id or a class: "article", "#content", ".post"`
				}
				return "", ""
			}),
			row("root", pathKind, "", "leads to the value that counts; the rest of the answer is dropped. With `[]` at its end, or a name in `lists`, it is a list whatever comes, empty when there is nothing", `root = "ORDERS.ORDER"`,
				func(r *specs.Shaping, s *setting) { r.Root = &s.paths[0] }),
			row("rename", textMapKind, "", "new names of members, at any depth", `rename = { ORDNO = "order_id", "@STAT" = "status" }`,
				func(r *specs.Shaping, s *setting) { r.Rename = s.pairs }),
			row("fields", pathsKind, "all", "paths of what is kept, by the new names. What a path does not find is not there; of a list on its way the elements that are objects stay", `fields = ["number", "user.login", "labels[].name"]`,
				func(r *specs.Shaping, s *setting) { r.Fields = s.paths }),
			row("drop", pathsKind, "", "paths of what is left out, by the new names; it wins over `fields` of the same block. One of an `api` or `override` does not hold where the tool has `fields` or `jq` of its own", `drop = ["**.*_url", "**.node_id"]`,
				func(r *specs.Shaping, s *setting) { r.Drop = s.paths }),
			{name: "max_items", kind: integerKind, standard: "no limit", doc: "most elements of the list that `root` leads to; a note says when there were more", example: "max_items = 50",
				set: func(p *parser, target any, s *setting) {
					if s.number == 0 {
						p.add(diag.Diagnostic{Code: "invalid-value", Message: "max_items cannot be 0", Hint: "remove it to have all", Range: s.rng})
						return
					}
					target.(*specs.Shaping).MaxItems = &specs.Count{Value: s.number, Range: s.rng}
				}},
			row("jq", jqKind, "", "a jq program over what was selected; several values it gives are a list, so write `[…]` where there may be one or many. It sees nothing else, and has two seconds. Numbers it passes on keep their digits, integers are computed exactly, other numbers in binary", `jq = "{number, labels: [.labels[].name]}"`,
				func(r *specs.Shaping, s *setting) { r.JQ = s.text }),
			worded(row("as", textKind, "`\"json\"`", "how the text for the model is written: JSON; a table, which is a line of names and a line for each element with tabs between, `outer.inner` for members of objects; or Markdown. Structured content stays JSON", `as = "table"`,
				func(r *specs.Shaping, s *setting) { r.As = s.text }), "json", "table", "markdown"),
			row("empty", textKind, "", "the text when nothing is left: null, an empty list, object or text", `empty = "No orders matched."`,
				func(r *specs.Shaping, s *setting) { r.Empty = s.text }),
			row("max_size", sizeKind, "no limit", "most bytes of text for the model; cut where an element ends, and a note says so", `max_size = "64KB"`,
				func(r *specs.Shaping, s *setting) { r.MaxSize = s.text }),
			row("schema", typeKind, "derived", "the type of the result, told to clients", `schema = jsonschema({ type = "object" })`,
				func(r *specs.Shaping, s *setting) { r.Schema = s.typ.schema }),
		},
		inner: []*block{errorWhenBlock(), errorBlock()},
		open: func(_ *parser, h *head, parent any) any {
			r := &specs.Shaping{Range: h.rng}
			if len(h.labels) > 0 {
				r.Kind = &h.labels[0]
			}
			switch t := parent.(type) {
			case *specs.Tool:
				t.Response = r
			case *specs.Override:
				t.Response = r
			case *apiTarget:
				t.api.Response = r
			}
			return r
		},
		close: func(p *parser, h *head, _, target any) { p.closeResponse(h, target.(*specs.Shaping)) },
	}
}

func errorWhenBlock() *block {
	return &block{
		name: "error_when",
		doc:  "An answer that is an error although its status is not. All conditions that are written must hold; of several blocks the first that fits counts. `response.body` is the whole decoded body.",
		example: `api "erp" {
  base_url = "https://erp.example"
  response {
    error_when {
      json    = "error.code"
      message = "ERP says: ${response.body.error.text}"
      retry   = "no"
    }
  }
}`,
		attrs: []attr{
			{name: "xml", kind: pathKind, doc: "path of an element that is there", example: `xml = "ERROR"`,
				set: into(func(r *specs.ErrorRule, s *setting) { r.XML = &s.paths[0] })},
			{name: "json", kind: pathKind, doc: "path of a member that is there and is not null, false, 0 or empty", example: `json = "error.code"`,
				set: into(func(r *specs.ErrorRule, s *setting) { r.JSON = &s.paths[0] })},
			{name: "condition", kind: exprKind, phase: responsePhase, doc: "any condition over the answer", example: "condition = response.body.ok == false",
				set: into(func(r *specs.ErrorRule, s *setting) { r.Condition = s.expr })},
			{name: "status", kind: statusesKind, standard: "any from 200 to 299", doc: "statuses of the answer", example: "status = [203]",
				set: into(func(r *specs.ErrorRule, s *setting) { r.Status = s.numbers })},
			{name: "message", kind: templateKind, phase: responsePhase, standard: "what the answer says", doc: "told to the model", example: `message = "ERP says: ${response.body.ERROR.TEXT}"`,
				set: into(func(r *specs.ErrorRule, s *setting) { r.Message = s.expr })},
			{name: "retry", kind: textKind, words: retryWords, standard: "nothing is said", doc: "whether the same call can succeed", example: `retry = "no"`,
				set: into(func(r *specs.ErrorRule, s *setting) { r.Retry = s.text })},
		},
		open: func(_ *parser, h *head, parent any) any {
			r := &specs.ErrorRule{Range: h.rng}
			s := parent.(*specs.Shaping)
			s.Errors = append(s.Errors, r)
			return r
		},
		close: func(p *parser, h *head, _, target any) { p.closeErrorWhen(h, target.(*specs.ErrorRule)) },
	}
}

func errorBlock() *block {
	return &block{
		name: "error", label: "status", labelDoc: "a status of HTTP, or a class of them: `404`, `4XX`, `5XX`",
		doc: "What the model is told of answers of an error status. Of several blocks the first that fits counts, so write single statuses before classes. A SOAP fault has the status it came with, mostly 500; `response.body.Fault` is what it says.",
		example: `api "erp" {
  base_url = "https://erp.example"
  response {
    error "404" {
      message = "There is no such order."
      hint    = "Search for it with search_orders."
    }
    error "5XX" { retry = "later" }
  }
}`,
		attrs: []attr{
			{name: "message", kind: templateKind, phase: responsePhase, standard: "what the answer says", doc: "told to the model in place of the answer", example: `message = "There is no order ${args.number}."`,
				set: into(func(a *specs.Advice, s *setting) { a.Message = s.expr })},
			{name: "hint", kind: textKind, standard: "by status", doc: "what to do next", example: `hint = "Search for it with search_orders."`,
				set: into(func(a *specs.Advice, s *setting) { a.Hint = s.text })},
			{name: "retry", kind: textKind, words: retryWords, standard: "by status", doc: "whether the same call can succeed", example: `retry = "later"`,
				set: into(func(a *specs.Advice, s *setting) { a.Retry = s.text })},
		},
		open: func(p *parser, h *head, parent any) any {
			a := &specs.Advice{Range: h.rng}
			var ok bool
			if a.From, a.To, ok = statusRange(h.label().Value); !ok {
				p.add(diag.Diagnostic{Code: "invalid-value", Message: fmt.Sprintf("%q is no error status of HTTP", h.label().Value), Hint: `write a status from 300 to 599, or a class: "404", "4XX"`, Range: h.label().Range})
				return nil
			}
			s := parent.(*specs.Shaping)
			for _, b := range s.Advice {
				if b.From <= a.From && a.To <= b.To {
					p.add(diag.Diagnostic{Code: "duplicate-block", Message: fmt.Sprintf("%s is never reached: a block before it takes the same statuses", h.title()), Hint: "write single statuses before classes, and each once", Range: h.rng,
						Notes: []diag.Note{{Message: "the one before", Range: b.Range}}})
					return nil
				}
			}
			s.Advice = append(s.Advice, a)
			return a
		},
		close: func(p *parser, h *head, _, _ any) {
			if len(h.seen) == 0 && !h.broken {
				p.add(diag.Diagnostic{Code: "missing-attribute", Message: h.title() + " says nothing", Hint: "add message, hint or retry", Range: h.rng})
			}
		},
	}
}

// statusRange reads 404 or 4XX.
func statusRange(s string) (from, to int, ok bool) {
	if class, found := strings.CutSuffix(strings.ToUpper(s), "XX"); found {
		n, err := strconv.Atoi(class)
		return n * 100, n*100 + 99, err == nil && n >= 3 && n <= 5
	}
	n, err := strconv.Atoi(s)
	return n, n, err == nil && n >= 300 && n <= 599
}

// oneCharacter checks a text that is a single character of CSV.
func oneCharacter(what string) func(string) (string, string) {
	return func(s string) (string, string) {
		if s == "" && what == "quote" {
			return "", ""
		}
		if r, n := utf8.DecodeRuneInString(s); n != len(s) || n == 0 || r == '\r' || r == '\n' || r == utf8.RuneError || r == '\ufeff' {
			return fmt.Sprintf("cannot be %q", s), `write one character: ";", "|" or "\t"`
		}
		if s == `"` && what == "delimiter" {
			return `cannot be "\""`, "it quotes values"
		}
		return "", ""
	}
}

// typedNames reads { QTY = integer, PAID = bool }.
func (p *parser) typedNames(e hclsyntax.Expression, row *attr) ([]specs.TypedName, bool) {
	o, ok := e.(*hclsyntax.ObjectConsExpr)
	if !ok {
		p.add(diag.Diagnostic{Code: "wrong-type", Message: row.name + " takes an object of types", Hint: "for example " + row.example, Range: p.rng(e.Range())})
		return nil, false
	}
	out := []specs.TypedName{}
	for _, item := range o.Items {
		k := p.known(p.lower(item.KeyExpr, &scope{phase: staticPhase, what: row.name}), row.name)
		t := p.parseType(item.ValueExpr, false)
		if k == nil || t == nil {
			ok = false
			continue
		}
		word := t.schema.Get("type").Str()
		if len(t.schema.Fields) != 1 || !slices.Contains([]string{"string", "integer", "number", "boolean"}, word) {
			p.add(diag.Diagnostic{Code: "wrong-type", Message: fmt.Sprintf("%q is a text, which this type cannot be read from", k.Text), Hint: "types here are integer, number, bool and string", Range: t.rng})
			ok = false
			continue
		}
		for _, n := range out {
			if n.Name.Value == k.Text {
				p.duplicateKey(k.Text, k.Range(), n.Name.Range)
				ok = false
			}
		}
		out = append(out, specs.TypedName{Name: specs.Text{Value: k.Text, Range: k.Range()}, Type: word})
	}
	return out, ok
}

// readingAttrs are the attributes of a response block that concern some kinds of
// bodies only.
var readingAttrs = []struct {
	name  string
	kinds []string
}{
	{"charset", []string{"json", "ndjson", "xml", "soap", "csv", "tsv", "form", "html", "text"}},
	{"lists", []string{"xml", "soap"}},
	{"namespaces", []string{"xml", "soap"}},
	{"types", []string{"xml", "soap", "csv", "tsv", "form"}},
	{"delimiter", []string{"csv"}},
	{"quote", []string{"csv", "tsv"}},
	{"header", []string{"csv", "tsv"}},
	{"columns", []string{"csv", "tsv"}},
	{"main", []string{"html"}},
	{"root", valueKinds}, {"rename", valueKinds}, {"fields", valueKinds}, {"drop", valueKinds}, {"max_items", valueKinds}, {"jq", valueKinds}, {"as", valueKinds},
}

// valueKinds are the kinds of bodies that are decoded to a value.
var valueKinds = []string{"json", "ndjson", "xml", "soap", "csv", "tsv", "form"}

func (p *parser) closeResponse(h *head, r *specs.Shaping) {
	if r.Kind != nil {
		for _, a := range readingAttrs {
			at, ok := h.seen[a.name]
			if !ok || slices.Contains(a.kinds, r.Kind.Value) {
				continue
			}
			p.add(diag.Diagnostic{Code: "does-not-apply", Message: fmt.Sprintf("%s does not apply to %s", a.name, r.Kind.Value), Hint: "it is for " + strings.Join(a.kinds, ", "), Range: at,
				Notes: []diag.Note{{Message: "the kind", Range: r.Kind.Range}}})
		}
	}
	if len(r.Delimiter.Str()) > 0 && r.Delimiter.Str() == r.Quote.Str() {
		p.add(diag.Diagnostic{Code: "invalid-value", Message: "delimiter and quote are the same character", Hint: "change one of the two", Range: r.Quote.Range})
	}
	p.uniqueTexts("lists", r.Lists)
	p.uniqueTexts("columns", r.Columns)
	for _, n := range r.Namespaces {
		if !xmlName.MatchString(n.Name.Value) {
			p.add(diag.Diagnostic{Code: "invalid-name", Message: fmt.Sprintf("%q is no prefix of XML names", n.Name.Value), Hint: "use letters, digits, _, - and ., beginning with a letter", Range: n.Name.Range})
		}
		if n.Value.Value == "" {
			p.add(diag.Diagnostic{Code: "invalid-value", Message: fmt.Sprintf("the namespace of %q is empty", n.Name.Value), Hint: "write the URI of the xmlns attribute; names without a namespace need no prefix", Range: n.Value.Range})
		}
	}
	for i, n := range r.Rename {
		if n.Value.Value == "" {
			p.add(diag.Diagnostic{Code: "invalid-name", Message: fmt.Sprintf("the new name of %q is empty", n.Name.Value), Hint: "leave members out with drop", Range: n.Value.Range})
		}
		for _, before := range r.Rename[:i] {
			if before.Value.Value == n.Value.Value {
				p.add(diag.Diagnostic{Code: "duplicate-key", Message: fmt.Sprintf("two members are renamed to %q", n.Value.Value), Hint: "give each a name of its own", Range: n.Value.Range, Notes: []diag.Note{{Message: "the other one", Range: before.Value.Range}}})
			}
		}
	}
	if _, ok := h.seen["fields"]; ok && r.Fields == nil && !h.failed {
		p.add(diag.Diagnostic{Code: "invalid-value", Message: "fields is empty: nothing would be kept", Hint: "remove it to keep everything", Range: h.seen["fields"]})
	}
	for _, path := range append(slices.Clone(r.Fields), r.Drop...) {
		p.oldName(path, r)
	}
}

// oldName warns of a path that uses a name which rename takes away.
func (p *parser) oldName(path specs.Path, r *specs.Shaping) {
	for _, s := range path.Steps {
		for _, n := range r.Rename {
			if s.Name == n.Name.Value && !s.Glob && !slices.ContainsFunc(r.Rename, func(o specs.Pair) bool { return o.Value.Value == s.Name }) {
				p.add(diag.Diagnostic{Severity: diag.Warning, Code: "renamed-member", Message: fmt.Sprintf("%q has the new name %q here", s.Name, n.Value.Value), Hint: "fields and drop are applied after rename: use the new name", Range: path.Range,
					Notes: []diag.Note{{Message: "renamed here", Range: n.Value.Range}}})
			}
		}
	}
}

var xmlName = regexp.MustCompile(`^[\pL_][\pL\pN_.-]*$`)

// uniqueTexts refuses a list that names something twice.
func (p *parser) uniqueTexts(what string, list []specs.Text) {
	first := map[string]diag.Range{}
	for _, t := range list {
		if r, ok := first[t.Value]; ok {
			p.add(diag.Diagnostic{Code: "duplicate-key", Message: fmt.Sprintf("%s names %q twice", what, t.Value), Hint: "keep one of the two", Range: t.Range, Notes: []diag.Note{{Message: "the first one", Range: r}}})
			continue
		}
		first[t.Value] = t.Range
	}
}

func (p *parser) closeErrorWhen(h *head, r *specs.ErrorRule) {
	if r.XML == nil && r.JSON == nil && r.Condition == nil && r.Status == nil && !h.broken && !h.failed {
		p.add(diag.Diagnostic{Code: "missing-attribute", Message: "error_when has no condition", Hint: `add xml = "ERROR", json = "error", condition = … or status = […]`, Range: h.rng})
	}
	if r.XML != nil && r.JSON != nil {
		p.add(diag.Diagnostic{Code: "does-not-apply", Message: "an answer is not XML and JSON at once: the error is never found", Hint: "write two error_when blocks", Range: h.seen["json"], Notes: []diag.Note{{Message: "xml", Range: h.seen["xml"]}}})
	}
	for _, n := range r.Status {
		if n < 200 || n > 299 {
			p.add(diag.Diagnostic{Code: "invalid-value", Message: fmt.Sprintf("status %d is no success: it is an error already", n), Hint: fmt.Sprintf("say what to tell of it with error \"%d\" { … }", n), Range: h.seen["status"]})
		}
	}
	if c := r.Condition; c != nil && c.Op == specs.ExprConst {
		if _, err := truth(c.Value); err != nil {
			p.add(diag.Diagnostic{Code: "wrong-type", Message: "condition takes true or false", Hint: "for example condition = response.body.ok == false", Range: c.Range})
		} else {
			p.add(diag.Diagnostic{Code: "invalid-value", Message: "condition does not depend on the answer", Hint: "compare something of response.body, response.headers or response.status", Range: c.Range})
		}
	}
}

// shapingExprs are the expressions of a response block.
func shapingExprs(r *specs.Shaping) []*specs.Expr {
	var out []*specs.Expr
	if r == nil {
		return nil
	}
	for _, e := range r.Errors {
		out = append(out, e.Condition, e.Message)
	}
	for _, a := range r.Advice {
		out = append(out, a.Message)
	}
	return slices.DeleteFunc(out, func(x *specs.Expr) bool { return x == nil })
}
