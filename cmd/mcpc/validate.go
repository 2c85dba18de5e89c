package main

import (
	"errors"
	"fmt"

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
			r, err := quiet.compile(cmd.Context(), args[0], &t, true)
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
					Valid       bool            `json:"valid"`
					Tools       int             `json:"tools"`
					Diagnostics diag.List       `json:"diagnostics"`
					Coverage    []plan.Coverage `json:"coverage"`
				}{Valid: valid, Diagnostics: append(diag.List{}, r.Diagnostics...), Coverage: []plan.Coverage{}}
				if r.Plan != nil {
					out.Tools, out.Coverage = len(r.Plan.Tools), append(out.Coverage, r.Plan.Coverage...)
				}
				out.Diagnostics.Sort()
				if jerr := a.printJSON(out); jerr != nil {
					return jerr
				}
				return err
			}
			warnings := len(r.Diagnostics) - errorCount
			if !valid && errorCount > 0 {
				fmt.Fprintf(a.stdout, "%s: %s, %s\n", args[0], count(errorCount, "error"), count(warnings, "warning"))
				return err
			}
			fmt.Fprintf(a.stdout, "%s: %s, %s\n", args[0], count(len(r.Plan.Tools), "tool"), count(warnings, "warning"))
			for _, c := range r.Plan.Coverage {
				fmt.Fprintf(a.stdout, "%s: %s\n", c.Source, coverage(c))
			}
			return err
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "")
	t.flags(cmd)
	return cmd
}

// nothing is a writer that drops everything.
type nothing struct{}

func (nothing) Write(b []byte) (int, error) { return len(b), nil }
