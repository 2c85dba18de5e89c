package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/mcpc-dev/mcpc/runtime"
)

func (a *app) call() *cobra.Command {
	var t target
	var given arguments
	var asJSON, yes bool
	var out string
	var files []string
	var as callerFlag
	cmd := &cobra.Command{
		Use:   "call TARGET TOOL [K=V …]",
		Short: "call one tool and print its result",
		Long: `Call one tool, in the way a client's call goes, and print its result.

  mcpc call petstore.yaml getPet petId=7
  mcpc call petstore.yaml addPet body.name=Rex body.tags=good body.tags=brown
  mcpc call petstore.yaml addPet --json-args '{"body":{"name":"Rex"}}'
  mcpc call petstore.yaml getPhoto petId=7 --out rex.png

  K=V                     an argument; V is taken in the type the tool's schema says
  K:=JSON                 an argument as JSON: limit:=10, filter:='{"a":[1]}'
  K.SUB=V                 a member of an object; a repeated K adds to an array
  --json-args JSON        all arguments; @FILE reads a file, - standard input;
                          --args for short
  --as WHAT=VALUE         on behalf of whom: subject, client, tenant, identity, scope
                          or claim.NAME, JSON, or @FILE, as in mcpc explain; without
                          it nobody is known. No credential comes with it
  --files DIR             a folder whose files arguments may name, as file:NAME
  --out FILE              write the result's image, sound or binary there
  --yes                   agree to what the tool asks a person (confirm); on a
                          terminal you are asked
  --json                  print the whole result object, as an MCP client gets it

Text goes to stdout. An error of the tool goes to stderr; the exit code is then
6, or 5 when the service failed, was not reached or wants other credentials.

` + commonHelp,
		Args:              wants("TARGET", "TOOL", "[K=V …]"),
		ValidArgsFunction: a.completes(&t, "TOOL", "K=V"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if args[0] == "-" && given.json == "-" {
				return usagef("standard input cannot be both TARGET and the arguments")
			}
			compiled, err := a.compile(cmd.Context(), args[0], &t, false)
			if err != nil {
				return err
			}
			tool, err := findTool(compiled.Plan, args[1], args[0])
			if err != nil {
				return err
			}
			if tool.Internal {
				return usagef("the tool %s is internal: only the steps of other tools call it; mcpc test runs it too", tool.Name)
			}
			arguments, err := given.read(a, tool, args[2:])
			if err != nil {
				return err
			}
			who, err := as.caller()
			if err != nil {
				return err
			}
			if who == nil {
				who = &runtime.Caller{}
			} else if !who.Has(tool.Scopes) {
				return &exit{exitUpstream, fmt.Errorf("the call is denied; nothing was sent. %s", runtime.Decision{Scopes: tool.Scopes})}
			}
			log := slog.New(slog.NewTextHandler(a.stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))
			o := a.runtimeOptions()
			o.Logger, o.Files = log, files
			s, err := runtime.New(compiled.Plan, o)
			if err != nil {
				return failed(err)
			}
			ctx := runtime.WithCaller(cmd.Context(), who)
			if yes || a.interactive() {
				ctx = runtime.WithConfirmation(ctx, func(_ context.Context, question string) (bool, error) {
					return yes || a.agree(question), nil
				})
			}
			defer s.Close(context.WithoutCancel(ctx))
			r, err := s.Call(ctx, who.Principal, tool.Name, arguments)
			if err != nil {
				return failed(err)
			}
			if cmd.Context().Err() != nil {
				return &exit{code: exitInterrupted}
			}
			if err := a.printResult(r, asJSON, out); err != nil {
				return err
			}
			if r.IsError {
				return &exit{code: failureCode(r.Code)}
			}
			return nil
		},
	}
	f := cmd.Flags()
	f.BoolVar(&asJSON, "json", false, "")
	f.BoolVar(&yes, "yes", false, "")
	f.StringVar(&out, "out", "", "")
	f.StringArrayVar(&files, "files", nil, "")
	as.flag(cmd)
	given.flags(cmd)
	t.flags(cmd)
	return cmd
}

// interactive tells whether somebody sits before the command.
func (a *app) interactive() bool {
	in, ok := a.stdin.(*os.File)
	out, ok2 := a.stderr.(*os.File)
	return ok && ok2 && term.IsTerminal(int(in.Fd())) && term.IsTerminal(int(out.Fd()))
}

// agree asks on the terminal.
func (a *app) agree(question string) bool {
	fmt.Fprintf(a.stderr, "%s [y/N] ", printable(question))
	line, err := bufio.NewReader(a.stdin).ReadString('\n')
	if err != nil {
		return false
	}
	word := strings.ToLower(strings.TrimSpace(line))
	return word == "y" || word == "yes"
}

// failureCode tells apart what the tool says (6) and what kept it from saying
// anything (5): the service's own failure, the way to it, and credentials.
func failureCode(code string) int {
	if status, ok := strings.CutPrefix(code, "http-"); ok {
		switch {
		case strings.HasPrefix(status, "5"), status == "401", status == "403", status == "407", status == "429":
			return exitUpstream
		}
		return exitToolError
	}
	if code == "" || code == "invalid-arguments" || code == "declined" || code == "confirmation" {
		return exitToolError
	}
	return exitUpstream
}

// printResult prints text as it is, and says what cannot be printed.
func (a *app) printResult(r *runtime.Result, asJSON bool, out string) error {
	binary := slices.IndexFunc(r.Content, func(c runtime.Content) bool { return len(c.Data) > 0 })
	if out != "" && binary < 0 && !r.IsError {
		return &exit{exitFailure, fmt.Errorf("--out %s: the result has no image, sound or binary", out)}
	}
	if out != "" && binary >= 0 {
		if err := os.WriteFile(out, r.Content[binary].Data, 0o644); err != nil {
			return failed(fmt.Errorf("--out: %w", err))
		}
	}
	if asJSON {
		var b bytes.Buffer
		if err := json.Indent(&b, r.AppendJSON(nil, true), "", "  "); err != nil {
			return failed(fmt.Errorf("the result is not JSON: %w", err))
		}
		fmt.Fprintln(a.stdout, b.String())
		return nil
	}
	w := a.stdout
	if r.IsError {
		w = a.stderr
	}
	for i, c := range r.Content {
		switch {
		case len(c.Data) == 0:
			fmt.Fprint(w, c.Text)
			if !strings.HasSuffix(c.Text, "\n") {
				fmt.Fprintln(w)
			}
		case i == binary && out != "":
			fmt.Fprintf(a.stderr, "wrote %s to %s (%s)\n", count(len(c.Data), "byte"), out, c.MIME)
		default:
			fmt.Fprintf(a.stderr, "%s of %s, not printed; --out FILE writes the first such part\n", count(len(c.Data), "byte"), c.MIME)
		}
	}
	return nil
}
