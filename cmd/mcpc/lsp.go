package main

import (
	"context"
	"errors"
	"time"

	"github.com/spf13/cobra"

	"github.com/mcpc-dev/mcpc/cmd/mcpc/internal/lsp"
	"github.com/mcpc-dev/mcpc/specs/diag"
)

func (a *app) lsp() *cobra.Command {
	t := target{format: string(diag.Pretty)}
	var files bool
	cmd := &cobra.Command{
		Use:   "lsp",
		Short: "a language server for editors",
		Long: `Speak the Language Server Protocol (3.17) on standard input and output. Editors
start it and show what is wrong while a spec is typed, complete names, operations
and functions, explain what the cursor is on, go to definitions (also into OpenAPI
documents), fix slips and format.

  Neovim    vim.lsp.start({ name = "mcpc", cmd = { "mcpc", "lsp" }, root_dir = vim.fs.dirname(vim.api.nvim_buf_get_name(0)) })
  Helix     [language-server.mcpc]          in languages.toml
            command = "mcpc"
            args = ["lsp"]
            [[language]]
            name = "hcl"
            language-servers = ["mcpc"]
  Emacs     (add-to-list 'eglot-server-programs '(hcl-mode "mcpc" "lsp"))
  VS Code   with an extension that runs any language server, e.g. Generic LSP Client:
            "glspc.languageId": "hcl", "glspc.serverCommand": "mcpc",
            "glspc.serverCommandArguments": ["lsp"]

All .hcl files of a folder are one spec, with the texts that are open instead of
those on disk.

  --files                 each file is a spec of its own
  --var K=V               a variable of the spec; also --var-file FILE
  --allow-ref PREFIX      a folder or URL that $ref may reach besides the document's
`,
		Args: wants(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			o, err := t.options(a, "")
			if err != nil {
				return err
			}
			err = lsp.Serve(cmd.Context(), a.stdin, a.stdout, lsp.Options{Compile: o, Getenv: a.getenv, Files: files, Delay: 150 * time.Millisecond, Log: a.stderr})
			if err != nil && !errors.Is(err, context.Canceled) {
				return failed(err)
			}
			return err
		},
		ValidArgsFunction: cobra.NoFileCompletions,
	}
	f := cmd.Flags()
	f.BoolVar(&files, "files", false, "")
	f.StringArrayVar(&t.vars, "var", nil, "")
	f.StringArrayVar(&t.varFiles, "var-file", nil, "")
	f.StringArrayVar(&t.allowRefs, "allow-ref", nil, "")
	return cmd
}
