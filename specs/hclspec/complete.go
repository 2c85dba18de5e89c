package hclspec

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2/hclsyntax"

	"github.com/mcpc-dev/mcpc/specs"
)

// Completion is one thing that can stand at a place of a text.
type Completion struct {
	Label  string
	Kind   CompletionKind
	Detail string // beside the label: a signature, a type, an operation's method and path
	Doc    string // Markdown
	// Insert takes the place of the bytes Start to End. As a Snippet it holds
	// places to fill in, written as in the Language Server Protocol: $1, ${1:name}, $0.
	Insert     string
	Snippet    bool
	Start, End int
}

// CompletionKind is what a completion stands for.
type CompletionKind uint8

// Kinds of completions.
const (
	CompleteBlock CompletionKind = iota
	CompleteAttribute
	CompleteWord
	CompleteType
	CompleteFunction
	CompleteReference
	CompleteOperation
	CompleteInput
)

// completer collects what fits at one place.
type completer struct {
	*View
	place
	word  stretch  // what is typed of it
	token int      // the first that does not stand before the word
	row   *attr    // for the value it is in
	base  *bracket // the object of settings that the value is in
	list  []Completion
}

// Complete lists what can stand at an offset of the text, and whether that is
// all of it. Names that are alike to what is typed come first.
func (v *View) Complete(offset int) (list []Completion, whole bool) {
	i, word := v.at(offset)
	if word.start < 0 {
		return nil, true
	}
	c := &completer{View: v, place: v.places[i], word: word, token: i}
	switch c.part {
	case namePart:
		c.names()
	case headPart:
		c.labels()
	case valuePart:
		if c.row, c.base = v.rowAt(c.place); c.row != nil {
			c.values()
		}
	}
	typed := strings.ToLower(string(v.text[word.start:word.end]))
	if len(c.list) > maxOffered { // the editor has the rest sorted by itself
		c.list = slices.DeleteFunc(c.list, func(x Completion) bool { return !strings.Contains(strings.ToLower(x.Label), typed) })
		if len(c.list) > maxOffered {
			return c.list[:maxOffered], false
		}
		return c.list, typed == ""
	}
	return c.list, true
}

func (c *completer) add(x Completion) {
	x.Insert = cmp.Or(x.Insert, x.Label)
	x.Start, x.End = c.word.start, c.word.end
	c.list = append(c.list, x)
}

// rest is the line after the word, without white space before.
func (c *completer) rest() string {
	rest := c.text[c.word.end:min(len(c.text), c.word.end+200)]
	if c.token < len(c.tokens) && c.tokens[c.token].Range.Start.Byte < c.word.end {
		rest = c.text[c.tokens[c.token].Range.End.Byte:min(len(c.text), c.tokens[c.token].Range.End.Byte+200)]
	}
	line, _, _ := strings.Cut(string(rest), "\n")
	return strings.TrimSpace(line)
}

// names offers the attributes and blocks that a body can hold more of.
func (c *completer) names() {
	b := c.kindOf(c.block)
	if b == nil {
		return
	}
	rest := c.rest()
	follows := rest != "" && strings.ContainsAny(rest[:1], `="{`)
	for i := range b.attrs {
		a := &b.attrs[i]
		if there := c.block.attr(a.name); there != nil && there.at.start != c.word.start {
			continue
		}
		x := Completion{Label: a.name, Kind: CompleteAttribute, Detail: a.kind.String(), Doc: attributeDoc(a), Insert: a.name + " = " + a.snippet(), Snippet: true}
		if follows {
			x.Insert, x.Snippet = a.name, false
		}
		c.add(x)
	}
	for _, inner := range b.inner {
		if inner.once && slices.ContainsFunc(c.block.blocks, func(o *outlineBlock) bool { return o.name == inner.name && o.at.start != c.word.start }) {
			continue
		}
		x := Completion{Label: inner.name, Kind: CompleteBlock, Detail: "block", Doc: blockDoc(inner), Insert: inner.snippet(), Snippet: true}
		if follows {
			x.Insert, x.Snippet = inner.name, false
		}
		c.add(x)
	}
}

// snippet is a block with its labels to fill in.
func (b *block) snippet() string {
	s := b.name
	for i, l := range []string{b.label, b.second} {
		switch {
		case l == "" || b.optional:
		case i == 0 && len(b.labels) > 0:
			s += fmt.Sprintf(` "${%d|%s|}"`, i+1, strings.Join(b.labels, ","))
		default:
			s += fmt.Sprintf(` "${%d:%s}"`, i+1, snippetText(l))
		}
	}
	return s + " {\n  $0\n}"
}

// snippet is the value of an attribute to fill in.
func (a *attr) snippet() string {
	switch {
	case a.kind == textKind && a.words != nil:
		return `"${1|` + strings.Join(a.words, ",") + `|}"`
	}
	switch a.kind {
	case textKind, durationKind, sizeKind, templateKind, pathKind, jqKind, xmlKind:
		return `"$1"`
	case textsKind, pathsKind:
		return `["$1"]`
	case valuesKind, statusesKind:
		return "[$1]"
	case entriesKind, partsKind, textMapKind, settingsKind, typesKind:
		return "{ $1 }"
	case boolKind:
		return "${1:true}"
	}
	return "$1"
}

// snippetText is text that stands for itself in a snippet.
func snippetText(s string) string {
	return strings.NewReplacer(`\`, `\\`, `$`, `\$`, `}`, `\}`).Replace(s)
}

// quotedText is a text as it stands between quotes.
func quotedText(s string) string {
	return strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`, "${", "$${", "%{", "%%{").Replace(s)
}

// labels offers the labels of a block that is being written.
func (c *completer) labels() {
	b := c.kindOf(c.block)
	if b == nil {
		return
	}
	if b = b.child(c.head); b == nil || c.in != nil && c.in.kind != quoteBracket {
		return
	}
	quoted := c.in != nil
	offer := func(word string, x Completion) {
		x.Label = word
		x.Insert = quotedText(word)
		if !quoted {
			x.Insert = `"` + x.Insert + `"`
		}
		c.add(x)
	}
	switch {
	case c.label == 0 && b.labels != nil:
		for _, w := range b.labels {
			offer(w, Completion{Kind: CompleteWord, Detail: b.label})
		}
	case c.label == 0 && b.name == "request":
		for _, m := range httpMethods {
			offer(m, Completion{Kind: CompleteWord})
		}
	case c.label == 0 && b.name == "input":
		owner := c.owner(c.block)
		if owner == nil {
			return
		}
		declared := declaredInputs(c.texts[0], owner)
		for _, a := range c.offered(c.texts[0], owner) {
			if !slices.ContainsFunc(declared, func(d argument) bool { return d.name == a.name && d.place.Start != c.word.start }) {
				offer(a.name, Completion{Kind: CompleteInput, Detail: a.typ, Doc: a.doc})
			}
		}
	case c.label == 0 && b.name == "override":
		for _, op := range c.operations(c.block.label()) {
			offer(op.ID, operationCompletion(op))
		}
	case c.label == 1 && quoted && b.name == "request":
		c.pathInputs()
	}
}

// pathInputs offers {name} inside a path.
func (c *completer) pathInputs() {
	typed := string(c.text[c.word.start:c.word.end])
	i := strings.LastIndexByte(typed, '{')
	owner := c.owner(c.block)
	if i < 0 || strings.Contains(typed[i:], "}") || owner == nil {
		return
	}
	c.word.start += i + 1
	end := "}"
	if c.word.end < len(c.text) && c.text[c.word.end] == '}' {
		end = ""
	}
	for _, a := range c.arguments(c.texts[0], owner) {
		c.add(Completion{Label: a.name, Kind: CompleteInput, Detail: a.typ, Doc: a.doc, Insert: a.name + end})
	}
}

func operationCompletion(op *specs.Operation) Completion {
	return Completion{Kind: CompleteOperation, Detail: brief(op.Method+" "+op.Path, 200), Doc: operationDoc(op)}
}

// values offers what can stand in the value of an attribute.
func (c *completer) values() {
	switch {
	case c.in == c.base || c.in.kind != quoteBracket && c.in.kind != heredocBracket:
		c.expression()
	case c.in.kind == quoteBracket:
		c.quoted()
	}
}

// quoted offers what can stand between quotes.
func (c *completer) quoted() {
	if open := c.in.outer; open != nil && open.kind == indexBracket {
		closing := `"]`
		switch rest := c.text[c.word.end:]; {
		case len(rest) > 0 && rest[0] == '"':
			closing = ""
		case c.token < len(c.tokens) && c.tokens[c.token].Range.End.Byte > c.word.end:
			closing = "" // in the middle of it
		}
		c.members(c.chain(open.token-1), func(x Completion) {
			x.Insert = quotedText(x.Label) + closing
			c.add(x)
		})
		return
	}
	text := func(word string, x Completion) {
		x.Label, x.Insert = word, quotedText(word)
		c.add(x)
	}
	if kind := c.compared(c.place); kind != "" {
		for _, d := range c.all(kind) {
			text(d.name, Completion{Kind: CompleteReference, Doc: c.declaredDoc(d)})
		}
		return
	}
	inList := c.in.outer != c.base && c.in.outer.kind == listBracket && c.in.outer.outer == c.base
	switch {
	case c.in.outer != nil && c.in.outer.call == "format" && c.row.kind == typeKind:
		for _, f := range formats {
			text(f, Completion{Kind: CompleteWord})
		}
	case c.in.outer != c.base && !inList:
	case c.block.name == "expose" && (c.attr.name == "operations" || c.attr.name == "exclude") && c.block.parent != nil:
		for _, op := range c.operations(c.block.parent.label()) {
			text(op.ID, operationCompletion(op))
		}
	case c.row.kind == textsKind && c.row.name == "tools":
		for _, d := range c.all("tool") {
			text(d.name, Completion{Kind: CompleteReference, Doc: c.declaredDoc(d)})
		}
	case c.row.kind == pathKind || c.row.kind == pathsKind:
		for _, a := range c.resultPaths(c.attr.name != "root") {
			text(a.name, Completion{Kind: CompleteReference, Detail: a.typ, Doc: a.doc})
		}
	default:
		for _, w := range c.row.words {
			text(w, Completion{Kind: CompleteWord})
		}
	}
}

// expression offers what can stand where a value begins, or after a dot.
func (c *completer) expression() {
	if c.key {
		c.keys()
		return
	}
	before := c.token - 1
	if before >= 0 && c.tokens[before].Type == hclsyntax.TokenDot {
		c.members(c.chain(before-1), c.add)
		return
	}
	if before >= 0 {
		switch c.tokens[before].Type {
		case hclsyntax.TokenIdent, hclsyntax.TokenNumberLit, hclsyntax.TokenCBrace, hclsyntax.TokenCBrack, hclsyntax.TokenCParen, hclsyntax.TokenCQuote:
			return // the value is complete
		}
	}
	switch c.row.kind {
	case typeKind:
		c.types()
		return
	case credentialKind:
		// Of an object, each value is a credential.
		if c.in == c.base || c.in.kind == objectBracket && c.in.outer == c.base {
			for _, name := range credentialNames {
				c.add(Completion{Label: name, Kind: CompleteFunction, Detail: credentialForms[name], Insert: name + "($1)", Snippet: true})
			}
			for _, d := range c.all("auth") {
				c.add(Completion{Label: "auth." + d.name, Kind: CompleteReference, Doc: c.declaredDoc(d)})
			}
			return
		}
	case operationKind:
		for _, d := range c.all("api") {
			for _, op := range c.operations(d.name) {
				x := operationCompletion(op)
				x.Label = fmt.Sprintf(`api.%s["%s"]`, d.name, quotedText(op.ID))
				c.add(x)
			}
		}
		return
	case apiKind, toolKind, storeKind:
		root := map[kind]string{apiKind: "api", toolKind: "tool", storeKind: "store"}[c.row.kind]
		for _, d := range c.all(root) {
			c.add(Completion{Label: root + "." + d.name, Kind: CompleteReference, Doc: c.declaredDoc(d)})
		}
		return
	case typesKind:
		for _, w := range []string{"integer", "number", "bool"} {
			c.add(Completion{Label: w, Kind: CompleteType})
		}
		return
	case boolKind:
		for _, w := range []string{"true", "false"} {
			c.add(Completion{Label: w, Kind: CompleteWord})
		}
	case textKind, textsKind:
		if c.in == c.base || c.in.kind == listBracket && c.in.outer == c.base {
			for _, w := range c.row.words {
				c.add(Completion{Label: `"` + w + `"`, Kind: CompleteWord})
			}
		}
	}
	c.references()
	for _, f := range functionTable() {
		c.add(Completion{Label: f.name, Kind: CompleteFunction, Detail: f.form(), Doc: functionDoc(f), Insert: f.name + "($1)", Snippet: true})
	}
}

// credentialForms are how credentials are written.
var credentialForms = map[string]string{
	"bearer": "bearer(token)", "basic": "basic(user, password)", "api_key": `api_key("header", "NAME", key)`,
}

// references offers all values that have a name in the attribute's phase.
func (c *completer) references() {
	for _, root := range c.row.phase.rootNames() {
		n := len(c.list)
		c.members([]string{root}, func(x Completion) {
			x.Label = root + "." + x.Label
			x.Insert = x.Label
			c.add(x)
		})
		if len(c.list) == n {
			c.add(Completion{Label: root, Kind: CompleteReference, Doc: rootDoc(root)})
		}
	}
}

// members offers what a reference can go on with.
func (c *completer) members(chain []string, add func(Completion)) {
	if len(chain) == 0 {
		return
	}
	declared := func(kind string) {
		for _, d := range c.all(kind) {
			add(Completion{Label: d.name, Kind: CompleteReference, Doc: c.declaredDoc(d)})
		}
	}
	root := chain[0]
	switch {
	case len(chain) == 1:
		kind := root
		if root == "tool" && c.row != nil && c.row.phase.guards() {
			kind = "" // no tool by its name: facts of the one that is called
		}
		switch kind {
		case "var":
			declared("variable")
		case "local":
			declared("locals")
		case "api", "tool", "auth":
			declared(root)
		case "args":
			c.argumentNames(add)
		case "step":
			if owner := c.owner(c.block); owner != nil {
				for _, b := range owner.blocks {
					if b.name == "step" && len(b.labels) > 0 {
						add(Completion{Label: b.label(), Kind: CompleteReference})
					}
				}
			}
		default:
			for _, n := range phaseNames {
				if n.name == root {
					for _, m := range n.members {
						add(Completion{Label: m, Kind: CompleteReference})
					}
				}
			}
		}
	case len(chain) == 2 && root == "api":
		for _, op := range c.operations(chain[1]) {
			x := operationCompletion(op)
			x.Label = op.ID
			add(x)
		}
	case root == "var" || root == "local":
		d, ok := c.find(map[string]string{"var": "variable", "local": "locals"}[root], chain[1])
		if !ok {
			return
		}
		value, ok := c.shown(d, map[string]bool{})
		for _, name := range chain[2:] {
			value = value.Get(name)
		}
		if ok && value != nil && value.Kind == specs.Object {
			for _, f := range value.Fields {
				add(Completion{Label: f.Key, Kind: CompleteReference, Detail: valueText(f.Value)})
			}
		}
	}
}

// argumentNames offers the inputs that args can name here.
func (c *completer) argumentNames(add func(Completion)) {
	owner := c.owner(c.block)
	if owner == nil {
		return
	}
	for _, a := range c.arguments(c.texts[0], owner) {
		if !strings.Contains(a.name, ".") { // a field of the body is reached through body
			add(Completion{Label: a.name, Kind: CompleteInput, Detail: a.typ, Doc: a.doc})
		}
	}
}

// keys offers the members of an object whose names are known: those of settings,
// and the arguments of a tool that the block around calls.
func (c *completer) keys() {
	insert := func(name, value string) (string, bool) {
		if strings.HasPrefix(c.rest(), "=") {
			return name, false
		}
		return name + " = " + value, true
	}
	if c.in == c.base {
		for i := range c.row.members {
			if m := &c.row.members[i]; !slices.Contains(c.in.keys, m.name) {
				x := Completion{Label: m.name, Kind: CompleteAttribute, Detail: m.kind.String(), Doc: attributeDoc(m)}
				x.Insert, x.Snippet = insert(m.name, m.snippet())
				c.add(x)
			}
		}
		return
	}
	if c.row.kind == credentialKind && c.in.outer == nil {
		for _, name := range c.schemes(c.block.label()) {
			if !slices.Contains(c.in.keys, name) {
				x := Completion{Label: name, Kind: CompleteAttribute, Detail: "security scheme"}
				x.Insert, x.Snippet = insert(name, "$1")
				c.add(x)
			}
		}
		return
	}
	called := c.reference(c.block.attr("call"))
	if c.attr.name != "args" || len(called) != 2 || called[0] != "tool" || c.in.outer != nil {
		return
	}
	d, ok := c.find("tool", called[1])
	if !ok {
		return
	}
	for _, a := range c.arguments(d.outlined, d.block) {
		if !strings.Contains(a.name, ".") && !slices.Contains(c.in.keys, a.name) {
			x := Completion{Label: a.name, Kind: CompleteInput, Detail: a.typ, Doc: a.doc}
			x.Insert, x.Snippet = insert(a.name, "$1")
			c.add(x)
		}
	}
}

// types offers the words for types.
func (c *completer) types() {
	for _, w := range simpleTypes {
		c.add(Completion{Label: w, Kind: CompleteType})
	}
	for _, w := range typeMakers {
		c.add(Completion{Label: w, Kind: CompleteType, Detail: typeForms[w], Insert: w + "($1)", Snippet: true})
	}
}
