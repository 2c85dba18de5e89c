// Command reports is a folder of CSV exports behind MCP: a table, a resource and
// a prompt.
//
//	go run ./examples/reports          show, then serve until interrupted
//	go run ./examples/reports --once   show and end
package main

import (
	"embed"
	"net/http"
	"os"

	"github.com/mcpc-dev/mcpc/examples/show"
)

//go:embed reports.hcl
var files embed.FS

func main() { os.Exit(example().Main(os.Stdout, os.Stderr, os.Args[1:])) }

func example() *show.Show {
	return &show.Show{
		Name: "reports", Title: "Reports from CSV exports, served as MCP", Files: files,
		Services:  map[string]http.Handler{"exports": newExports()},
		FirstPort: 8560,
		Servers: []show.Server{{Spec: "reports.hcl", Upstreams: map[string]string{"exports": "exports"}, Calls: []show.Call{
			{Why: "a spreadsheet's export as a table", Tool: "sales_by_region", Arguments: `{"month":"2026-11"}`},
			{Why: "asked again, it is known already", Tool: "sales_by_region", Arguments: `{"month":"2026-11"}`},
			{Why: "an empty month in words", Tool: "sales_by_region", Arguments: `{"month":"2026-10"}`},
		}}},
	}
}
