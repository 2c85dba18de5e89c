package main

import (
	"encoding/json"
	"strings"
	"unicode/utf8"

	"github.com/spf13/cobra"

	"github.com/mcpc-dev/mcpc/runtime/plan"
)

func (a *app) list() *cobra.Command {
	var t target
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "list TARGET",
		Short: "the tools, one a line",
		Long: `List the tools of TARGET: name, request, and the first sentence of the description.
Resources and prompts follow.

  mcpc list petstore.yaml
  mcpc list petstore.yaml --json | jq -r '.[].name'

  --json                  print an array of name, title, description, hints,
                          method, path and operation; with kind for resources,
                          whose name is their URI, and prompts

` + commonHelp,
		Args:              wants("TARGET"),
		ValidArgsFunction: a.completes(&t),
		RunE: func(cmd *cobra.Command, args []string) error {
			r, err := a.compile(cmd.Context(), args[0], &t, false)
			if err != nil {
				return err
			}
			if asJSON {
				return a.printJSON(listed(r.Plan))
			}
			var rows [][]string
			for i := range r.Plan.Tools {
				tool := &r.Plan.Tools[i]
				if tool.Internal {
					continue
				}
				request := route(tool)
				text := tool.Description
				if first, _, _ := strings.Cut(request, " or "); text == "" || text == first { // nobody described it
					text = tool.Title
				}
				// A description begins so when the operation is deprecated.
				if rest, ok := strings.CutPrefix(text, "Deprecated."); ok && strings.TrimSpace(rest) != "" {
					text = "(deprecated) " + strings.TrimSpace(rest)
				}
				rows = append(rows, []string{tool.Name, short(request, 55), firstSentence(text, 60)})
			}
			for _, o := range others(r.Plan) {
				text := o.Description
				if text == "" {
					text = o.Title
				}
				rows = append(rows, []string{o.Kind + " " + o.Name, short(strings.TrimSpace(o.Method+" "+o.Path), 55), firstSentence(text, 60)})
			}
			return a.write(table(rows, a.width()))
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "")
	t.flags(cmd)
	return cmd
}

// listedTool is a tool as list --json prints it.
type listedTool struct {
	Kind        string    `json:"kind,omitempty"` // "resource" or "prompt"; "" is a tool
	Name        string    `json:"name"`
	Title       string    `json:"title,omitempty"`
	Description string    `json:"description"`
	Hints       toolHints `json:"hints"`
	Method      string    `json:"method,omitempty"`
	Path        string    `json:"path,omitempty"`
	Steps       []string  `json:"steps,omitempty"` // the tools that a composite tool calls
	Operation   string    `json:"operation,omitempty"`
}

type toolHints struct {
	ReadOnly    bool `json:"readOnly"`
	Destructive bool `json:"destructive"`
	Idempotent  bool `json:"idempotent"`
	OpenWorld   bool `json:"openWorld"`
}

func listed(p *plan.Server) []listedTool {
	list := make([]listedTool, 0, len(p.Tools))
	for i := range p.Tools {
		t := &p.Tools[i]
		if t.Internal {
			continue
		}
		list = append(list, listedCall(t))
	}
	return append(list, others(p)...)
}

// listedCall is a tool with the first of its requests.
func listedCall(t *plan.Tool) listedTool {
	l := listedTool{Name: t.Name, Title: t.Title, Description: t.Description, Hints: toolHints(t.Hints), Steps: stepTools(t), Operation: t.Origin.Operation}
	if all := t.Requests(); len(all) > 0 {
		l.Method, l.Path = all[0].Method, all[0].Template()
	}
	return l
}

// others are the resources and prompts, as they are listed.
func others(p *plan.Server) (list []listedTool) {
	for i := range p.Resources {
		r := &p.Resources[i]
		one := listedCall(&r.Call)
		one.Kind, one.Name, one.Title, one.Description = "resource", r.URI, r.Title, r.Description
		list = append(list, one)
	}
	for i := range p.Prompts {
		m := &p.Prompts[i]
		var one listedTool
		if m.Call != nil {
			one = listedCall(m.Call)
		}
		one.Kind, one.Name, one.Title, one.Description = "prompt", m.Name, m.Title, m.Description
		list = append(list, one)
	}
	return list
}

// countListed is how many tools clients see.
func countListed(p *plan.Server) (n int) {
	for i := range p.Tools {
		if !p.Tools[i].Internal {
			n++
		}
	}
	return n
}

// stepTools are the tools that a composite tool calls, in the order of its steps.
func stepTools(t *plan.Tool) (names []string) {
	for i := range t.Steps {
		names = append(names, t.Steps[i].Tool)
	}
	return names
}

// route is what a tool does, in a few words: the request it tries first and how
// many others it has, or what it calls.
func route(t *plan.Tool) string {
	if len(t.Steps) > 0 {
		return "steps " + strings.Join(stepTools(t), ", ")
	}
	all := t.Requests()
	if len(all) == 0 {
		return ""
	}
	s := all[0].Method + " " + all[0].Template()
	if n := len(all) - 1; n > 0 {
		s += " or " + count(n, "other")
	}
	return s
}

// firstSentence is the first sentence or line of a text, at most n characters.
func firstSentence(s string, n int) string {
	s, _, _ = strings.Cut(strings.TrimSpace(s), "\n")
	if i := strings.Index(s, ". "); i > 0 {
		s = s[:i+1]
	}
	return short(strings.ToValidUTF8(printable(s), "�"), n)
}

// short cuts a text to n characters.
func short(s string, n int) string {
	if utf8.RuneCountInString(s) <= n {
		return s
	}
	return strings.TrimSpace(string([]rune(s)[:n-1])) + "…"
}

// printable leaves out what would move a terminal's cursor or change its
// colours: descriptions are written by strangers.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\n':
			return r
		case r == '\t':
			return ' '
		case r < 0x20 || 0x7f <= r && r < 0xa0 || 0x202a <= r && r <= 0x202e || 0x2066 <= r && r <= 0x2069:
			return -1
		}
		return r
	}, s)
}

func (a *app) printJSON(v any) error {
	e := json.NewEncoder(a.stdout)
	e.SetIndent("", "  ")
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return failed(err)
	}
	return nil
}
