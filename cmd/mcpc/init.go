package main

import (
	"bufio"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/mcpc-dev/mcpc/cmd/mcpc/internal/starter"
)

func (a *app) init() *cobra.Command {
	var kind, name string
	var yes bool
	var kinds strings.Builder
	for _, k := range starter.Kinds {
		fmt.Fprintf(&kinds, "  %-10s %s\n", k.Name, k.What)
	}
	cmd := &cobra.Command{
		Use:   "init [DIR]",
		Short: "a new project",
		Long: `Make a project: a spec that works, tests with recorded answers, a README. On a
terminal it asks what is behind the server.

  mcpc init                               in this folder
  mcpc init shop --kind soap              in a new folder, without questions

  --kind KIND             what is behind the server, see below
  --name NAME             of the server, by default that of the folder
  --yes                   ask nothing: kind rest, unless --kind says another

` + kinds.String() + `
Nothing is overwritten and nothing is sent. The names of the files go to stdout.
`,
		Args: wants("[DIR]"),
		ValidArgsFunction: func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
			return nil, cobra.ShellCompDirectiveFilterDirs
		},
		RunE: func(_ *cobra.Command, args []string) error {
			dir := "."
			if len(args) > 0 {
				dir = args[0]
			}
			abs, err := filepath.Abs(dir)
			if err != nil {
				return failed(err)
			}
			standard := starter.NameOf(filepath.Base(abs))
			asking := !yes && kind == "" && a.terminal()
			switch {
			case asking:
				if kind, name, err = a.askProject(standard, name); err != nil {
					return err
				}
			case kind == "" && !yes:
				return usagef("--kind is missing: one of %s; or --yes for the first", strings.Join(starter.Names(), ", "))
			case kind == "":
				kind = starter.Kinds[0].Name
			}
			if name == "" {
				name = standard
			}
			if !slices.Contains(starter.Names(), kind) {
				return usagef("--kind is one of %s, not %q%s", strings.Join(starter.Names(), ", "), kind, didYouMean(kind, starter.Names()))
			}
			if err := starter.CheckName(name); err != nil {
				return usagef("%v", err)
			}
			files, err := starter.Project(kind, name)
			if err != nil {
				return failed(err)
			}
			if err := starter.Write(dir, files); err != nil {
				return failed(err)
			}
			for _, f := range files {
				fmt.Fprintln(a.stdout, filepath.Join(dir, filepath.FromSlash(f.Name)))
			}
			if strings.ContainsAny(dir, " '\"$`\\") {
				dir = strconv.Quote(dir)
			}
			fmt.Fprintf(a.stderr, "\nNow: mcpc test %s\n", dir)
			return nil
		},
	}
	f := cmd.Flags()
	f.StringVar(&kind, "kind", "", "")
	f.StringVar(&name, "name", "", "")
	f.BoolVar(&yes, "yes", false, "")
	completeWords(cmd, "kind", starter.Names()...)
	return cmd
}

// terminal reports whether somebody can be asked.
func (a *app) terminal() bool {
	f, ok := a.stdin.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// askProject asks for the kind of a project, by its name or number, and for the
// server's name where it was not given.
func (a *app) askProject(standard, given string) (kind, name string, err error) {
	in := bufio.NewScanner(a.stdin)
	ask := func(question, standard string) (string, error) {
		fmt.Fprintf(a.stderr, "%s [%s]: ", question, standard)
		if !in.Scan() {
			fmt.Fprintln(a.stderr)
			return "", usagef("no answer; --kind says it without a question")
		}
		if s := strings.TrimSpace(in.Text()); s != "" {
			return s, nil
		}
		return standard, nil
	}
	fmt.Fprintln(a.stderr, "What is behind the server?")
	for i, k := range starter.Kinds {
		fmt.Fprintf(a.stderr, "  %d  %-10s %s\n", i+1, k.Name, k.What)
	}
	for kind == "" {
		s, err := ask("Kind", starter.Kinds[0].Name)
		if err != nil {
			return "", "", err
		}
		n, err := strconv.Atoi(s)
		switch {
		case err == nil && n >= 1 && n <= len(starter.Kinds):
			kind = starter.Kinds[n-1].Name
		case slices.Contains(starter.Names(), s):
			kind = s
		default:
			fmt.Fprintf(a.stderr, "There is no kind %q%s\n", s, didYouMean(s, starter.Names()))
		}
	}
	for name = given; name == ""; {
		if name, err = ask("Name of the server", standard); err != nil {
			return "", "", err
		}
		if err := starter.CheckName(name); err != nil {
			fmt.Fprintln(a.stderr, err)
			name = ""
		}
	}
	return kind, name, nil
}
