package main

import (
	"cmp"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/mcpc-dev/mcpc/runtime/plan"

	"github.com/mcpc-dev/mcpc/specs/diag"
)

func (a *app) validate() *cobra.Command {
	var t target
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "validate TARGET",
		Short: "everything that is wrong, and where",
		Long: `Compile TARGET and say everything that is wrong with it.

  mcpc validate orders.hcl
  mcpc validate petstore.yaml --strict                  skipped operations are errors too
  mcpc validate petstore.yaml --format github           annotations in GitHub Actions

  --json                  print the findings and the coverage as one JSON object

The exit code is 3 when TARGET cannot be served as it is, 0 when it can, even if
parts of it are left out. Diagnostics go to stderr, the summary to stdout.

` + commonHelp,
		Args:              wants("TARGET"),
		ValidArgsFunction: a.completes(&t),
		RunE: func(cmd *cobra.Command, args []string) error {
			quiet := *a
			if asJSON {
				quiet.stderr = nothing{} // the findings are in the object
			}
			o, err := t.options(a, args[0])
			if err != nil {
				return err
			}
			o.Tests = true // they are part of what can be wrong
			r, err := quiet.compileWith(cmd.Context(), o, args[0], &t, true)
			if r == nil {
				return err
			}
			var end *exit
			valid := !errors.As(err, &end)
			errorCount := 0
			for _, d := range r.Diagnostics {
				if d.Severity == diag.Error {
					errorCount++
				}
			}
			if asJSON {
				out := struct {
					Valid       bool      `json:"valid"`
					Tools       int       `json:"tools"`
					Diagnostics diag.List `json:"diagnostics"`
					Coverage    []coverOf `json:"coverage"`
				}{Valid: valid, Diagnostics: append(diag.List{}, r.Diagnostics...), Coverage: []coverOf{}}
				if r.Plan != nil {
					out.Tools = countListed(r.Plan)
					for _, c := range r.Plan.Coverage {
						of := coverOf{c.Upstream, c.Source, c.Declared, c.Selected, c.Served, []skip{}}
						for _, s := range c.Skipped {
							of.Skipped = append(of.Skipped, skip(s))
						}
						out.Coverage = append(out.Coverage, of)
					}
				}
				out.Diagnostics.Sort()
				if jerr := a.printJSON(out); jerr != nil {
					return jerr
				}
				return err
			}
			name := args[0]
			if name == "-" {
				name = "<stdin>"
			}
			warnings := len(r.Diagnostics) - errorCount
			if !valid && errorCount > 0 {
				fmt.Fprintf(a.stdout, "%s: %s, %s\n", name, count(errorCount, "error"), count(warnings, "warning"))
				return err
			}
			fmt.Fprintf(a.stdout, "%s: %s, %s\n", name, offered(r.Plan), count(warnings, "warning"))
			for _, c := range r.Plan.Coverage {
				fmt.Fprintf(a.stdout, "%s: %s\n", cmp.Or(strings.TrimPrefix(c.Source, "-"), name), coverage(c))
			}
			return err
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "")
	t.flags(cmd)
	return cmd
}

// coverOf is what became of the operations of one document, as validate --json
// prints it.
type coverOf struct {
	Upstream string `json:"upstream"`
	Source   string `json:"source"`
	Declared int    `json:"declared"` // by the document
	Selected int    `json:"selected"` // by the spec
	Served   int    `json:"served"`
	Skipped  []skip `json:"skipped"`
}

type skip struct {
	Operation string `json:"operation"`
	Reason    string `json:"reason"`
}

// offered says what a server has.
func offered(p *plan.Server) string {
	s := count(countListed(p), "tool")
	if n := len(p.Resources); n > 0 {
		s += ", " + count(n, "resource")
	}
	if n := len(p.Prompts); n > 0 {
		s += ", " + count(n, "prompt")
	}
	return s
}

// nothing is a writer that drops everything.
type nothing struct{}

func (nothing) Write(b []byte) (int, error) { return len(b), nil }
