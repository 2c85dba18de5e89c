package hclspec

import (
	"fmt"
	"mime"
	"regexp"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2/hclsyntax"
	"golang.org/x/text/encoding/ianaindex"

	"github.com/mcpc-dev/mcpc/specs"
	"github.com/mcpc-dev/mcpc/specs/diag"
)

// bodyKinds are the attributes and blocks of a request that are its body.
var bodyKinds = []string{"json", "form", "multipart", "xml", "text", "bytes", "soap"}

// checkBodies reports a second body and returns what the first is; "" for none.
func (p *parser) checkBodies(h *head, r *specs.Request) string {
	first := ""
	var at diag.Range
	for _, kind := range bodyKinds {
		found, ok := h.seen[kind]
		if kind == "soap" && r.SOAP != nil {
			found, ok = r.SOAP.Range, true
		}
		switch {
		case !ok:
		case first == "":
			first, at = kind, found
		default:
			p.add(diag.Diagnostic{Code: "two-bodies", Message: fmt.Sprintf("the request has two bodies, %s and %s", first, kind), Hint: "keep one of the two", Range: found, Notes: []diag.Note{{Message: "the other one", Range: at}}})
		}
	}
	return first
}

// checkMediaType checks what can be sent as a Content-Type.
func checkMediaType(s string) (problem, advice string) {
	media, params, err := mime.ParseMediaType(s)
	if err != nil || !strings.Contains(media, "/") || strings.Contains(media, "*") || strings.IndexFunc(s, func(r rune) bool { return r < ' ' || r > '~' }) >= 0 {
		return fmt.Sprintf("cannot be %q", s), `write a media type: "application/xml", "text/plain; charset=iso-8859-1"`
	}
	if name, ok := params["charset"]; ok && !isCharset(name) {
		return fmt.Sprintf("names the charset %q, which cannot be written", name), "write a name of the IANA's list: utf-8, iso-8859-1, windows-1252"
	}
	return "", ""
}

// isCharset reports whether text can be written in a charset.
func isCharset(name string) bool {
	e, err := ianaindex.IANA.Encoding(name)
	return err == nil && e != nil
}

var prologEncoding = regexp.MustCompile(`\sencoding\s*=\s*["']([^"']*)["']`)

// checkProlog compares an XML declaration with the Content-Type. Where only the
// declaration names a charset, the body is sent in that.
func (p *parser) checkProlog(r *specs.Request, prolog string) {
	m := prologEncoding.FindStringSubmatch(prolog)
	if m == nil {
		return
	}
	if !isCharset(m[1]) {
		p.add(diag.Diagnostic{Code: "invalid-xml", Message: fmt.Sprintf("the XML declaration names the encoding %q, which cannot be written", m[1]), Hint: "write a name of the IANA's list: utf-8, iso-8859-1, windows-1252", Range: r.XML.Range})
		return
	}
	if r.ContentType == nil {
		r.ContentType = &specs.Text{Value: "application/xml; charset=" + strings.ToLower(m[1]), Range: r.XML.Range}
		return
	}
	_, params, err := mime.ParseMediaType(r.ContentType.Value)
	switch name := params["charset"]; {
	case err != nil:
	case name == "":
		r.ContentType.Value += "; charset=" + strings.ToLower(m[1])
	case !strings.EqualFold(name, m[1]):
		p.add(diag.Diagnostic{Code: "invalid-value", Message: fmt.Sprintf("content_type says %s, and the XML declaration %s", name, m[1]), Hint: "keep one of the two", Range: r.ContentType.Range})
	}
}

// checkCookies checks the names of cookies and the values that are known.
func (p *parser) checkCookies(list []specs.NamedExpr) {
	for _, e := range list {
		switch v := e.Value.Value; {
		case !isToken(e.Name):
			p.add(diag.Diagnostic{Code: "invalid-name", Message: fmt.Sprintf("%q is no name of a cookie", e.Name), Hint: "names of cookies are letters, digits, - and _", Range: e.Range})
		case e.Value.Op == specs.ExprObject || e.Value.Op == specs.ExprList || v != nil && v.Kind >= specs.Array:
			p.add(diag.Diagnostic{Code: "wrong-type", Message: fmt.Sprintf("the cookie %s takes a text", e.Name), Hint: "use jsonencode() or join(), and urlencode() around it", Range: e.Value.Range})
		case v != nil && v.Kind == specs.String && strings.IndexFunc(v.Text, func(r rune) bool { return r < ' ' || r > '~' || r == ';' }) >= 0:
			p.add(diag.Diagnostic{Code: "invalid-value", Message: fmt.Sprintf("the cookie %s holds a character that cookies cannot have", e.Name), Hint: "use urlencode()", Range: e.Value.Range})
		}
	}
}

// partName is the function that says what a part of a multipart body is called
// and holds. It exists nowhere else.
const partName = "part"

// mayHoldParts reports whether part(…) may be an operand of an expression.
func mayHoldParts(e hclsyntax.Expression) bool {
	switch e := e.(type) {
	case *hclsyntax.ObjectConsExpr, *hclsyntax.TupleConsExpr, *hclsyntax.ParenthesesExpr, *hclsyntax.TemplateWrapExpr, *hclsyntax.ConditionalExpr, *hclsyntax.ForExpr:
		return true
	case *hclsyntax.FunctionCallExpr:
		return e.Name == partName
	}
	return false
}

// part lowers part(value, { filename = …, type = … }).
func (p *parser) part(e *hclsyntax.FunctionCallExpr, r diag.Range, sc *scope) *specs.Expr {
	const form = `part(value, { filename = "…", type = "…" })`
	if !sc.parts {
		return p.fail(sc, "misplaced-function", p.rng(e.NameRange), "part(…) is a member of a multipart body, or an element of a list there", "write multipart = { name = "+form+" }")
	}
	if len(e.Args) != 2 || e.ExpandFinal {
		return p.fail(sc, "wrong-arguments", r, fmt.Sprintf("part takes 2 arguments, not %d", len(e.Args)), form)
	}
	value, options := p.lower(e.Args[0], sc.plain()), p.lower(e.Args[1], sc.plain())
	if value == nil || options == nil {
		return nil
	}
	pairs, ok := members(options)
	if !ok {
		return p.fail(sc, "wrong-type", options.Range, "the second argument of part is an object", form)
	}
	for i := 0; i < len(pairs); i += 2 {
		switch key, x := pairs[i].Value.Text, pairs[i+1]; key {
		case "type":
			v := p.known(x, "the type of a part")
			if v == nil {
				return nil
			}
			if problem, advice := checkMediaType(v.Str()); problem != "" {
				return p.fail(sc, "invalid-value", x.Range, "the type of a part "+problem, advice)
			}
		case "filename":
		default:
			names := []string{"filename", "type"}
			return p.fail(sc, "unknown-member", cmpRange(pairs[i].Range, options.Range), fmt.Sprintf("a part has no %q", key), didYouMean(key, names, "it has "))
		}
	}
	return &specs.Expr{Op: specs.ExprCall, Name: partName, Args: []*specs.Expr{value, options}, Range: r}
}

// checkParts checks the names of parts.
func (p *parser) checkParts(list []specs.NamedExpr) {
	for _, e := range list {
		if e.Name == "" || strings.ContainsFunc(e.Name, func(r rune) bool { return r < ' ' || r == 0x7F }) {
			p.add(diag.Diagnostic{Code: "invalid-name", Message: fmt.Sprintf("%q is no name of a part", e.Name), Hint: "names of parts are text without control characters", Range: e.Range})
		}
	}
}

// isFileInput reports whether an input is a file, or a list of files.
func isFileInput(in *specs.Input) (file, list bool) {
	if in == nil || in.Schema == nil {
		return false, false
	}
	file = in.Schema.Get("format").Str() == "binary"
	list = in.Schema.Get("items").Get("format").Str() == "binary"
	return file || list, list
}

// checkFiles refuses files where they cannot be sent. A file is a part of a
// multipart body, or the bytes of a body; elsewhere its text would be sent.
func (p *parser) checkFiles(r *specs.Request, inputs map[string]*specs.Input) {
	var check func(x *specs.Expr, allowed bool)
	check = func(x *specs.Expr, allowed bool) {
		switch {
		case x.Op == specs.ExprArg && !allowed:
			if file, _ := isFileInput(inputs[x.Name]); file {
				p.add(diag.Diagnostic{Code: "does-not-apply", Message: fmt.Sprintf("input %q is a file, which cannot be sent here", x.Name), Hint: "a file is a member of multipart, or bytes; base64 text in JSON has the type string", Range: x.Range})
			}
			return
		case x.Op == specs.ExprCall && (x.Name == "==" || x.Name == "!="):
			return // whether it is given
		case x.Op == specs.ExprCall && x.Name == partName:
			if _, list := isFileInput(inputs[x.Args[0].Name]); list && x.Args[0].Op == specs.ExprArg {
				p.add(diag.Diagnostic{Code: "wrong-type", Message: fmt.Sprintf("part(…) is one file, and input %q is a list of files", x.Args[0].Name), Hint: "write it without part(…): each file is a part then", Range: x.Range})
			}
			check(x.Args[0], allowed)
			check(x.Args[1], false)
			return
		}
		for i, a := range x.Args {
			check(a, allowed && (x.Op == specs.ExprList || x.Op == specs.ExprCond && i > 0))
		}
	}
	for _, x := range requestExprs(r) {
		direct := x == r.Bytes || slices.ContainsFunc(r.Multipart, func(e specs.NamedExpr) bool { return e.Value == x })
		check(x, direct)
	}
}
