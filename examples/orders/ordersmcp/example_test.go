package ordersmcp_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"

	"github.com/mcpc-dev/mcpc/examples/orders/ordersmcp"
	"github.com/mcpc-dev/mcpc/examples/orders/service"
	"github.com/mcpc-dev/mcpc/runtime"
)

// call calls a tool as a client's call does and prints what the model gets.
func call(s *runtime.Server, tool, arguments string) {
	res, err := s.Call(context.Background(), runtime.Principal{}, tool, []byte(arguments))
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(res.Content[0].Text)
}

// stock answers get_stock in Go; the other tools are the bridge's.
type stock struct {
	ordersmcp.Bridge
	pieces map[string]int64
}

func (s stock) GetStock(_ context.Context, in *ordersmcp.GetStockInput) (*ordersmcp.GetStockOutput, error) {
	n, ok := s.pieces[in.SKU]
	if !ok {
		return nil, runtime.NewToolError("no-article", "There is no article "+in.SKU+".", "Read the order for its articles.", runtime.RetryNo)
	}
	return &ordersmcp.GetStockOutput{SKU: &in.SKU, Pieces: &n}, nil
}

// To answer a tool in Go, embed the Bridge and give the type the tool's method.
func ExampleNew_override() {
	o, stop := orders()
	defer stop()
	bridge, err := ordersmcp.NewBridge(o)
	if err != nil {
		fmt.Println(err)
		return
	}
	server, err := ordersmcp.New(stock{bridge, map[string]int64{"BOLT-M8": 1200}})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println("native:", server.NativeTools())
	call(server, "get_stock", `{"sku":"BOLT-M8"}`)
	call(server, "get_stock", `{"sku":"BOLT-M9"}`)
	call(server, "cancel_order", `{"order_id":9007199254740993,"reason":"ordered twice"}`)
	// Output:
	// native: [get_stock]
	// {"sku":"BOLT-M8","pieces":1200}
	// There is no article BOLT-M9.
	// Read the order for its articles.
	// Retrying the same call will not help.
	// OK 9007199254740993
}

// The methods of the Bridge call the service from Go. An error that a model can
// be told is a *runtime.ToolError.
func ExampleBridge() {
	o, stop := orders()
	defer stop()
	bridge, err := ordersmcp.NewBridge(o)
	if err != nil {
		fmt.Println(err)
		return
	}
	order, err := bridge.GetOrder(context.Background(), &ordersmcp.GetOrderInput{ID: service.FirstOrder})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(order.ID, order.Status, order.Total)
	_, err = bridge.GetOrder(context.Background(), &ordersmcp.GetOrderInput{ID: 1})
	if failed, ok := errors.AsType[*runtime.ToolError](err); ok {
		fmt.Println(failed.Result.Code)
	}
	// Output:
	// 9007199254740993 open 94
	// http-404
}

// Middleware sees every call, native or bridged.
func ExampleNewBridge_middleware() {
	o, stop := orders()
	defer stop()
	o.Middleware = []runtime.Middleware{func(next runtime.Handler) runtime.Handler {
		return func(ctx context.Context, c *runtime.Call) (*runtime.Result, error) {
			fmt.Printf("%s %s\n", c.Tool, c.Arguments)
			return next(ctx, c)
		}
	}}
	bridge, err := ordersmcp.NewBridge(o)
	if err != nil {
		fmt.Println(err)
		return
	}
	server, err := ordersmcp.New(stock{bridge, nil})
	if err != nil {
		fmt.Println(err)
		return
	}
	call(server, "get_stock", `{"sku":"NUT-M8"}`)
	call(server, "cancel_order", `{"order_id":9007199254740997,"reason":"too late"}`)
	// Output:
	// get_stock {"sku":"NUT-M8"}
	// There is no article NUT-M8.
	// Read the order for its articles.
	// Retrying the same call will not help.
	// cancel_order {"order_id":9007199254740997,"reason":"too late"}
	// OK 9007199254740997
}

// Client sends what the tools do not: with the credentials of a tool and to its
// service only.
func ExampleClient() {
	o, stop := orders()
	defer stop()
	bridge, err := ordersmcp.NewBridge(o)
	if err != nil {
		fmt.Println(err)
		return
	}
	client, err := ordersmcp.Client(bridge, "search_orders")
	if err != nil {
		fmt.Println(err)
		return
	}
	req, err := http.NewRequestWithContext(context.Background(), http.MethodPost, "/search", strings.NewReader("CUSTNO=C-10777&STAT=90"))
	if err != nil {
		fmt.Println(err)
		return
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	resp, err := client.Do(req)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	fmt.Println(resp.StatusCode, strings.Fields(string(body))[3:], err)
	// Output:
	// 200 [<ORDERS></ORDERS>] <nil>
}
