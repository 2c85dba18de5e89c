package hclspec

import (
	"crypto/sha256"
	"fmt"
	"strings"
	"time"

	"github.com/mcpc-dev/mcpc/specs"
	"github.com/mcpc-dev/mcpc/specs/diag"
)

// What holds where exec() and vault() say nothing, and the most they can say.
const (
	sourceTTL     = 5 * time.Minute
	execTimeout   = 10 * time.Second
	mostSourceTTL = 24 * time.Hour
	mostExecTime  = time.Minute
)

// execFunction is exec(["program", "argument"…], { timeout, ttl }).
func (p *parser) execFunction(args []*specs.Expr, sc *scope, r diag.Range) *specs.Expr {
	if !p.secretSource("exec", sc, r) {
		return nil
	}
	s := &specs.Secret{Timeout: execTimeout, TTL: sourceTTL}
	for _, f := range args[0].Value.Fields {
		if f.Value.Kind != specs.String || strings.Contains(f.Value.Text, "\x00") {
			return p.fail(sc, "wrong-arguments", args[0].Range, fmt.Sprintf("a program and its arguments are texts, not %s", valueText(f.Value)), p.functions["exec"].form())
		}
		s.Exec = append(s.Exec, f.Value.Text)
	}
	if len(s.Exec) == 0 || s.Exec[0] == "" {
		return p.fail(sc, "wrong-arguments", args[0].Range, "exec names no program", `write exec(["pass", "show", "erp"])`)
	}
	// One that is written with a folder is a file of the spec; one without is
	// looked for where programs are.
	if strings.ContainsAny(s.Exec[0], `/\`) {
		s.Exec[0] = p.resolve(s.Exec[0])
	}
	if len(args) > 1 && !p.sourceOptions("exec", args[1], sc, map[string]*time.Duration{"timeout": &s.Timeout, "ttl": &s.TTL}, map[string]time.Duration{"timeout": mostExecTime, "ttl": mostSourceTTL}) {
		return nil
	}
	// Two secrets have two names.
	s.Name = execName(s.Exec)
	return &specs.Expr{Op: specs.ExprSecret, Range: r, Secret: s}
}

// execName is what a program's output is called in messages: by the program. Its
// arguments may be secret, so that programs which differ in them have a digest.
func execName(command []string) string {
	if len(command) == 1 {
		return fmt.Sprintf("exec(%q)", command[0])
	}
	sum := sha256.Sum256([]byte(strings.Join(command, "\x00")))
	return fmt.Sprintf("exec(%q, …%x)", command[0], sum[:4])
}

// vaultFunction is vault("path", "field", { ttl }).
func (p *parser) vaultFunction(args []*specs.Expr, sc *scope, r diag.Range) *specs.Expr {
	if !p.secretSource("vault", sc, r) {
		return nil
	}
	path, ok := p.nameArgument("vault", args, sc)
	field, known := p.nameArgument("vault", args[1:], sc)
	if !ok || !known {
		return nil
	}
	path = strings.TrimPrefix(strings.Trim(path, "/"), "v1/")
	for part := range strings.SplitSeq(path, "/") {
		if part == "" || part == "." || part == ".." || strings.ContainsAny(part, "?#%\\") || strings.ContainsFunc(part, func(c rune) bool { return c <= ' ' || c == 0x7f }) {
			return p.fail(sc, "invalid-value", args[0].Range, fmt.Sprintf("%q is no path of a secret", path), `write it as Vault's HTTP API has it: "secret/data/erp"`)
		}
	}
	s := &specs.Secret{Name: fmt.Sprintf("vault(%q, %q)", path, field), Vault: path, VaultField: field, TTL: sourceTTL}
	if len(args) > 2 && !p.sourceOptions("vault", args[2], sc, map[string]*time.Duration{"ttl": &s.TTL}, map[string]time.Duration{"ttl": mostSourceTTL}) {
		return nil
	}
	return &specs.Expr{Op: specs.ExprSecret, Range: r, Secret: s}
}

// secretSource tells whether a function that gives a secret may stand here.
func (p *parser) secretSource(name string, sc *scope, r diag.Range) bool {
	switch {
	case p.remote:
		p.refuseRemote(r)
	case !sc.secret:
		p.fail(sc, "misplaced-function", r, fmt.Sprintf("%s(…) is a secret, and can stand in auth only", name), fmt.Sprintf(`elsewhere, use a variable: variable "name" { sensitive = true, from = %s(…) }`, name))
	default:
		return true
	}
	return false
}

// sourceOptions reads an object of durations.
func (p *parser) sourceOptions(function string, x *specs.Expr, sc *scope, to map[string]*time.Duration, most map[string]time.Duration) bool {
	var names []string
	for _, f := range []string{"timeout", "ttl"} {
		if to[f] != nil {
			names = append(names, f)
		}
	}
	ok := true
	for _, f := range x.Value.Fields {
		d, err := time.ParseDuration(f.Value.Str())
		switch {
		case to[f.Key] == nil:
			p.fail(sc, "unknown-member", x.Range, fmt.Sprintf("%s has no option %q", function, f.Key), didYouMean(f.Key, names, "it has "))
			ok = false
		case err != nil || d <= 0 || d > most[f.Key]:
			p.add(diag.Diagnostic{Code: "invalid-duration", Message: fmt.Sprintf("%s is no duration of at most %s", valueText(f.Value), strings.TrimSuffix(strings.TrimSuffix(most[f.Key].String(), "0s"), "0m")), Hint: `write a number with a unit: "500ms", "20s", "2m"`, Range: cmpRange(f.Value.Range(), x.Range)})
			ok = false
		default:
			*to[f.Key] = d
		}
	}
	return ok
}
