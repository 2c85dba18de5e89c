package surface

import (
	"encoding/json"
	"strings"

	"github.com/mcpc-dev/mcpc/runtime/plan"
)

// Source writes an expression as its author might have; secrets are shown as
// "(secret)".
func Source(e *plan.Expr) string {
	args := make([]string, len(e.Args))
	for i := range e.Args {
		args[i] = Source(&e.Args[i])
	}
	switch e.Op {
	case plan.OpConst:
		return e.Const
	case plan.OpArg:
		return "args." + e.Name
	case plan.OpVar:
		return e.Name
	case plan.OpGet:
		return args[0] + "." + e.Name
	case plan.OpIndex:
		return args[0] + "[" + args[1] + "]"
	case plan.OpTemplate:
		var b strings.Builder
		for i := range e.Args {
			var s string
			if e.Args[i].Op == plan.OpConst && json.Unmarshal([]byte(e.Args[i].Const), &s) == nil {
				b.WriteString(s)
				continue
			}
			b.WriteString("${" + args[i] + "}")
		}
		return `"` + b.String() + `"`
	case plan.OpCall:
		switch {
		case e.Name == "[*]":
			return args[0] + "[*]"
		case len(args) == 2 && !strings.ContainsAny(e.Name, "abcdefghijklmnopqrstuvwxyz"):
			return "(" + args[0] + " " + e.Name + " " + args[1] + ")"
		case e.Name == "neg":
			return "-" + args[0]
		case e.Name == "!":
			return "!" + args[0]
		}
		return e.Name + "(" + strings.Join(args, ", ") + ")"
	case plan.OpCond:
		return "(" + args[0] + " ? " + args[1] + " : " + args[2] + ")"
	case plan.OpObject:
		var members []string
		for i := 0; i+1 < len(args); i += 2 {
			members = append(members, args[i]+": "+args[i+1])
		}
		return "{" + strings.Join(members, ", ") + "}"
	case plan.OpFor:
		return "[for " + e.Name + " in " + args[0] + " : " + args[2] + condition(args[1]) + "]"
	case plan.OpForObject:
		return "{ for " + e.Name + " in " + args[0] + " : " + args[3] + " => " + args[2] + condition(args[1]) + " }"
	case plan.OpForGroups:
		return "{ for " + e.Name + " in " + args[0] + " : " + args[3] + " => " + args[2] + "..." + condition(args[1]) + " }"
	case plan.OpList:
		return "[" + strings.Join(args, ", ") + "]"
	case plan.OpSecret:
		return "(secret)"
	}
	return string(e.Op)
}

// condition is that of a for expression, where it has one.
func condition(test string) string {
	if test == "true" {
		return ""
	}
	return " if " + test
}
