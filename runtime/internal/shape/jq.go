package shape

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"time"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/itchyny/gojq"

	"github.com/mcpc-dev/mcpc/runtime/internal/args"
	"github.com/mcpc-dev/mcpc/runtime/internal/result"
)

// Bounds of a run of a jq program.
const (
	maxOutput  = 16 << 20        // bytes of JSON
	maxRunning = 2 * time.Second // of processor and wall clock alike
	maxMessage = 400             // bytes of what an error says
)

// Program is a compiled jq program. It sees the value it is run over and nothing
// else: no environment, no files or modules, no further input. It is safe for
// concurrent use.
//
// A number that is only passed on keeps its digits. Integers are computed with
// exactly, of any size; other numbers in binary, as everywhere in jq. Members of
// what a program returns are sorted by name.
type Program struct{ code *gojq.Code }

// NewProgram compiles a program. An error says what is wrong with it.
func NewProgram(text string) (*Program, error) {
	query, err := gojq.Parse(text)
	if err != nil {
		return nil, err
	}
	code, err := gojq.Compile(query, gojq.WithEnvironLoader(func() []string { return nil }))
	if err != nil {
		return nil, err
	}
	return &Program{code}, nil
}

// Run returns what the program makes of a JSON value: its output, the list of
// them when there are several, null when there is none. Errors are one sentence
// for the caller of a tool; they may repeat a piece of the value.
func (p *Program) Run(ctx context.Context, v []byte) ([]byte, error) {
	in, err := args.Value(v)
	if err != nil {
		return nil, errors.New("jq: the answer is nested too deeply, or has too long a number")
	}
	ctx, cancel := context.WithTimeout(ctx, maxRunning)
	defer cancel()
	var out []byte
	outputs := 0
	for run := p.code.RunWithContext(ctx, in); ; {
		next, ok := run.Next()
		if !ok {
			break
		}
		if err, bad := next.(error); bad {
			if halt, ok := errors.AsType[*gojq.HaltError](err); ok && halt.Value() == nil {
				break
			}
			if ctx.Err() != nil {
				return nil, errors.New("jq: the program did not finish in time")
			}
			return nil, fmt.Errorf("jq: %s", result.Shorten(err.Error(), maxMessage))
		}
		if outputs++; outputs > 1 {
			out = append(out, ',')
		}
		if out, err = appendValue(out, next, 0); err != nil {
			return nil, err
		}
	}
	switch outputs {
	case 0:
		return []byte("null"), nil
	case 1:
		return out, nil
	}
	return append(slices.Insert(out, 0, '['), ']'), nil
}

// appendValue writes a value of a program. Values may share parts, so that a
// small one can be very long when it is written.
func appendValue(b []byte, v any, depth int) ([]byte, error) {
	if len(b) > maxOutput {
		return b, fmt.Errorf("jq: the output is larger than %d MiB", maxOutput>>20)
	}
	if depth > MaxDepth {
		return b, fmt.Errorf("jq: the output is nested more than %d deep", MaxDepth)
	}
	var err error
	switch v := v.(type) {
	case string:
		return result.AppendString(b, v), nil
	case int:
		return strconv.AppendInt(b, int64(v), 10), nil
	case json.Number:
		if jsontext.Value(v).IsValid() {
			return append(b, v...), nil
		}
		// A literal of the program, such as .5
		f, _ := gojq.ToFloat64(v)
		return appendValue(b, f, depth)
	case []any:
		b = append(b, '[')
		for i, e := range v {
			if i > 0 {
				b = append(b, ',')
			}
			if b, err = appendValue(b, e, depth+1); err != nil {
				return b, err
			}
		}
		return append(b, ']'), nil
	case map[string]any:
		b = append(b, '{')
		for i, name := range slices.Sorted(maps.Keys(v)) {
			if i > 0 {
				b = append(b, ',')
			}
			if b, err = appendValue(append(result.AppendString(b, name), ':'), v[name], depth+1); err != nil {
				return b, err
			}
		}
		return append(b, '}'), nil
	}
	text, err := gojq.Marshal(v)
	return append(b, text...), err
}
