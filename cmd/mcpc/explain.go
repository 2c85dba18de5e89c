package main

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"text/tabwriter"
	"unicode/utf8"

	"github.com/spf13/cobra"

	"github.com/mcpc-dev/mcpc/compiler/surface"
	"github.com/mcpc-dev/mcpc/runtime"
	"github.com/mcpc-dev/mcpc/runtime/plan"
)

func (a *app) explain() *cobra.Command {
	var t target
	var given arguments
	var asJSON bool
	var files []string
	var as callerFlag
	cmd := &cobra.Command{
		Use:   "explain TARGET tool|resource|prompt NAME [K=V …]",
		Short: "the exact HTTP request of a call, not sent",
		Long: `Show the HTTP request that a call would send, and where each part of it comes
from. Nothing is sent; credentials are shown as (secret). Of a tool made of steps,
show what each step calls. Of a tool of a document, say what an overlay, x-mcp, an
override or the spec has set besides: of two that set the same, the later of these
wins.

  mcpc explain petstore.yaml tool getPet petId=7
  mcpc explain petstore.yaml tool addPet --json-args '{"body":{"name":"Rex"}}'
  mcpc explain orders.hcl resource orders://17

  K=V, K:=JSON, K.SUB=V   arguments, as in mcpc call
  --json-args JSON        all arguments; @FILE reads a file, - standard input;
                          --args for short
  --as WHAT=VALUE         say whether this caller may: subject, client, tenant,
                          identity, scope (repeated), or claim.NAME (text); as JSON,
                          --as '{"subject":"alice","scopes":["a"],"claims":{…}}', or
                          @FILE with that; --as nobody is a caller not known
  --files DIR             a folder whose files arguments may name, as file:NAME
  --json                  print tool, method, url, header, body, parts, missing
                          and settings; with --as, allowed, rule and reason

Arguments that the tool refuses are an error with exit code 6, as in mcpc call.

` + commonHelp,
		Args:              wants("TARGET", `"tool", "resource" or "prompt"`, "NAME", "[K=V …]"),
		ValidArgsFunction: a.completes(&t, "tool", "TOOL", "K=V"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if !slices.Contains([]string{"tool", "resource", "prompt"}, args[1]) {
				return usagef("explain knows tools, resources and prompts: explain TARGET tool TOOL, not %q", args[1])
			}
			if args[0] == "-" && given.json == "-" {
				return usagef("standard input cannot be both TARGET and the arguments")
			}
			compiled, err := a.compile(cmd.Context(), args[0], &t, false)
			if err != nil {
				return err
			}
			o := a.runtimeOptions()
			o.Files = files
			s, err := runtime.New(compiled.Plan, o)
			if err != nil {
				return failed(err)
			}
			who, err := as.caller()
			if err != nil {
				return err
			}
			it, err := a.thing(s, compiled.Plan, args, &given)
			if err != nil {
				return err
			}
			if who != nil && compiled.Plan.Policy == nil && len(it.scopes) == 0 {
				return usagef("--as has nothing to decide: %s has no policy, and this wants no scopes", args[0])
			}
			if who == nil && it.request == nil {
				return usagef("the prompt %s makes no request; --as says who may use it", args[2])
			}
			var e *runtime.Explanation
			if it.request != nil {
				if e, err = it.request(); err != nil {
					return explainError(err, args[0])
				}
			}
			if who != nil {
				d, err := it.decide(who)
				if err != nil {
					return explainError(err, args[0])
				}
				if asJSON {
					return a.printJSON(decided(&d))
				}
				if err := a.write(decisionText(&d)); err != nil {
					return err
				}
			}
			tool := it.tool
			switch {
			case e == nil: // a prompt without a request
				return nil
			case len(e.Steps) > 0 && asJSON:
				return a.printJSON(explainedSteps(compiled.Plan, tool))
			case len(e.Steps) > 0:
				return a.write(stepsExplanation(compiled.Plan, tool))
			case asJSON:
				return a.printJSON(explained(e, tool.Origin.Settings))
			}
			return a.write(explanation(e, tool.Origin.Settings))
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "")
	cmd.Flags().StringArrayVar(&files, "files", nil, "")
	as.flag(cmd)
	given.flags(cmd)
	t.flags(cmd)
	return cmd
}

// explainedThing is what explain explains: a tool, a resource or a prompt.
type explainedThing struct {
	tool    *plan.Tool // its request; empty of a prompt without one
	scopes  []string   // that it wants of its caller
	request func() (*runtime.Explanation, error)
	decide  func(*runtime.Caller) (runtime.Decision, error)
}

// thing finds what the words of a command line name.
func (a *app) thing(s *runtime.Server, p *plan.Server, args []string, given *arguments) (*explainedThing, error) {
	kind, name := args[1], args[2]
	if kind == "resource" {
		return &explainedThing{
			tool:    &plan.Tool{},
			scopes:  s.ResourceScopes(name),
			request: func() (*runtime.Explanation, error) { return s.ExplainResource(name) },
			decide:  func(who *runtime.Caller) (runtime.Decision, error) { return s.DecideResource(who, name) },
		}, nil
	}
	it := &explainedThing{}
	var input *plan.Tool // what arguments are for
	var arguments []byte
	switch kind {
	case "tool":
		tool, err := findTool(p, name, args[0])
		if err != nil {
			return nil, err
		}
		it.tool, it.scopes, input = tool, tool.Scopes, tool
		it.request = func() (*runtime.Explanation, error) { return s.Explain(name, arguments) }
		it.decide = func(who *runtime.Caller) (runtime.Decision, error) { return s.Decide(who, name, arguments) }
	default:
		prompt, err := findPrompt(p, name, args[0])
		if err != nil {
			return nil, err
		}
		it.tool, it.scopes, input = &plan.Tool{}, prompt.Scopes, &plan.Tool{Input: prompt.Input}
		if prompt.Call != nil {
			it.tool = prompt.Call
			it.request = func() (*runtime.Explanation, error) { return s.ExplainPrompt(name, arguments) }
		}
		it.decide = func(who *runtime.Caller) (runtime.Decision, error) { return s.DecidePrompt(who, name, arguments) }
	}
	var err error
	arguments, err = given.read(a, input, args[3:])
	return it, err
}

// explainError is the exit for what cannot be explained.
func explainError(err error, target string) error {
	if errors.Is(err, runtime.ErrUnknownResource) || errors.Is(err, runtime.ErrUnknownPrompt) {
		return usagef("%w; mcpc list %s names what there is", err, target)
	}
	if refused, ok := errors.AsType[*runtime.ArgumentError](err); ok {
		return &exit{exitToolError, refused}
	}
	return failed(err)
}

type decidedJSON struct {
	Allowed bool   `json:"allowed"`
	Rule    string `json:"rule,omitempty"`
	Reason  string `json:"reason"`
}

func decided(d *runtime.Decision) decidedJSON {
	out := decidedJSON{d.Allowed, d.Rule, d.String()}
	if d.Err != nil {
		out.Reason += " " + d.Err.Error()
	}
	return out
}

// decisionText stands above the request.
func decisionText(d *runtime.Decision) []byte {
	word := "denied"
	if d.Allowed {
		word = "allowed"
	}
	return fmt.Appendf(nil, "Policy: %s. %s\n\n", word, printable(decided(d).Reason))
}

// explanation is the request as it goes over the wire, and below it the parts and
// who set what of the tool.
func explanation(e *runtime.Explanation, settings []plan.Setting) []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "%s %s\n", e.Method, e.URL)
	for _, name := range slices.Sorted(maps.Keys(e.Header)) {
		for _, v := range e.Header[name] {
			fmt.Fprintf(&b, "%s: %s\n", name, v)
		}
	}
	if len(e.Body) > 0 {
		b.WriteByte('\n')
		if utf8.Valid(e.Body) {
			b.WriteString(printable(strings.ReplaceAll(string(e.Body), "\r\n", "\n")))
		} else {
			fmt.Fprintf(&b, "(%s of binary)", count(len(e.Body), "byte"))
		}
		b.WriteByte('\n')
	}
	b.WriteString("\nWhere it comes from\n")
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	for _, p := range e.Parts {
		fmt.Fprintf(w, "  %s\t%s\t%s\t%s\n", p.Where, p.Name, short(strings.ReplaceAll(printable(p.Value), "\n", " "), 48), p.From)
	}
	if len(settings) > 0 {
		fmt.Fprint(w, "\nWho set what\n")
		for _, s := range settings {
			fmt.Fprintf(w, "  %s\t%s\t%s\n", printable(s.What), s.By, s.Place)
		}
	}
	w.Flush()
	if strings.HasPrefix(e.URL, "/") {
		b.WriteString("\nNo base URL is known; give one with --base-url\n")
	}
	for i, m := range e.Missing {
		switch {
		case i > 0:
			m = "or " + m
		default:
			m = "No credential is at hand; set " + m
		}
		fmt.Fprintf(&b, "\n%s\n", m)
	}
	return b.Bytes()
}

// stepsExplanation is what the calls of a composite tool are, and what is sent
// for them. Their arguments are known when the steps before them have run.
func stepsExplanation(p *plan.Server, t *plan.Tool) []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "%s has %s, at most %s in all\n\n", t.Name, count(len(t.Steps), "step"), duration(cmp.Or(t.Timeout, runtime.StepsTimeout)))
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	routes := map[string]string{}
	for i := range p.Tools {
		routes[p.Tools[i].Name] = route(&p.Tools[i])
	}
	for i := range t.Steps {
		fmt.Fprintf(w, "  %d\t%s\t%s\t%s\n", i+1, t.Steps[i].Name, t.Steps[i].Tool, routes[t.Steps[i].Tool])
	}
	w.Flush()
	b.WriteByte('\n')
	for _, line := range stepLines(t) {
		b.WriteString(printable(line) + "\n")
	}
	return b.Bytes()
}

type explainedStep struct {
	Step    string            `json:"step"`
	Tool    string            `json:"tool"`
	Request string            `json:"request"`
	Args    map[string]string `json:"args"`
	ForEach string            `json:"forEach,omitempty"`
	When    string            `json:"when,omitempty"`
	OnError plan.OnError      `json:"onError"`
}

func explainedSteps(p *plan.Server, t *plan.Tool) any {
	out := struct {
		Tool   string          `json:"tool"`
		Steps  []explainedStep `json:"steps"`
		Output string          `json:"output,omitempty"`
	}{Tool: t.Name}
	for i := range t.Steps {
		s := &t.Steps[i]
		e := explainedStep{Step: s.Name, Tool: s.Tool, Args: map[string]string{}, OnError: s.OnError}
		for j := range p.Tools {
			if p.Tools[j].Name == s.Tool {
				e.Request = route(&p.Tools[j])
			}
		}
		for j := range s.Args {
			e.Args[s.Args[j].Name] = surface.Source(&s.Args[j].Value)
		}
		if s.ForEach != nil {
			e.ForEach = surface.Source(s.ForEach)
		}
		if s.When != nil {
			e.When = surface.Source(s.When)
		}
		out.Steps = append(out.Steps, e)
	}
	if t.Result != nil {
		out.Output = surface.Source(t.Result)
	}
	return out
}

type explainedJSON struct {
	Tool    string        `json:"tool"`
	Method  string        `json:"method"`
	URL     string        `json:"url"`
	Header  http.Header   `json:"header"`
	Body    *string       `json:"body,omitempty"`
	Base64  []byte        `json:"bodyBase64,omitempty"` // of a body that is not text
	Parts   []explainPart `json:"parts"`
	Missing []string      `json:"missing,omitempty"`

	Settings []explainSetting `json:"settings,omitempty"` // what the document did not set
}

type explainSetting struct {
	What  string `json:"what"`
	By    string `json:"by"`
	Place string `json:"place,omitempty"`
}

type explainPart struct {
	Where string `json:"where"`
	Name  string `json:"name,omitempty"`
	Value string `json:"value"`
	From  string `json:"from"`
}

func explained(e *runtime.Explanation, settings []plan.Setting) explainedJSON {
	out := explainedJSON{Tool: e.Tool, Method: e.Method, URL: e.URL, Header: e.Header, Parts: []explainPart{}, Missing: e.Missing}
	switch body := string(e.Body); {
	case e.Body == nil:
	case utf8.Valid(e.Body):
		out.Body = &body
	default:
		out.Base64 = e.Body
	}
	for _, p := range e.Parts {
		out.Parts = append(out.Parts, explainPart(p))
	}
	for _, s := range settings {
		out.Settings = append(out.Settings, explainSetting(s))
	}
	return out
}
