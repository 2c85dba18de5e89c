package compiler

import (
	"fmt"
	"strings"

	"github.com/mcpc-dev/mcpc/runtime/plan"
	"github.com/mcpc-dev/mcpc/specs"
	"github.com/mcpc-dev/mcpc/specs/diag"
)

// lowerExpr turns an expression of the spec into one of the plan. arg says what
// stands for an argument; it reports an argument that does not exist.
func lowerExpr(x *specs.Expr, arg func(name string, at diag.Range) plan.Expr) plan.Expr {
	out := plan.Expr{Name: x.Name}
	switch x.Op {
	case specs.ExprConst:
		return constant(x.Value)
	case specs.ExprArg:
		return arg(x.Name, x.Range)
	case specs.ExprVar:
		out.Op = plan.OpVar
	case specs.ExprFor:
		out.Op = plan.OpFor
	case specs.ExprForObject:
		out.Op = plan.OpForObject
	case specs.ExprForGroups:
		out.Op = plan.OpForGroups
	case specs.ExprGet:
		out.Op = plan.OpGet
	case specs.ExprIndex:
		out.Op = plan.OpIndex
	case specs.ExprTemplate:
		out.Op = plan.OpTemplate
	case specs.ExprCall:
		out.Op = plan.OpCall
	case specs.ExprCond:
		out.Op = plan.OpCond
	case specs.ExprObject:
		out.Op = plan.OpObject
	case specs.ExprList:
		out.Op = plan.OpList
	case specs.ExprSecret:
		out.Op = plan.OpSecret
		if x.Secret != nil {
			out.Secret = secretOf(x.Secret)
		}
	default:
		panic(fmt.Sprintf("compiler: unknown expression %d", x.Op))
	}
	for _, a := range x.Args {
		out.Args = append(out.Args, lowerExpr(a, arg))
	}
	return out
}

func constant(v *specs.Node) plan.Expr { return plan.Expr{Op: plan.OpConst, Const: jsonOf(v)} }

func argument(name string) plan.Expr { return plan.Expr{Op: plan.OpArg, Name: name} }

func call(name string, args ...plan.Expr) plan.Expr {
	return plan.Expr{Op: plan.OpCall, Name: name, Args: args}
}

// whenGiven is then when x is not null, else otherwise.
func whenGiven(x, then, otherwise plan.Expr) plan.Expr {
	return plan.Expr{Op: plan.OpCond, Args: []plan.Expr{call("==", x, constant(nil)), otherwise, then}}
}

// noArguments refuses arguments where none exist yet, such as in the headers of
// an API.
func noArguments(diags *diag.List, what string) func(string, diag.Range) plan.Expr {
	return func(name string, at diag.Range) plan.Expr {
		diags.Add(diag.Diagnostic{Code: "wrong-phase", Message: fmt.Sprintf("%s cannot use args.%s: it is the same for all tools", what, name), Hint: "move it into the tools' requests", Range: at})
		return constant(nil)
	}
}

// didYouMean is a hint naming the nearest candidate, or all when they are few.
func didYouMean(word string, candidates []string, all string) string {
	if n := diag.Nearest(word, candidates); n != "" {
		return fmt.Sprintf("did you mean %q?", n)
	}
	if len(candidates) == 0 || len(candidates) > 30 {
		return ""
	}
	return all + strings.Join(candidates, ", ")
}
