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
	return &cobra.Command{
		Use:   "tail [FILE]",
		Short: "a log of calls, for people",
		Long: `Print a log of calls, or an audit log, as people read it: FILE, or stdin. Lines
that are something else are printed as they are.

  mcpc tail calls.log
  tail -f calls.log | mcpc tail
`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) > 1 {
				return usagef("mcpc tail prints one FILE, or stdin")
			}
			return nil
		},
		RunE: func(_ *cobra.Command, args []string) error {
			in := a.stdin
			if len(args) > 0 {
				f, err := os.Open(args[0])
				if err != nil {
					return failed(err)
				}
				defer func() { _ = f.Close() }() // it was only read
				in = f
			}
			if err := command.Tail(in, a.stdout); err != nil {
				return failed(err)
			}
			return nil
		},
	}
}
