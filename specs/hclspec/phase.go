package hclspec

import (
	"slices"

	"github.com/mcpc-dev/mcpc/specs/diag"
)

// phase is when an expression is evaluated, and so what it can know. Constants,
// functions, var and local are known in all but the first.
type phase uint8

const (
	staticPhase   phase = iota // at load
	callPhase                  // for every call: args
	namePhase                  // at load, for every selected operation: operation
	firstPhase                 // at load, before variables and locals: functions only
	responsePhase              // for every answer: args, response
	stepPhase                  // between the steps of a composite tool: args, step, each
	testPhase                  // after a tested call: args, request, response, result
	policyPhase                // when it is decided on a call: caller, tool, args; of a list, without args
	loginPhase                 // when a session is asked for: page
	limitPhase                 // when a call asks a rate limit: caller, client, tool, args
	sessionPhase               // for an answer to a login, or while there is a session: response
)

func (f phase) String() string {
	return [...]string{"static", "call", "static, per operation", "static, before variables", "response", "step", "test", "policy", "login", "rate limit", "session"}[f]
}

// phaseName is a name that some phases know besides var and local.
type phaseName struct {
	name    string
	phases  []phase
	members []string // nil: any
	value   bool     // it is a value by itself too
	known   string   // completes "NAME is known only …"
	advice  string   // where it is used without a member
}

// phaseNames are all such names. What stands for them when an expression is
// evaluated: specs.ExprArg for the members of args, specs.ExprVar for the rest.
var phaseNames = [...]phaseName{
	{name: "args", phases: []phase{callPhase, responsePhase, stepPhase, testPhase, policyPhase, limitPhase}, known: "when the tool is called", advice: "name the arguments you mean: { x = args.x }"},
	{name: "operation", phases: []phase{namePhase}, members: []string{"id", "method", "path", "tag"}, known: "in the name of an expose block", advice: "write operation.id, .method, .path or .tag"},
	{name: "page", phases: []phase{loginPhase}, members: []string{"status", "headers", "body", "fields", "meta", "cookies"}, known: "in the request of a login with a page", advice: "write page.fields, .meta, .cookies, .headers or .body"},
	{name: "response", phases: []phase{responsePhase, testPhase, sessionPhase}, members: []string{"status", "headers", "body"}, known: "when the upstream has answered", advice: "write response.status, response.headers or response.body"},
	{name: "step", phases: []phase{stepPhase}, known: "between the steps of a composite tool", advice: "write step.NAME"},
	{name: "each", phases: []phase{stepPhase}, members: []string{"value", "key", "index"}, known: "in a step with for_each", advice: "write each.value, each.key or each.index"},
	{name: "caller", phases: []phase{policyPhase, limitPhase}, members: []string{"subject", "client", "tenant", "identity", "scopes", "claims"}, known: "in policies and rate limits", advice: "write caller.subject, .client, .tenant, .identity, .scopes or .claims"},
	{name: "client", phases: []phase{limitPhase}, members: []string{"address"}, known: "in rate limits: an address says where a call comes from, not whose it is", advice: "write client.address; the client program of a caller is caller.client"},
	{name: "tool", phases: []phase{policyPhase, limitPhase}, members: []string{"name", "read_only", "destructive", "idempotent", "open_world"}, known: "in policies and rate limits", advice: "write tool.name, .read_only, .destructive, .idempotent or .open_world"},
	{name: "request", phases: []phase{testPhase}, members: []string{"method", "url", "path", "query", "headers", "cookies", "json", "form", "body"}, known: "in the expectations of a test", advice: "write request.method, .path, .query, .headers, .json, .form or .body"},
	{name: "requests", phases: []phase{testPhase}, value: true, known: "in the expectations of a test"},
	{name: "result", phases: []phase{testPhase}, value: true, known: "in the expectations of a test"},
}

// guards tells whether an expression is asked before a call is made.
func (f phase) guards() bool { return f == policyPhase || f == limitPhase }

// secretsAllowed tells whether the value of an expression goes to the upstream
// and nowhere else, so that it may hold a secret.
func (f phase) secretsAllowed() bool { return f == staticPhase || f == callPhase || f == loginPhase }

// rootNames are the names that references of a phase begin with.
func (f phase) rootNames() []string {
	if f == firstPhase {
		return nil
	}
	names := []string{"var", "local"}
	for _, r := range phaseNames {
		if slices.Contains(r.phases, f) {
			names = append(names, r.name)
		}
	}
	return names
}

// wrongPhase explains why a name is not known here.
func (p *parser) wrongPhase(n phaseName, r diag.Range, sc *scope) {
	message := n.name + " is known only " + n.known
	hint := ""
	switch {
	case n.name == "operation":
	case sc.phase == namePhase:
		message += "; " + sc.what + " is evaluated once for each operation, at load"
		hint = "use operation.id, operation.method, operation.path or operation.tag"
	case sc.phase == staticPhase || sc.phase == firstPhase:
		message += "; " + sc.what + " is evaluated once, at load (static phase)"
		hint = "use var or local here"
		if n.name == "args" {
			hint += ", and args in the tool's request"
		}
	default:
		message += "; " + sc.what + " is evaluated in the " + sc.phase.String() + " phase"
		if names := sc.phase.rootNames(); len(names) > 2 {
			hint = "use " + names[2] + " here"
		}
	}
	p.fail(sc, "wrong-phase", r, message, hint)
}
