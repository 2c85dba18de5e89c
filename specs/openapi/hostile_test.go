package openapi

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/mcpc-dev/mcpc/specs"
)

// Documents made to exhaust a reader. Each must be read within seconds: the
// limit is far above what they take and far below what a naive reader needs.
func TestHostileDocuments(t *testing.T) {
	head := "openapi: 3.0.3\ninfo: {title: t, version: '1'}\npaths:\n  /a:\n    get:\n      responses: {'200': {description: ok, content: {a/b: {schema: {$ref: '#/components/schemas/A'}}}}}\n"
	jsonHead := `{"openapi":"3.0.3","info":{"title":"t","version":"1"},"paths":{"/a":{"get":{"responses":{"200":{"description":"ok","content":{"a/b":{"schema":{"$ref":"#/components/schemas/A"}}}}}}}},`
	bomb := func(n int) string {
		var b strings.Builder
		b.WriteString("x-a0: &a0 {k: v}\n")
		for i := 1; i < n; i++ {
			fmt.Fprintf(&b, "x-a%d: &a%d [%s]\n", i, i, strings.TrimSuffix(strings.Repeat(fmt.Sprintf("*a%d,", i-1), 9), ","))
		}
		fmt.Fprintf(&b, "components: {schemas: {A: {enum: *a%d}}}\n", n-1)
		return b.String()
	}
	merges := func(n int) string {
		var b strings.Builder
		b.WriteString("x-a0: &a0 {k: v}\n")
		for i := 1; i < n; i++ {
			fmt.Fprintf(&b, "x-a%d: &a%d {<<: [%s], k%d: {a: *a%d, b: *a%d}}\n", i, i, strings.TrimSuffix(strings.Repeat(fmt.Sprintf("*a%d,", i-1), 9), ","), i, i-1, i-1)
		}
		return b.String()
	}
	chain := func(n int) string {
		var b strings.Builder
		b.WriteString("components:\n  schemas:\n    A: {$ref: '#/components/schemas/S0'}\n")
		for i := range n {
			fmt.Fprintf(&b, "    S%d: {allOf: [{$ref: '#/components/schemas/S%d'}]}\n", i, (i+1)%n)
		}
		return b.String()
	}
	many := func(n int) string {
		var b strings.Builder
		b.WriteString(`{"openapi":"3.0.3","info":{"title":"t","version":"1"},"x-item":{"parameters":[`)
		for i := range 900 {
			fmt.Fprintf(&b, `{"name":"p%d","in":"query","schema":{}},`, i)
		}
		b.WriteString(`{"name":"z","in":"query"}]`)
		for _, m := range []string{"get", "put", "post", "delete", "patch", "head", "options", "trace"} {
			fmt.Fprintf(&b, `,%q:{"responses":{}}`, m)
		}
		b.WriteString(`},"paths":{"/a":{"get":{}}`)
		for i := range n {
			fmt.Fprintf(&b, `,"/p%d":{"$ref":"#/x-item"}`, i)
		}
		return b.String() + "}}"
	}
	for name, doc := range map[string]string{
		"deep JSON arrays":    jsonHead + `"x":` + strings.Repeat("[", 9000) + strings.Repeat("]", 9000) + "}",
		"deep JSON items":     jsonHead + `"components":{"schemas":{"A":` + strings.Repeat(`{"items":`, 9000) + "{}" + strings.Repeat("}", 9000) + "}}}",
		"deep YAML flow":      head + "x: " + strings.Repeat("[", 9000) + strings.Repeat("]", 9000) + "\n",
		"long YAML line":      head + "x: [" + strings.Repeat("'ü',", 300_000) + "a]\n",
		"aliases of aliases":  head + bomb(40),
		"recursive alias":     head + "x: &x [*x, *x]\n",
		"merges of merges":    head + merges(40),
		"circle of $ref":      head + "components: {schemas: {A: {$ref: '#/components/schemas/B'}, B: {$ref: '#/components/schemas/A'}}}\n",
		"$ref to itself":      head + "components: {schemas: {A: {properties: {a: {$ref: '#/components/schemas/A/properties/a'}}}}}\n",
		"circle of allOf":     head + chain(20_000),
		"one item many paths": many(20_000),
		"many duplicate keys": jsonHead + strings.Repeat(`"x":1,`, 100_000) + `"y":1}`,
		"many dangling refs":  jsonHead + `"components":{"schemas":{"A":{"allOf":[` + strings.Repeat(`{"$ref":"#/components/schemas/Nowhere"},`, 100_000) + "{}]}}}}",
		"same names": jsonHead + `"components":{"schemas":{` + strings.TrimSuffix(func() string {
			var b strings.Builder
			for i := range 60_000 {
				fmt.Fprintf(&b, "\"%s\":{},", string(rune(0x4e00+i%20000))+string(rune(0x4e00+i/20000)))
			}
			return b.String()
		}(), ",") + "}}}",
		"long pointer": jsonHead + `"components":{"schemas":{"A":{"$ref":"#` + strings.Repeat("/a~1b", 200_000) + `"}}}}`,
	} {
		t.Run(name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "doc.yaml")
			if err := os.WriteFile(file, []byte(doc), 0o600); err != nil {
				t.Fatal(err)
			}
			start := time.Now()
			api, diags := Parse(context.Background(), &specs.Reader{}, file, Options{})
			t.Logf("%d bytes, %v, %d diagnostics", len(doc), time.Since(start), len(diags))
			if took := time.Since(start); took > 30*time.Second {
				t.Errorf("it took %v", took)
			}
			if api == nil || len(api.Operations) < 1 || len(api.Operations)+len(api.Skipped) != api.Declared {
				t.Errorf("its operation is lost: %v", diags)
			}
			checkPlaces(t, diags)
		})
	}
}
