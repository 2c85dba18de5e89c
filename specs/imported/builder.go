package imported

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"

	"github.com/mcpc-dev/mcpc/specs"
	"github.com/mcpc-dev/mcpc/specs/diag"
)

// maxWarnings is how many warnings one import may cause.
const maxWarnings = 500

// Builder makes a [Spec] while a description is read.
type Builder struct {
	Spec   *Spec
	Source *diag.Source // a copy of what is read; see Done
	// SecretPerName makes one variable of all values of a header of a host: in a
	// recording a token that was renewed is the same secret.
	SecretPerName bool

	diags     diag.List
	tools     names
	apis      names
	variables names
	byBase    map[string]*API
	secrets   map[string]*specs.Expr // by what they are
	values    map[string]string      // of secrets: the value, and the variable
}

// NewBuilder begins a spec made of src.
func NewBuilder(src *diag.Source) *Builder {
	text := bytes.Clone(src.Text)
	if bytes.HasPrefix(text, []byte("\xEF\xBB\xBF")) {
		copy(text, "   ") // so that places stay
	}
	return &Builder{
		Spec: &Spec{}, Source: &diag.Source{Name: src.Name, Text: text},
		tools: names{}, apis: names{}, variables: names{}, byBase: map[string]*API{}, secrets: map[string]*specs.Expr{}, values: map[string]string{},
	}
}

// Warn says what was not imported, or imported otherwise than it was written.
func (b *Builder) Warn(code string, at diag.Range, hint, format string, args ...any) {
	switch n := len(b.diags); {
	case n > maxWarnings:
		return
	case n == maxWarnings:
		b.diags.Add(diag.Diagnostic{Severity: diag.Warning, Code: "too-many-warnings", Message: fmt.Sprintf("there are more than %d warnings; the rest is not shown", maxWarnings)})
		return
	}
	b.diags.Add(diag.Diagnostic{Severity: diag.Warning, Code: code, Message: fmt.Sprintf(format, args...), Hint: hint, Range: at})
}

// Fail says why nothing can be imported.
func (b *Builder) Fail(d diag.Diagnostic) { b.diags.Add(d) }

// Failed is [Builder.Fail] and what a reader returns then.
func (b *Builder) Failed(d diag.Diagnostic) (*Spec, diag.List) {
	b.Fail(d)
	_, diags := b.Done()
	return nil, diags
}

// Secret returns a reference to a sensitive variable for a secret that was met.
// of says whose secret it is, for people: the header Authorization of
// api.example.com. name is the wish for the variable's name. The value may be "".
func (b *Builder) Secret(of, name, value string) *specs.Expr { return b.secret(of, name, "", value) }

// EnvSecret is Secret for one that is in an environment variable already.
func (b *Builder) EnvSecret(of, env string) *specs.Expr { return b.secret(of, env, env, "") }

func (b *Builder) secret(of, name, env, value string) *specs.Expr {
	key := strings.ToLower(of + "\x00" + name)
	if !b.SecretPerName {
		key += "\x00" + value
	}
	if x := b.secrets[key]; x != nil {
		b.remember(value, x.Name)
		return x
	}
	name = b.variables.pick(Identifier(Snake(name), "secret"))
	if env == "" {
		env = strings.ToUpper(name)
	}
	b.Spec.Variables = append(b.Spec.Variables, &Variable{Name: name, Description: of, Sensitive: true, Env: env})
	x := Var(name)
	b.secrets[key] = x
	b.remember(value, name)
	return x
}

func (b *Builder) remember(value, variable string) {
	if value != "" {
		b.values[value] = variable
	}
}

// Hide keeps a text out of the diagnostics and the result without making a
// variable of it.
func (b *Builder) Hide(value string) { b.remember(value, "") }

// Variable returns a reference to the variable of this name, which is declared
// when it is new.
func (b *Builder) Variable(name string, standard *specs.Node, description string) *specs.Expr {
	key := "variable\x00" + name
	if x := b.secrets[key]; x != nil {
		return x
	}
	v := &Variable{Name: b.variables.pick(Identifier(name, "value")), Default: standard, Description: description}
	b.Spec.Variables = append(b.Spec.Variables, v)
	b.secrets[key] = Var(v.Name)
	return b.secrets[key]
}

// Sensitive reports whether an expression refers to a sensitive variable.
func (b *Builder) Sensitive(x *specs.Expr) bool {
	if x == nil {
		return false
	}
	return x.Op == specs.ExprGet && slices.ContainsFunc(b.Spec.Variables, func(v *Variable) bool { return v.Sensitive && v.Name == x.Name }) ||
		slices.ContainsFunc(x.Args, b.Sensitive)
}

// API returns the api block for a base URL with a credential. name is the wish
// for its name.
func (b *Builder) API(base *specs.Expr, name string, auth *Auth) *API {
	key := apiKey(base, auth)
	if a := b.byBase[key]; a != nil {
		return a
	}
	name = Identifier(name, "api")
	if text, ok := ConstText(base); ok && b.apis[name] {
		_, host, _ := strings.Cut(text, "://")
		host, _, _ = strings.Cut(host, "/")
		if other := Identifier(Snake(host), "api"); !b.apis[other] {
			name = other
		}
	}
	a := &API{Name: b.apis.pick(name), BaseURL: base, Auth: auth}
	b.byBase[key] = a
	b.Spec.APIs = append(b.Spec.APIs, a)
	return a
}

// apiKey is a text that is the same for equal APIs.
func apiKey(base *specs.Expr, auth *Auth) string {
	key := exprKey(base)
	if auth != nil {
		key += "\x00" + auth.Kind + "\x00" + auth.In + "\x00" + auth.Param + "\x00" + exprKey(auth.Username) + "\x00" + exprKey(auth.Value)
	}
	return key
}

// exprKey is a text that is the same for equal expressions.
func exprKey(x *specs.Expr) string {
	if x == nil {
		return ""
	}
	s := fmt.Sprint(x.Op) + x.Name
	if x.Value != nil {
		s += x.Value.JSON()
	}
	for _, a := range x.Args {
		s += "(" + exprKey(a) + ")"
	}
	return s
}

// unused removes variables nothing refers to: what they stood for became
// something else.
func (b *Builder) unused() {
	used := map[string]bool{}
	var visit func(x *specs.Expr)
	visit = func(x *specs.Expr) {
		if x == nil {
			return
		}
		if x.Op == specs.ExprGet && x.Args[0].Op == specs.ExprVar {
			used[x.Name] = true
		}
		for _, a := range x.Args {
			visit(a)
		}
	}
	entries := func(lists ...[]Entry) {
		for _, list := range lists {
			for _, e := range list {
				visit(e.Value)
			}
		}
	}
	var elements func(list []*Element)
	elements = func(list []*Element) {
		for _, e := range list {
			entries(e.Attrs)
			for _, a := range e.Optional {
				visit(a.Value)
			}
			visit(e.Text)
			elements(e.Children)
		}
	}
	for _, a := range b.Spec.APIs {
		visit(a.BaseURL)
		entries(a.Headers)
		if a.Auth != nil {
			visit(a.Auth.Username)
			visit(a.Auth.Value)
		}
	}
	for _, t := range b.Spec.Tools {
		r := &t.Request
		entries(r.Query, r.Headers, r.Cookies, r.Form, r.Multipart)
		for _, x := range []*specs.Expr{r.JSON, r.XML, r.Text, r.Bytes} {
			visit(x)
		}
		if r.SOAP != nil {
			elements(r.SOAP.Header)
			elements(r.SOAP.Body)
		}
	}
	b.Spec.Variables = slices.DeleteFunc(b.Spec.Variables, func(v *Variable) bool { return !used[v.Name] })
}

// Done returns the spec and what is to be said about it. No secret that was met
// is in either: where one stands in a text that is written, a reference to its
// variable takes its place, elsewhere asterisks do; and in the source that
// diagnostics show all are blotted out.
func (b *Builder) Done() (*Spec, diag.List) {
	b.diags.Sort()
	b.blot()
	c := &cleaner{values: b.values}
	var pairs []string
	for _, value := range longestFirst(b.values) {
		if telling(value) {
			c.order = append(c.order, value)
			for _, form := range forms(value) {
				pairs = append(pairs, form, "***")
			}
		}
	}
	if len(c.order) > 0 {
		c.replacer = strings.NewReplacer(pairs...)
		c.spec(b.Spec)
		for i := range b.diags {
			c.text(&b.diags[i].Message)
			c.text(&b.diags[i].Hint)
		}
	}
	b.unused()
	return b.Spec, b.diags
}

// maxSecrets is how many secrets are looked for in a source one by one. With more
// of them nothing of it is shown.
const maxSecrets = 20_000

// blot removes the secrets from the source that diagnostics show.
func (b *Builder) blot() {
	text := b.Source.Text
	if len(b.diags) == 0 || len(b.values) == 0 || len(text) == 0 {
		return
	}
	if len(b.values) > maxSecrets {
		for i, c := range text {
			if c > ' ' {
				text[i] = '*'
			}
		}
		return
	}
	var pairs []string
	for _, value := range longestFirst(b.values) {
		for _, form := range forms(value) {
			if len(form) >= 3 {
				pairs = append(pairs, form, strings.Repeat("*", len(form)))
			}
		}
	}
	copy(text, strings.NewReplacer(pairs...).Replace(string(text))) // every text is as long as what takes its place
}

// longestFirst sorts values so that one that holds another comes first.
func longestFirst(values map[string]string) []string {
	return slices.SortedFunc(maps.Keys(values), func(x, y string) int {
		if len(x) != len(y) {
			return len(y) - len(x)
		}
		return strings.Compare(x, y)
	})
}

// forms are the ways a value is written in a document.
func forms(value string) []string {
	quoted := specs.NewString(value).JSON()
	list := []string{value, quoted[1 : len(quoted)-1], url.QueryEscape(value), url.PathEscape(value), base64.StdEncoding.EncodeToString([]byte(value))}
	slices.Sort(list)
	return slices.Compact(list)
}

// telling reports whether a value can be searched for: a short word, such as the
// password "test", is everywhere.
func telling(value string) bool {
	return len(value) >= 8 || len(value) >= 5 && strings.ContainsAny(value, "0123456789!$%&/=?+#*-_.:;@")
}

// cleaner replaces secrets in a spec.
type cleaner struct {
	values   map[string]string
	order    []string
	replacer *strings.Replacer
}

func (c *cleaner) text(s *string) { *s = c.replacer.Replace(*s) }

// name is text for names, where asterisks are not allowed.
func (c *cleaner) name(s *string) {
	c.text(s)
	*s = strings.ReplaceAll(*s, "***", "secret")
}

func (c *cleaner) node(n *specs.Node) {
	if n == nil {
		return
	}
	c.text(&n.Text)
	for i := range n.Fields {
		c.text(&n.Fields[i].Key)
		c.node(n.Fields[i].Value)
	}
}

// expr replaces secrets in texts by references.
func (c *cleaner) expr(x *specs.Expr) *specs.Expr {
	if x == nil {
		return nil
	}
	if s, ok := ConstText(x); ok {
		for _, v := range c.order {
			before, after, found := strings.Cut(s, v)
			if !found || c.values[v] == "" {
				continue
			}
			return Join(c.expr(Text(before)), Var(c.values[v]), c.expr(Text(after)))
		}
	}
	if x.Op == specs.ExprConst {
		c.node(x.Value)
	}
	for i := range x.Args {
		x.Args[i] = c.expr(x.Args[i])
	}
	return x
}

// entries drops what is named after a secret: without its name it means nothing.
func (c *cleaner) entries(list *[]Entry) {
	*list = slices.DeleteFunc(*list, func(e Entry) bool {
		before := e.Name
		c.text(&e.Name)
		return e.Name != before
	})
	for i := range *list {
		(*list)[i].Value = c.expr((*list)[i].Value)
	}
}

func (c *cleaner) spec(s *Spec) {
	for _, t := range []*string{&s.Name, &s.Title, &s.Version, &s.Instructions, &s.Origin} {
		c.text(t)
	}
	for _, v := range s.Variables {
		c.text(&v.Description)
		c.node(v.Default)
	}
	for _, a := range s.APIs {
		// Not the base URL: where a service is is no secret, and it would break.
		c.entries(&a.Headers)
		if a.Auth != nil && a.Auth.Username != nil && a.Auth.Username.Op == specs.ExprConst {
			c.node(a.Auth.Username.Value)
		}
	}
	for _, t := range s.Tools {
		c.name(&t.Name)
		for _, f := range []*string{&t.Title, &t.Description, &t.Request.Path} {
			c.text(f)
		}
		for _, in := range t.Inputs {
			c.text(&in.Description)
			c.node(in.Schema)
			c.node(in.Default)
			in.Examples = slices.DeleteFunc(in.Examples, func(e *specs.Node) bool {
				before := e.JSON()
				c.node(e)
				return e.JSON() != before
			})
		}
		r := &t.Request
		for _, list := range []*[]Entry{&r.Query, &r.Headers, &r.Cookies, &r.Form, &r.Multipart} {
			c.entries(list)
		}
		r.JSON, r.XML, r.Text, r.Bytes = c.expr(r.JSON), c.expr(r.XML), c.expr(r.Text), c.expr(r.Bytes)
	}
}
