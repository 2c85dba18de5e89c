// Command github is a curated GitHub: a few tools of a large document, in the
// words of one team.
//
//	go run ./examples/github          show, then serve until interrupted
//	go run ./examples/github --once   show and end
package main

import (
	"embed"
	"net/http"
	"os"

	"github.com/mcpc-dev/mcpc/examples/show"
)

//go:embed github.hcl specs
var files embed.FS

func main() { os.Exit(example().Main(os.Stdout, os.Stderr, os.Args[1:])) }

func example() *show.Show {
	return &show.Show{
		Name: "github", Title: "GitHub, curated for one organisation", Files: files,
		Services:  map[string]http.Handler{"github": newGitHub()},
		FirstPort: 8530,
		Env:       map[string]string{"GITHUB_TOKEN": token},
		Servers: []show.Server{{Spec: "github.hcl", Upstreams: map[string]string{"gh": "github"}, Vars: map[string]string{"org": "acme"}, Calls: []show.Call{
			{Why: "the organisation is added to the query, and the answer is a table", Tool: "gh_search_issues", Arguments: `{"q":"is:open label:bug"}`},
			{Why: "three pages become one list, without links and ids that nobody reads", Tool: "gh_issues_list_for_repo", Arguments: `{"repo":"shop"}`},
			{Why: "the answer to a new issue is what matters of it", Tool: "gh_create_issue", Arguments: `{"repo":"shop","body":{"title":"Nut 8 is missing","labels":["bug"]}}`},
			{Why: "the owner is fixed; the model cannot name another one", Tool: "gh_repos_get", Arguments: `{"repo":"shop","owner":"other"}`},
		}}},
	}
}
