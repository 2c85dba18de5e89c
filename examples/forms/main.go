// Command forms is a CGI program with form posts and Latin-1 answers behind MCP.
//
//	go run ./examples/forms          show, then serve until interrupted
//	go run ./examples/forms --once   show and end
package main

import (
	"embed"
	"net/http"
	"os"

	"github.com/mcpc-dev/mcpc/examples/show"
)

//go:embed forms.hcl
var files embed.FS

func main() { os.Exit(example().Main(os.Stdout, os.Stderr, os.Args[1:])) }

func example() *show.Show {
	return &show.Show{
		Name: "forms", Title: "A CGI program of the nineties, served as MCP", Files: files,
		Services:  map[string]http.Handler{"register": newRegister()},
		FirstPort: 8520,
		Env:       map[string]string{"CLUB_PIN": pin},
		Servers: []show.Server{{Spec: "forms.hcl", Upstreams: map[string]string{"register": "register/cgi-bin"}, Calls: []show.Call{
			{Why: "an umlaut is one byte on the wire, and one character for the model", Tool: "find_member", Arguments: `{"name":"Müller"}`},
			{Why: "an error in a page that says 200", Tool: "find_member", Arguments: `{"name":"Meier"}`},
			{Why: "what Latin-1 cannot say is refused before anything is sent", Tool: "move_member", Arguments: `{"number":"M-17","city":"東京"}`},
			{Why: "of a page, the part that counts, as Markdown", Tool: "training_plan", Arguments: `{"day":"we"}`},
		}}},
	}
}
