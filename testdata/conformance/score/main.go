// Score compares what the conformance suite wrote with the failures that are
// expected, and fails on every difference: a failure nobody expects, and an
// expectation that is no longer met.
//
//	go run ./testdata/conformance/score -expected FILE DIRECTORY
//
// DIRECTORY is what the suite was given with -o. A line of FILE is
//
//	SCENARIO CHECK  # why a bridge cannot pass it
//
// in which * stands for any part of a name.
package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strings"
)

func main() {
	expected := flag.String("expected", "", "the file of expected failures")
	flag.Parse()
	if *expected == "" || flag.NArg() != 1 {
		flag.Usage()
		os.Exit(2)
	}
	ok, err := score(os.Stdout, *expected, flag.Arg(0))
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
	if !ok {
		os.Exit(1)
	}
}

// expectation is a line of the file.
type expectation struct {
	line            int
	scenario, check string // patterns
	met             bool
}

// score prints what differs, and the score. It is false when something does.
func score(w io.Writer, file, dir string) (bool, error) {
	expected, err := read(file)
	if err != nil {
		return false, err
	}
	files, err := filepath.Glob(filepath.Join(dir, "*", "checks.json"))
	if err != nil {
		return false, err
	}
	if len(files) == 0 {
		return false, fmt.Errorf("%s: no results in it", dir)
	}
	passed, foreseen, ok := 0, 0, true
	for _, f := range files {
		scenario := scenarioOf(filepath.Base(filepath.Dir(f)))
		text, err := os.ReadFile(f)
		if err != nil {
			return false, err
		}
		var checks []struct{ ID, Name, Status, ErrorMessage string }
		if err := json.Unmarshal(text, &checks); err != nil {
			return false, fmt.Errorf("%s: %w", f, err)
		}
		for _, c := range checks {
			switch c.Status {
			case "SUCCESS":
				passed++
			case "FAILURE":
				if meet(expected, scenario, c.ID) {
					foreseen++
					continue
				}
				ok = false
				fmt.Fprintf(w, "unexpected failure: %s %s: %s\n", scenario, c.ID, c.ErrorMessage)
			}
		}
	}
	for _, e := range expected {
		if !e.met {
			ok = false
			fmt.Fprintf(w, "%s:%d: %s %s does not fail any more; remove the line\n", file, e.line, e.scenario, e.check)
		}
	}
	fmt.Fprintf(w, "%d checks passed, %d failed as expected\n", passed, foreseen)
	return ok, nil
}

func meet(expected []*expectation, scenario, check string) bool {
	for _, e := range expected {
		if matches(e.scenario, scenario) && matches(e.check, check) {
			e.met = true
			return true
		}
	}
	return false
}

func matches(pattern, name string) bool {
	ok, err := path.Match(pattern, name)
	return ok && err == nil
}

func read(file string) ([]*expectation, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	var all []*expectation
	for i, line := range strings.Split(string(text), "\n") {
		if line = strings.TrimSpace(line); line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		what, why, _ := strings.Cut(line, "#")
		fields := strings.Fields(what)
		if len(fields) != 2 || strings.TrimSpace(why) == "" {
			return nil, fmt.Errorf("%s:%d: want SCENARIO CHECK  # REASON", file, i+1)
		}
		all = append(all, &expectation{line: i + 1, scenario: fields[0], check: fields[1]})
	}
	return all, nil
}

// stamp is what the suite adds to the name of a scenario.
var stamp = regexp.MustCompile(`-\d{4}-\d\d-\d\dT[\d-]+Z$`)

func scenarioOf(dir string) string {
	return stamp.ReplaceAllString(strings.TrimPrefix(dir, "server-"), "")
}
