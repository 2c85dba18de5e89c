package hclspec

import (
	"slices"
	"unicode/utf8"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
)

// An outline is the structure of a text as far as its tokens show it. It exists
// for every text, also one that is being typed and has no syntax tree: editors
// ask about such texts all the time. Reading it takes no recursion and a time
// in proportion to the text.
type outline struct {
	text   []byte
	tokens hclsyntax.Tokens // with offsets into text
	places []place          // before each token, and one more after the last
	root   *outlineBlock
	whole  bool // all that was opened was closed
}

// maxOutline is the size of a text, in bytes, beyond which editors get no
// assistance but diagnostics.
const maxOutline = 2 << 20

// stretch is a part of a text, in bytes.
type stretch struct{ start, end int }

// outlineBlock is a block, or the whole text.
type outlineBlock struct {
	name   string
	at     stretch // of the name
	labels []outlineLabel
	extent stretch // from the name to the closing brace
	body   stretch // between the braces
	attrs  []*outlineAttr
	blocks []*outlineBlock
	parent *outlineBlock // nil: the whole text
}

type outlineLabel struct {
	text string
	at   stretch // without quotes
}

type outlineAttr struct {
	name  string
	at    stretch // of the name
	value stretch
	first int // the value's first token
	last  int // the token after its last one
}

func (b *outlineBlock) label() string {
	if len(b.labels) == 0 {
		return ""
	}
	return b.labels[0].text
}

func (b *outlineBlock) attr(name string) *outlineAttr {
	for _, a := range b.attrs {
		if a.name == name {
			return a
		}
	}
	return nil
}

// path is the names of the blocks around, outermost first.
func (b *outlineBlock) path() []string {
	var names []string
	for ; b.parent != nil; b = b.parent {
		names = append(names, b.name)
	}
	slices.Reverse(names)
	return names
}

// part is what a place in a body can hold.
type part uint8

const (
	namePart  part = iota // the name of an attribute or block
	headPart              // after a name: labels, = or {
	valuePart             // the value of an attribute
	junkPart              // the rest of a line that is none of these
)

// place is where in the structure a token stands.
type place struct {
	block  *outlineBlock
	part   part
	head   string       // in headPart: the name before
	label  int          // in headPart: how many labels stand before
	attr   *outlineAttr // in valuePart
	in     *bracket     // nil: directly in the body
	key    bool         // in an object: before the = of a member
	member string       // in an object: the member whose value it is
}

// bracket is something opened inside of a value or label.
type bracket struct {
	kind  bracketKind
	call  string // the function of a call
	token int    // that opened it
	outer *bracket
	of    string   // the member of the outer object that it is the value of
	keys  []string // of an object: its members
}

type bracketKind uint8

const (
	objectBracket bracketKind = iota
	listBracket
	indexBracket
	parenBracket // also of a call
	quoteBracket
	heredocBracket
	templateBracket // ${ or %{
)

// newOutline reads a text. Of one that is too large it knows nothing.
func newOutline(text []byte) *outline {
	if len(text) > maxOutline || !utf8.Valid(text) {
		text = nil
	}
	o := &outline{text: text}
	o.tokens = lexLines(text, 0)
	o.walk(nil)
	if o.whole {
		return o
	}
	// Something is not closed and swallows what follows. Top-level blocks begin
	// at the start of a line; each is read on its own.
	var cuts []int
	for _, h := range blockStart.FindAllIndex(text, -1) {
		cuts = append(cuts, h[0])
	}
	if len(cuts) == 0 {
		return o
	}
	o.tokens = nil
	starts := map[int]bool{}
	if cuts[0] > 0 {
		cuts = slices.Insert(cuts, 0, 0)
	}
	for i, start := range cuts {
		end := len(text)
		if i+1 < len(cuts) {
			end = cuts[i+1]
		}
		starts[len(o.tokens)] = true
		o.tokens = append(o.tokens, lexLines(text[start:end], start)...)
	}
	o.walk(starts)
	return o
}

// lexLines splits a text into tokens. A quoted text that is not closed ends with
// its line; the scanner by itself would take all the rest as its content.
func lexLines(text []byte, base int) hclsyntax.Tokens {
	var out hclsyntax.Tokens
	for range 20 {
		tokens, _ := hclsyntax.LexConfig(text, "", hcl.Pos{Line: 1, Column: 1, Byte: base})
		if n := len(tokens); n > 0 && tokens[n-1].Type == hclsyntax.TokenEOF {
			tokens = tokens[:n-1]
		}
		i := slices.IndexFunc(tokens, func(t hclsyntax.Token) bool { return t.Type == hclsyntax.TokenQuotedNewline })
		switch {
		case i < 0 && out == nil:
			return tokens
		case i < 0:
			return append(out, tokens...)
		}
		out = append(out, tokens[:i+1]...)
		next := tokens[i].Range.End.Byte
		text, base = text[next-base:], next
	}
	return out
}

// walker is the state of one reading of the tokens.
type walker struct {
	o     *outline
	now   place
	name  int // token of the name in headPart
	heads []outlineLabel
}

func (o *outline) walk(starts map[int]bool) {
	o.root = &outlineBlock{extent: stretch{0, len(o.text)}, body: stretch{0, len(o.text)}}
	o.places = make([]place, 0, len(o.tokens)+1)
	o.whole = true
	w := &walker{o: o, now: place{block: o.root}}
	for i := range o.tokens {
		if starts[i] {
			w.closeAll(i)
		}
		w.recover(i)
		o.places = append(o.places, w.now)
		w.token(i)
	}
	o.places = append(o.places, w.now)
	if w.now.in != nil || w.now.block != o.root {
		o.whole = false
	}
	w.closeAll(len(o.tokens))
}

// closeAll ends everything that is open before token i.
func (w *walker) closeAll(i int) {
	w.endStatement(i)
	for w.now.block.parent != nil {
		w.endBlock(i)
	}
}

func (w *walker) start(i int) int {
	if i >= len(w.o.tokens) {
		return len(w.o.text)
	}
	return w.o.tokens[i].Range.Start.Byte
}

// endStatement ends the attribute or head before token i.
func (w *walker) endStatement(i int) {
	if a := w.now.attr; a != nil {
		a.last = i
		a.value.end = max(a.value.start, w.start(i))
		if i > a.first {
			a.value.end = w.o.tokens[i-1].Range.End.Byte
		}
	}
	w.now = place{block: w.now.block}
}

func (w *walker) endBlock(i int) {
	b := w.now.block
	b.body.end, b.extent.end = w.start(i), w.start(i)
	if i < len(w.o.tokens) && w.o.tokens[i].Type == hclsyntax.TokenCBrace {
		b.extent.end = w.o.tokens[i].Range.End.Byte
	}
	w.now = place{block: b.parent}
}

// recover notices that a line begins an attribute or block although a bracket is
// open in which there can be none.
func (w *walker) recover(i int) {
	t := w.o.tokens
	if w.now.in == nil || w.now.in.kind == objectBracket || w.now.in.kind == quoteBracket || w.now.in.kind == heredocBracket ||
		t[i].Type != hclsyntax.TokenIdent || i == 0 || !endsLine(t[i-1]) || i+1 >= len(t) {
		return
	}
	next := t[i+1].Type
	if next != hclsyntax.TokenEqual && next != hclsyntax.TokenOQuote {
		return
	}
	w.o.whole = false
	for w.now.in != nil && w.now.in.kind != objectBracket {
		w.now.in, w.now.member = w.now.in.outer, w.now.in.of
	}
	if w.now.in == nil {
		w.endStatement(i)
	} else {
		w.now.key = true
	}
}

// endsLine reports whether a token ends its line.
func endsLine(t hclsyntax.Token) bool {
	switch t.Type {
	case hclsyntax.TokenNewline, hclsyntax.TokenQuotedNewline:
		return true
	case hclsyntax.TokenComment:
		return len(t.Bytes) > 0 && t.Bytes[len(t.Bytes)-1] == '\n'
	}
	return false
}

func (w *walker) token(i int) {
	t := w.o.tokens[i]
	if t.Type == hclsyntax.TokenQuotedNewline {
		w.o.whole = false
		for in := w.now.in; in != nil; in = in.outer {
			if in.kind == quoteBracket {
				w.now.in, w.now.member = in.outer, in.of
			}
		}
	}
	if w.now.in != nil {
		w.inBracket(i)
		return
	}
	switch {
	case endsLine(t):
		w.endStatement(i)
	case t.Type == hclsyntax.TokenComment:
	case t.Type == hclsyntax.TokenCBrace:
		w.endStatement(i)
		if w.now.block.parent == nil {
			w.o.whole = false
			return
		}
		w.endBlock(i)
		w.now.part = junkPart // until the line ends
	case w.now.part == namePart && t.Type == hclsyntax.TokenIdent:
		w.name, w.heads = i, nil
		w.now.part, w.now.head, w.now.label = headPart, string(t.Bytes), 0
	case w.now.part == headPart && t.Type == hclsyntax.TokenEqual:
		name := w.o.tokens[w.name]
		a := &outlineAttr{name: string(name.Bytes), at: stretch{name.Range.Start.Byte, name.Range.End.Byte}, value: stretch{t.Range.End.Byte, t.Range.End.Byte}, first: i + 1, last: i + 1}
		w.now.block.attrs = append(w.now.block.attrs, a)
		w.now.part, w.now.attr = valuePart, a
	case w.now.part == headPart && t.Type == hclsyntax.TokenOBrace:
		name := w.o.tokens[w.name]
		b := &outlineBlock{name: string(name.Bytes), at: stretch{name.Range.Start.Byte, name.Range.End.Byte}, labels: w.heads, parent: w.now.block,
			extent: stretch{name.Range.Start.Byte, len(w.o.text)}, body: stretch{t.Range.End.Byte, len(w.o.text)}}
		w.now.block.blocks = append(w.now.block.blocks, b)
		w.now = place{block: b}
	case w.now.part == headPart && t.Type == hclsyntax.TokenIdent:
		w.addLabel(i)
	case w.now.part == headPart && t.Type == hclsyntax.TokenOQuote:
		w.heads = append(w.heads, outlineLabel{at: stretch{t.Range.End.Byte, t.Range.End.Byte}})
		w.push(quoteBracket, i)
	case w.now.part == valuePart:
		if t.Type == hclsyntax.TokenEqual {
			w.o.whole = false
		}
		w.opens(i)
	default:
		w.o.whole = false
		w.now.part, w.now.attr = junkPart, nil
		w.opens(i)
	}
}

func (w *walker) addLabel(i int) {
	t := w.o.tokens[i]
	w.heads = append(w.heads, outlineLabel{string(t.Bytes), stretch{t.Range.Start.Byte, t.Range.End.Byte}})
	w.now.label++
}

func (w *walker) push(kind bracketKind, i int) {
	b := &bracket{kind: kind, token: i, outer: w.now.in, of: w.now.member}
	if i > 0 && kind == parenBracket && w.o.tokens[i-1].Type == hclsyntax.TokenIdent {
		b.call = string(w.o.tokens[i-1].Bytes)
	}
	w.now.in, w.now.key, w.now.member = b, kind == objectBracket, ""
}

// opens pushes the bracket that token i opens, if it is one.
func (w *walker) opens(i int) {
	switch w.o.tokens[i].Type {
	case hclsyntax.TokenOBrace:
		w.push(objectBracket, i)
	case hclsyntax.TokenOBrack:
		kind := listBracket
		if i > 0 {
			switch w.o.tokens[i-1].Type {
			case hclsyntax.TokenIdent, hclsyntax.TokenCBrack, hclsyntax.TokenCBrace, hclsyntax.TokenCParen, hclsyntax.TokenStar:
				kind = indexBracket
			}
		}
		w.push(kind, i)
	case hclsyntax.TokenOParen:
		w.push(parenBracket, i)
	case hclsyntax.TokenOQuote:
		w.push(quoteBracket, i)
	case hclsyntax.TokenOHeredoc:
		w.push(heredocBracket, i)
	case hclsyntax.TokenTemplateInterp, hclsyntax.TokenTemplateControl:
		w.push(templateBracket, i)
	}
}

// closers are the tokens that end a bracket.
var closers = map[hclsyntax.TokenType][]bracketKind{
	hclsyntax.TokenCBrace:         {objectBracket},
	hclsyntax.TokenCBrack:         {listBracket, indexBracket},
	hclsyntax.TokenCParen:         {parenBracket},
	hclsyntax.TokenCQuote:         {quoteBracket},
	hclsyntax.TokenCHeredoc:       {heredocBracket},
	hclsyntax.TokenTemplateSeqEnd: {templateBracket},
}

func (w *walker) inBracket(i int) {
	t := w.o.tokens[i]
	in := w.now.in
	if kinds := closers[t.Type]; kinds != nil {
		steps := 0
		for b := in; b != nil; b = b.outer {
			if slices.Contains(kinds, b.kind) {
				w.o.whole = w.o.whole && steps == 0
				w.now.in, w.now.key, w.now.member = b.outer, false, b.of
				if b.outer == nil && w.now.part == headPart {
					w.now.label++
				}
				return
			}
			if steps++; steps > maxNesting {
				break
			}
		}
		w.o.whole = false
		if t.Type == hclsyntax.TokenCBrace { // it closes the block around
			w.endStatement(i)
			if w.now.block.parent != nil {
				w.endBlock(i)
			}
		}
		return
	}
	switch {
	case in.kind == quoteBracket && w.now.part == headPart && t.Type == hclsyntax.TokenQuotedLit && len(w.heads) > 0:
		w.heads[len(w.heads)-1] = outlineLabel{unescape(string(t.Bytes), true), stretch{t.Range.Start.Byte, t.Range.End.Byte}}
	case in.kind == objectBracket && endsLine(t), in.kind == objectBracket && t.Type == hclsyntax.TokenComma:
		w.now.key = true
	case in.kind == objectBracket && w.now.key && (t.Type == hclsyntax.TokenEqual || t.Type == hclsyntax.TokenColon):
		w.now.key, w.now.member = false, ""
		if name := w.o.tokens[max(i-1, 0)]; name.Type == hclsyntax.TokenIdent {
			w.now.member = string(name.Bytes)
			in.keys = append(in.keys, w.now.member)
		}
	default:
		w.opens(i)
	}
}

// at is the place of a cursor: before which token it stands, and the part of a
// word or quoted text that is to its left.
func (o *outline) at(offset int) (i int, word stretch) {
	offset = min(max(offset, 0), len(o.text))
	i, _ = slices.BinarySearchFunc(o.tokens, offset, func(t hclsyntax.Token, offset int) int { return t.Range.End.Byte - offset })
	for i > 0 && o.tokens[i-1].Range.End.Byte >= offset {
		i--
	}
	for ; i < len(o.tokens); i++ {
		r := o.tokens[i].Range
		if r.Start.Byte >= offset {
			break
		}
		if r.End.Byte < offset {
			continue
		}
		switch o.tokens[i].Type {
		case hclsyntax.TokenIdent, hclsyntax.TokenQuotedLit, hclsyntax.TokenStringLit, hclsyntax.TokenNumberLit:
			return i, stretch{r.Start.Byte, offset}
		case hclsyntax.TokenComment:
			if offset < r.End.Byte || !endsLine(o.tokens[i]) {
				return i, stretch{-1, -1}
			}
		}
	}
	return i, stretch{offset, offset}
}

// chain reads the names of a reference that ends with token i, such as
// var, name or api, gh, issues/create. Nil: it is none.
func (o *outline) chain(i int) []string {
	var names []string
	is := func(i int, t hclsyntax.TokenType) bool { return i >= 0 && i < len(o.tokens) && o.tokens[i].Type == t }
	for len(names) < maxNesting {
		indexed := false
		switch {
		case is(i, hclsyntax.TokenIdent):
			names = append(names, string(o.tokens[i].Bytes))
			i--
		case is(i, hclsyntax.TokenCBrack) && is(i-1, hclsyntax.TokenCQuote) && is(i-2, hclsyntax.TokenQuotedLit) && is(i-3, hclsyntax.TokenOQuote) && is(i-4, hclsyntax.TokenOBrack):
			names = append(names, unescape(string(o.tokens[i-2].Bytes), true))
			i, indexed = i-5, true
		default:
			return nil
		}
		switch {
		case is(i, hclsyntax.TokenDot):
			i--
		case !indexed:
			slices.Reverse(names)
			return names
		}
	}
	return nil
}
