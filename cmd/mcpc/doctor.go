package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/spf13/cobra"

	"github.com/mcpc-dev/mcpc/runtime"
	"github.com/mcpc-dev/mcpc/runtime/command"
	"github.com/mcpc-dev/mcpc/runtime/plan"
)

func (a *app) doctor() *cobra.Command {
	var t target
	var http string
	var asJSON bool
	var patience time.Duration
	cmd := &cobra.Command{
		Use:   "doctor TARGET",
		Short: "whether all that a server needs is there",
		Long: `Look whether all that TARGET needs is there, where this command runs.

  mcpc doctor orders.hcl
  mcpc doctor orders.hcl --http 127.0.0.1:8080

  --http ADDR             the address the server is to have, as for mcpc serve
  --timeout TIME          for each part (10s); all parts are looked at at once
  --json                  print the findings as JSON

Of each service and authorization server it looks at the name, the connection,
the certificate, an answer to GET without credentials, and the clock; of
credentials, whether their secrets are there and whether a token is given for
them, with the scopes asked for (an exchange is tried with a token that is none,
which has to be refused as such); of stores, whether they decide and how fast;
of identities, the metadata, keys, algorithms and introspection of the issuer and
the dates of API keys; and whether addresses are free, logs can be written, and
the chain of the audit log is whole.

No tool is called, and no secret is printed. The exit code is 5 when something
fails; warnings are about what works now.

` + commonHelp,
		Args:              wants("TARGET"),
		ValidArgsFunction: a.completes(&t),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := command.CheckAddress(http); err != nil {
				return &exit{exitUsage, err}
			}
			compiled, err := a.compile(cmd.Context(), args[0], &t, false)
			if err != nil {
				return err
			}
			o := a.runtimeOptions()
			if http == "" {
				http = compiled.Plan.Listen
			}
			list := []runtime.Finding{finding("spec", "plan", runtime.FindingOK, "", "%s", count(countListed(compiled.Plan), "tool"))}
			if n := len(compiled.Diagnostics); n > 0 {
				list[0].Status, list[0].Next = runtime.FindingWarn, fmt.Sprintf("mcpc validate %s shows them.", args[0])
				list[0].Detail += fmt.Sprintf(", %s", count(n, "warning"))
			}
			list = append(list, secretFindings(compiled.Plan, o)...)
			s, err := runtime.New(compiled.Plan, o)
			if tls := compiled.Plan.TLS; err != nil && tls != nil {
				// A wrong certificate must not hide all the rest.
				list = append(list, runtime.ProbeCertificate(tls)...)
				without := *compiled.Plan
				without.TLS = nil
				s, err = runtime.New(&without, o)
			}
			if err != nil {
				list = append(list, finding("spec", "server", runtime.FindingFail, "Mend this first: nothing else can be looked at before.", "no server can be made of it: %v", err))
			} else {
				list = append(list, s.Diagnose(cmd.Context(), http, patience)...)
			}
			if cmd.Context().Err() != nil {
				return cmd.Context().Err()
			}
			if err := a.printFindings(list, asJSON); err != nil {
				return failed(err)
			}
			if slices.ContainsFunc(list, func(f runtime.Finding) bool { return f.Status == runtime.FindingFail }) {
				return &exit{code: exitUpstream}
			}
			return nil
		},
	}
	cmd.Flags().StringVar(&http, "http", "", "")
	cmd.Flags().BoolVar(&asJSON, "json", false, "")
	cmd.Flags().DurationVar(&patience, "timeout", runtime.DefaultPatience, "")
	t.flags(cmd)
	return cmd
}

func finding(subject, check string, s runtime.FindingStatus, next, format string, args ...any) runtime.Finding {
	f := runtime.Finding{Subject: subject}
	f.Check, f.Status, f.Next, f.Detail = check, s, next, fmt.Sprintf(format, args...)
	return f
}

// secretFindings are about secrets that are no credential of an api, which are
// looked at with it, and about the files of all.
func secretFindings(p *plan.Server, o runtime.Options) (list []runtime.Finding) {
	credentials := map[string]bool{}
	for i := range p.Upstreams {
		for c := range p.Upstreams[i].Credentials {
			for _, e := range p.Upstreams[i].Credentials[c].Exprs() {
				for _, name := range command.SecretNames(e) {
					credentials[name] = true
				}
			}
		}
	}
	for _, s := range command.Secrets(p, o) {
		if !credentials[s.Name] {
			if s.Set {
				list = append(list, finding("secrets", "secret", runtime.FindingOK, "", "%s is set (%s)", s.Name, s.Source()))
			} else {
				list = append(list, finding("secrets", "secret", runtime.FindingFail, "Set it where the server runs.", "%s is not set (%s)", s.Name, s.Source()))
			}
		}
		if s.File == "" {
			continue
		}
		for _, f := range runtime.ProbeSecretFile("permissions", s.File) {
			list = append(list, runtime.Finding{Subject: "secrets", Finding: f})
		}
	}
	return list
}

// printFindings prints findings for people, subject by subject, or as JSON.
func (a *app) printFindings(list []runtime.Finding, asJSON bool) error {
	counts := map[runtime.FindingStatus]int{}
	for _, f := range list {
		counts[f.Status]++
	}
	var b bytes.Buffer
	if asJSON {
		e := json.NewEncoder(&b)
		e.SetIndent("", "  ")
		e.SetEscapeHTML(false)
		if err := e.Encode(map[string]any{"findings": list, "failed": counts[runtime.FindingFail], "warnings": counts[runtime.FindingWarn]}); err != nil {
			return err
		}
		_, err := a.stdout.Write(b.Bytes())
		return err
	}
	paint := func(s runtime.FindingStatus, text string) string { return text }
	if a.colorOf(a.stdout) {
		paint = func(s runtime.FindingStatus, text string) string {
			return map[runtime.FindingStatus]string{runtime.FindingOK: "\x1b[32m", runtime.FindingWarn: "\x1b[33m", runtime.FindingFail: "\x1b[31m"}[s] + text + "\x1b[0m"
		}
	}
	wide := 0
	for _, f := range list {
		wide = max(wide, len(f.Check))
	}
	indent := 10 + wide
	room := 0
	if n := a.width(); n > indent+20 {
		room = n - indent
	}
	var subjects []string
	for _, f := range list {
		if !slices.Contains(subjects, f.Subject) {
			subjects = append(subjects, f.Subject)
		}
	}
	for _, subject := range subjects {
		b.WriteString(subject + "\n")
		for _, f := range list {
			if f.Subject != subject {
				continue
			}
			detail := folded(oneLine(f.Detail), room, indent)
			fmt.Fprintf(&b, "  %s  %-*s  %s\n", paint(f.Status, fmt.Sprintf("%-4s", f.Status)), wide, f.Check, detail)
			if f.Status != runtime.FindingOK && f.Next != "" {
				fmt.Fprintf(&b, "%*s→ %s\n", indent, "", folded(oneLine(f.Next), max(room-2, 0), indent+2))
			}
		}
	}
	switch fails, warns := counts[runtime.FindingFail], counts[runtime.FindingWarn]; {
	case fails > 0 && warns > 0:
		fmt.Fprintf(&b, "\n%s, %s\n", paint(runtime.FindingFail, count(fails, "failure")), count(warns, "warning"))
	case fails > 0:
		fmt.Fprintf(&b, "\n%s\n", paint(runtime.FindingFail, count(fails, "failure")))
	case warns > 0:
		fmt.Fprintf(&b, "\nAll is there; %s\n", count(warns, "warning"))
	default:
		b.WriteString("\nAll is there.\n")
	}
	_, err := a.stdout.Write(b.Bytes())
	return err
}

// folded breaks text between words into lines of room columns; 0 is without end.
func folded(s string, room, indent int) string {
	if room == 0 {
		return s
	}
	var b strings.Builder
	at := 0
	for i, word := range strings.Fields(s) {
		n := utf8.RuneCountInString(word)
		switch {
		case i > 0 && at+1+n > room:
			b.WriteString("\n" + strings.Repeat(" ", indent))
			at = 0
		case i > 0:
			b.WriteByte(' ')
			at++
		}
		b.WriteString(word)
		at += n
	}
	return b.String()
}

// oneLine keeps what another machine says from writing lines of its own, or to a
// terminal.
func oneLine(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f || r >= 0x80 && r < 0xa0 {
			return ' '
		}
		return r
	}, s)
}

// colorOf is [app.color] for a stream.
func (a *app) colorOf(w any) bool {
	f, ok := w.(*os.File)
	if !ok || a.getenv("NO_COLOR") != "" || a.getenv("TERM") == "dumb" {
		return false
	}
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}
