package main

import (
	"bytes"
	"errors"
	"fmt"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
	"text/tabwriter"
	"unicode"

	"github.com/rogpeppe/go-internal/diff"
	"github.com/spf13/cobra"
	"golang.org/x/mod/modfile"

	"github.com/mcpc-dev/mcpc/codegen"
	"github.com/mcpc-dev/mcpc/compiler"
	"github.com/mcpc-dev/mcpc/specs/diag"
)

func (a *app) generate() *cobra.Command {
	var t target
	g := generation{app: a}
	cmd := &cobra.Command{
		Use:   "generate TARGET -o DIR",
		Short: "write the server as a Go package",
		Long: `Write the server of TARGET as a Go package: the same plan that serve executes,
and a typed Go method for each tool.

  mcpc generate orders.hcl -o internal/ordersmcp
  mcpc generate orders.hcl -o internal/ordersmcp --main cmd/orders-mcp
  mcpc generate orders.hcl -o internal/ordersmcp --check      in CI: exit code 4 when stale
  mcpc generate orders.hcl -o internal/ordersmcp --report     native and bridged tools

  -o, --output DIR        the folder of the package
  --package NAME          of the package; by default that of the folder
  --main DIR              also a main program, unless the folder has one already
  --check                 write nothing; print what is stale
  --dry-run               write nothing; print what would be written
  --force                 overwrite generated files that were changed by hand
  --report                write nothing; print which tools Go code answers
  --code DIR              with --report: the Go code to read, by default the module
  --json                  print what was done, found or reported as JSON

Files that mcpc did not write are left alone, and so are those it wrote that did
not change. mcpc.json in the folder tells them apart; commit it with the rest.

To answer a tool in Go, embed the package's Bridge in a type of yours, give the
type the tool's method, and pass it to the package's New.

` + commonHelp,
		Args:              wants("TARGET"),
		ValidArgsFunction: a.completes(&t),
		RunE: func(cmd *cobra.Command, args []string) error {
			if g.dir == "" {
				return usagef("-o is missing: the folder of the package")
			}
			if g.check && g.dryRun || g.report && (g.check || g.dryRun || g.force) || g.check && g.force {
				return usagef("--check, --dry-run, --force and --report do not go together")
			}
			if g.code != "" && !g.report {
				return usagef("--code goes with --report")
			}
			o, err := t.options(a, args[0])
			if err != nil {
				return err
			}
			o.Model, o.CacheDir = true, ""
			compiled, err := a.compileWith(cmd.Context(), o, args[0], &t, true)
			if err != nil {
				return err
			}
			if len(compiled.Secrets) > 0 {
				return usagef("values of sensitive variables cannot be generated into code: give the variables env, and set it where the server runs")
			}
			g.format = t.format
			return g.run(compiled)
		},
	}
	f := cmd.Flags()
	f.StringVarP(&g.dir, "output", "o", "", "")
	f.StringVar(&g.pkg, "package", "", "")
	f.StringVar(&g.main, "main", "", "")
	f.BoolVar(&g.check, "check", false, "")
	f.BoolVar(&g.dryRun, "dry-run", false, "")
	f.BoolVar(&g.force, "force", false, "")
	f.BoolVar(&g.report, "report", false, "")
	f.StringVar(&g.code, "code", "", "")
	f.BoolVar(&g.json, "json", false, "")
	for _, flag := range []string{"output", "main", "code"} {
		if err := cmd.MarkFlagDirname(flag); err != nil {
			panic(err) // there is no such flag, which every test would show
		}
	}
	t.flags(cmd)
	return cmd
}

// generation is one run of the verb.
type generation struct {
	*app
	dir, pkg, main, code, format       string
	check, dryRun, force, report, json bool
}

// summary is what --json prints of a run.
type summary struct {
	Package  string   `json:"package"`
	Dir      string   `json:"dir"`
	Tools    int      `json:"tools"`
	Skipped  int      `json:"skipped"` // operations that could not be served
	Files    int      `json:"files"`
	Added    []string `json:"added"`
	Updated  []string `json:"updated"`
	Deleted  []string `json:"deleted"`
	Edited   []string `json:"edited"` // changed by hand
	Current  bool     `json:"current"`
	Written  bool     `json:"written"`
	MainFile string   `json:"main,omitempty"` // when there was none
}

func (g *generation) run(compiled *compiler.Result) error {
	if g.report {
		return g.printReport(compiled)
	}
	if g.pkg == "" {
		g.pkg = packageOf(g.dir)
	}
	files, err := codegen.Generate(compiled.Plan, compiled.Model, codegen.Options{Package: g.pkg})
	if err != nil {
		return failed(err)
	}
	changes, err := codegen.Compare(g.dir, files)
	if err != nil {
		return failed(err)
	}
	s := summary{
		Package: g.pkg, Dir: g.dir, Tools: len(compiled.Plan.Tools), Skipped: skipped(compiled.Plan), Files: len(files) + 1,
		Added: orNone(changes.Add), Updated: orNone(changes.Update), Deleted: orNone(changes.Delete), Edited: orNone(changes.Edited), Current: changes.Current(),
	}
	if g.check {
		return g.printCheck(s, changes)
	}
	name, text, err := g.mainFile()
	if err != nil {
		return failed(err)
	}
	s.MainFile = name
	if !g.dryRun {
		if err := changes.Apply(g.force); err != nil {
			return failed(err)
		}
		s.Written = !s.Current
		if name != "" {
			if err := os.MkdirAll(g.main, 0o755); err != nil {
				return failed(err)
			}
			if err := os.WriteFile(name, text, 0o644); err != nil {
				return failed(err)
			}
		}
	}
	if g.json {
		return g.printJSON(s)
	}
	verb := "wrote"
	if g.dryRun {
		verb = "would write"
	}
	switch {
	case s.Current:
		fmt.Fprintf(g.stdout, "%s is current: %s, %s\n", g.dir, count(s.Tools, "tool"), count(s.Files, "file"))
	default:
		fmt.Fprintf(g.stdout, "%s %s: %s, %s (%d added, %d updated, %d deleted)\n", verb, g.dir, count(s.Tools, "tool"), count(s.Files, "file"), len(s.Added), len(s.Updated), len(s.Deleted))
	}
	if g.dryRun {
		for _, group := range []struct {
			word  string
			names []string
		}{{"add", s.Added}, {"update", s.Updated}, {"delete", s.Deleted}, {"edited by hand", s.Edited}} {
			for _, name := range group.names {
				fmt.Fprintf(g.stdout, "  %-7s %s\n", group.word, name)
			}
		}
	}
	if s.MainFile != "" {
		fmt.Fprintf(g.stdout, "%s %s, which is yours from then on\n", verb, s.MainFile)
	}
	return nil
}

func orNone(list []string) []string {
	if list == nil {
		return []string{}
	}
	return list
}

// maxDiff bounds the diff of --check, in bytes.
const maxDiff = 64 << 10

// printCheck says what is stale and how to mend it.
func (g *generation) printCheck(s summary, changes *codegen.Changes) error {
	if g.json {
		if err := g.printJSON(s); err != nil {
			return err
		}
	} else if s.Current {
		fmt.Fprintf(g.stdout, "%s is current: %s, %s\n", g.dir, count(s.Tools, "tool"), count(s.Files, "file"))
	}
	if s.Current {
		return nil
	}
	command := g.command()
	stale := len(s.Added) + len(s.Updated) + len(s.Deleted) + len(s.Edited)
	if !g.json {
		printed := 0
		for _, name := range append(append(append(append([]string{}, s.Added...), s.Updated...), s.Deleted...), s.Edited...) {
			if name == codegen.ManifestName && stale > 1 {
				continue // it lists the others
			}
			file := filepath.ToSlash(filepath.Join(g.dir, name))
			if g.format == "github" {
				fmt.Fprintln(g.stdout, diag.Annotation(file, path.Base(name)+" is stale: run "+command))
				continue
			}
			d := diff.Diff("a/"+file, changes.Found(name), "b/"+file, changes.Wanted(name))
			if printed += len(d); printed > maxDiff {
				fmt.Fprintf(g.stdout, "… and more; %s\n", count(stale, "stale file"))
				break
			}
			fmt.Fprintf(g.stdout, "%s", d)
		}
	}
	return &exit{exitDifference, fmt.Errorf("%s in %s; run\n  %s", count(stale, "stale file"), g.dir, command)}
}

// command is the command line that mends what --check finds: the one that was
// given, without what makes it a check.
func (g *generation) command() string {
	words := []string{"mcpc"}
	for i, w := range g.args {
		checks := w == "--check" || w == "--json" || w == "--format" || strings.HasPrefix(w, "--format=") || i > 0 && g.args[i-1] == "--format"
		if checks {
			continue
		}
		if strings.ContainsFunc(w, func(r rune) bool {
			return !unicode.IsLetter(r) && !unicode.IsDigit(r) && !strings.ContainsRune("-_./:=@,+%", r)
		}) {
			w = "'" + strings.ReplaceAll(w, "'", `'\''`) + "'"
		}
		words = append(words, w)
	}
	return strings.Join(words, " ")
}

// packageOf is the name of the package in a folder, or what it will be.
func packageOf(dir string) string {
	names, _ := filepath.Glob(filepath.Join(dir, "*.go")) // the pattern is well formed
	for _, name := range names {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		if f, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.PackageClauseOnly); err == nil && f.Name.Name != "main" {
			return f.Name.Name
		}
	}
	if abs, err := filepath.Abs(dir); err == nil {
		dir = abs
	}
	return codegen.PackageName(filepath.Base(dir))
}

// importPath is that of the package in a folder, and the folder of its module.
func importPath(dir string) (pkg, module string, err error) {
	abs, err := filepath.Abs(dir)
	if err != nil {
		return "", "", err
	}
	for root := abs; ; root = filepath.Dir(root) {
		text, err := os.ReadFile(filepath.Join(root, "go.mod"))
		if err == nil {
			rel, err := filepath.Rel(root, abs)
			if err != nil {
				return "", "", err
			}
			return path.Join(modfile.ModulePath(text), filepath.ToSlash(rel)), root, nil
		}
		if root == filepath.Dir(root) {
			return "", "", fmt.Errorf("%s is in no Go module: run go mod init first", dir)
		}
	}
}

// mainFile is the main program to be written; none when there is one.
func (g *generation) mainFile() (name string, text []byte, err error) {
	if g.main == "" {
		return "", nil, nil
	}
	name = filepath.Join(g.main, "main.go")
	if _, err := os.Stat(name); !errors.Is(err, fs.ErrNotExist) {
		return "", nil, err
	}
	pkg, _, err := importPath(g.dir)
	if err != nil {
		return "", nil, err
	}
	text, err = codegen.Main(pkg, g.pkg)
	return name, text, err
}

func (g *generation) printReport(compiled *compiler.Result) error {
	pkg, module, err := importPath(g.dir)
	if err != nil {
		return failed(err)
	}
	if g.code != "" {
		module = g.code
	}
	r, err := codegen.Migration(compiled.Plan, codegen.Module{Dir: module, ImportPath: pkg, Package: packageOf(g.dir)})
	if err != nil {
		return failed(err)
	}
	if g.json {
		return g.printJSON(r)
	}
	total := r.Native + r.Bridged
	percent := 0
	if total > 0 {
		percent = 100 * r.Native / total
	}
	fmt.Fprintf(g.stdout, "%d of %s native (%d %%)\n", r.Native, count(total, "tool"), percent)
	var b bytes.Buffer
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	for _, t := range r.Tools {
		if t.Native != nil {
			fmt.Fprintf(w, "  native\t%s\t%s\t%s\n", t.Tool, t.Name, strings.Join(t.Native, ", "))
		} else {
			fmt.Fprintf(w, "  bridged\t%s\t%s\t%s: %s\n", t.Tool, t.Name, t.Upstream, t.Route)
		}
	}
	w.Flush()
	for _, u := range r.Unread {
		fmt.Fprintf(&b, "not read: %s\n", u)
	}
	if _, err := b.WriteTo(g.stdout); err != nil {
		return failed(err)
	}
	return nil
}
