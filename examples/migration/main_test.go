package main

import (
	"bytes"
	"fmt"
	"log/slog"
	"net/http/httptest"
	"path"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/mcpc-dev/mcpc/codegen"
	"github.com/mcpc-dev/mcpc/compiler"
	"github.com/mcpc-dev/mcpc/examples/migration/ordersmcp"
	"github.com/mcpc-dev/mcpc/examples/migration/step1"
	"github.com/mcpc-dev/mcpc/examples/migration/step2"
	"github.com/mcpc-dev/mcpc/examples/migration/step3"
	"github.com/mcpc-dev/mcpc/examples/migration/step4"
	"github.com/mcpc-dev/mcpc/examples/orders/service"
	"github.com/mcpc-dev/mcpc/runtime"
	"github.com/mcpc-dev/mcpc/runtime/typed"
)

const (
	firstOrder = `{"id":9007199254740993}`
	smallOrder = `{"body":{"customer":"C-10777","lines":[{"sku":"PLATE-40","quantity":2}]}}`
	largeOrder = `{"body":{"customer":"C-10777","lines":[{"sku":"PLATE-40","quantity":501}]}}`
)

// start runs an old system of its own and a server in front of it.
func start(t *testing.T, make func(runtime.Options) (*runtime.Server, error), m ...runtime.Middleware) (s *runtime.Server, system *httptest.Server) {
	t.Helper()
	system = httptest.NewServer(service.New())
	t.Cleanup(system.Close)
	s, err := make(runtime.Options{BaseURLs: map[string]string{"erp": system.URL}, Middleware: m})
	if err != nil {
		t.Fatal(err)
	}
	return s, system
}

// call calls a tool as a client's call does.
func call(t *testing.T, s *runtime.Server, tool, arguments string) *runtime.Result {
	t.Helper()
	res, err := s.Call(t.Context(), runtime.Principal{}, tool, []byte(arguments))
	if err != nil {
		t.Fatal(err)
	}
	return res
}

// order reads an answer that is an order.
func order(t *testing.T, res *runtime.Result) (o ordersmcp.Order) {
	t.Helper()
	if res.IsError {
		t.Fatal(res.Content[0].Text)
	}
	if err := typed.Unmarshal(res.Structured, &o); err != nil {
		t.Fatal(err)
	}
	return o
}

// Which tools are native, says the server when it runs and the report before.
func TestReport(t *testing.T) {
	compiled, err := compiler.Compile(t.Context(), compiler.Options{Target: "orders.hcl"})
	if err != nil {
		t.Fatal(err)
	}
	if got, want := ordersmcp.Plan(), codegen.Portable(compiled.Plan); !reflect.DeepEqual(got, want) {
		t.Fatal("the generated plan differs from orders.hcl: run make generate")
	}
	for i, native := range [][]string{
		nil,
		{"create_order"},
		{"create_order", "get_order"},
		{"create_order", "get_order"},
	} {
		folder := fmt.Sprintf("step%d", i+1)
		t.Run(folder, func(t *testing.T) {
			r, err := codegen.Migration(compiled.Plan, codegen.Module{
				Dir: folder, ImportPath: "github.com/mcpc-dev/mcpc/examples/migration/ordersmcp", Package: "ordersmcp",
			})
			if err != nil {
				t.Fatal(err)
			}
			if r.Native != len(native) || r.Bridged != 4-len(native) {
				t.Errorf("%d native and %d bridged", r.Native, r.Bridged)
			}
			var reported []string
			for _, tool := range r.Tools {
				if tool.Native == nil {
					continue
				}
				reported = append(reported, tool.Tool)
				if len(tool.Native) != 1 || !strings.HasPrefix(path.Base(tool.Native[0]), "tools.go:") {
					t.Errorf("%s is native at %v", tool.Tool, tool.Native)
				}
			}
			s, _ := start(t, steps[i])
			if !slices.Equal(reported, native) || !slices.Equal(s.NativeTools(), native) {
				t.Errorf("the report says %v, the server %v", reported, s.NativeTools())
			}
		})
	}
}

func TestStep1(t *testing.T) {
	s, system := start(t, step1.New)
	if o := order(t, call(t, s, "get_order", firstOrder)); o.ID != service.FirstOrder || *o.Name != "Müller & Söhne" {
		t.Errorf("%+v", o)
	}
	if o := order(t, call(t, s, "create_order", largeOrder)); o.Lines[0].Quantity == nil || *o.Lines[0].Quantity != 501 {
		t.Errorf("%+v", o)
	}
	system.Close()
	if res := call(t, s, "get_order", firstOrder); !res.IsError {
		t.Errorf("without the old system: %s", res.Content[0].Text)
	}
}

func TestStep2(t *testing.T) {
	s, _ := start(t, step2.New)
	if res := call(t, s, "create_order", largeOrder); res.Code != "too-many" || !strings.Contains(res.Content[0].Text, "501 pieces of PLATE-40") {
		t.Errorf("%s: %s", res.Code, res.Content[0].Text)
	}
	placed := order(t, call(t, s, "create_order", smallOrder))
	if placed.Total != 25 {
		t.Errorf("%+v", placed)
	}
	// What the old system refuses, the model learns as before.
	unknown := strings.Replace(smallOrder, "C-10777", "C-1", 1)
	bridged, _ := start(t, step1.New)
	if got, want := call(t, s, "create_order", unknown), call(t, bridged, "create_order", unknown); !got.IsError || !reflect.DeepEqual(got, want) {
		t.Errorf("through Go: %+v\nbridged:    %+v", got, want)
	}
	// It reached the old system, and the bridged tool finds it there.
	found := order(t, call(t, s, "get_order", fmt.Sprintf(`{"id":%d}`, placed.ID)))
	if !reflect.DeepEqual(found, placed) {
		t.Errorf("placed %+v\nfound %+v", placed, found)
	}
}

// Old and new answers are compared, before anybody depends on the new ones: for
// every order there is, for one that is placed, and for one that there is not.
func TestStep3Shadow(t *testing.T) {
	system := httptest.NewServer(service.New())
	defer system.Close()
	o := runtime.Options{BaseURLs: map[string]string{"erp": system.URL}}
	old, err := step1.New(o)
	if err != nil {
		t.Fatal(err)
	}
	migrated, err := step3.New(o)
	if err != nil {
		t.Fatal(err)
	}
	order(t, call(t, migrated, "create_order", smallOrder))
	var all ordersmcp.ListOrdersOutput
	if err := typed.Unmarshal(call(t, old, "list_orders", `{}`).Structured, &all); err != nil {
		t.Fatal(err)
	}
	if len(all.Orders) != 4 {
		t.Fatalf("the old system has %d orders, not three and the new one", len(all.Orders))
	}
	for _, listed := range all.Orders {
		arguments := fmt.Sprintf(`{"id":%d}`, listed.ID)
		// As values: the old system writes 94.00 where Go writes 94.
		was, is := call(t, old, "get_order", arguments), call(t, migrated, "get_order", arguments)
		if !reflect.DeepEqual(order(t, was), order(t, is)) {
			t.Errorf("order %d\nold %s\nnew %s", listed.ID, was.Structured, is.Structured)
		}
	}
	if was, is := call(t, old, "get_order", `{"id":1}`), call(t, migrated, "get_order", `{"id":1}`); !is.IsError || !reflect.DeepEqual(was, is) {
		t.Errorf("an order that there is not\nold %+v\nnew %+v", was, is)
	}
	system.Close() // the store answers, not the old system
	if is := order(t, call(t, migrated, "get_order", firstOrder)); is.ID != service.FirstOrder {
		t.Errorf("%+v", is)
	}
}

func TestStep4WithoutTheOldSystem(t *testing.T) {
	s, system := start(t, step4.New)
	placed := order(t, call(t, s, "create_order", smallOrder))
	system.Close()
	for _, arguments := range []string{firstOrder, fmt.Sprintf(`{"id":%d}`, placed.ID)} {
		order(t, call(t, s, "get_order", arguments))
	}
	if res := call(t, s, "get_order", `{"id":1}`); res.Code != "no-order" {
		t.Errorf("%s: %s", res.Code, res.Content[0].Text)
	}
	for tool, arguments := range map[string]string{"create_order": smallOrder, "list_orders": `{}`, "get_label": firstOrder} {
		res := call(t, s, tool, arguments)
		if !res.IsError || !strings.Contains(res.Content[0].Text, `"erp"`) || strings.Contains(res.Content[0].Text, system.Listener.Addr().String()) {
			t.Errorf("%s: %+v", tool, res)
		}
	}
	// A rule needs nobody.
	if res := call(t, s, "create_order", largeOrder); res.Code != "too-many" {
		t.Errorf("%s: %s", res.Code, res.Content[0].Text)
	}
}

// Middleware is around native and bridged tools alike.
func TestTimed(t *testing.T) {
	var log bytes.Buffer
	s, _ := start(t, step2.New, timed(slog.New(slog.NewTextHandler(&log, nil))))
	call(t, s, "create_order", largeOrder) // native
	call(t, s, "get_order", firstOrder)    // bridged
	lines := strings.Split(strings.TrimSpace(log.String()), "\n")
	if len(lines) != 2 || !strings.Contains(lines[0], "tool=create_order") || !strings.Contains(lines[0], "ok=false") ||
		!strings.Contains(lines[1], "tool=get_order") || !strings.Contains(lines[1], "ok=true") {
		t.Errorf("the log is %s", log.String())
	}
}

func TestUsage(t *testing.T) {
	for args, want := range map[string]int{"migration": 2, "migration 0": 2, "migration 5": 2, "migration one": 2, "migration 1 -help": 0, "migration 1 --nonsense": 2} {
		if got := run(strings.Fields(args)); got != want {
			t.Errorf("%s: exit code %d", args, got)
		}
	}
}
