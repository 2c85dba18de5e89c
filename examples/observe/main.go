// Command observe is a service whose calls are watched.
//
//	go run ./examples/observe          show, then serve until interrupted
//	go run ./examples/observe --once   show and end
package main

import (
	"embed"
	"encoding/json"
	"net/http"
	"os"

	"github.com/mcpc-dev/mcpc/examples/show"
	_ "github.com/mcpc-dev/mcpc/runtime/otlp" // the spec asks for it
)

//go:embed observe.hcl
var files embed.FS

func main() {
	records, err := os.MkdirTemp("", "mcpc-observe-")
	if err != nil {
		panic(err)
	}
	os.Exit(example(records, "http://127.0.0.1:4318").Main(os.Stdout, os.Stderr, os.Args[1:]))
}

// example writes its logs below a folder and sends telemetry to a collector.
func example(records, collector string) *show.Show {
	return &show.Show{
		Name: "observe", Title: "A service whose calls are watched; its logs are in " + records, Files: files,
		Services:  map[string]http.Handler{"tickets": newTickets()},
		FirstPort: 8560,
		Servers: []show.Server{{Spec: "observe.hcl", Upstreams: map[string]string{"tickets": "tickets/tickets"}, Vars: map[string]string{"records": records, "collector": collector}, Calls: []show.Call{
			{Why: "a call that succeeds", Tool: "get_ticket", Arguments: `{"number":7}`},
			{Why: "a ticket that does not exist", Tool: "get_ticket", Arguments: `{"number":404}`},
			{Why: "an upstream that fails", Tool: "get_ticket", Arguments: `{"number":500}`},
			{Why: "an argument that is refused before anything is sent", Tool: "get_ticket", Arguments: `{"number":"seven"}`},
			{Why: "a change", Tool: "close_ticket", Arguments: `{"number":7}`},
		}}},
	}
}

// newTickets is the service behind the tools.
func newTickets() http.Handler {
	mux := http.NewServeMux()
	answer := func(w http.ResponseWriter, status int, v any) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		_ = json.NewEncoder(w).Encode(v) // the client went away
	}
	mux.HandleFunc("GET /tickets/{number}", func(w http.ResponseWriter, r *http.Request) {
		switch number := r.PathValue("number"); number {
		case "404":
			answer(w, http.StatusNotFound, map[string]string{"title": "no such ticket"})
		case "500":
			answer(w, http.StatusInternalServerError, map[string]string{"title": "the database is away"})
		default:
			answer(w, http.StatusOK, map[string]string{"number": number, "state": "open"})
		}
	})
	mux.HandleFunc("PUT /tickets/{number}/state", func(w http.ResponseWriter, r *http.Request) {
		answer(w, http.StatusOK, map[string]string{"number": r.PathValue("number"), "state": "closed"})
	})
	return mux
}
