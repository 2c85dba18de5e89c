// Command orders is mcpc's whole job in one process: it starts a small
// old-style order system, serves it as MCP from two descriptions of it
// (orders.hcl and openapi.yaml), shows what a client sees, and keeps serving
// so that a real client can connect.
//
//	go run ./examples/orders          show, then serve until interrupted
//	go run ./examples/orders --once   show and end
//
// Package ordersmcp is the server of orders.hcl as Go code, and orders-mcp a
// program that serves it.
package main

//go:generate go run ../../cmd/mcpc generate orders.hcl -o ordersmcp --main orders-mcp

import (
	"embed"
	"net/http"
	"os"

	"github.com/mcpc-dev/mcpc/examples/orders/service"
	"github.com/mcpc-dev/mcpc/examples/show"
)

//go:embed orders.hcl openapi.yaml
var specs embed.FS

func main() { os.Exit(orders().Main(os.Stdout, os.Stderr, os.Args[1:])) }

func orders() *show.Show {
	return &show.Show{
		Name: "orders", Title: "An old order system, served as MCP", Files: specs,
		Services:  map[string]http.Handler{"orders": service.New()},
		FirstPort: 8481,
		Env: map[string]string{ // so that nothing has to be set first
			"ORDERS_PASSWORD": service.Password,                      // variable "password" in orders.hcl
			"MCPC_AUTH_ERP":   service.User + ":" + service.Password, // the scheme erp of openapi.yaml
		},
		// The last two calls of the first server go wrong on purpose.
		Servers: []show.Server{
			{Spec: "orders.hcl", Upstreams: map[string]string{"legacy": "orders/legacy", "shop": "orders"}, Calls: []show.Call{
				{Why: "a form post to the old half; Latin-1 XML comes back as JSON", Tool: "search_orders", Arguments: `{"customer":"C-10442","status":"open"}`},
				{Why: "a number above 2^53 keeps every digit", Tool: "get_order", Arguments: `{"id":9007199254740993}`},
				{Why: "a picture stays a picture", Tool: "get_label", Arguments: `{"id":9007199254740993}`},
				{Why: "a slow answer is waited for", Tool: "monthly_report", Arguments: `{"month":"2026-11"}`},
				{Why: "wrong arguments never reach the service; the model learns what to repair", Tool: "search_orders", Arguments: `{"customer":"10442","status":"opened"}`},
				{Why: "a failure says what happened and whether to try again", Tool: "get_stock", Arguments: `{"sku":"BOLT-M8"}`},
			}},
			{Spec: "openapi.yaml", Upstreams: map[string]string{"orders": "orders"}, Calls: []show.Call{
				{Why: "a list in the query", Tool: "listOrders", Arguments: `{"status":["open","shipped"],"limit":2}`},
				{Why: "the old XML again; the document knows what is a number and what is a list", Tool: "searchOrders", Arguments: `{"body":{"CUSTNO":"C-10442","STAT":"10"}}`},
				{Why: "a JSON body, sent as it was written", Tool: "createOrder", Arguments: `{"body":{"customer":"C-10777","lines":[{"sku":"PLATE-40","quantity":2}]}}`},
			}},
		},
	}
}
