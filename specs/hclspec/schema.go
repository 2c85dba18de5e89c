package hclspec

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"

	"github.com/mcpc-dev/mcpc/specs"
	"github.com/mcpc-dev/mcpc/specs/diag"
)

// A block is one kind of block of the language. The tables made of it drive
// decoding, suggestions, completeness checks and the reference: what is not in
// a table does not exist.
type block struct {
	name    string
	doc     string
	example string // a complete spec, or the block alone; checked by a test

	label    string   // what the label says; "": the block has none
	labelDoc string   // for the reference
	labels   []string // labels that are allowed; nil: any
	optional bool     // the label may be missing
	second   string   // what the second label says; only request has two

	once  bool  // at most one in its parent
	free  *attr // the block holds attributes of any name; nil mostly
	attrs []attr
	inner []*block

	// open makes the value that the attributes are set on; close checks it and
	// attaches it to its parent.
	open  func(p *parser, h *head, parent any) any
	close func(p *parser, h *head, parent, target any)
}

// attr is one attribute of a block.
type attr struct {
	name     string
	kind     kind
	phase    phase
	required bool
	shown    bool   // the model may see what comes of it: it holds no secrets
	block    bool   // the short form of the block of that name
	standard string // what holds when it is not written, for the reference
	doc      string
	example  string
	words    []string                                // allowed values of a text; nil: any
	members  []attr                                  // of settings
	secrets  bool                                    // secrets in it are references, as in a secretKind
	quiet    bool                                    // of a secretKind: it need not be one, such as a user name
	secret   bool                                    // what is written there may be a secret by mistake: it is not shown
	local    bool                                    // it names a file or a network of this machine: a spec from a URL cannot
	carries  bool                                    // secrets of the operator or of callers are sent where it says: a spec from a URL cannot say so by itself
	check    func(s string) (problem, advice string) // of a text; problem "" is fine
	set      func(p *parser, target any, s *setting)
}

// kind is what an attribute takes.
type kind uint8

const (
	textKind       kind = iota // text known at load
	boolKind                   // true or false
	integerKind                // whole number from 0
	numberKind                 // any number, kept digit for digit
	durationKind               // "20s"
	sizeKind                   // "10MB"
	textsKind                  // list of text
	statusesKind               // list of HTTP status codes
	textMapKind                // object of text
	valueKind                  // any value known at load
	valuesKind                 // list of any values known at load
	exprKind                   // any value, computed
	entriesKind                // object whose values are computed
	typeKind                   // string, list(number) …
	credentialKind             // bearer(…), basic(…), api_key(…)
	operationKind              // api.name["id"]
	apiKind                    // api.name
	toolKind                   // tool.name
	templateKind               // text, computed
	laterKind                  // any value, evaluated when its block asks for it
	pathKind                   // "user.login", leads to one value
	pathsKind                  // list of paths, which may have patterns
	typesKind                  // { NAME = integer }
	jqKind                     // a program of jq
	secretKind                 // text that may be a secret; env() and file() in it are references
	settingsKind               // object of fixed members, each with a row of its own
	xmlKind                    // XML in which ${…} is escaped
	partsKind                  // object whose values are computed and may be parts
	storeKind                  // store.name
)

func (k kind) String() string {
	return [...]string{"text", "true or false", "whole number", "number", "duration", "size", "list of text", "list of status codes",
		"object of text", "value", "list of values", "expression", "object of expressions", "type", "credential", "operation", "api", "tool", "text", "expression",
		"path", "list of paths", "object of types", "jq program", "text, may be secret", "settings", "XML", "object of expressions", "store"}[k]
}

// head is what is known of a block before its body.
type head struct {
	name   string
	labels []specs.Text
	rng    diag.Range // type and labels
	broken bool       // it has syntax errors: what seems to be missing may be there
	failed bool       // an attribute was wrong
	seen   map[string]diag.Range
}

func (h *head) label() specs.Text {
	if len(h.labels) == 0 {
		return specs.Text{Range: h.rng}
	}
	return h.labels[0]
}

// title is the block as its author would call it: tool "search".
func (h *head) title() string {
	s := h.name
	for _, l := range h.labels {
		s += " " + strconv.Quote(l.Value)
	}
	return s
}

// setting is the decoded value of one attribute; which field is set follows
// from the attribute's kind.
type setting struct {
	name    diag.Range
	rng     diag.Range
	text    *specs.Text
	flag    *specs.Flag
	number  int
	texts   []specs.Text
	numbers []int
	node    *specs.Node
	expr    *specs.Expr
	entries []specs.NamedExpr
	typ     *inputType
	cred    *specs.Credential
	schemes []specs.SchemeCredential // instead of cred
	op      *specs.OperationRef
	tool    *specs.ToolRef
	paths   []specs.Path // one of a pathKind
	pairs   []specs.Pair // of a textMapKind
	typed   []specs.TypedName
	members []memberSetting      // of settings
	raw     hclsyntax.Expression // as it is written
}

// memberSetting is a member of settings that was written.
type memberSetting struct {
	row *attr
	*setting
}

// setMembers is the setter of settings: the members set themselves.
func setMembers(p *parser, target any, s *setting) {
	for _, m := range s.members {
		p.assign(m.row, target, m.setting)
	}
}

// assign sets an attribute, unless the spec comes from a URL and may not, which is
// reported, and false.
func (p *parser) assign(row *attr, target any, s *setting) bool {
	switch {
	case p.remote && row.local:
		p.refuseRemote(s.rng)
	case p.remote && row.carries && !p.operators(s.raw):
		p.add(diag.Diagnostic{Code: "remote-spec", Message: fmt.Sprintf("a spec read from a URL cannot say by itself where secrets are sent, as %s does", row.name),
			Hint: fmt.Sprintf("write %s = var.%s, and let whoever runs it give that with --var; or download the spec and read it", row.name, row.name), Range: s.rng})
	default:
		row.set(p, target, s)
		return true
	}
	return false
}

// into adapts a setter of one target type to the table.
func into[T any](f func(t *T, s *setting)) func(*parser, any, *setting) {
	return func(_ *parser, target any, s *setting) { f(target.(*T), s) }
}

func attrNames(b *block) []string {
	var names []string
	for _, a := range b.attrs {
		names = append(names, a.name)
	}
	return names
}

func blockNames(b *block) []string {
	var names []string
	for _, c := range b.inner {
		names = append(names, c.name)
	}
	return names
}

// decodeBlocks decodes those child blocks of body that want allows.
func (p *parser) decodeBlocks(parent *block, owner string, blocks hclsyntax.Blocks, target any, broken bool, want func(name string) bool) {
	once := map[string]diag.Range{}
	for _, b := range blocks {
		if !want(b.Type) {
			continue
		}
		rng := p.rng(b.TypeRange)
		if b.OpenBraceRange == b.TypeRange {
			continue // it has no braces, which has been reported
		}
		i := slices.IndexFunc(parent.inner, func(c *block) bool { return c.name == b.Type })
		if i < 0 {
			p.unknownBlock(parent, owner, b, rng)
			continue
		}
		c := parent.inner[i]
		if first, ok := once[c.name]; ok && c.once {
			p.add(diag.Diagnostic{Code: "duplicate-block", Message: fmt.Sprintf("%s has a second %s block", owner, c.name), Hint: "keep one of the two", Range: rng,
				Notes: []diag.Note{{Message: "the first one", Range: first}}})
			continue
		}
		once[c.name] = rng
		p.decodeBlock(c, b, target, broken)
	}
}

func (p *parser) unknownBlock(parent *block, owner string, b *hclsyntax.Block, rng diag.Range) {
	d := diag.Diagnostic{Code: "unknown-block", Message: fmt.Sprintf("%s has no block %q", owner, b.Type), Range: rng}
	if slices.Contains(attrNames(parent), b.Type) {
		d.Hint = fmt.Sprintf("%s is an attribute: write %s = …", b.Type, b.Type)
	} else {
		d.Hint = didYouMean(b.Type, blockNames(parent), "blocks are ")
		if len(parent.inner) == 0 {
			d.Hint = didYouMean(b.Type, attrNames(parent), "it holds attributes only: ")
		}
	}
	p.add(d)
}

// didYouMean is a hint naming the nearest candidate, or all of them when none
// is near and they are few.
func didYouMean(word string, candidates []string, all string) string {
	if n := diag.Nearest(word, candidates); n != "" {
		return fmt.Sprintf("did you mean %q?", n)
	}
	if len(candidates) == 0 || len(candidates) > 30 {
		return ""
	}
	return all + strings.Join(candidates, ", ")
}

// head reads type and labels of a block.
func (p *parser) head(c *block, b *hclsyntax.Block, broken bool) *head {
	h := &head{name: c.name, rng: p.rng(hcl.RangeBetween(b.TypeRange, b.DefRange())), broken: broken, seen: map[string]diag.Range{}}
	for i, l := range b.Labels {
		h.labels = append(h.labels, specs.Text{Value: l, Range: p.rng(b.LabelRanges[i])})
	}
	return h
}

func (p *parser) decodeBlock(c *block, b *hclsyntax.Block, parent any, broken bool) {
	h := p.head(c, b, broken)
	if !p.checkLabels(c, h) {
		p.broken[parent] = true
		return
	}
	target := c.open(p, h, parent)
	if target == nil {
		return
	}
	p.decodeBody(c, h, b.Body, target)
	p.decodeBlocks(c, h.title(), b.Body.Blocks, target, broken, func(string) bool { return true })
	if c.close != nil {
		c.close(p, h, parent, target)
	}
}

func (p *parser) checkLabels(c *block, h *head) bool {
	want := 0
	words := []string{c.label, c.second}
	for _, w := range words {
		if w != "" {
			want++
		}
	}
	switch {
	case len(h.labels) == 0 && c.optional:
		return true
	case len(h.labels) < want:
		form := c.name
		for i := range want {
			form += fmt.Sprintf(" %q", strings.ToUpper(words[i]))
		}
		p.add(diag.Diagnostic{Code: "missing-label", Message: fmt.Sprintf("%s needs its %s", h.title(), words[len(h.labels)]), Hint: "write " + form + " { … }", Range: h.rng})
		return false
	case len(h.labels) > want:
		p.add(diag.Diagnostic{Code: "extra-label", Message: fmt.Sprintf("%s has too many labels", c.name), Hint: fmt.Sprintf("%q is one too many", h.labels[want].Value), Range: h.labels[want].Range})
		return false
	}
	if c.labels != nil && !slices.Contains(c.labels, h.labels[0].Value) {
		p.add(diag.Diagnostic{Code: "unknown-label", Message: fmt.Sprintf("there is no %s %q", c.name, h.labels[0].Value), Hint: didYouMean(h.labels[0].Value, c.labels, "there is "), Range: h.labels[0].Range})
		return false
	}
	return true
}

func (p *parser) decodeBody(c *block, h *head, body *hclsyntax.Body, target any) {
	var attrs []*hclsyntax.Attribute
	for _, a := range body.Attributes {
		attrs = append(attrs, a)
	}
	slices.SortFunc(attrs, func(a, b *hclsyntax.Attribute) int { return a.NameRange.Start.Byte - b.NameRange.Start.Byte })
	for _, a := range attrs {
		rng := p.rng(a.NameRange)
		h.seen[a.Name] = rng
		row := c.free
		if row == nil {
			i := slices.IndexFunc(c.attrs, func(r attr) bool { return r.name == a.Name })
			if i < 0 {
				p.unknownAttribute(c, h, a.Name, rng)
				continue
			}
			row = &c.attrs[i]
		}
		s := &setting{name: rng, rng: p.rng(a.Expr.Range())}
		if row.set == nil {
			panic("hclspec: attribute " + c.name + "." + row.name + " has no setter")
		}
		if c.free != nil {
			s.text = &specs.Text{Value: a.Name, Range: rng}
			s.raw = a.Expr
			row.set(p, target, s)
			continue
		}
		if !p.decodeAttr(row, c, a.Expr, s) || !p.assign(row, target, s) {
			h.failed = true
		}
	}
	if h.broken {
		return
	}
	for _, row := range c.attrs {
		if _, ok := h.seen[row.name]; row.required && !ok {
			p.add(diag.Diagnostic{Code: "missing-attribute", Message: fmt.Sprintf("%s needs the attribute %q", h.title(), row.name), Hint: "add " + row.example, Range: h.rng})
		}
	}
}

func (p *parser) unknownAttribute(c *block, h *head, name string, rng diag.Range) {
	d := diag.Diagnostic{Code: "unknown-attribute", Message: fmt.Sprintf("%s has no attribute %q", h.title(), name), Range: rng}
	if i := slices.IndexFunc(c.inner, func(b *block) bool { return b.name == name }); i >= 0 {
		form := name
		if c.inner[i].label != "" {
			form += fmt.Sprintf(" %q", strings.ToUpper(c.inner[i].label))
		}
		d.Hint = fmt.Sprintf("%s is a block: write %s { … }", name, form)
	} else {
		d.Hint = didYouMean(name, append(attrNames(c), blockNames(c)...), "there are ")
	}
	p.add(d)
}

// decodeAttr evaluates one attribute as its row says. False means that it was
// wrong and has been reported.
func (p *parser) decodeAttr(row *attr, c *block, e hclsyntax.Expression, s *setting) bool {
	sc := &scope{phase: row.phase, what: row.name, secret: row.kind == secretKind || row.secrets}
	wrong := func(want string) bool {
		p.add(diag.Diagnostic{Code: "wrong-type", Message: fmt.Sprintf("%s takes %s", row.name, want), Hint: "for example " + row.example, Range: s.rng})
		return false
	}
	s.raw = e
	switch row.kind {
	case laterKind:
		return true
	case typeKind:
		s.typ = p.parseType(e, false)
		return s.typ != nil
	case credentialKind:
		if o, several := unwrap(e).(*hclsyntax.ObjectConsExpr); several {
			var ok bool
			s.schemes, ok = p.schemeCredentials(o, row)
			return ok
		}
		s.cred = p.credential(e, row)
		return s.cred != nil
	case operationKind:
		s.op = p.operationRef(e, row)
		return s.op != nil
	case apiKind:
		s.text = p.apiRef(e, row)
		return s.text != nil
	case storeKind:
		s.text = p.namedRef(e, row, "store")
		return s.text != nil
	case toolKind:
		if s.tool = p.toolRef(e, row); s.tool != nil {
			s.text = &specs.Text{Value: s.tool.Name, Range: s.tool.Range}
		}
		return s.tool != nil
	case settingsKind:
		return p.settings(e, row, s)
	case typesKind:
		var ok bool
		s.typed, ok = p.typedNames(e, row)
		return ok
	}

	sc.markup, sc.parts = row.kind == xmlKind, row.kind == partsKind
	x := p.lower(e, sc)
	if x == nil {
		return false
	}
	if s := findSecret(x); s != nil && row.kind != secretKind && (row.shown || !row.phase.secretsAllowed()) {
		p.add(diag.Diagnostic{Code: "sensitive-value", Message: fmt.Sprintf("%s cannot hold the sensitive value %s", row.name, s.Secret.Name),
			Hint: "sensitive values are known only when a request is sent: use them in auth and in requests", Range: s.Range})
		return false
	}
	switch row.kind {
	case exprKind, xmlKind:
		s.expr = x
		return true
	case secretKind:
		s.expr = x
		if x.Op == specs.ExprConst && x.Value.Kind != specs.String {
			return wrong("text")
		}
		if x.Op == specs.ExprConst && !row.quiet {
			p.add(diag.Diagnostic{Severity: diag.Warning, Code: "literal-secret", Secret: true, Message: row.name + " is written in the spec, and will be in its plan", Hint: "use env(\"NAME\"), file(\"PATH\") or a variable with sensitive = true", Range: x.Range})
		}
		return true
	case templateKind:
		s.expr = x
		if x.Op == specs.ExprConst && x.Value.Kind != specs.String {
			return wrong("text")
		}
		if findSecret(x) != nil {
			return p.known(x, row.name) != nil
		}
		return true
	case entriesKind, partsKind:
		entries, ok := p.entries(x, row.name)
		s.entries = entries
		return ok
	}

	v := p.known(x, row.name)
	if v == nil {
		return false
	}
	s.node = v
	switch row.kind {
	case textKind, pathKind, jqKind:
		if v.Kind != specs.String {
			return wrong("text")
		}
		if row.words != nil && !slices.Contains(row.words, v.Text) {
			p.add(diag.Diagnostic{Code: "unknown-value", Message: fmt.Sprintf("%s cannot be %q", row.name, v.Text), Hint: didYouMean(v.Text, row.words, "it is one of "), Range: s.rng})
			return false
		}
		if row.check != nil {
			if problem, advice := row.check(v.Text); problem != "" {
				p.add(diag.Diagnostic{Code: "invalid-value", Message: row.name + " " + problem, Hint: advice, Range: s.rng, Secret: row.secret || mayHoldSecret(v.Text)})
				return false
			}
		}
		s.text = &specs.Text{Value: v.Text, Range: s.rng}
		switch row.kind {
		case pathKind:
			path, ok := p.path(row.name, *s.text, false)
			s.paths = []specs.Path{path}
			return ok
		case jqKind:
			return p.checkJQ(row.name, *s.text)
		}
	case boolKind:
		if v.Kind != specs.Bool {
			return wrong("true or false")
		}
		s.flag = &specs.Flag{Value: v.Text == "true", Range: s.rng}
	case integerKind:
		n, err := strconv.Atoi(v.Text)
		if v.Kind != specs.Number || err != nil || n < 0 {
			return wrong("a whole number from 0")
		}
		s.number = n
	case numberKind:
		if v.Kind != specs.Number {
			return wrong("a number")
		}
	case durationKind:
		d, err := time.ParseDuration(v.Str())
		if v.Kind != specs.String || err != nil || d <= 0 {
			p.add(diag.Diagnostic{Code: "invalid-duration", Message: fmt.Sprintf("%s is no duration", valueText(v)), Hint: `write a number with a unit: "500ms", "20s", "2m"`, Range: s.rng})
			return false
		}
		s.text = &specs.Text{Value: v.Text, Range: s.rng}
	case sizeKind:
		if v.Kind != specs.String || !validSize(v.Text) {
			p.add(diag.Diagnostic{Code: "invalid-size", Message: fmt.Sprintf("%s is no size", valueText(v)), Hint: `write bytes with a unit: "512KB", "10MB", "4MiB"`, Range: s.rng})
			return false
		}
		s.text = &specs.Text{Value: v.Text, Range: s.rng}
	case textsKind, statusesKind, pathsKind:
		if v.Kind != specs.Array {
			return wrong("a list")
		}
		ok := true
		for _, f := range v.Fields {
			if row.kind == statusesKind {
				n, err := strconv.Atoi(f.Value.Text)
				if f.Value.Kind != specs.Number || err != nil || n < 100 || n > 599 {
					p.add(diag.Diagnostic{Code: "invalid-value", Message: fmt.Sprintf("%s is no HTTP status", valueText(f.Value)), Hint: "statuses are numbers from 100 to 599", Range: cmpRange(f.Value.Range(), s.rng)})
					ok = false
					continue
				}
				s.numbers = append(s.numbers, n)
				continue
			}
			r := cmpRange(f.Value.Range(), s.rng)
			if f.Value.Kind != specs.String {
				p.add(diag.Diagnostic{Code: "wrong-type", Message: fmt.Sprintf("%s takes a list of text, not %s", row.name, valueText(f.Value)), Hint: "for example " + row.example, Range: r})
				ok = false
				continue
			}
			if row.words != nil && !slices.Contains(row.words, f.Value.Text) {
				p.add(diag.Diagnostic{Code: "unknown-value", Message: fmt.Sprintf("%s cannot hold %q", row.name, f.Value.Text), Hint: didYouMean(f.Value.Text, row.words, "it holds "), Range: r})
				ok = false
				continue
			}
			t := specs.Text{Value: f.Value.Text, Range: r}
			if row.kind == pathsKind {
				path, sound := p.path(row.name, t, true)
				s.paths = append(s.paths, path)
				ok = ok && sound
				continue
			}
			if row.check != nil {
				if problem, advice := row.check(t.Value); problem != "" {
					p.add(diag.Diagnostic{Code: "invalid-value", Message: row.name + " " + problem, Hint: advice, Range: r})
					ok = false
					continue
				}
			}
			s.texts = append(s.texts, t)
		}
		return ok
	case textMapKind:
		if v.Kind != specs.Object {
			return wrong("an object")
		}
		for _, f := range v.Fields {
			if f.Value.Kind != specs.String {
				return wrong("an object of text")
			}
			s.pairs = append(s.pairs, specs.Pair{Name: specs.Text{Value: f.Key, Range: cmpRange(f.KeyRange(), s.rng)}, Value: specs.Text{Value: f.Value.Text, Range: cmpRange(f.Value.Range(), s.rng)}})
		}
	case valuesKind:
		if v.Kind != specs.Array {
			return wrong("a list")
		}
	}
	return true
}

// settings decodes an object whose members have rows of their own.
func (p *parser) settings(e hclsyntax.Expression, row *attr, s *setting) bool {
	object, ok := e.(*hclsyntax.ObjectConsExpr)
	if !ok {
		p.add(diag.Diagnostic{Code: "wrong-type", Message: row.name + " takes its settings, written out as an object", Hint: "for example " + row.example, Range: s.rng})
		return false
	}
	var names []string
	for _, m := range row.members {
		names = append(names, m.name)
	}
	good := true
	seen := map[string]diag.Range{}
	for _, item := range object.Items {
		key := p.lower(item.KeyExpr, &scope{phase: staticPhase, what: row.name})
		v := p.known(key, row.name)
		if v == nil {
			good = false
			continue
		}
		at := p.rng(item.KeyExpr.Range())
		i := slices.Index(names, v.Text)
		if i < 0 {
			p.add(diag.Diagnostic{Code: "unknown-attribute", Message: fmt.Sprintf("%s has no member %q", row.name, v.Text), Hint: didYouMean(v.Text, names, "there are "), Range: at})
			good = false
			continue
		}
		if first, ok := seen[v.Text]; ok {
			p.add(diag.Diagnostic{Code: "duplicate-key", Message: fmt.Sprintf("%s has the member %q twice", row.name, v.Text), Hint: "keep one of the two", Range: at, Notes: []diag.Note{{Message: "the first one", Range: first}}})
			good = false
			continue
		}
		seen[v.Text] = at
		m := &setting{name: at, rng: p.rng(item.ValueExpr.Range())}
		if !p.decodeAttr(&row.members[i], nil, item.ValueExpr, m) {
			good = false
			continue
		}
		s.members = append(s.members, memberSetting{&row.members[i], m})
	}
	for i := range row.members {
		if _, ok := seen[names[i]]; row.members[i].required && !ok {
			p.add(diag.Diagnostic{Code: "missing-attribute", Message: fmt.Sprintf("%s needs the member %q", row.name, names[i]), Hint: "for example " + row.example, Range: s.rng})
			good = false
		}
	}
	return good
}

// cmpRange is the first of the two that is a place.
func cmpRange(a, b diag.Range) diag.Range {
	if a.IsZero() {
		return b
	}
	return a
}

// valueText shows a value in a message, shortened.
func valueText(v *specs.Node) string {
	switch v.Kind {
	case specs.Object:
		return "an object"
	case specs.Array:
		return "a list"
	}
	s := v.JSON()
	if len(s) > 60 {
		s = strings.ToValidUTF8(s[:57], "") + "…"
	}
	return s
}

// validSize accepts a number with one of the units of bytes.
func validSize(s string) bool {
	n := strings.TrimRight(s, "KMGiB")
	switch s[len(n):] {
	case "", "B", "KB", "MB", "GB", "KiB", "MiB", "GiB":
	default:
		return false
	}
	v, err := strconv.ParseUint(strings.TrimSpace(n), 10, 40)
	return err == nil && v > 0
}
