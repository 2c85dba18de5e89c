package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/mcpc-dev/mcpc/compiler/surface"
)

func (a *app) diff() *cobra.Command {
	var t target
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "diff OLD NEW",
		Short: "what clients and models see differently",
		Long: `Compare the tools of two versions of a server: what is gone, new, stricter or
worded otherwise, who may call it (scopes, confirm, rules of the policy), and what
it costs a model to read.

  mcpc diff old.yaml new.yaml
  mcpc diff mcpc.lock.json orders.hcl        since the lock file was written

OLD and NEW are TARGETs or lock files, which mcpc lock writes.

  --json                  print the changes as one JSON object

The exit code is 4 when a change is breaking: a call that worked may fail, or an
answer lack what was promised. A condition that is another is taken for breaking.

` + commonHelp,
		Args:              wants("OLD", "NEW"),
		ValidArgsFunction: a.completes(&t),
		RunE: func(cmd *cobra.Command, args []string) error {
			before, err := a.surface(cmd, args[0], &t)
			if err != nil {
				return err
			}
			after, err := a.surface(cmd, args[1], &t)
			if err != nil {
				return err
			}
			changes := before.Changes(after)
			out := comparison{Changes: append([]surface.Change{}, changes...), TokensBefore: surfaceTokens(before), TokensAfter: surfaceTokens(after)}
			for _, c := range changes {
				switch c.Impact {
				case surface.Breaking:
					out.Breaking++
				case surface.Additive:
					out.Additive++
				default:
					out.Wording++
				}
			}
			if asJSON {
				err = a.printJSON(out)
			} else {
				err = a.printChanges(out)
			}
			if err == nil && out.Breaking > 0 {
				return &exit{code: exitDifference}
			}
			return err
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "")
	t.flags(cmd)
	return cmd
}

// comparison is what diff prints.
type comparison struct {
	Breaking     int              `json:"breaking"`
	Additive     int              `json:"additive"`
	Wording      int              `json:"wording"`
	TokensBefore int              `json:"tokensBefore"` // estimated: bytes/4
	TokensAfter  int              `json:"tokensAfter"`
	Changes      []surface.Change `json:"changes"`
}

// writeChanges prints changes, one a line.
func writeChanges(out io.Writer, list []surface.Change) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	for _, c := range list {
		what := c.Message
		if c.Place != "" {
			what = c.Place + ": " + what
		}
		fmt.Fprintf(w, "%s\t%s\t%s\n", c.Impact, c.Tool, printable(what))
	}
	return w.Flush()
}

func (a *app) printChanges(c comparison) error {
	if err := writeChanges(a.stdout, c.Changes); err != nil {
		return failed(err)
	}
	cost := "the same cost to a model"
	if c.TokensBefore != c.TokensAfter {
		cost = fmt.Sprintf("about %s instead of %s tokens", group(c.TokensAfter), group(c.TokensBefore))
	}
	fmt.Fprintf(a.stdout, "%d breaking, %d additive, %d of wording; %s\n", c.Breaking, c.Additive, c.Wording, cost)
	return nil
}

func surfaceTokens(s *surface.Surface) (n int) {
	for i := range s.Tools {
		t := &s.Tools[i]
		n += len(t.Name) + len(t.Title) + len(t.Description) + len(t.Input) + len(t.Output)
	}
	// Resources and prompts are for people and programs: a model reads what they
	// choose, not the list.
	return tokens(n)
}

// surface reads a lock file, or compiles a target.
func (a *app) surface(cmd *cobra.Command, location string, t *target) (*surface.Surface, error) {
	s, err := readLock(location)
	if err == nil {
		return s, nil
	}
	if !errors.Is(err, surface.ErrFormat) {
		return nil, failed(fmt.Errorf("%s: %w", location, err))
	}
	r, err := a.compile(cmd.Context(), location, t, false)
	if err != nil {
		return nil, err
	}
	return surface.Of(r.Plan), nil
}

// maxLock bounds lock files, in bytes.
const maxLock = 64 << 20

// readLock reads a lock file. What is no file, or another, is
// [surface.ErrFormat].
func readLock(name string) (*surface.Surface, error) {
	info, err := os.Stat(name)
	if err != nil || !info.Mode().IsRegular() || info.Size() > maxLock {
		return nil, surface.ErrFormat
	}
	text, err := os.ReadFile(name)
	if err != nil {
		return nil, err
	}
	return surface.Decode(text)
}
