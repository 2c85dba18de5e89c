package main

import (
	"fmt"
	"runtime/debug"

	"github.com/spf13/cobra"
)

func (a *app) version() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "version",
		Short: "which mcpc this is",
		Long: `Print the version of mcpc.

  --json                  version, commit and Go version as JSON
`,
		Args:              wants(),
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE: func(*cobra.Command, []string) error {
			commit, goVersion := build()
			if asJSON {
				return a.printJSON(map[string]string{"version": version(), "commit": commit, "go": goVersion})
			}
			fmt.Fprintf(a.stdout, "mcpc %s", version())
			if commit != "" {
				fmt.Fprintf(a.stdout, " (%.12s)", commit)
			}
			fmt.Fprintf(a.stdout, " %s\n", goVersion)
			return nil
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "")
	return cmd
}

// version is the module's version, as Go stamped it into the binary.
func version() string {
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" {
		return info.Main.Version
	}
	return "(devel)"
}

func build() (commit, goVersion string) {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "", ""
	}
	for _, s := range info.Settings {
		switch {
		case s.Key == "vcs.revision":
			commit = s.Value
		case s.Key == "vcs.modified" && s.Value == "true":
			commit += "+"
		}
	}
	return commit, info.GoVersion
}
