// Command mcpc compiles a description of an HTTP API, HCL or OpenAPI, into an
// MCP server, and serves it, calls its tools, or shows what it made of them.
//
// Each verb has a file of its own: flags, one call into a package, printing.
// What a verb finds goes to stdout, diagnostics and remarks go to stderr.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	_ "github.com/mcpc-dev/mcpc/runtime/redisstore" // any spec may have a store
	"github.com/mcpc-dev/mcpc/specs/diag"
)

// Exit codes. They are part of the command's contract.
const (
	exitOK          = 0
	exitFailure     = 1   // the world failed: a file, the network, the address to listen on; or a test
	exitUsage       = 2   // the command line is wrong
	exitSpec        = 3   // the spec is wrong
	exitDifference  = 4   // what is there is not what should be there
	exitUpstream    = 5   // the called service failed, was not reached, or wants other credentials
	exitToolError   = 6   // the tool answered with an error
	exitInterrupted = 130 // ended by a signal before it was done
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // the second signal ends the process at once
	os.Exit(run(ctx, os.Stdin, os.Stdout, os.Stderr, os.Args[1:], os.Getenv))
}

// app is what every verb works with.
type app struct {
	args           []string // the command line, without the command
	stdin          io.Reader
	stdout, stderr io.Writer
	getenv         func(string) string
	given          map[string]string // sensitive variables given by --var, by name; only the runtime sees them
}

// run is the whole command. It returns the exit code.
func run(ctx context.Context, stdin io.Reader, stdout, stderr io.Writer, args []string, getenv func(string) string) int {
	a := &app{args: args, stdin: stdin, stdout: stdout, stderr: stderr, getenv: getenv}
	root := a.root()
	root.SetArgs(args)
	root.SetIn(stdin)
	root.SetOut(stdout)
	root.SetErr(stderr)
	verb, err := root.ExecuteContextC(ctx)
	var end *exit
	switch {
	case err == nil:
		return exitOK
	case ctx.Err() != nil:
		return exitInterrupted
	case !errors.As(err, &end): // cobra's own: the command line
		end = usagef("%v", err)
	}
	if end.err == nil {
		return end.code
	}
	fmt.Fprintf(stderr, "mcpc: %v\n", end.err)
	if end.code == exitUsage {
		fmt.Fprintf(stderr, "Run %q for how to use it.\n", strings.TrimSpace(verb.CommandPath())+" --help")
	}
	return end.code
}

// exit is an error that knows the exit code. Without an err everything was said
// already.
type exit struct {
	code int
	err  error
}

func (e *exit) Error() string {
	if e.err == nil {
		return fmt.Sprintf("exit code %d", e.code)
	}
	return e.err.Error()
}

func (e *exit) Unwrap() error { return e.err }

func usagef(format string, args ...any) *exit { return &exit{exitUsage, fmt.Errorf(format, args...)} }

func failed(err error) *exit { return &exit{exitFailure, err} }

func (a *app) root() *cobra.Command {
	root := &cobra.Command{
		Use:           "mcpc",
		Long:          rootHelp,
		SilenceUsage:  true,
		SilenceErrors: true,
		Args:          cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				fmt.Fprint(a.stderr, rootHelp)
				return &exit{code: exitUsage}
			}
			return usagef("unknown verb %q%s", args[0], didYouMean(args[0], verbs(cmd)))
		},
	}
	// Help is written by hand, whole pages of it.
	root.SetHelpFunc(func(cmd *cobra.Command, _ []string) { fmt.Fprint(a.stdout, cmd.Long) })
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error { return usagef("%v%s", err, nearestFlag(cmd, err)) })
	root.CompletionOptions.DisableDefaultCmd = true
	root.SetHelpCommand(&cobra.Command{
		Use:   "help [VERB]",
		Short: "how to use a verb",
		Long:  rootHelp,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return root.Help()
			}
			found, rest, err := root.Find(args)
			if err != nil || found == root {
				return usagef("unknown verb %q%s", args[0], didYouMean(args[0], verbs(root)))
			}
			if len(rest) > 0 {
				return usagef("one argument too many: %q", rest[0])
			}
			return found.Help()
		},
	})
	root.AddCommand(a.init(), a.serve(), a.doctor(), a.validate(), a.lint(), a.list(), a.inspect(), a.call(), a.explain(), a.test(), a.generate(), a.importVerb(), a.fmt(), a.diff(), a.lock(), a.lsp(), a.key(), a.audit(), a.tail(), a.version(), a.completion(root))
	return root
}

func verbs(root *cobra.Command) (names []string) {
	for _, c := range root.Commands() {
		if !c.Hidden {
			names = append(names, c.Name())
		}
	}
	return names
}

// didYouMean is the end of a sentence about a word nobody knows.
func didYouMean(word string, known []string) string {
	if near := diag.Nearest(word, known); near != "" {
		return fmt.Sprintf("; did you mean %q?", near)
	}
	return ""
}

// nearestFlag is didYouMean for cobra's error about an unknown flag.
func nearestFlag(cmd *cobra.Command, err error) string {
	name, ok := strings.CutPrefix(err.Error(), "unknown flag: --")
	if !ok {
		return ""
	}
	var known []string
	for _, line := range strings.Split(cmd.Flags().FlagUsages(), "\n") {
		if _, flag, ok := strings.Cut(line, "--"); ok {
			known = append(known, strings.FieldsFunc(flag, func(r rune) bool { return r == ' ' || r == '[' })[0])
		}
	}
	if near := diag.Nearest(name, known); near != "" {
		return fmt.Sprintf("; did you mean --%s?", near)
	}
	return ""
}

// wants checks the number of arguments and names the first that is missing.
func wants(names ...string) cobra.PositionalArgs {
	return func(_ *cobra.Command, args []string) error {
		required := 0
		for _, n := range names {
			if !strings.HasPrefix(n, "[") {
				required++
			}
		}
		switch {
		case len(args) < required:
			return usagef("%s is missing", names[len(args)])
		case len(args) > len(names) && !(len(names) > 0 && strings.HasSuffix(names[len(names)-1], "…]")):
			return usagef("one argument too many: %q", args[len(names)])
		}
		return nil
	}
}

const rootHelp = `mcpc turns a description of an HTTP API into an MCP server.

  mcpc serve petstore.yaml                       an OpenAPI document, on stdio
  mcpc serve orders.hcl --http 127.0.0.1:8080    an HCL spec, over HTTP
  mcpc call petstore.yaml getPet petId=7         one tool, from the shell

See what is there
  validate  TARGET                       everything that is wrong, and where
  lint      TARGET                       what serves a model badly
  list      TARGET                       the tools, one a line
  inspect   TARGET [TOOL]                the plan: requests, schemas, sizes, credentials
  explain   TARGET tool TOOL [k=v …]     the exact HTTP request of a call, not sent
  test      TARGET                       run the tests of a spec, without a network

Run it
  serve     TARGET                       serve MCP on stdio or over HTTP
  call      TARGET TOOL [k=v …]          call one tool and print its result
  doctor    TARGET                       whether all that it needs is there: services, tokens, files

Make it yours
  init      [DIR]                        a new project, for the kind of service you have
  import    KIND FILE                    HCL of OpenAPI, Postman, HAR, curl or WSDL
  fmt       [FILE|DIR]…                  the canonical layout of HCL
  diff      OLD NEW                      what clients and models see differently
  lock      TARGET                       write down what clients see, to serve nothing else
  generate  TARGET -o DIR                the server as a Go package, to move to Go tool by tool

Besides
  lsp                                    a language server, for editors
  key new   NAME                         an API key for a caller
  tail      [FILE]                       a log of calls, for people
  audit verify FILE                      whether an audit log is whole
  completion bash|zsh|fish               completion for your shell, tool names included
  version                                which mcpc this is
  help      VERB                         how to use a verb; the same as VERB --help

TARGET is an .hcl file, a directory of .hcl files, an OpenAPI or Swagger
document (JSON or YAML) as a file or URL, or - for standard input.

` + commonHelp + `
Exit codes
  0  all is well                       5  the service failed, was not reached, or
  1  a file, network or test failed       wants other credentials
  2  wrong usage                       6  the tool answered with an error
  3  the spec is wrong               130  interrupted
  4  there is a difference
`

const commonHelp = `Flags of every verb with a TARGET
  --base-url URL          where the API is, instead of what the document says
  --server-var K=V        a variable of the document's server URL
  --auth SCHEME=SOURCE    where a secret is: env:NAME, file:PATH or vault:PATH#FIELD
                          (else MCPC_AUTH_<SCHEME>; mcpc inspect lists them)
  --var K=V               a variable of an HCL spec; also --var-file FILE
  --env NAME              the env block of an HCL spec that applies (else $MCPC_ENV)
  --overlay FILE          an OpenAPI Overlay to apply to an OpenAPI document
  --allow-ref PREFIX      a folder or URL that $ref may reach besides the document's
  --name-prefix TEXT      what the client puts before tool names, e.g. mcp__pets__;
                          it counts against their 64 characters
  --strict                an operation that cannot be served is an error
  --format FORMAT         of diagnostics: pretty, line, json or github
  --no-cache              do not keep or use compiled plans ($MCPC_CACHE_DIR,
                          by default mcpc in your user cache folder)
`
