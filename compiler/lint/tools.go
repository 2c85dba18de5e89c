package lint

import (
	"cmp"
	"encoding/json"
	"fmt"
	"net"
	"net/url"
	"slices"
	"strings"
	"unicode"

	"github.com/mcpc-dev/mcpc/runtime/plan"
	"github.com/mcpc-dev/mcpc/specs"
	"github.com/mcpc-dev/mcpc/specs/diag"
)

const (
	maxName        = 40   // characters of a name
	maxDescription = 1000 // characters
	minDescription = 20   // characters
	maxTool        = 2000 // tokens
)

// whole looks at the list of tools as one text.
func (c *checker) whole() {
	limit := cmp.Or(c.limits.Tools, 40)
	if n := len(c.plan.Tools); n > limit {
		c.say("too-many-tools", c.doc.Server.Range, fmt.Sprintf("the server has %d tools; models choose well among %d", n, limit), c.narrow())
	}
	total := 0
	for i := range c.plan.Tools {
		total += cost(&c.plan.Tools[i])
	}
	if limit := cmp.Or(c.limits.Tokens, 20000); total > limit {
		var most []string
		for _, t := range costliest(c.plan, 3) {
			most = append(most, fmt.Sprintf("%s %d", t.Name, cost(t)))
		}
		c.say("token-cost", c.doc.Server.Range, fmt.Sprintf("the list of tools costs a model about %d tokens, more than %d; the dearest: %s", total, limit, strings.Join(most, ", ")), c.narrow())
	}
}

// narrow says how to expose less.
func (c *checker) narrow() string {
	if len(c.doc.APIs) == 1 && c.doc.APIs[0].ExposeAll {
		return "write an HCL spec with an api block whose expose block selects what is needed"
	}
	return "narrow the expose blocks, or remove tools"
}

// names looks for tools that are taken for each other.
func (c *checker) names() {
	// Plurals tell a list from an element, as long as one of the two needs other
	// arguments.
	plain, singular := map[string]*plan.Tool{}, map[string]*plan.Tool{}
	for i := range c.plan.Tools {
		t := &c.plan.Tools[i]
		if len(t.Name) > maxName {
			c.say("long-name", c.place(t), fmt.Sprintf("the name %s has %d characters", t.Name, len(t.Name)), fmt.Sprintf("a name of up to %d leaves clients room for their prefix", maxName))
		}
		key, one := "", ""
		for _, w := range words(t.Name) {
			key += w
			one += strings.TrimSuffix(w, "s")
		}
		other := plain[key]
		if o := singular[one]; other == nil && o != nil && slices.Equal(required(o), required(t)) {
			other = o
		}
		if other == nil {
			plain[key], singular[one] = t, t
			continue
		}
		d := diag.Diagnostic{Severity: diag.Warning, Code: "similar-names", Message: fmt.Sprintf("the tools %s and %s have almost the same name", other.Name, t.Name),
			Hint: "say in the names what is different", Range: c.place(t)}
		if at := c.place(other); !at.IsZero() {
			d.Notes = append(d.Notes, diag.Note{Message: "the other one", Range: at})
		}
		c.found.Add(d)
	}
}

// required are the names of the arguments a tool must have, sorted.
func required(t *plan.Tool) []string {
	list := readSchema([]byte(t.Input)).Required
	slices.Sort(list)
	return list
}

func (c *checker) tool(t *plan.Tool) {
	at := c.place(t)
	if n := cost(t); n > maxTool {
		c.say("large-tool", at, fmt.Sprintf("tool %s costs a model about %d tokens", t.Name, n), "hide inputs that nobody needs, or describe the tool by hand")
	}
	c.description(t, at)
	c.inputs(t, at)
	c.effects(t, at)
	c.foreign(t, at)
}

// raw looks for values that an author lets into XML as they are, in requests of
// internal tools, resources and prompts, too.
func (c *checker) raw() {
	for _, t := range c.doc.Tools {
		var look func(x *specs.Expr)
		look = func(x *specs.Expr) {
			if x == nil {
				return
			}
			if x.Op == specs.ExprCall && x.Name == "raw" {
				c.say("raw-xml", x.Range, t.String()+" sends a value as XML: who gives it can say anything in the document", "remove raw(…) unless the value is XML")
			}
			for _, a := range x.Args {
				look(a)
			}
		}
		requests := slices.Clone(t.Choices)
		if t.Request != nil {
			requests = append(requests, t.Request)
		}
		for _, r := range requests {
			look(r.XML)
			if r.SOAP != nil {
				look(r.SOAP.Header)
				look(r.SOAP.XML)
			}
		}
	}
}

func (c *checker) description(t *plan.Tool, at diag.Range) {
	text := strings.TrimSpace(strings.TrimPrefix(t.Description, "Deprecated. "))
	op := c.operation(t)
	method, rest, _ := strings.Cut(text, " ")
	switch n := len([]rune(text)); {
	case text == "", strings.HasPrefix(rest, "/") && strings.ToUpper(method) == method && !strings.Contains(rest, " "):
		c.say("no-description", at, fmt.Sprintf("nothing says what tool %s does", t.Name), c.describe(op))
	case n < minDescription || slices.Equal(words(text), words(t.Name)):
		c.say("short-description", at, fmt.Sprintf("the description of tool %s says little: %q", t.Name, text), "say what it returns and when to use it")
	case n >= maxDescription:
		c.say("long-description", at, fmt.Sprintf("the description of tool %s has %d characters", t.Name, n), c.describe(op))
	}
}

func (c *checker) describe(op *specs.Operation) string {
	if op != nil {
		return fmt.Sprintf("write a tool block with operation = … %q and a description of its own", op.ID)
	}
	return "add a description: what it does, what it returns, when to use it"
}

// schemaText is what lint reads of a schema.
type schemaText struct {
	Title       string                     `json:"title"`
	Description string                     `json:"description"`
	Properties  map[string]json.RawMessage `json:"properties"`
	Enum        json.RawMessage            `json:"enum"`
	Const       json.RawMessage            `json:"const"`
	Type        json.RawMessage            `json:"type"`
	Format      string                     `json:"format"`
	Ref         string                     `json:"$ref"`
	Required    []string                   `json:"required"`
}

func readSchema(raw []byte) (s schemaText) {
	// A schema of a plan is valid; what is true or false reads as nothing.
	_ = json.Unmarshal(raw, &s)
	return s
}

// inputs looks for arguments that only have a name.
func (c *checker) inputs(t *plan.Tool, at diag.Range) {
	root := readSchema([]byte(t.Input))
	var bare []string
	total := 0
	for name, raw := range root.Properties {
		s := readSchema(raw)
		if name == "body" && s.Properties != nil {
			continue // its fields speak for themselves, or are too many to judge
		}
		total++
		if s.Description == "" && s.Title == "" && s.Enum == nil && s.Const == nil && s.Format == "" && s.Ref == "" && string(s.Type) != `"boolean"` {
			bare = append(bare, name)
		}
	}
	slices.Sort(bare)
	if len(bare) > 0 {
		c.say("undescribed-inputs", at, fmt.Sprintf("%d of %d inputs of tool %s have no description: %s", len(bare), total, t.Name, shortList(bare)), "say what is wanted, with an example")
	}
}

func shortList(list []string) string {
	const most = 6
	if len(list) > most {
		return strings.Join(list[:most], ", ") + fmt.Sprintf(" and %d more", len(list)-most)
	}
	return strings.Join(list, ", ")
}

// destructiveWords begin names of tools that take something away.
var destructiveWords = []string{"delete", "remove", "cancel", "purge", "drop", "destroy", "erase", "revoke", "wipe", "terminate", "truncate", "uninstall"}

// effects compares hints with names, and asks who agreed to a destructive tool.
func (c *checker) effects(t *plan.Tool, at diag.Range) {
	written := c.tools[t.Name]
	if t.Hints.Destructive && written == nil && slices.ContainsFunc(t.Requests(), func(r *plan.Request) bool { return r.Method == "DELETE" }) && !c.overridden(t) {
		c.say("unguarded-destructive", at, fmt.Sprintf("tool %s destroys something, and a pattern selected it", t.Name),
			"leave it out, or write a tool block for it, so that a person has decided")
	}
	name := words(t.Name)
	for _, w := range append(name, words(string(splitCamel(t.Name)))...) {
		if slices.Contains(destructiveWords, w) && !t.Hints.Destructive && !t.Hints.ReadOnly {
			c.say("hidden-effect", at, fmt.Sprintf("tool %s speaks of %q, and its hints say that it destroys nothing", t.Name, w), "set destructive = true, or read_only = true")
			return
		}
	}
}

// splitCamel puts a space before capitals.
func splitCamel(s string) []rune {
	var out []rune
	for i, r := range s {
		if i > 0 && unicode.IsUpper(r) {
			out = append(out, ' ')
		}
		out = append(out, r)
	}
	return out
}

// overridden tells whether the author wrote about the effect of a tool in bulk.
func (c *checker) overridden(t *plan.Tool) bool {
	for _, api := range c.doc.APIs {
		if api.Name != t.Origin.API {
			continue
		}
		for _, o := range api.Overrides {
			if o.Hints.Destructive != nil {
				return true
			}
		}
	}
	return false
}

// passthrough looks for APIs that get the token of the caller as it is.
func (c *checker) passthrough() {
	for _, api := range c.doc.APIs {
		list := []*specs.Credential{api.Auth}
		for _, s := range api.SchemeAuth {
			list = append(list, s.Credential)
		}
		for _, k := range list {
			if k == nil || k.Kind != "passthrough" {
				continue
			}
			c.say("passthrough", k.Range, "api "+api.Name+" gets the token that the caller meant for this server, and can use it as he could", "exchange it for one of the API's own: token_exchange { … }")
		}
	}
}

// credentials looks for secrets that go over the network in clear.
func (c *checker) credentials() {
	for i := range c.plan.Upstreams {
		u := &c.plan.Upstreams[i]
		base, err := url.Parse(u.BaseURL)
		if err != nil || base.Scheme != "http" || len(u.Credentials) == 0 {
			continue
		}
		host := base.Hostname()
		if ip := net.ParseIP(host); host == "localhost" || ip != nil && ip.IsLoopback() {
			continue
		}
		at := diag.Range{}
		for _, api := range c.doc.APIs {
			if api.Name == u.Name {
				at = api.Range
				if api.BaseURL != nil {
					at = api.BaseURL.Range
				}
			}
		}
		c.say("cleartext-credential", at, fmt.Sprintf("the credentials of %s travel in clear to %s", u.Name, host), "use https://")
	}
}
