package codegen

import (
	"strconv"
	"strings"

	"github.com/dave/jennifer/jen"
)

// Declarations of types.

// underlying follows aliases to the type that is declared, or to one that needs
// no declaration.
func (t *typ) underlying() *typ {
	for t.kind == named && t.decl.real().form == aliasOf {
		t = t.decl.real().elem
	}
	return t
}

// holdsNull reports whether the Go type can say null itself.
func (t *typ) holdsNull() bool {
	u := t.underlying()
	return u.kind == raw || u.kind == named && u.decl.real().form == unionType
}

// holdsNothing reports whether the zero value of the Go type can stand for an
// absent member: it is no JSON value.
func (t *typ) holdsNothing() bool {
	u := t.underlying()
	switch u.kind {
	case raw, slice, mapping:
		return true
	case named:
		d := u.decl.real()
		return d.form == unionType || d.form == definedAs
	}
	return false
}

// code is the type, null aside.
func (t *typ) code() *jen.Statement {
	switch t.kind {
	case builtin:
		return id(t.name)
	case formatted:
		return qual(typedPath, t.name)
	case slice:
		return jen.Index().Add(t.elem.valueCode())
	case mapping:
		return jen.Map(jen.String()).Add(t.elem.valueCode())
	case named:
		return id(t.decl.real().name)
	}
	return qual("encoding/json", "RawMessage")
}

// valueCode is the type of a value that is always there: null is a nil pointer.
func (t *typ) valueCode() *jen.Statement {
	if t.nullable() && !t.holdsNull() {
		return op("*").Add(t.code())
	}
	return t.code()
}

// code is the type and the tag of a field.
func (f *field) code(in *decl) *jen.Statement {
	t := f.typ
	if f.required {
		c := t.valueCode()
		if t.kind == named && !t.nullable() && in.circle > 0 && t.decl.real().circle == in.circle {
			c = op("*").Add(c)
		}
		return id(f.name).Add(c).Tag(map[string]string{"json": f.key})
	}
	tag := map[string]string{"json": f.key + ",omitzero"}
	switch {
	case t.nullable() && !t.holdsNull():
		return id(f.name).Add(qual(typedPath, "Nullable")).Types(t.code()).Tag(tag)
	case t.holdsNothing():
		return id(f.name).Add(t.code()).Tag(tag)
	}
	return id(f.name).Add(op("*")).Add(t.code()).Tag(tag)
}

// print declares d and its parts.
func (d *decl) print(f *jen.File, about string) {
	text := d.name + " " + about
	if d.doc != "" {
		text += "\n\n" + d.doc
	}
	switch d.form {
	case aliasOf:
		if !d.isPart() || d.elem.kind != named {
			f.Add(doc(text, jen.Type().Add(id(d.name)).Add(op("=")).Add(d.elem.code())))
		}
	case definedAs:
		f.Add(doc(text, jen.Type().Add(id(d.name)).Add(d.elem.code())))
	case structType:
		d.printStruct(f, text)
	case enumType:
		d.printEnum(f, text)
	case unionType:
		d.printUnion(f, text)
	}
	f.Line()
	for _, p := range d.parts {
		p.print(f, "is part of "+d.name+".")
	}
}

func (d *decl) isPart() bool { return d.suffix != "" }

func (d *decl) printStruct(f *jen.File, text string) {
	f.Add(doc(text, jen.Type().Add(id(d.name)).StructFunc(func(g *jen.Group) {
		for _, x := range d.fields {
			g.Add(doc(x.doc, x.code(d)))
		}
		if d.extra != nil {
			g.Add(doc("Members that have no field of their own.", id(d.extraName()).Map(jen.String()).Add(d.extra.valueCode()).Tag(map[string]string{"json": ",embed"})))
		}
	})))
	if d.extra == nil {
		return
	}
	// encoding/json does not know the option embed.
	f.Line().Add(doc("MarshalJSON writes all members.",
		jen.Func().Params(id("v").Add(id(d.name))).Add(id("MarshalJSON")).Params().Params(jen.Index().Byte(), jen.Error()).Block(
			jen.Type().Add(id("plain")).Add(id(d.name)),
			jen.Return(qual(typedPath, "Marshal").Call(id("plain").Call(id("v")))),
		)))
	f.Line().Add(doc("UnmarshalJSON reads all members.",
		jen.Func().Params(id("v").Add(op("*")).Add(id(d.name))).Add(id("UnmarshalJSON")).Params(id("b").Index().Byte()).Error().Block(
			jen.Type().Add(id("plain")).Add(id(d.name)),
			jen.Return(qual(typedPath, "Unmarshal").Call(id("b"), jen.Parens(op("*").Add(id("plain"))).Call(id("v")))),
		)))
}

// extraName is the field for members without one.
func (d *decl) extraName() string {
	name := "AdditionalProperties"
	for _, f := range d.fields {
		if f.name == name {
			return name + hashed(f.key)
		}
	}
	return name
}

func (d *decl) printEnum(f *jen.File, text string) {
	f.Add(doc(text, jen.Type().Add(id(d.name)).Add(d.elem.code())))
	f.Line().Add(doc("Values of "+d.name+".", jen.Const().DefsFunc(func(g *jen.Group) {
		for i, v := range d.values {
			c := id(d.constants[i]).Add(id(d.name)).Add(op("="))
			if d.elem.name == "string" {
				g.Add(c.Lit(v))
				continue
			}
			n, err := strconv.ParseInt(v, 10, 64)
			if err != nil {
				panic(err) // the builder lets none through
			}
			g.Add(c.Lit(int(n)))
		}
	})))
}

func (d *decl) printUnion(f *jen.File, text string) {
	names := make([]string, len(d.variants))
	for i, v := range d.variants {
		names[i] = v.name
	}
	text += "\n\nIt holds one of " + strings.Join(names, ", ") + ": As… reads the value as that, Set… writes it, and JSON is the value as it came."
	f.Add(doc(text, jen.Type().Add(id(d.name)).Struct(qual(typedPath, "Union"))))
	for _, v := range d.variants {
		f.Line().Add(doc("As"+v.name+" reads the value. An error says that it does not fit.",
			jen.Func().Params(id("u").Add(id(d.name))).Add(id("As"+v.name)).Params().Params(id("v").Add(v.typ.code()), id("err").Error()).Block(
				id("err").Add(op("=")).Add(dot(id("u"), "As")).Call(op("&").Add(id("v"))),
				jen.Return(id("v"), id("err")),
			)))
		f.Line().Add(doc("Set"+v.name+" makes v the value.",
			jen.Func().Params(id("u").Add(op("*")).Add(id(d.name))).Add(id("Set"+v.name)).Params(id("v").Add(v.typ.code())).Params(id("err").Error()).Block(
				jen.List(dot(id("u"), "Union"), id("err")).Add(op("=")).Add(qual(typedPath, "UnionOf")).Call(id("v")),
				jen.Return(id("err")),
			)))
	}
}
