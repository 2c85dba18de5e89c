package runtime

import (
	"fmt"

	"github.com/mcpc-dev/mcpc/runtime/internal/expr"
	"github.com/mcpc-dev/mcpc/runtime/internal/request"
	"github.com/mcpc-dev/mcpc/runtime/internal/response"
	"github.com/mcpc-dev/mcpc/runtime/internal/schema"
	"github.com/mcpc-dev/mcpc/runtime/plan"
)

// sending is one of the requests a tool may send, and how its answer is read.
type sending struct {
	when    expr.Func // nil: always
	plan    *plan.Request
	builder *request.Builder
	decoder *response.Decoder
}

// compileSends prepares the requests of a tool.
func (t *tool) compileSends() ([]sending, error) {
	var out []sending
	add := func(r *plan.Request, when *plan.Expr) error {
		own := *t.plan
		own.Request = *r
		s := sending{plan: r}
		var err error
		if when != nil {
			if s.when, err = expr.Compile(*when); err != nil {
				return fmt.Errorf("condition of a request: %w", err)
			}
		}
		if s.builder, err = request.Compile(*t.upstream, *r); err != nil {
			return fmt.Errorf("request: %w", err)
		}
		s.builder.File = t.file
		if s.decoder, err = response.Compile(own); err != nil {
			return fmt.Errorf("response: %w", err)
		}
		out = append(out, s)
		return nil
	}
	for i := range t.plan.Choices {
		if err := add(&t.plan.Choices[i].Request, &t.plan.Choices[i].When); err != nil {
			return nil, err
		}
	}
	if t.plan.Request.Method != "" {
		if err := add(&t.plan.Request, nil); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// choose returns the request that a call sends. The error says that there is
// none, or that a condition cannot be computed.
func (t *tool) choose(env *expr.Env) (*sending, error) {
	for i := range t.sends {
		s := &t.sends[i]
		if s.when == nil {
			return s, nil
		}
		ok, err := expr.Holds(s.when, env, false)
		if err != nil {
			return nil, &ArgumentError{"The condition of a request cannot be computed: " + err.Error() + "."}
		}
		if ok {
			return s, nil
		}
	}
	return nil, &ArgumentError{"The arguments fit none of the requests that this tool can send; its description says which go together."}
}

// rule is a compiled [plan.Rule].
type rule struct {
	condition, message expr.Func
}

func compileRules(list []plan.Rule) ([]rule, error) {
	out := make([]rule, len(list))
	for i, r := range list {
		var err error
		if out[i].condition, err = expr.Compile(r.Condition); err != nil {
			return nil, err
		}
		if out[i].message, err = expr.Compile(r.Message); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// checkRules returns the author's words on the rules that arguments break.
func checkRules(rules []rule, env *expr.Env) (problems []schema.Problem) {
	for _, r := range rules {
		ok, err := expr.Holds(r.condition, env, true)
		if err != nil {
			problems = append(problems, schema.Problem{Message: "a rule of this tool cannot be checked: " + err.Error()})
			continue
		}
		if ok {
			continue
		}
		v, _ := r.message(env)
		message, isText := v.(string)
		if !isText { // it speaks of an argument that was not given
			message = "they break a rule of this tool"
		}
		problems = append(problems, schema.Problem{Message: message})
	}
	return problems
}
