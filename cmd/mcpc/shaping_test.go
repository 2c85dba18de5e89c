package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/mcpc-dev/mcpc/compiler"
	"github.com/mcpc-dev/mcpc/runtime"
)

// randomDoc are random schemas of an answer and values that they allow.
type randomDoc struct{ *rand.Rand }

var randomNames = []string{"a", "b", "ab", "c"}

// schema writes a schema; named ones are N0 and N1.
func (d randomDoc) schema(depth int) any {
	kind := d.IntN(9)
	if depth == 0 {
		kind = d.IntN(3)
	}
	switch kind {
	case 0:
		return map[string]any{"type": "integer", "enum": []any{1, 2}}
	case 1:
		return map[string]any{"type": []any{"string", "null"}}
	case 2:
		return map[string]any{"type": "boolean"}
	case 3, 4, 5:
		props, required := map[string]any{}, []any{}
		for _, name := range randomNames {
			if d.IntN(3) == 0 {
				continue
			}
			props[name] = d.schema(depth - 1)
			if d.IntN(2) == 0 {
				required = append(required, name)
			}
		}
		s := map[string]any{"type": "object", "properties": props, "required": required}
		switch d.IntN(4) {
		case 0:
			s["additionalProperties"] = false
			s["minProperties"] = len(required)
		case 1:
			s["additionalProperties"] = d.schema(depth - 1)
		case 2:
			s["type"] = []any{"object", "null"}
		}
		return s
	case 6, 7:
		return map[string]any{"type": "array", "items": d.schema(depth - 1), "minItems": d.IntN(2), "uniqueItems": false}
	}
	switch d.IntN(3) {
	case 0:
		return map[string]any{"anyOf": []any{d.schema(depth - 1), d.schema(depth - 1)}}
	case 1:
		return map[string]any{"allOf": []any{map[string]any{"$ref": "#/components/schemas/N" + fmt.Sprint(d.IntN(2))}}}
	}
	return map[string]any{"$ref": "#/components/schemas/N" + fmt.Sprint(d.IntN(2))}
}

// value writes a value that a schema allows.
func (d randomDoc) value(s any, named []any, depth int) any {
	m := s.(map[string]any)
	if ref, ok := m["$ref"].(string); ok {
		return d.value(named[ref[len(ref)-1]-'0'], named, depth-1)
	}
	if any, ok := m["anyOf"].([]any); ok {
		return d.value(any[d.IntN(2)], named, depth)
	}
	if all, ok := m["allOf"].([]any); ok {
		return d.value(all[0], named, depth)
	}
	kind := m["type"]
	if list, ok := kind.([]any); ok {
		if kind = list[0]; d.IntN(3) == 0 {
			return nil
		}
	}
	switch kind {
	case "integer":
		return 1 + d.IntN(2)
	case "string":
		return "x"
	case "boolean":
		return d.IntN(2) == 0
	case "array":
		list := []any{}
		n := m["minItems"].(int)
		if depth > 0 {
			n += d.IntN(3)
		}
		for range n {
			list = append(list, d.value(m["items"], named, depth-1))
		}
		return list
	}
	v := map[string]any{}
	for name, p := range m["properties"].(map[string]any) {
		if slices.Contains(m["required"].([]any), any(name)) || depth > 0 && d.IntN(2) == 0 {
			v[name] = d.value(p, named, depth-1)
		}
	}
	if extra, ok := m["additionalProperties"].(map[string]any); ok && depth > 0 {
		for _, name := range []string{"xb", "y"} {
			if d.IntN(2) == 0 {
				v[name] = d.value(extra, named, depth-1)
			}
		}
	}
	return v
}

func (d randomDoc) paths() string {
	var list []string
	for range 1 + d.IntN(3) {
		var path []string
		for range 1 + d.IntN(3) {
			path = append(path, []string{"a", "b", "ab", "c", "a*", "*b", "*", "**.a", "**.c", "d"}[d.IntN(10)])
		}
		list = append(list, fmt.Sprintf("%q", strings.Join(path, ".")))
	}
	return "[" + strings.Join(list, ", ") + "]"
}

// What a selection leaves of an answer is what the derived output schema
// promises, whatever the document's schema and the selection are.
func TestOutputSchemasFollowSelections(t *testing.T) {
	promised, delivered := 0, 0
	for seed := range uint64(250) {
		d := randomDoc{rand.New(rand.NewPCG(seed, 7))}
		named := []any{map[string]any{"type": "object", "properties": map[string]any{"a": map[string]any{"type": "integer"}, "b": map[string]any{"$ref": "#/components/schemas/N1"}}, "required": []any{"a"}}, nil}
		named[1] = map[string]any{"type": "object", "properties": map[string]any{"c": map[string]any{"type": "array", "items": map[string]any{"$ref": "#/components/schemas/N1"}, "minItems": 0}, "a": d.schema(1)}, "required": []any{"c"}}
		answer := d.schema(4)
		for ; answer.(map[string]any)["properties"] == nil && answer.(map[string]any)["items"] == nil; answer = d.schema(4) {
		}
		doc, err := json.Marshal(map[string]any{
			"openapi": "3.1.0", "info": map[string]any{"title": "T", "version": "1"}, "servers": []any{map[string]any{"url": "https://api.example.com"}},
			"paths": map[string]any{"/x": map[string]any{"get": map[string]any{"operationId": "x", "responses": map[string]any{"200": map[string]any{"description": "ok",
				"content": map[string]any{"application/json": map[string]any{"schema": answer}}}}}}},
			"components": map[string]any{"schemas": map[string]any{"N0": named[0], "N1": named[1]}},
		})
		if err != nil {
			t.Fatal(err)
		}
		var shaping strings.Builder
		if d.IntN(3) == 0 {
			fmt.Fprintf(&shaping, "root = %q\n", randomNames[d.IntN(4)]+[]string{"", "[]"}[d.IntN(2)])
		}
		if d.IntN(2) == 0 {
			shaping.WriteString("fields = " + d.paths() + "\n")
		}
		if d.IntN(2) == 0 {
			shaping.WriteString("drop = " + d.paths() + "\n")
		}
		if d.IntN(4) == 0 {
			shaping.WriteString("rename = { a = \"d\", c = \"ab\" }\n")
		}
		if d.IntN(4) == 0 {
			shaping.WriteString("max_items = 1\n")
		}
		dir := t.TempDir()
		hcl := "api \"t\" { openapi = \"doc.json\" }\ntool \"x\" {\n operation = api.t[\"x\"]\n response {\n" + shaping.String() + "}\n}\n"
		for name, text := range map[string][]byte{"doc.json": doc, "spec.hcl": []byte(hcl)} {
			if err := os.WriteFile(filepath.Join(dir, name), text, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		r, err := compiler.Compile(t.Context(), compiler.Options{Target: dir})
		if err != nil || r.Plan == nil {
			t.Fatalf("%v %v\n%s", err, r, hcl)
		}
		if r.Plan.Tools[0].Output == "" {
			continue
		}
		promised++
		var body []byte
		var log bytes.Buffer
		server, err := runtime.New(r.Plan, runtime.Options{Logger: slog.New(slog.NewTextHandler(&log, nil)), Transport: answers(func(r *http.Request) *http.Response {
			return &http.Response{Request: r, StatusCode: 200, ContentLength: int64(len(body)), Header: http.Header{"Content-Type": {"application/json"}}, Body: io.NopCloser(bytes.NewReader(body))}
		})})
		if err != nil {
			t.Fatal(err)
		}
		for range 8 { // the first sixteen answers are checked
			v := d.value(answer, named, 4)
			if v == nil {
				continue // whoever answers null answers nothing
			}
			if body, err = json.Marshal(v); err != nil {
				t.Fatal(err)
			}
			res, err := server.Call(t.Context(), runtime.Principal{}, "x", nil)
			if err != nil || res.IsError {
				t.Fatalf("seed %d: %v %+v %s\nof %s with\n%s", seed, err, res, log.String(), body, shaping.String())
			}
			delivered++
			if strings.Contains(log.String(), "output schema") {
				t.Fatalf("seed %d: %s\nof %s\nwith\n%s\nis %s\nand not %s", seed, log.String(), body, shaping.String(), res.Structured, r.Plan.Tools[0].Output)
			}
			log.Reset()
		}
	}
	if promised < 100 || delivered < 500 {
		t.Errorf("only %d schemas, %d answers", promised, delivered)
	}
}

// answers is an upstream.
type answers func(*http.Request) *http.Response

func (f answers) RoundTrip(r *http.Request) (*http.Response, error) { return f(r), nil }
