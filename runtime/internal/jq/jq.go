// Package jq runs programs of jq over decoded values. A program sees its input
// and nothing else: no environment, no further inputs, no modules and no clock
// of the process beyond jq's own functions.
package jq

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"math/big"
	"strconv"
	"time"

	"github.com/itchyny/gojq"
)

// maxTime is how long a program may take. Its text is the author's, but what it
// runs over is not.
const maxTime = 5 * time.Second

// maxProgram bounds the text of a program, in bytes.
const maxProgram = 64 << 10

// Program is a compiled program. It is safe for concurrent use.
type Program struct{ code *gojq.Code }

// Compile compiles a program. The error says what is wrong with it.
func Compile(text string) (*Program, error) {
	if len(text) > maxProgram {
		return nil, fmt.Errorf("the program is longer than %d bytes", maxProgram)
	}
	q, err := gojq.Parse(text)
	if err != nil {
		return nil, err
	}
	code, err := gojq.Compile(q, gojq.WithEnvironLoader(func() []string { return nil }))
	if err != nil {
		return nil, err
	}
	return &Program{code}, nil
}

// Run returns the first value that the program yields for v, which it does not
// change; null when it yields none. Numbers that are only moved keep their
// digits. The error is one sentence.
func (p *Program) Run(ctx context.Context, v any) (any, error) {
	ctx, cancel := context.WithTimeout(ctx, maxTime)
	defer cancel()
	out, ok := p.code.RunWithContext(ctx, v).Next()
	if !ok {
		return nil, nil
	}
	if err, ok := out.(error); ok {
		if h, ok := errors.AsType[*gojq.HaltError](err); ok && h.Value() == nil {
			return nil, nil // halt, which is no mistake
		}
		return nil, err
	}
	return plain(out), nil
}

// plain replaces jq's own numbers by decimal ones.
func plain(v any) any {
	switch v := v.(type) {
	case int:
		return json.Number(strconv.Itoa(v))
	case *big.Int:
		return json.Number(v.String())
	case float64:
		if math.IsNaN(v) {
			return nil
		}
		v = min(max(v, -math.MaxFloat64), math.MaxFloat64) // as jq writes infinity
		return json.Number(strconv.FormatFloat(v, 'g', -1, 64))
	case []any:
		out := make([]any, len(v))
		for i, e := range v {
			out[i] = plain(e)
		}
		return out
	case map[string]any:
		out := make(map[string]any, len(v))
		for k, e := range v {
			out[k] = plain(e)
		}
		return out
	}
	return v
}
