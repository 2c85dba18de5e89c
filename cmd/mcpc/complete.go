package main

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/mcpc-dev/mcpc/compiler"
)

func (a *app) completion(root *cobra.Command) *cobra.Command {
	return &cobra.Command{
		Use:   "completion bash|zsh|fish",
		Short: "completion for your shell",
		Long: `Print a script that completes mcpc's verbs, flags, tool names and arguments.

  bash    source <(mcpc completion bash)
          for good: mcpc completion bash > ~/.local/share/bash-completion/completions/mcpc
  zsh     mcpc completion zsh > "${fpath[1]}/_mcpc"
  fish    mcpc completion fish > ~/.config/fish/completions/mcpc.fish
`,
		ValidArgs: []string{"bash", "zsh", "fish"},
		Args:      wants("the shell (bash, zsh or fish)"),
		RunE: func(_ *cobra.Command, args []string) error {
			var err error
			switch args[0] {
			case "bash":
				err = root.GenBashCompletionV2(a.stdout, true)
			case "zsh":
				err = root.GenZshCompletion(a.stdout)
			case "fish":
				err = root.GenFishCompletion(a.stdout, true)
			default:
				return usagef("no completion for %q; there is one for bash, zsh and fish", args[0])
			}
			if err != nil {
				return failed(err)
			}
			return nil
		},
	}
}

func completeWords(cmd *cobra.Command, flag string, words ...string) {
	// The error is about a flag that does not exist, which every test would show.
	if err := cmd.RegisterFlagCompletionFunc(flag, cobra.FixedCompletions(words, cobra.ShellCompDirectiveNoFileComp)); err != nil {
		panic(err)
	}
}

// completes is the completion of a verb's arguments: files for the TARGET, then
// what each further place holds. words says so: "tool" itself, TOOL or K=V.
func (a *app) completes(t *target, places ...string) cobra.CompletionFunc {
	return func(cmd *cobra.Command, args []string, prefix string) ([]string, cobra.ShellCompDirective) {
		if len(args) == 0 {
			return nil, cobra.ShellCompDirectiveDefault
		}
		place := min(len(args)-1, len(places)-1)
		if place < 0 || len(args) > len(places) && places[place] != "K=V" {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		if places[place] == "tool" {
			return []string{"tool"}, cobra.ShellCompDirectiveNoFileComp
		}
		// A shell waits for this: quickly or not at all.
		ctx, cancel := context.WithTimeout(cmd.Context(), 5*time.Second)
		defer cancel()
		o, err := t.options(a, args[0])
		if err != nil || args[0] == "-" {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		r, err := compiler.Compile(ctx, o)
		if err != nil || r.Plan == nil {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		var words []string
		if places[place] == "TOOL" {
			for _, tool := range r.Plan.Tools {
				if strings.HasPrefix(tool.Name, prefix) {
					words = append(words, described(tool.Name, tool.Title))
				}
			}
			return words, cobra.ShellCompDirectiveNoFileComp
		}
		tool, err := findTool(r.Plan, args[slices.Index(places, "TOOL")+1], args[0])
		if err != nil {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		var input struct {
			Properties map[string]struct{ Description string }
		}
		if json.Unmarshal([]byte(tool.Input), &input) != nil {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		for _, name := range slices.Sorted(maps.Keys(input.Properties)) {
			if strings.HasPrefix(name+"=", prefix) {
				words = append(words, described(name+"=", input.Properties[name].Description))
			}
		}
		return words, cobra.ShellCompDirectiveNoFileComp | cobra.ShellCompDirectiveNoSpace
	}
}

// described is a completion with its explanation, for shells that show one.
func described(word, text string) string {
	if text = firstSentence(text, 60); text == "" {
		return word
	}
	return fmt.Sprintf("%s\t%s", word, text)
}
