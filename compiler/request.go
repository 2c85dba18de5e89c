package compiler

import (
	"cmp"
	"fmt"
	"mime"
	"slices"
	"strings"

	"github.com/mcpc-dev/mcpc/runtime/plan"
	"github.com/mcpc-dev/mcpc/specs"
	"github.com/mcpc-dev/mcpc/specs/diag"
)

// handRequest lowers a request that the author wrote.
func (c *compilation) handRequest(q *specs.Request, a *apiContext, r *plan.Request, in *handInputs) bool {
	arg := in.arg
	*r = plan.Request{Upstream: a.name, Method: strings.ToUpper(q.Method), Accept: "application/json, */*;q=0.5", Security: a.auth.security(nil)}
	path, err := parsePath(q.Path)
	if err != nil {
		c.diags.Add(diag.Diagnostic{Code: "invalid-path", Message: err.Error(), Range: q.PathAt})
		return false
	}
	for _, p := range path.pieces {
		if p.param == "" {
			r.Path = append(r.Path, plan.Segment{Literal: encodeLiteral(p.literal)})
			continue
		}
		out := plan.Param{Name: p.param, Style: plan.Simple, Required: true, AllowReserved: p.reserved}
		setSource(&out, arg(p.param, q.PathAt))
		r.Path = append(r.Path, plan.Segment{Param: &out})
	}
	for _, p := range path.query {
		out := plan.Param{Name: p.name, Style: plan.Form, Explode: true}
		if p.param != "" {
			setSource(&out, arg(p.param, q.PathAt))
		} else {
			setSource(&out, constant(specs.NewString(p.value)))
		}
		r.Query = append(r.Query, out)
	}
	for _, e := range q.Query {
		out := plan.Param{Name: e.Name, Style: plan.Form, Explode: true}
		setSource(&out, lowerExpr(e.Value, arg))
		r.Query = append(r.Query, out)
	}
	for _, e := range q.Headers {
		if !isToken(e.Name) {
			c.diags.Add(diag.Diagnostic{Code: "invalid-name", Message: fmt.Sprintf("%q is no name of a header", e.Name), Hint: "names of headers are letters, digits and -", Range: e.Range})
			continue
		}
		x := lowerExpr(e.Value, arg)
		switch {
		case strings.EqualFold(e.Name, "accept") && x.Op == plan.OpConst && e.Value.Value.Str() != "":
			r.Accept = e.Value.Value.Str()
			continue
		}
		out := plan.Param{Name: e.Name, Style: plan.Simple}
		setSource(&out, x)
		r.Header = append(r.Header, out)
	}
	for _, e := range q.Cookies {
		out := plan.Param{Name: e.Name, Style: plan.StyleCookie}
		setSource(&out, lowerExpr(e.Value, arg))
		r.Cookie = append(r.Cookie, out)
	}
	r.Body = handBody(q, in)
	if q.SOAP != nil {
		soapHeaders(q.SOAP, r)
	}
	if q.ContentType != nil {
		r.Header = slices.DeleteFunc(r.Header, func(h plan.Param) bool { return strings.EqualFold(h.Name, "content-type") })
	}
	if r.Body != nil && q.ContentType == nil && q.SOAP == nil {
		for i := range r.Header {
			// The author's word on the type of the body.
			if h := &r.Header[i]; strings.EqualFold(h.Name, "content-type") && h.Value != nil && h.Value.Op == plan.OpConst {
				r.Body.Media = strings.Trim(h.Value.Const, `"`)
				r.Header = slices.Delete(r.Header, i, i+1)
				break
			}
		}
	}
	if len(r.Header) == 0 {
		r.Header = nil
	}
	return true
}

// setSource says where a parameter's value comes from: an argument as the
// client wrote it, or an expression.
func setSource(p *plan.Param, x plan.Expr) {
	if x.Op == plan.OpArg {
		p.Arg = x.Name
		return
	}
	p.Value = &x
}

// handBody lowers the body that the author wrote; nil when there is none.
func handBody(q *specs.Request, in *handInputs) *plan.Body {
	media := ""
	if q.ContentType != nil {
		media = q.ContentType.Value
	}
	b := &plan.Body{}
	whole := func(x *specs.Expr, codec plan.Codec, standard string) {
		b.Codec, b.Media, b.Required = codec, cmp.Or(media, standard), true
		v := lowerExpr(x, in.arg)
		if v.Op == plan.OpArg {
			b.Arg, b.Required = v.Name, false
		} else {
			b.Value = &v
		}
	}
	switch {
	case q.JSON != nil:
		whole(q.JSON, plan.JSON, "application/json")
	case q.Text != nil:
		whole(q.Text, plan.Text, "text/plain; charset=utf-8")
	case q.Bytes != nil:
		whole(q.Bytes, plan.Bytes, "")
	case q.XML != nil:
		b.Codec, b.Media, b.Required = plan.XML, cmp.Or(media, "application/xml"), true
		v := lowerExpr(q.XML, in.arg)
		if name := charset(b.Media); name != "" && !startsWith(v, "<?xml") {
			v = template(constant(specs.NewString(xmlProlog(name))), v)
		}
		b.Value = &v
	case q.SOAP != nil:
		return envelope(q.SOAP, media, in)
	case len(q.Form) > 0:
		x := plan.Expr{Op: plan.OpObject}
		for _, e := range q.Form {
			x.Args = append(x.Args, constant(specs.NewString(e.Name)), lowerExpr(e.Value, in.arg))
		}
		b.Media, b.Codec, b.Value, b.Required = cmp.Or(media, "application/x-www-form-urlencoded"), plan.FormCodec, &x, true
	case len(q.Multipart) > 0:
		x := plan.Expr{Op: plan.OpObject}
		for _, e := range q.Multipart {
			v, f := in.part(e)
			x.Args = append(x.Args, constant(specs.NewString(e.Name)), v)
			b.Fields = append(b.Fields, f)
		}
		b.Media, b.Codec, b.Value, b.Required = cmp.Or(mediaType(media), "multipart/form-data"), plan.Multipart, &x, true
	default:
		return nil
	}
	return b
}

// part lowers a member of a multipart body. A file is sent with a name; so is
// what the author gives one. All else is a field.
func (h *handInputs) part(e specs.NamedExpr) (plan.Expr, plan.Field) {
	f := plan.Field{Name: e.Name}
	items := []*specs.Expr{e.Value}
	if e.Value.Op == specs.ExprList {
		items = e.Value.Args
	}
	for _, x := range items {
		value, filename, media := partOf(x)
		f.Binary = f.Binary || filename != nil || h.isFile(value)
		if len(items) == 1 {
			f.Media = media
		}
	}
	list := plan.Expr{Op: plan.OpList}
	for _, x := range items {
		value, filename, media := partOf(x)
		v := lowerExpr(value, h.arg)
		if f.Binary && (x != value || !h.isFile(value)) {
			v = h.filePart(value, v, filename, media)
		}
		list.Args = append(list.Args, v)
	}
	if e.Value.Op == specs.ExprList {
		return list, f
	}
	return list.Args[0], f
}

// partOf takes part(value, { filename, type }) apart; of all else only the value
// is there.
func partOf(x *specs.Expr) (value, filename *specs.Expr, media string) {
	if x.Op != specs.ExprCall || x.Name != "part" {
		return x, nil, ""
	}
	option := func(name string) *specs.Expr {
		o := x.Args[1]
		if o.Op == specs.ExprConst {
			if v := o.Value.Get(name); v != nil {
				return &specs.Expr{Op: specs.ExprConst, Value: v, Range: o.Range}
			}
			return nil
		}
		for i := 0; i+1 < len(o.Args); i += 2 {
			if o.Args[i].Value.Str() == name {
				return o.Args[i+1]
			}
		}
		return nil
	}
	if t := option("type"); t != nil {
		media = t.Value.Str()
	}
	return x.Args[0], option("filename"), media
}

// filePart is what the runtime takes for a file: {filename, content_type, data},
// or with text instead of data. It is null when there is no value.
func (h *handInputs) filePart(x *specs.Expr, value plan.Expr, filename *specs.Expr, media string) plan.Expr {
	o := plan.Expr{Op: plan.OpObject}
	set := func(key string, v plan.Expr) { o.Args = append(o.Args, constant(specs.NewString(key)), v) }
	if filename != nil {
		set("filename", lowerExpr(filename, h.arg))
	}
	if h.isFile(x) {
		set("data", value)
	} else {
		set("text", call("tostring", value))
		media = cmp.Or(media, "text/plain; charset=utf-8")
	}
	if media != "" {
		set("content_type", constant(specs.NewString(media)))
	}
	if value.Op == plan.OpConst {
		return o
	}
	return whenGiven(value, o, constant(nil))
}

// isFile reports whether a value is an input of type file, or a list of those.
func (h *handInputs) isFile(x *specs.Expr) bool {
	if x.Op == specs.ExprCond {
		return h.isFile(x.Args[1]) || h.isFile(x.Args[2])
	}
	return x.Op == specs.ExprArg && (slices.Contains(h.files, x.Name) || slices.Contains(h.lists, x.Name))
}

// soapVersion is what differs between the versions of SOAP.
type soapVersion struct {
	namespace, media, accept string
}

func soapOf(m *specs.SOAP) soapVersion {
	if m.Version != nil && m.Version.Value == "1.2" {
		return soapVersion{"http://www.w3.org/2003/05/soap-envelope", "application/soap+xml", "application/soap+xml, text/xml;q=0.9, */*;q=0.5"}
	}
	return soapVersion{"http://schemas.xmlsoap.org/soap/envelope/", "text/xml", "text/xml, */*;q=0.5"}
}

// envelope is the message around what the author wrote.
func envelope(m *specs.SOAP, media string, in *handInputs) *plan.Body {
	v := soapOf(m)
	kind, params, err := mime.ParseMediaType(cmp.Or(media, v.media))
	if err != nil {
		kind, params = v.media, map[string]string{} // the front-end has refused it
	}
	encoding := cmp.Or(params["charset"], "utf-8")
	params["charset"] = encoding
	if v.media != "text/xml" && m.Action != nil && params["action"] == "" {
		params["action"] = m.Action.Value
	}
	markup := func(s string) plan.Expr { return constant(specs.NewString(s)) }
	parts := []plan.Expr{markup(xmlProlog(encoding) + `<soap:Envelope xmlns:soap="` + v.namespace + `">`)}
	if m.Header != nil {
		parts = append(parts, markup("<soap:Header>"), lowerExpr(m.Header, in.arg), markup("</soap:Header>"))
	}
	parts = append(parts, markup("<soap:Body>"), lowerExpr(m.XML, in.arg), markup("</soap:Body></soap:Envelope>"))
	x := template(parts...)
	return &plan.Body{Codec: plan.XML, Media: mime.FormatMediaType(kind, params), Value: &x, Required: true}
}

// soapHeaders sets what a SOAP message needs beside its envelope.
func soapHeaders(m *specs.SOAP, r *plan.Request) {
	v := soapOf(m)
	if strings.HasPrefix(r.Accept, "application/json,") { // the author said nothing
		r.Accept = v.accept
	}
	if v.media != "text/xml" {
		return
	}
	action := ""
	if m.Action != nil {
		action = m.Action.Value
	}
	for _, h := range r.Header {
		if strings.EqualFold(h.Name, "soapaction") {
			return
		}
	}
	x := constant(specs.NewString(`"` + action + `"`))
	r.Header = append(r.Header, plan.Param{Name: "SOAPAction", Style: plan.Simple, Value: &x})
}

func xmlProlog(encoding string) string { return `<?xml version="1.0" encoding="` + encoding + `"?>` }

// charset is the charset that a media type names, or "".
func charset(media string) string {
	_, params, err := mime.ParseMediaType(media)
	if err != nil {
		return ""
	}
	return params["charset"]
}

// startsWith reports whether a text is known to begin so.
func startsWith(x plan.Expr, s string) bool {
	for x.Op == plan.OpTemplate && len(x.Args) > 0 {
		x = x.Args[0]
	}
	return x.Op == plan.OpConst && strings.HasPrefix(strings.TrimPrefix(x.Const, `"`), s)
}

// template joins texts. Neighbouring constants become one.
func template(parts ...plan.Expr) plan.Expr {
	out := plan.Expr{Op: plan.OpTemplate}
	for _, x := range parts {
		list := []plan.Expr{x}
		if x.Op == plan.OpTemplate {
			list = x.Args
		}
		for _, x := range list {
			if n := len(out.Args); n > 0 && x.Op == plan.OpConst && out.Args[n-1].Op == plan.OpConst {
				out.Args[n-1].Const = strings.TrimSuffix(out.Args[n-1].Const, `"`) + strings.TrimPrefix(x.Const, `"`)
				continue
			}
			out.Args = append(out.Args, x)
		}
	}
	return out
}
