// Command backoffice is a SOAP and XML back office behind MCP, described by
// hand.
//
//	go run ./examples/backoffice          show, then serve until interrupted
//	go run ./examples/backoffice --once   show and end
package main

import (
	"embed"
	"net/http"
	"os"

	"github.com/mcpc-dev/mcpc/examples/show"
)

//go:embed backoffice.hcl testdata
var files embed.FS

func main() { os.Exit(example().Main(os.Stdout, os.Stderr, os.Args[1:])) }

func example() *show.Show {
	return &show.Show{
		Name: "backoffice", Title: "A SOAP and XML back office, served as MCP", Files: files,
		Services:  map[string]http.Handler{"erp": newERP()},
		FirstPort: 8510,
		Env:       map[string]string{"ERP_PASSWORD": password},
		Servers: []show.Server{{Spec: "backoffice.hcl", Upstreams: map[string]string{"erp": "erp/api.asp"}, Calls: []show.Call{
			{Why: "Latin-1 XML becomes a list with the names a model understands", Tool: "search_orders", Arguments: `{"customer":"C-10442"}`},
			{Why: "an answer without orders says so in words", Tool: "search_orders", Arguments: `{"customer":"C-10777","status":"cancelled"}`},
			{Why: "an error inside of HTTP 200 is an error", Tool: "search_orders", Arguments: `{"customer":"C-0"}`},
			{Why: "markup in an argument stays text", Tool: "cancel_order", Arguments: `{"order_id":"4711","reason":"too <late> & wrong"}`},
			{Why: "a SOAP fault is an error with its reason", Tool: "cancel_order", Arguments: `{"order_id":"1","reason":"not ours"}`},
		}}},
	}
}
