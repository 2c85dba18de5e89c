package main

import (
	"errors"
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"github.com/mcpc-dev/mcpc/runtime/command"
)

func (a *app) audit() *cobra.Command {
	var head string
	verify := &cobra.Command{
		Use:   "verify FILE",
		Short: "whether an audit log is whole",
		Long: `Follow the chain of an audit log, which observe { audit = { file = "…" } } of a
spec has written: a line that was changed, put in, or taken out breaks it.

  mcpc audit verify audit.log
  mcpc audit verify audit.log --head 3f0a…    a hash noted earlier must be in it

  --head HASH             the hash of a line that the log must have: it was the last
                          once, as this command or /info of the server said. Only so
                          does it show when lines are taken off the end.

The exit code is 4 when the chain is broken; the line where is said.
`,
		Args: wants("FILE"),
		RunE: func(_ *cobra.Command, args []string) error {
			f, err := os.Open(args[0])
			if err != nil {
				return failed(err)
			}
			defer func() { _ = f.Close() }() // it was only read
			end, err := command.VerifyAudit(f, head)
			if _, ok := errors.AsType[*command.AuditBroken](err); ok {
				return &exit{exitDifference, fmt.Errorf("%s: %w", args[0], err)}
			}
			if err != nil {
				return failed(err)
			}
			fmt.Fprintf(a.stdout, "%s, unbroken; the last has the hash %s\n", count(int(end.Lines), "line"), end.Head)
			return nil
		},
	}
	verify.Flags().StringVar(&head, "head", "", "")
	cmd := &cobra.Command{
		Use:   "audit verify FILE",
		Short: "whether an audit log is whole",
		Long:  verify.Long,
		RunE: func(_ *cobra.Command, args []string) error {
			if len(args) == 0 {
				return usagef("what about an audit log? mcpc audit verify FILE checks it")
			}
			return usagef("mcpc audit %s does not exist; mcpc audit verify FILE checks a log", args[0])
		},
	}
	cmd.AddCommand(verify)
	return cmd
}

func (a *app) tail() *cobra.Command {
	var (
		o      command.TailOptions
		follow bool
	)
	cmd := &cobra.Command{
		Use:   "tail [FILE]",
		Short: "a log of calls, for people",
		Long: `Print a log of calls, or an audit log, as people read it: FILE, or stdin. Lines
that are something else are printed as they are, unless only some are asked for.

  mcpc tail calls.log
  mcpc tail -f calls.log --failed
  mcpc tail calls.log --tool 'get_*' --slower 2s
  kubectl logs deploy/mcpc | mcpc tail --correlation req-9

  -f, --follow            go on with what is written later, also when the file is
                          rotated
  -n, --lines N           only the last N lines that are asked for; with --follow 10,
                          otherwise all (0)
  --tool PATTERN          calls of a tool, resource or prompt; * stands for any letters
  --upstream NAME         calls of an api
  --outcome CODE          that ended so: ok, or a code; or refusals with that reason
  --failed                that did not end with ok, and refusals
  --slower DURATION       calls that took as long or longer
  --subject, --client, --tenant TEXT
                          of a caller
  --correlation ID        of one request: its id, or its trace
  --json                  lines as they are in the log

Times are UTC. On a terminal levels have colours, unless NO_COLOR is set.
`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) > 1 {
				return usagef("mcpc tail prints one FILE, or stdin")
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := o.Check(); err != nil {
				return usagef("%v", err)
			}
			o.Color = a.colorOf(a.stdout)
			file := len(args) > 0 && args[0] != "-"
			if follow {
				if !file {
					return usagef("--follow needs a FILE; stdin is followed until it ends")
				}
				if !cmd.Flags().Changed("lines") {
					o.Last = 10
				}
				return failed(command.Follow(cmd.Context(), args[0], a.stdout, o))
			}
			in := a.stdin
			if file {
				f, err := os.Open(args[0])
				if err != nil {
					return failed(err)
				}
				defer func() { _ = f.Close() }() // it was only read
				in = f
			}
			if err := command.Tail(in, a.stdout, o); err != nil {
				return failed(err)
			}
			return nil
		},
	}
	f := cmd.Flags()
	f.BoolVarP(&follow, "follow", "f", false, "")
	f.IntVarP(&o.Last, "lines", "n", 0, "")
	f.StringVar(&o.Tool, "tool", "", "")
	f.StringVar(&o.Upstream, "upstream", "", "")
	f.StringVar(&o.Outcome, "outcome", "", "")
	f.BoolVar(&o.Failed, "failed", false, "")
	f.DurationVar(&o.Slower, "slower", 0, "")
	f.StringVar(&o.Subject, "subject", "", "")
	f.StringVar(&o.Client, "client", "", "")
	f.StringVar(&o.Tenant, "tenant", "", "")
	f.StringVar(&o.Correlation, "correlation", "", "")
	f.BoolVar(&o.JSON, "json", false, "")
	return cmd
}
