package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/mcpc-dev/mcpc/specs"
	"github.com/mcpc-dev/mcpc/specs/curl"
	"github.com/mcpc-dev/mcpc/specs/diag"
	"github.com/mcpc-dev/mcpc/specs/har"
	"github.com/mcpc-dev/mcpc/specs/hclspec"
	"github.com/mcpc-dev/mcpc/specs/imported"
	"github.com/mcpc-dev/mcpc/specs/openapi"
	"github.com/mcpc-dev/mcpc/specs/postman"
	"github.com/mcpc-dev/mcpc/specs/wsdl"
)

// importing reads a description. An error is the world's: it could not be read.
type importing func(ctx context.Context, r *specs.Reader, location string, allow []string) (*imported.Spec, diag.List, error)

// importers are the kinds of descriptions that can be imported.
func importers() map[string]importing {
	text := func(read func(*diag.Source) (*imported.Spec, diag.List)) importing {
		return func(ctx context.Context, r *specs.Reader, location string, _ []string) (*imported.Spec, diag.List, error) {
			src, err := r.Read(ctx, location)
			if err != nil {
				return nil, nil, err
			}
			s, diags := read(src)
			return s, diags, nil
		}
	}
	return map[string]importing{
		"openapi": func(ctx context.Context, r *specs.Reader, location string, allow []string) (*imported.Spec, diag.List, error) {
			api, diags := openapi.Parse(ctx, r, location, openapi.Options{AllowRefs: allow})
			if api == nil {
				return nil, diags, nil
			}
			s, more := imported.OpenAPI(api)
			return s, append(diags, more...), nil
		},
		"postman": text(postman.Read),
		"har":     text(har.Read),
		"curl":    text(curl.Read),
		"wsdl": func(ctx context.Context, r *specs.Reader, location string, allow []string) (*imported.Spec, diag.List, error) {
			s, diags := wsdl.Read(ctx, r, location, wsdl.Options{Allow: allow})
			return s, diags, nil
		},
	}
}

// readReference reads an OpenAPI document that stays the source: what cannot be
// written by hand is served as it says, so there is nothing to warn of.
func readReference(ctx context.Context, r *specs.Reader, location string, allow []string) (*imported.Spec, diag.List, error) {
	api, diags := openapi.Parse(ctx, r, location, openapi.Options{AllowRefs: allow})
	if api == nil {
		return nil, diags, nil
	}
	s, _ := imported.OpenAPI(api)
	return s, diags, nil
}

func (a *app) importVerb() *cobra.Command {
	var out, mode, format string
	var allow []string
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "import openapi|postman|har|curl|wsdl FILE|-",
		Short: "an HCL spec of what you have",
		Long: `Write an HCL spec of an OpenAPI document, a Postman collection, a recording of a
browser (HAR), curl commands or a WSDL. The spec is yours to edit afterwards.

  mcpc import postman shop.postman_collection.json --out shop.hcl
  mcpc import har recording.har --out specs/          a file in this folder
  mcpc import wsdl https://erp.example/orders?wsdl    to standard output
  mcpc import curl - < commands.sh

  --out FILE|DIR          where to write; nothing is ever overwritten
  --mode MODE             of openapi: reference (the document stays the source, the
                          default) or expand (every operation becomes HCL)
  --allow-ref PREFIX      a folder or URL that the imports of a WSDL and the $refs of
                          an OpenAPI document may reach besides their own
  --json                  print what was made, and the warnings, as one JSON object
  --format FORMAT         of diagnostics: pretty, line, json or github

Secrets are not written: each becomes a sensitive variable, whose value comes from
the environment. What could not be imported is a warning that says where.
`,
		Args: wants("KIND", "FILE"),
		ValidArgsFunction: func(_ *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
			if len(args) == 0 {
				return kinds(), cobra.ShellCompDirectiveNoFileComp
			}
			return nil, cobra.ShellCompDirectiveDefault
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			kind, location := args[0], args[1]
			read := importers()[kind]
			switch {
			case read == nil:
				return usagef("cannot import %q%s; there are %s", kind, didYouMean(kind, kinds()), strings.Join(kinds(), ", "))
			case mode != "" && mode != "reference" && mode != "expand":
				return usagef("--mode is reference or expand, not %q", mode)
			case mode == "reference" && kind != "openapi":
				return usagef("a %s cannot be served by reference; leave --mode away", kind)
			case mode == "reference" && location == "-":
				return usagef("a spec cannot refer to standard input; name the file, or use --mode expand")
			case !slices.Contains(diag.Formats(), format):
				return usagef("--format is one of %s, not %q", strings.Join(diag.Formats(), ", "), format)
			}
			reference := kind == "openapi" && mode != "expand" && location != "-"
			if reference {
				read = readReference
			}
			r := &specs.Reader{Getenv: a.getenv, Stdin: a.stdin}
			s, diags, err := read(cmd.Context(), r, location, allow)
			if err != nil {
				return failed(err)
			}
			if !asJSON {
				if err := a.printer(format).Print(a.stderr, diags); err != nil {
					return failed(err)
				}
			}
			if s == nil || diags.HasErrors() {
				if asJSON {
					if err := a.printJSON(importReport{Warnings: listOf(diags)}); err != nil {
						return err
					}
				}
				return &exit{code: exitSpec}
			}
			name, err := importFile(out, s.Name)
			if err != nil {
				return err
			}
			if reference {
				s = imported.Reference(s, relativeTo(location, name))
			}
			report := importReport{File: name, Tools: len(s.Tools), Warnings: listOf(diags)}
			for _, v := range s.Variables {
				report.Variables = append(report.Variables, importVariable{v.Name, v.Env, v.Sensitive, v.Sensitive || v.Default == nil})
			}
			text := hclspec.Print(s)
			if name != "" {
				if err := writeNew(name, text); err != nil {
					return err
				}
			}
			switch {
			case asJSON:
				if name == "" {
					report.HCL = string(text)
				}
				return a.printJSON(report)
			case name == "":
				_, err = a.stdout.Write(text)
			default:
				_, err = fmt.Fprintf(a.stdout, "%s: %s\n", name, summaryOf(s))
			}
			if err != nil {
				return failed(err)
			}
			return nil
		},
	}
	f := cmd.Flags()
	f.StringVar(&out, "out", "", "")
	f.StringVar(&mode, "mode", "", "")
	f.StringArrayVar(&allow, "allow-ref", nil, "")
	f.BoolVar(&asJSON, "json", false, "")
	f.StringVar(&format, "format", "pretty", "")
	completeWords(cmd, "mode", "reference", "expand")
	completeWords(cmd, "format", diag.Formats()...)
	return cmd
}

func kinds() []string { return []string{"openapi", "postman", "har", "curl", "wsdl"} }

// importReport is what --json prints.
type importReport struct {
	File      string            `json:"file,omitempty"`
	HCL       string            `json:"hcl,omitempty"` // when there is no file
	Tools     int               `json:"tools"`
	Variables []importVariable  `json:"variables,omitempty"`
	Warnings  []diag.Diagnostic `json:"warnings"`
}

// importVariable is a variable of the new spec.
type importVariable struct {
	Name      string `json:"name"`
	Env       string `json:"env,omitempty"`
	Sensitive bool   `json:"sensitive,omitempty"`
	Needed    bool   `json:"needed,omitempty"` // it has no value yet
}

func listOf(list diag.List) []diag.Diagnostic {
	if list == nil {
		return []diag.Diagnostic{}
	}
	return list
}

// summaryOf says what was made, and what has to be given to serve it.
func summaryOf(s *imported.Spec) string {
	text := count(len(s.Tools), "tool")
	if len(s.Tools) == 0 {
		text = "every operation of the document"
	}
	var needed []string
	for _, v := range s.Variables {
		switch {
		case v.Sensitive:
			needed = append(needed, "$"+v.Env)
		case v.Default == nil:
			needed = append(needed, "--var "+v.Name+"=…")
		}
	}
	if len(needed) > 0 {
		text += "; to be given: " + strings.Join(needed, ", ")
	}
	return text
}

// importFile is the file to write: out, or one named after the server in the
// folder out. "" is standard output.
func importFile(out, server string) (string, error) {
	if out == "" || out == "-" {
		return "", nil
	}
	info, err := os.Stat(out)
	folder := strings.HasSuffix(out, "/") || strings.HasSuffix(out, string(filepath.Separator)) || filepath.Ext(out) == "" || err == nil && info.IsDir()
	name := out
	if folder {
		name = filepath.Join(out, server+".hcl")
	}
	if !strings.HasSuffix(name, ".hcl") {
		return "", usagef("--out names an .hcl file or a folder, not %s", out)
	}
	if _, err := os.Lstat(name); err == nil {
		return "", usagef("%s exists and is not overwritten; name another file with --out, or remove it first", name)
	}
	return name, nil
}

// writeNew writes a file that does not exist yet.
func writeNew(name string, text []byte) error {
	if err := os.MkdirAll(filepath.Dir(name), 0o777); err != nil {
		return failed(err)
	}
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o666)
	if errors.Is(err, fs.ErrExist) {
		return usagef("%s exists and is not overwritten; name another file with --out, or remove it first", name)
	}
	if err != nil {
		return failed(err)
	}
	if _, err = f.Write(text); err == nil {
		err = f.Close()
	}
	if err != nil {
		return failed(err)
	}
	return nil
}

// relativeTo is a location as a spec in the file name has to write it.
func relativeTo(location, name string) string {
	if specs.IsURL(location) || filepath.IsAbs(location) {
		return location
	}
	from, err1 := filepath.Abs(filepath.Dir(name))
	to, err2 := filepath.Abs(location)
	if err1 != nil || err2 != nil {
		return location
	}
	rel, err := filepath.Rel(from, to)
	if err != nil {
		return to
	}
	return filepath.ToSlash(rel)
}
