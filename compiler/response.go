package compiler

import (
	"slices"
	"strings"

	"github.com/mcpc-dev/mcpc/runtime/plan"
	"github.com/mcpc-dev/mcpc/specs"
)

// inherit is what holds for the answers of a tool: what is said further in, and
// of what is not said there, what is said further out. Either may be nil.
func inherit(outer, inner *specs.Shaping) *specs.Shaping {
	if outer == nil || inner == nil {
		if inner == nil {
			return outer
		}
		return inner
	}
	s := *inner
	s.Kind, s.Charset, s.Main = or(s.Kind, outer.Kind), or(s.Charset, outer.Charset), or(s.Main, outer.Main)
	s.Lists, s.Namespaces, s.Types = orList(s.Lists, outer.Lists), orList(s.Namespaces, outer.Namespaces), orList(s.Types, outer.Types)
	s.Delimiter, s.Quote, s.Header, s.Columns = or(s.Delimiter, outer.Delimiter), or(s.Quote, outer.Quote), or(s.Header, outer.Header), orList(s.Columns, outer.Columns)
	// Who names the members he wants, or computes them, wants them whatever is
	// left out of others.
	if inner.Fields == nil && inner.JQ == nil {
		s.Drop = orList(s.Drop, outer.Drop)
	}
	s.Root, s.Rename, s.Fields = or(s.Root, outer.Root), orList(s.Rename, outer.Rename), orList(s.Fields, outer.Fields)
	s.MaxItems, s.JQ, s.As, s.Empty = or(s.MaxItems, outer.MaxItems), or(s.JQ, outer.JQ), or(s.As, outer.As), or(s.Empty, outer.Empty)
	s.MaxSize, s.Schema = or(s.MaxSize, outer.MaxSize), or(s.Schema, outer.Schema)
	// The first that fits counts, so all stay.
	s.Errors = slices.Concat(inner.Errors, outer.Errors)
	s.Advice = slices.Concat(inner.Advice, outer.Advice)
	return &s
}

func or[T any](inner, outer *T) *T {
	if inner != nil {
		return inner
	}
	return outer
}

func orList[T any](inner, outer []T) []T {
	if inner != nil {
		return inner
	}
	return outer
}

// shapeAnswer lowers what the author says of answers into r; expr lowers an
// expression over the tool's arguments.
func shapeAnswer(r *plan.Response, s *specs.Shaping, expr func(*specs.Expr) plan.Expr) {
	if s == nil {
		return
	}
	r.Kind = s.Kind.Str()
	r.Charset = strings.ToLower(s.Charset.Str())
	r.HTML = s.Main.Str()
	for _, t := range s.Types {
		r.Types = append(r.Types, plan.NameType{Name: t.Name.Value, Type: t.Type})
	}
	x := plan.XMLReading{SOAP: r.Kind == "soap" || r.XML != nil && r.XML.SOAP, Lists: values(s.Lists)}
	if r.Kind == "soap" {
		r.Kind = "xml"
	}
	for _, n := range s.Namespaces {
		x.Namespaces = append(x.Namespaces, plan.Namespace{Prefix: n.Name.Value, URI: n.Value.Value})
	}
	if x.SOAP || x.Lists != nil || x.Namespaces != nil {
		r.XML = &x
	}
	if s.Delimiter != nil || s.Quote != nil || s.Header != nil || s.Columns != nil {
		r.CSV = &plan.CSVReading{Delimiter: s.Delimiter.Str(), Quote: s.Quote.Str(), NoQuote: s.Quote != nil && s.Quote.Value == "",
			NoHeader: s.Header != nil && !s.Header.Value, Columns: values(s.Columns)}
	}

	sel := plan.Selection{Fields: paths(s.Fields), Drop: paths(s.Drop)}
	if s.Root != nil {
		sel.Root = pathNames(s.Root)
		sel.List = s.Root.List || slices.ContainsFunc(s.Lists, func(t specs.Text) bool { return t.Value == sel.Root[len(sel.Root)-1] })
	}
	for _, n := range s.Rename {
		sel.Rename = append(sel.Rename, plan.NamePair{From: n.Name.Value, To: n.Value.Value})
	}
	if sel.Root != nil || sel.Rename != nil || sel.Fields != nil || sel.Drop != nil {
		r.Select = &sel
	}
	r.JQ, r.As, r.Empty = s.JQ.Str(), s.As.Str(), s.Empty.Str()
	if r.As == "json" {
		r.As = ""
	}
	if s.MaxItems != nil {
		r.MaxItems = s.MaxItems.Value
	}
	if s.MaxSize != nil {
		r.MaxText, _ = bytesOf(s.MaxSize.Value)
	}

	optional := func(x *specs.Expr) *plan.Expr {
		if x == nil {
			return nil
		}
		out := expr(x)
		return &out
	}
	for _, e := range s.Errors {
		rule := plan.ErrorRule{Status: slices.Clip(e.Status), Condition: optional(e.Condition), Message: optional(e.Message), Retry: e.Retry.Str()}
		if e.XML != nil {
			rule.Element = pathNames(e.XML)
		}
		if e.JSON != nil {
			rule.Member = pathNames(e.JSON)
		}
		r.Errors = append(r.Errors, rule)
	}
	for _, a := range s.Advice {
		r.Advice = append(r.Advice, plan.Advice{From: a.From, To: a.To, Message: optional(a.Message), Hint: a.Hint.Str(), Retry: a.Retry.Str()})
	}
}

func values(list []specs.Text) []string {
	var out []string
	for _, t := range list {
		out = append(out, t.Value)
	}
	return out
}

// pathNames are the steps of a path that is no pattern.
func pathNames(p *specs.Path) []string {
	var out []string
	for _, s := range p.Steps {
		out = append(out, s.Name)
	}
	return out
}

func paths(list []specs.Path) []plan.Path {
	var out []plan.Path
	for _, p := range list {
		var steps plan.Path
		for _, s := range p.Steps {
			steps = append(steps, plan.PathStep{Name: s.Name, Glob: s.Glob, Deep: s.Deep})
		}
		out = append(out, steps)
	}
	return out
}

// mediaOfKind is what a kind of bodies is asked for by; "" when that is JSON, or
// anything.
func mediaOfKind(kind string) string {
	switch kind {
	case "xml":
		return "application/xml, text/xml, application/soap+xml"
	case "csv":
		return "text/csv"
	case "tsv":
		return "text/tab-separated-values"
	case "form":
		return "application/x-www-form-urlencoded"
	case "html":
		return "text/html"
	case "text":
		return "text/plain"
	case "ndjson":
		return "application/x-ndjson"
	}
	return ""
}
