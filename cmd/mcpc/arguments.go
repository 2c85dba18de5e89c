package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/mcpc-dev/mcpc/runtime/plan"
)

// arguments are the two ways to give a tool its arguments on a command line.
type arguments struct {
	json string
}

func (g *arguments) flags(cmd *cobra.Command) {
	cmd.Flags().StringVar(&g.json, "json-args", "", "")
	cmd.Flags().StringVar(&g.json, "args", "", "") // the same, shorter
}

// read returns the arguments as JSON text: those of --json-args exactly as they
// are given, or the words k=v typed by the tool's schema.
func (g *arguments) read(a *app, t *plan.Tool, words []string) ([]byte, error) {
	if g.json == "" {
		return typedArguments(t, words)
	}
	if len(words) > 0 {
		return nil, usagef("arguments come either as K=V or by --json-args, not both")
	}
	switch name, isFile := strings.CutPrefix(g.json, "@"); {
	case g.json == "-":
		b, err := io.ReadAll(a.stdin)
		if err != nil {
			return nil, failed(fmt.Errorf("read the arguments: %w", err))
		}
		return b, nil
	case isFile:
		b, err := os.ReadFile(name)
		if err != nil {
			return nil, failed(fmt.Errorf("--json-args: %w", err))
		}
		return b, nil
	}
	return []byte(g.json), nil
}

// typedArguments makes one JSON object of words:
//
//	k=v         v in the type the schema has for k
//	k:=JSON     JSON as it is
//	a.b=v       member b of the object a
//	k=v k=w     two elements, when k is an array
//
// It does not judge: a value that is not of its type is passed on as text, and
// the check of the call says what is wrong with it.
func typedArguments(t *plan.Tool, words []string) ([]byte, error) {
	root := newSchemaView(t.Input)
	args := map[string]any{}
	for _, w := range words {
		key, value, ok := strings.Cut(w, "=")
		if !ok || key == "" || key == ":" {
			return nil, usagef("argument %q is not of the form K=V or K:=JSON", w)
		}
		raw := strings.HasSuffix(key, ":")
		if key = strings.TrimSuffix(key, ":"); raw && !json.Valid([]byte(value)) {
			return nil, usagef("argument %q: what follows := is not JSON", w)
		}
		path, at := root.find(key)
		into := args
		for _, name := range path[:len(path)-1] {
			next, ok := into[name].(map[string]any)
			if !ok {
				if into[name] != nil {
					return nil, usagef("argument %q: %s has a value already", w, name)
				}
				next = map[string]any{}
				into[name] = next
			}
			into = next
		}
		name := path[len(path)-1]
		var v any = json.RawMessage(value)
		if !raw {
			v = at.value(value)
		}
		if list, ok := v.([]any); ok { // an element of an array
			before, _ := into[name].([]any)
			v = append(before, list...)
		} else if into[name] != nil {
			return nil, usagef("argument %q: %s is given twice", w, key)
		}
		into[name] = v
	}
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(args); err != nil {
		return nil, usagef("arguments: %v", err)
	}
	return bytes.TrimSpace(b.Bytes()), nil
}

// schemaView is a place in a tool's input schema.
type schemaView struct {
	root, at map[string]any
}

func newSchemaView(s plan.Schema) schemaView {
	var m map[string]any
	if json.Unmarshal([]byte(s), &m) != nil {
		return schemaView{}
	}
	return schemaView{m, m}
}

// find splits a dotted key into the names of nested properties. A property
// whose own name has a dot wins over a nested one.
func (v schemaView) find(key string) ([]string, schemaView) {
	if at, ok := v.property(key); ok {
		return []string{key}, at
	}
	for i := len(key) - 1; i > 0; i-- {
		if key[i] != '.' {
			continue
		}
		if at, ok := v.property(key[:i]); ok && key[i+1:] != "" {
			rest, at := at.find(key[i+1:])
			return append([]string{key[:i]}, rest...), at
		}
	}
	if first, rest, ok := strings.Cut(key, "."); ok && first != "" && rest != "" && v.open() {
		names, at := schemaView{root: v.root}.find(rest)
		return append([]string{first}, names...), at
	}
	return []string{key}, schemaView{root: v.root}
}

// open reports whether v says nothing of its properties, so that any may be.
func (v schemaView) open() bool {
	return !slices.ContainsFunc(v.parts(0), func(m map[string]any) bool { return m["properties"] != nil })
}

func (v schemaView) property(name string) (schemaView, bool) {
	for _, m := range v.parts(0) {
		properties, _ := m["properties"].(map[string]any)
		if p, ok := properties[name]; ok {
			at, _ := p.(map[string]any)
			return schemaView{v.root, at}, true
		}
	}
	return schemaView{root: v.root}, false
}

// parts are the schemas that together, or one of them, describe the place:
// itself, what it refers to, and the members of allOf, anyOf and oneOf.
func (v schemaView) parts(depth int) []map[string]any {
	if v.at == nil || depth > 16 {
		return nil
	}
	list := []map[string]any{v.at}
	if ref, ok := v.at["$ref"].(string); ok {
		defs, _ := v.root["$defs"].(map[string]any)
		name := strings.TrimPrefix(ref, "#/$defs/")
		at, _ := defs[strings.NewReplacer("~1", "/", "~0", "~").Replace(name)].(map[string]any)
		list = append(list, schemaView{v.root, at}.parts(depth+1)...)
	}
	for _, k := range []string{"allOf", "anyOf", "oneOf"} {
		members, _ := v.at[k].([]any)
		for _, m := range members {
			at, _ := m.(map[string]any)
			list = append(list, schemaView{v.root, at}.parts(depth+1)...)
		}
	}
	return list
}

// types are the JSON types the place allows, as far as they are said.
func (v schemaView) types() (types []string) {
	for _, m := range v.parts(0) {
		switch t := m["type"].(type) {
		case string:
			types = append(types, t)
		case []any:
			for _, one := range t {
				if s, ok := one.(string); ok {
					types = append(types, s)
				}
			}
		}
	}
	return types
}

// value is a word in the type of the place. A []any is one element of an array.
func (v schemaView) value(word string) any {
	types := v.types()
	has := func(t string) bool { return slices.Contains(types, t) }
	valid := json.Valid([]byte(word))
	begins := func(c byte) bool { return valid && strings.TrimSpace(word)[0] == c }
	switch {
	case has("array") && begins('['), has("object") && begins('{'):
		return json.RawMessage(word)
	case has("array") && !has("string"):
		for _, m := range v.parts(0) {
			if items, ok := m["items"].(map[string]any); ok {
				return []any{schemaView{v.root, items}.value(word)}
			}
		}
		return []any{word}
	case has("string"):
		return word
	case has("boolean") && (word == "true" || word == "false"),
		has("null") && word == "null",
		(has("integer") || has("number")) && valid && strings.ContainsAny(word[:1], "-0123456789"):
		return json.RawMessage(word)
	}
	return word
}
