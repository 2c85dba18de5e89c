package openapi

import (
	"errors"

	"github.com/getkin/kin-openapi/openapi3"

	"github.com/mcpc-dev/mcpc/specs"
)

// This file is all that kin-openapi does here: it knows the defaults of the
// standard for how values are written, and which combinations exist. It gets
// typed values with an empty schema, for less than a microsecond each. It does
// not get text: its decoder takes 100 µs for one operation and as long as all
// the rest of reading GitHub's document for that one, loses the whole of a
// document over one bad node, and rounds numbers above 2^53.

// style reads how an array or object is written into a parameter of OpenAPI 3.
func (p *parser) style(param *specs.Param, n *specs.Node) {
	typed := openapi3.Parameter{
		Name: param.Name, In: string(param.In), Style: p.text(n.Get("style")),
		Required: param.Required, AllowReserved: param.AllowReserved,
	}
	if explode, known := p.flag(n.Get("explode"), "explode"); known {
		typed.Explode = &explode
	}
	if param.Media != "" {
		typed.Content = openapi3.Content{param.Media: {Schema: p.anySchema}}
	} else {
		typed.Schema = p.anySchema
	}
	if param.In == specs.InCookie && typed.Style == "cookie" { // of OpenAPI 3.2, which kin-openapi does not know
		param.Style, param.Explode = typed.Style, typed.Explode == nil || *typed.Explode
		return
	}
	var wrong *openapi3.InvalidSerializationMethodError
	switch err := typed.Validate(p.ctx); {
	case errors.As(err, &wrong) && typed.Style == "deepObject" && param.In == specs.InQuery:
		p.warn("odd-style", n.Get("explode").Range(), "", "the style deepObject exists only with explode: true; it is read so")
		typed.Explode = nil
	case errors.As(err, &wrong):
		typed.Style = ""
		method, err := typed.SerializationMethod()
		if err == nil {
			p.warn("odd-style", n.Get("style").Range(), p.styles(param.In), "the style %q does not exist for a parameter in %s; %s is used", clip(wrong.Style), param.In, method.Style)
		}
	case err != nil:
		p.warn("odd-parameter", n.Range(), "", "the parameter %q breaks a rule of OpenAPI: %s", clip(param.Name), clip(err.Error()))
	}
	if method, err := typed.SerializationMethod(); err == nil {
		param.Style, param.Explode = method.Style, method.Explode
	}
}

// styles is a hint that lists the styles of parameters in a place.
func (p *parser) styles(in specs.In) string {
	switch in {
	case specs.InPath:
		return "allowed are simple, label and matrix"
	case specs.InQuery:
		return "allowed are form, spaceDelimited, pipeDelimited and deepObject"
	case specs.InCookie:
		if p.version == v32 {
			return "allowed are form and cookie"
		}
		return "allowed is form"
	}
	return "allowed is simple"
}

// encodingStyle checks how a property of a form is written.
func (p *parser) encodingStyle(enc *specs.Encoding, n *specs.Node) {
	typed := openapi3.Encoding{Style: enc.Style, Explode: enc.Explode}
	var wrong *openapi3.InvalidSerializationMethodError
	if err := typed.Validate(p.ctx); !errors.As(err, &wrong) {
		return
	}
	if enc.Style == "deepObject" {
		p.warn("odd-style", n.Get("explode").Range(), "", "the style deepObject exists only with explode: true; it is read so")
		enc.Explode = nil
		return
	}
	p.warn("odd-style", n.Get("style").Range(), "allowed are form, spaceDelimited, pipeDelimited and deepObject", "the style %q does not exist for a property of a form; it is left out", clip(enc.Style))
	enc.Style = ""
}
