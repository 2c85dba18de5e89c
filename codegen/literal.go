package codegen

import (
	"reflect"
	"time"

	"github.com/dave/jennifer/jen"

	"github.com/mcpc-dev/mcpc/runtime/plan"
)

// literal prints a plan value as a Go literal: what is zero is left out, so that
// the literal is the value. It knows no field of the plan by name; a new one is
// printed like the others. named replaces some values by expressions; elide leaves
// the type to the slice that the value is an element of.
func literal(v reflect.Value, named map[plan.Schema]*jen.Statement, elide bool) *jen.Statement {
	switch v.Kind() {
	case reflect.Bool:
		return jen.Lit(v.Bool())
	case reflect.String:
		if s, ok := v.Interface().(plan.Schema); ok && named[s] != nil {
			return named[s]
		}
		return jen.Lit(v.String())
	case reflect.Int, reflect.Int64:
		if d, ok := v.Interface().(time.Duration); ok && d%time.Millisecond == 0 {
			unit, n := "Millisecond", d/time.Millisecond
			if d%time.Second == 0 {
				unit, n = "Second", d/time.Second
			}
			return jen.Lit(int(n)).Add(op("*")).Add(qual("time", unit))
		}
		return jen.Lit(int(v.Int()))
	case reflect.Pointer:
		return op("&").Add(literal(v.Elem(), named, false))
	case reflect.Slice:
		list := make([]jen.Code, v.Len())
		for i := range list {
			list[i] = literal(v.Index(i), named, true)
		}
		s := braces(list, v.Type().Elem().Kind() != reflect.String)
		if elide {
			return s
		}
		return jen.Add(typeName(v.Type())).Add(s)
	case reflect.Struct:
		var fields []jen.Code
		lines := false
		for i := range v.NumField() {
			if f := v.Field(i); !f.IsZero() {
				fields = append(fields, id(v.Type().Field(i).Name).Add(op(":")).Add(literal(f, named, false)))
				lines = lines || !simple(f)
			}
		}
		s := braces(fields, lines || len(fields) > 4)
		if elide {
			return s
		}
		return jen.Add(typeName(v.Type())).Add(s)
	}
	panic("codegen: no literal for " + v.Type().String())
}

// simple reports whether a value is short enough to share a line with others.
func simple(v reflect.Value) bool {
	switch v.Kind() {
	case reflect.Struct, reflect.Slice, reflect.Pointer:
		return false
	case reflect.String:
		return v.Len() < 40
	}
	return true
}

func braces(list []jen.Code, lines bool) *jen.Statement {
	return jen.Custom(jen.Options{Open: "{", Close: "}", Separator: ",", Multi: lines && len(list) > 0}, list...)
}

// typeName is a type of the plan, or a slice of one.
func typeName(t reflect.Type) *jen.Statement {
	switch {
	case t.Kind() == reflect.Slice && t.Name() == "": // plan.Path has a name
		return jen.Index().Add(typeName(t.Elem()))
	case t.PkgPath() == "":
		return id(t.Name())
	}
	return qual(planPath, t.Name())
}
