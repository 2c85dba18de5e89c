// Command sidecar is a server that a client starts itself, on stdio, with files
// of one folder.
//
//	go run ./examples/sidecar          show, then keep the archive running until interrupted
//	go run ./examples/sidecar --once   show and end
package main

import (
	"embed"
	"net/http"
	"os"

	"github.com/mcpc-dev/mcpc/examples/show"
)

//go:embed sidecar.hcl outbox
var files embed.FS

func main() { os.Exit(example().Main(os.Stdout, os.Stderr, os.Args[1:])) }

func example() *show.Show {
	return &show.Show{
		Name: "sidecar", Title: "A sidecar on stdio, with local files", Files: files,
		Services:  map[string]http.Handler{"archive": newArchive()},
		FirstPort: 8570,
		Servers: []show.Server{{Spec: "sidecar.hcl", Upstreams: map[string]string{"archive": "archive"}, Files: []string{"outbox"}, Calls: []show.Call{
			{Why: "the folder of the archive is empty", Tool: "list_documents", Arguments: `{}`},
			{Why: "a file is named, and its bytes are sent", Tool: "file_document", Arguments: `{"document":"file:contract.txt","title":"Contract","tags":["contract","2026"]}`},
			{Why: "what is outside of the folder stays there", Tool: "file_document", Arguments: `{"document":"file:../sidecar.hcl","title":"Secrets"}`},
			{Why: "it is filed", Tool: "list_documents", Arguments: `{}`},
		}}},
	}
}
