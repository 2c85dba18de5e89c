package ordersmcp_test

import (
	"net/http/httptest"
	"reflect"
	"testing"

	"github.com/mcpc-dev/mcpc/codegen"
	"github.com/mcpc-dev/mcpc/compiler"
	"github.com/mcpc-dev/mcpc/examples/orders/ordersmcp"
	"github.com/mcpc-dev/mcpc/examples/orders/service"
	"github.com/mcpc-dev/mcpc/runtime"
)

// The package holds the plan that serving orders.hcl executes.
func TestPlan(t *testing.T) {
	r, err := compiler.Compile(t.Context(), compiler.Options{Target: "../orders.hcl"})
	if err != nil {
		t.Fatal(err)
	}
	if got, want := ordersmcp.Plan(), codegen.Portable(r.Plan); !reflect.DeepEqual(got, want) {
		t.Errorf("the generated plan differs: run make generate\ngot  %+v\nwant %+v", got, want)
	}
}

// orders starts the order system and returns options for a bridge to it.
func orders() (o runtime.Options, stop func()) {
	system := httptest.NewServer(service.New())
	return runtime.Options{
		BaseURLs: map[string]string{"shop": system.URL, "legacy": system.URL + "/legacy"},
		Secrets:  map[string]string{"password": service.Password},
	}, system.Close
}

// A tool that was not overridden answers as the interpreted one does, byte for
// byte, through MCP's own door and through the Go method alike.
func TestBridged(t *testing.T) {
	o, stop := orders()
	defer stop()
	r, err := compiler.Compile(t.Context(), compiler.Options{Target: "../orders.hcl"})
	if err != nil {
		t.Fatal(err)
	}
	interpreted, err := runtime.New(r.Plan, o)
	if err != nil {
		t.Fatal(err)
	}
	bridge, err := ordersmcp.NewBridge(o)
	if err != nil {
		t.Fatal(err)
	}
	generated, err := ordersmcp.New(bridge)
	if err != nil {
		t.Fatal(err)
	}
	for tool, arguments := range map[string]string{
		"get_order":     `{"id":9007199254740993}`,
		"search_orders": `{"customer":"C-10442"}`,
		"get_customer":  `{"number":"C-10777"}`,
		"get_label":     `{"id":9007199254740995}`,
		"get_stock":     `{"sku":"BOLT-M8"}`,
		"cancel_order":  `{"order_id":"no number"}`,
	} {
		var answers [2][]byte
		for i, s := range []*runtime.Server{interpreted, generated} {
			res, err := s.Call(t.Context(), runtime.Principal{}, tool, []byte(arguments))
			if err != nil {
				t.Fatal(err)
			}
			answers[i] = res.AppendJSON(nil, false)
		}
		if string(answers[0]) != string(answers[1]) {
			t.Errorf("%s: interpreted %s\ngenerated %s", tool, answers[0], answers[1])
		}
	}
	order, err := bridge.GetOrder(t.Context(), &ordersmcp.GetOrderInput{ID: service.FirstOrder})
	if err != nil || order.ID != service.FirstOrder || order.Status != ordersmcp.StatusOpen || *order.Name != "Müller & Söhne" {
		t.Errorf("GetOrder: %+v, %v", order, err)
	}
}
