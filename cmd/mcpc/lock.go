package main

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/spf13/cobra"

	"github.com/mcpc-dev/mcpc/compiler/surface"
	"github.com/mcpc-dev/mcpc/runtime/plan"
)

// lockName is the lock file's usual name.
const lockName = "mcpc.lock.json"

func (a *app) lock() *cobra.Command {
	var t target
	var name string
	var check bool
	cmd := &cobra.Command{
		Use:   "lock TARGET",
		Short: "write down what clients see",
		Long: `Write down the tools of TARGET as clients and models see them: names,
descriptions, hints, schemas, and who may call them. Commit the file; a change of
the surface is then a change somebody has looked at.

  mcpc lock orders.hcl                      writes ` + lockName + `
  mcpc lock orders.hcl --check              exit code 4 when it is out of date
  mcpc serve orders.hcl --locked ` + lockName + `
                                            serves nothing else
  mcpc diff ` + lockName + ` orders.hcl      what changed since

  -o, --output FILE       the lock file, by default ` + lockName + `
  --check                 write nothing; print what changed

` + commonHelp,
		Args:              wants("TARGET"),
		ValidArgsFunction: a.completes(&t),
		RunE: func(cmd *cobra.Command, args []string) error {
			r, err := a.compile(cmd.Context(), args[0], &t, false)
			if err != nil {
				return err
			}
			s := surface.Of(r.Plan)
			text, err := s.Encode()
			if err != nil {
				return failed(err)
			}
			old, err := os.ReadFile(name)
			if err != nil && !errors.Is(err, fs.ErrNotExist) {
				return failed(err)
			}
			current := bytes.Equal(bytes.ReplaceAll(old, []byte("\r\n"), []byte("\n")), text)
			switch {
			case current:
				fmt.Fprintf(a.stdout, "%s is current: %s\n", name, count(len(s.Tools), "tool"))
			case check:
				return a.outOfDate(name, r.Plan)
			default:
				if err := os.WriteFile(name, text, 0o644); err != nil {
					return failed(err)
				}
				fmt.Fprintf(a.stdout, "wrote %s: %s\n", name, count(len(s.Tools), "tool"))
			}
			return nil
		},
	}
	cmd.Flags().StringVarP(&name, "output", "o", lockName, "")
	cmd.Flags().BoolVar(&check, "check", false, "")
	t.flags(cmd)
	return cmd
}

// outOfDate prints what a lock file says otherwise than a plan. The error is nil
// when that is nothing.
func (a *app) outOfDate(name string, p *plan.Server) error {
	locked, err := readLock(name)
	if err != nil {
		if _, missing := os.Stat(name); missing != nil {
			err = fs.ErrNotExist
		}
		return &exit{exitDifference, fmt.Errorf("%s: %w; mcpc lock writes it", name, err)}
	}
	changes := locked.Changes(surface.Of(p))
	if len(changes) == 0 {
		return nil
	}
	const most = 10
	if err := writeChanges(a.stderr, changes[:min(len(changes), most)]); err != nil {
		return failed(err)
	}
	if n := len(changes) - most; n > 0 {
		fmt.Fprintf(a.stderr, "and %d more; mcpc diff prints all\n", n)
	}
	return &exit{exitDifference, fmt.Errorf("the tools are not those of %s; mcpc lock writes it anew", name)}
}
