package main

import (
	"bytes"
	"context"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/mcpc-dev/mcpc/cmd/mcpc/internal/contract"
	"github.com/mcpc-dev/mcpc/compiler"
	"github.com/mcpc-dev/mcpc/runtime"
	"github.com/mcpc-dev/mcpc/runtime/command"
	"github.com/mcpc-dev/mcpc/specs"
)

func (a *app) test() *cobra.Command {
	var t target
	var asJSON, record, replace bool
	var pattern, junit string
	cmd := &cobra.Command{
		Use:   "test TARGET",
		Short: "run the tests of a spec, without a network",
		Long: `Run the test blocks of TARGET. Each calls a tool the way a client's call goes; the
service is played from the test's replies or its recording, so nothing is sent.
Secrets have the value secret-NAME, and nothing is tried twice.

  mcpc test orders.hcl
  mcpc test orders.hcl --run 'cancel'                   tests whose names match
  mcpc test orders.hcl --junit report.xml               for CI systems
  mcpc test orders.hcl --record                         call the real service once

  --run PATTERN           only tests whose names match, a regular expression (RE2)
  --json                  print the outcomes as one JSON object
  --junit FILE            write them as JUnit XML too; - is standard output
  --record                make the calls of tests with a recording whose file does
                          not exist, write the files, then run the tests. Secrets,
                          cookies and most headers are not written
  --update                with --record: replace files that exist

The exit code is 1 when a test failed, 3 when TARGET or a test block is wrong.

` + commonHelp,
		Args:              wants("TARGET"),
		ValidArgsFunction: a.completes(&t),
		RunE: func(cmd *cobra.Command, args []string) error {
			if replace && !record {
				return usagef("--update belongs to --record")
			}
			only, err := regexp.Compile(pattern)
			if err != nil {
				return usagef("--run: %v", err)
			}
			r, err := a.compileTests(cmd, args[0], &t)
			if err != nil {
				return err
			}
			var tests []*specs.Test
			for _, test := range r.Document.Tests {
				if only.MatchString(test.Name) {
					tests = append(tests, test)
				}
			}
			if len(tests) == 0 && len(r.Document.Tests) > 0 {
				return usagef("--run %s: none of %s matches", pattern, count(len(r.Document.Tests), "test"))
			}
			if record {
				if err := a.record(cmd, r, tests, replace); err != nil {
					return err
				}
			}
			var secrets []string
			for _, s := range command.Secrets(r.Plan, a.runtimeOptions()) {
				secrets = append(secrets, s.Name)
			}
			start := time.Now()
			var outcomes []*contract.Outcome
			bad := 0
			for _, test := range tests {
				o, err := contract.Run(cmd.Context(), r.Plan, secrets, test)
				if err != nil {
					return failed(fmt.Errorf("test %q: %w", test.Name, err))
				}
				if len(o.Failures) > 0 {
					bad++
				}
				outcomes = append(outcomes, o)
			}
			if junit != "" {
				if err := a.writeJUnit(junit, args[0], outcomes, time.Since(start)); err != nil {
					return err
				}
			}
			switch {
			case asJSON:
				err = a.printJSON(testReport(outcomes))
			case junit != "-":
				err = a.write(a.testText(outcomes, bad))
			}
			if err == nil && bad > 0 {
				err = &exit{code: exitFailure}
			}
			return err
		},
	}
	f := cmd.Flags()
	f.StringVar(&pattern, "run", "", "")
	f.BoolVar(&asJSON, "json", false, "")
	f.StringVar(&junit, "junit", "", "")
	f.BoolVar(&record, "record", false, "")
	f.BoolVar(&replace, "update", false, "")
	t.flags(cmd)
	return cmd
}

// compileTests is compile with the test blocks.
func (a *app) compileTests(cmd *cobra.Command, location string, t *target) (*compiler.Result, error) {
	o, err := t.options(a, location)
	if err != nil {
		return nil, err
	}
	o.Tests = true
	return a.compileWith(cmd.Context(), o, location, t, false)
}

// record writes the recordings of tests that name one.
func (a *app) record(cmd *cobra.Command, r *compiler.Result, tests []*specs.Test, replace bool) error {
	ctx := cmd.Context()
	if a.interactive() {
		ctx = runtime.WithConfirmation(ctx, func(_ context.Context, question string) (bool, error) { return a.agree(question), nil })
	}
	for _, t := range tests {
		if t.Recording == nil {
			continue
		}
		n, err := contract.Record(ctx, r.Plan, a.runtimeOptions(), t, replace)
		switch {
		case errors.Is(err, contract.ErrExists):
			fmt.Fprintf(a.stderr, "kept %s: --update replaces it\n", t.Recording.Value)
		case err != nil:
			return &exit{exitUpstream, fmt.Errorf("record test %q: %w", t.Name, err)}
		default:
			fmt.Fprintf(a.stderr, "recorded %s in %s\n", count(n, "answer"), t.Recording.Value)
		}
	}
	return nil
}

// testText is the outcomes for people: a line for each test, and below one that
// failed what was expected, what was there, and what was sent and answered.
func (a *app) testText(outcomes []*contract.Outcome, bad int) []byte {
	var b bytes.Buffer
	for _, o := range outcomes {
		word := "ok  "
		if len(o.Failures) > 0 {
			word = "FAIL"
		}
		fmt.Fprintf(&b, "%s  %s\n", word, printable(o.Test.Name))
		for _, w := range o.Warnings {
			fmt.Fprintf(&b, "      remark: %s\n", printable(w))
		}
		if len(o.Failures) > 0 {
			b.WriteString(indent(failureText(o), "      "))
		}
	}
	if len(outcomes) == 0 {
		b.WriteString("no tests\n")
		return b.Bytes()
	}
	fmt.Fprintf(&b, "%s, %s failed\n", count(len(outcomes), "test"), group(bad))
	return b.Bytes()
}

// failureText says why a test failed.
func failureText(o *contract.Outcome) string {
	var b strings.Builder
	for _, f := range o.Failures {
		if !f.Range.IsZero() {
			fmt.Fprintf(&b, "%s: ", f.Range)
		}
		b.WriteString(f.Message + "\n")
		if f.Condition != "" {
			b.WriteString("  expected " + f.Condition + "\n")
		}
		wide := 0
		for _, v := range f.Values {
			wide = max(wide, len(v.Expression))
		}
		for _, v := range f.Values {
			fmt.Fprintf(&b, "    %-*s  is %s\n", wide, v.Expression, v.JSON)
		}
	}
	for _, r := range o.Requests {
		fmt.Fprintf(&b, "request %s %s\n", r.Method, r.URL)
		if len(r.Body) > 0 {
			b.WriteString(indent(contract.Shown(r.Body), "  "))
		}
	}
	if o.Requests == nil {
		b.WriteString("nothing was sent\n")
	}
	if o.Result != nil {
		b.WriteString("result")
		if o.Result.IsError {
			b.WriteString(" (error " + o.Result.Code + ")")
		}
		b.WriteByte('\n')
		b.WriteString(indent(resultText(o), "  "))
	}
	return b.String()
}

func resultText(o *contract.Outcome) string {
	if o.Result.Structured != nil {
		return contract.Shown(o.Result.Structured)
	}
	var parts []string
	for _, c := range o.Result.Content {
		if c.Data != nil {
			parts = append(parts, fmt.Sprintf("(%s of %s)", count(len(c.Data), "byte"), c.MIME))
			continue
		}
		parts = append(parts, contract.Shown([]byte(c.Text)))
	}
	return strings.Join(parts, "\n")
}

type testsJSON struct {
	Tests  []testJSON `json:"tests"`
	Passed int        `json:"passed"`
	Failed int        `json:"failed"`
}

type testJSON struct {
	Name     string          `json:"name"`
	Tool     string          `json:"tool"`
	Place    string          `json:"place"`
	Passed   bool            `json:"passed"`
	Failures []testFailure   `json:"failures,omitempty"`
	Remarks  []string        `json:"remarks,omitempty"`
	Requests []testRequest   `json:"requests,omitempty"`
	Result   json.RawMessage `json:"result,omitempty"` // as a client gets it
}

type testFailure struct {
	Message  string            `json:"message"`
	Place    string            `json:"place,omitempty"`
	Expected string            `json:"expected,omitempty"` // the condition, as it is written
	Values   map[string]string `json:"values,omitempty"`   // of parts of the condition, as JSON
}

type testRequest struct {
	Method string `json:"method"`
	URL    string `json:"url"`
	Body   string `json:"body,omitempty"`
}

func testReport(outcomes []*contract.Outcome) testsJSON {
	out := testsJSON{Tests: []testJSON{}}
	for _, o := range outcomes {
		t := testJSON{Name: o.Test.Name, Tool: o.Test.Call.Name, Place: o.Test.Range.String(), Passed: len(o.Failures) == 0, Remarks: o.Warnings}
		if t.Passed {
			out.Passed++
		} else {
			out.Failed++
		}
		for _, f := range o.Failures {
			tf := testFailure{Message: f.Message, Place: f.Range.String(), Expected: f.Condition}
			for _, v := range f.Values {
				if tf.Values == nil {
					tf.Values = map[string]string{}
				}
				tf.Values[v.Expression] = v.JSON
			}
			t.Failures = append(t.Failures, tf)
		}
		for _, r := range o.Requests {
			t.Requests = append(t.Requests, testRequest{r.Method, r.URL.String(), strings.ToValidUTF8(string(r.Body), "�")})
		}
		if o.Result != nil {
			t.Result = o.Result.AppendJSON(nil, true)
		}
		out.Tests = append(out.Tests, t)
	}
	return out
}

type junitSuites struct {
	XMLName  xml.Name   `xml:"testsuites"`
	Tests    int        `xml:"tests,attr"`
	Failures int        `xml:"failures,attr"`
	Suite    junitSuite `xml:"testsuite"`
}

type junitSuite struct {
	Name     string      `xml:"name,attr"`
	Tests    int         `xml:"tests,attr"`
	Failures int         `xml:"failures,attr"`
	Time     string      `xml:"time,attr"` // seconds
	Cases    []junitCase `xml:"testcase"`
}

type junitCase struct {
	Name    string        `xml:"name,attr"`
	Class   string        `xml:"classname,attr"` // the tool
	File    string        `xml:"file,attr,omitempty"`
	Time    string        `xml:"time,attr"`
	Failure *junitFailure `xml:"failure"`
}

type junitFailure struct {
	Message string `xml:"message,attr"`
	Text    string `xml:",chardata"`
}

func seconds(d time.Duration) string { return strconv.FormatFloat(d.Seconds(), 'f', 3, 64) }

func (a *app) writeJUnit(name, location string, outcomes []*contract.Outcome, took time.Duration) error {
	out := junitSuites{Tests: len(outcomes), Suite: junitSuite{Name: location, Tests: len(outcomes), Time: seconds(took)}}
	for _, o := range outcomes {
		c := junitCase{Name: o.Test.Name, Class: o.Test.Call.Name, Time: seconds(o.Duration)}
		if src := o.Test.Range.Source; src != nil {
			c.File = src.Name
		}
		if len(o.Failures) > 0 {
			out.Failures++
			c.Failure = &junitFailure{o.Failures[0].Message, printable(failureText(o))}
		}
		out.Suite.Cases = append(out.Suite.Cases, c)
	}
	out.Suite.Failures = out.Failures
	b, err := xml.MarshalIndent(out, "", "  ")
	if err != nil {
		return failed(err)
	}
	b = append([]byte(xml.Header), append(b, '\n')...)
	if name == "-" {
		return a.write(b)
	}
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		return failed(err)
	}
	if err := os.WriteFile(name, b, 0o644); err != nil {
		return failed(fmt.Errorf("--junit: %w", err))
	}
	return nil
}
