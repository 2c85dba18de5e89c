// Command aggregate is three services of one domain behind one MCP server.
//
//	go run ./examples/aggregate          show, then serve until interrupted
//	go run ./examples/aggregate --once   show and end
package main

import (
	"embed"
	"net/http"
	"os"

	"github.com/mcpc-dev/mcpc/examples/show"
)

//go:embed aggregate.hcl
var files embed.FS

func main() { os.Exit(example().Main(os.Stdout, os.Stderr, os.Args[1:])) }

func example() *show.Show {
	return &show.Show{
		Name: "aggregate", Title: "Three services of one domain, served as one", Files: files,
		Services:  map[string]http.Handler{"crm": newCRM(), "billing": newBilling(), "tickets": newTickets()},
		FirstPort: 8540,
		Env:       map[string]string{"DOMAIN_TOKEN": token},
		Servers: []show.Server{{Spec: "aggregate.hcl", Upstreams: map[string]string{"crm": "crm/v2", "billing": "billing", "tickets": "tickets"}, Calls: []show.Call{
			{Why: "one call, three systems: JSON, XML and CSV", Tool: "customer_overview", Arguments: `{"customer":"C-10442"}`},
			{Why: "an error status in words a model can act on", Tool: "get_customer", Arguments: `{"customer":"C-1"}`},
			{Why: "nothing found is said in words", Tool: "open_invoices", Arguments: `{"customer":"C-1"}`},
		}}},
	}
}
