// Command invoice is a tool of several calls: an order becomes an invoice.
//
//	go run ./examples/invoice          show, then serve until interrupted
//	go run ./examples/invoice --once   show and end
package main

import (
	"embed"
	"net/http"
	"os"

	"github.com/mcpc-dev/mcpc/examples/show"
)

//go:embed invoice.hcl
var files embed.FS

func main() { os.Exit(example().Main(os.Stdout, os.Stderr, os.Args[1:])) }

func example() *show.Show {
	return &show.Show{
		Name: "invoice", Title: "From an order to its invoice, in one call", Files: files,
		Services:  map[string]http.Handler{"shop": newShop()},
		FirstPort: 8550,
		Servers: []show.Server{{Spec: "invoice.hcl", Upstreams: map[string]string{"shop": "shop/api"}, Calls: []show.Call{
			{Why: "four requests, two of them at once, for one call", Tool: "invoice_order", Arguments: `{"order":4711}`},
			{Why: "a step that fails says which one, and what was done before", Tool: "invoice_order", Arguments: `{"order":4712}`},
		}}},
	}
}
