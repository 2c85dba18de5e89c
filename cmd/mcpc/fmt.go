package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/rogpeppe/go-internal/diff"
	"github.com/spf13/cobra"

	"github.com/mcpc-dev/mcpc/specs/diag"
	"github.com/mcpc-dev/mcpc/specs/hclspec"
)

func (a *app) fmt() *cobra.Command {
	var check, showDiff bool
	var format string
	cmd := &cobra.Command{
		Use:   "fmt [FILE|DIR|-]…",
		Short: "the canonical layout of HCL",
		Long: `Write HCL specs in their canonical layout. Only white space changes.

  mcpc fmt                      all .hcl files of this folder
  mcpc fmt orders.hcl specs/    these, and all of that folder
  mcpc fmt - < orders.hcl       standard input to standard output

  --check                 write nothing; name what is not formatted, exit code 4
  --diff                  write nothing; print what would change
  --format FORMAT         of diagnostics: pretty, line, json or github

The names of files that were changed go to stdout. A file with a syntax error is
left as it is; the exit code is then 3.
`,
		Args: wants("[FILE|DIR|-…]"),
		ValidArgsFunction: func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
			return []string{"hcl"}, cobra.ShellCompDirectiveFilterFileExt
		},
		RunE: func(_ *cobra.Command, args []string) error {
			if len(args) == 0 {
				args = []string{"."}
			}
			files, err := specFiles(args)
			if err != nil {
				return failed(err)
			}
			code := exitOK
			for _, name := range files {
				changed, err := a.formatFile(name, check, showDiff, format)
				var end *exit
				switch {
				case errors.As(err, &end) && end.code == exitSpec:
					code = exitSpec
				case err != nil:
					return err
				case changed && check && code == exitOK:
					code = exitDifference
				}
			}
			if code != exitOK {
				return &exit{code: code}
			}
			return nil
		},
	}
	f := cmd.Flags()
	f.BoolVar(&check, "check", false, "")
	f.BoolVar(&showDiff, "diff", false, "")
	f.StringVar(&format, "format", "pretty", "")
	completeWords(cmd, "format", diag.Formats()...)
	return cmd
}

// specFiles are the files that the arguments name, and those of folders.
func specFiles(args []string) ([]string, error) {
	var files []string
	for _, arg := range args {
		info, err := os.Stat(arg)
		switch {
		case arg == "-":
			files = append(files, arg)
			continue
		case err != nil:
			var path *fs.PathError
			if errors.As(err, &path) {
				err = path.Err
			}
			return nil, fmt.Errorf("%s: %w", arg, err)
		case !info.IsDir():
			files = append(files, arg)
			continue
		}
		entries, err := os.ReadDir(arg)
		if err != nil {
			return nil, err
		}
		for _, e := range entries {
			if !e.IsDir() && strings.HasSuffix(e.Name(), ".hcl") {
				files = append(files, filepath.Join(arg, e.Name()))
			}
		}
	}
	return files, nil
}

// formatFile formats one file and reports whether it was not formatted.
func (a *app) formatFile(name string, check, showDiff bool, format string) (changed bool, err error) {
	var text []byte
	if name == "-" {
		text, err = io.ReadAll(a.stdin)
	} else {
		text, err = os.ReadFile(name)
	}
	if err != nil {
		return false, failed(err)
	}
	got, list := hclspec.Format(&diag.Source{Name: name, Text: text})
	if list.HasErrors() {
		if err := a.printer(format).Print(a.stderr, list); err != nil {
			return false, failed(err)
		}
		return false, &exit{code: exitSpec}
	}
	changed = !bytes.Equal(got, text)
	switch {
	case showDiff:
		_, err = a.stdout.Write(diff.Diff("a/"+name, text, "b/"+name, got))
	case check && changed:
		_, err = fmt.Fprintln(a.stdout, name)
	case check:
	case name == "-":
		_, err = a.stdout.Write(got)
	case changed:
		var info os.FileInfo
		if info, err = os.Stat(name); err == nil {
			err = os.WriteFile(name, got, info.Mode().Perm())
		}
		if err == nil {
			_, err = fmt.Fprintln(a.stdout, name)
		}
	}
	if err != nil {
		return false, failed(err)
	}
	return changed, nil
}
