package hclspec

import (
	"errors"
	"fmt"
	"strings"

	"github.com/itchyny/gojq"

	"github.com/mcpc-dev/mcpc/specs"
	"github.com/mcpc-dev/mcpc/specs/diag"
)

// maxProgram bounds a program of jq, whose compiler is recursive.
const maxProgram = 16 << 10

// checkJQ parses and compiles a program, as the runtime will.
func (p *parser) checkJQ(what string, t specs.Text) bool {
	wrong := func(start, end int, message, hint string) bool {
		p.add(diag.Diagnostic{Code: "invalid-jq", Message: what + ": " + message, Hint: hint, Range: within(t, start, end)})
		return false
	}
	if len(t.Value) > maxProgram {
		return wrong(0, len(t.Value), fmt.Sprintf("the program is longer than %d KiB", maxProgram>>10), "keep what belongs into one result")
	}
	query, err := gojq.Parse(t.Value)
	if bad, ok := errors.AsType[*gojq.ParseError](err); ok {
		end := min(bad.Offset, len(t.Value))
		start := max(end-len(bad.Token), 0)
		message := bad.Error()
		if bad.Token == "" {
			message, start = "the program ends too early", max(end-1, 0)
		}
		if before := t.Value[:start]; strings.Contains(before, "\n") {
			message += fmt.Sprintf(" in line %d", 1+strings.Count(before, "\n"))
		}
		return wrong(start, end, message, "jq is described at jqlang.org/manual")
	}
	if err == nil {
		_, err = gojq.Compile(query)
	}
	if err == nil {
		return true
	}
	message := err.Error()
	if strings.HasPrefix(message, "input(s)/0") {
		message = "there is no other input to read"
	}
	// "function not defined: foo/1": the first place of the name is it mostly.
	start, end := 0, len(t.Value)
	if i := strings.LastIndex(message, ": "); i >= 0 {
		name, _, _ := strings.Cut(message[i+2:], "/")
		if at := strings.Index(t.Value, name); at >= 0 && name != "" {
			start, end = at, at+len(name)
		}
	}
	return wrong(start, end, message, "a program sees the value it is given: no other input, no modules and no variables from outside")
}
