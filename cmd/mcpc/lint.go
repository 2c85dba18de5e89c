package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/mcpc-dev/mcpc/compiler/lint"
	"github.com/mcpc-dev/mcpc/specs/diag"
)

func (a *app) lint() *cobra.Command {
	var t target
	var asJSON bool
	var off []string
	var limits lint.Limits
	var help strings.Builder
	var codes []string
	for _, r := range lint.Rules() {
		codes = append(codes, r.Code)
		fmt.Fprintf(&help, "  %-22s  %s\n", r.Code, r.Meaning)
	}
	cmd := &cobra.Command{
		Use:   "lint TARGET",
		Short: "what serves a model badly",
		Long: `Say what is correct in TARGET and serves a model badly: names and texts, costs,
effects, and texts of foreign documents that speak to the model. The warnings of
mcpc validate are among the findings.

  mcpc lint orders.hcl
  mcpc lint petstore.yaml --off long-name,token-cost
  mcpc lint petstore.yaml --format github       annotations in GitHub Actions

  --off CODE,…            rules to leave out
  --max-tools N           how many tools are too many, by default 40
  --max-tokens N          what the list of tools may cost a model, by default 20000
  --json                  print the findings as one JSON object

Rules
` + help.String() + `
Findings go to stderr, the summary to stdout. The exit code is 4 when there are
findings, 3 when TARGET cannot be served.

` + commonHelp,
		Args:              wants("TARGET"),
		ValidArgsFunction: a.completes(&t),
		RunE: func(cmd *cobra.Command, args []string) error {
			for _, code := range off {
				if !slices.Contains(codes, code) {
					return usagef("--off: there is no rule %q%s", code, didYouMean(code, codes))
				}
			}
			o, err := t.options(a, args[0])
			if err != nil {
				return err
			}
			o.Document = true
			quiet := *a
			quiet.stderr = nothing{}
			r, err := quiet.compileWith(cmd.Context(), o, args[0], &t, true)
			if r == nil {
				return err
			}
			found := slices.Clone(r.Diagnostics)
			if r.Plan != nil && r.Document != nil {
				for _, d := range lint.Check(r.Document, r.Plan, limits) {
					if !slices.Contains(off, d.Code) {
						found.Add(d)
					}
				}
			}
			found.Sort()
			if asJSON {
				if jerr := a.printJSON(struct {
					Findings diag.List `json:"findings"`
				}{append(diag.List{}, found...)}); jerr != nil {
					return jerr
				}
			} else {
				if perr := a.printer(t.format).Print(a.stderr, found); perr != nil {
					return failed(perr)
				}
				if r.Plan != nil {
					fmt.Fprintf(a.stdout, "%s: %s, %s\n", args[0], count(countListed(r.Plan), "tool"), count(len(found), "finding"))
				}
			}
			if err == nil && len(found) > 0 {
				return &exit{code: exitDifference}
			}
			return err
		},
	}
	f := cmd.Flags()
	f.BoolVar(&asJSON, "json", false, "")
	f.StringSliceVar(&off, "off", nil, "")
	f.IntVar(&limits.Tools, "max-tools", 0, "")
	f.IntVar(&limits.Tokens, "max-tokens", 0, "")
	completeWords(cmd, "off", codes...)
	t.flags(cmd)
	return cmd
}
