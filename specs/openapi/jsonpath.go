package openapi

import (
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/mcpc-dev/mcpc/specs"
)

// A jsonPath selects nodes of a tree: RFC 9535 without the functions value and
// count. It is compiled to steps; each makes a list of nodes of a list of nodes.
type jsonPath struct{ segments []segment }

type segment struct {
	deep      bool // ..: of the nodes and everything in them
	selectors []selector
}

// selector picks children of one node. Of name, index, slice, filter and all
// exactly one is set.
type selector struct {
	all    bool
	name   *string
	index  *int
	slice  *[3]*int
	filter condition
}

// spot is where a selected node is: a field of its parent, or the root.
type spot struct {
	parent *specs.Node
	index  int
	node   *specs.Node
}

// condition tells whether a filter holds for the node @ of the tree $.
type condition func(q *query, at *specs.Node) bool

// query is one evaluation. A path of many ".." over a large document is work
// that grows with their product, so it is counted.
type query struct {
	root *specs.Node
	left int
}

var errPathWork = errors.New("the path selects too much")

// find returns the spots a path selects, each once, in document order.
func (j *jsonPath) find(root *specs.Node) ([]spot, error) {
	q := &query{root: root, left: 5_000_000}
	list := q.run(j, spot{nil, 0, root})
	if q.left < 0 {
		return nil, errPathWork
	}
	seen := map[*specs.Node]bool{}
	return slices.DeleteFunc(list, func(s spot) bool {
		dup := seen[s.node]
		seen[s.node] = true
		return dup
	}), nil
}

func (q *query) run(j *jsonPath, from spot) []spot {
	list := []spot{from}
	for _, s := range j.segments {
		var next []spot
		var visit func(at spot)
		visit = func(at spot) {
			if q.left--; q.left < 0 {
				return
			}
			for _, sel := range s.selectors {
				next = q.pick(next, sel, at.node)
			}
			if s.deep {
				for i, f := range at.node.Fields {
					visit(spot{at.node, i, f.Value})
				}
			}
		}
		for _, at := range list {
			visit(at)
		}
		list = next
	}
	return list
}

func (q *query) pick(out []spot, s selector, n *specs.Node) []spot {
	add := func(i int) { out = append(out, spot{n, i, n.Fields[i].Value}) }
	size := len(n.Fields)
	if s.all || s.slice != nil {
		q.left -= size
	} else {
		q.left -= size / 16
	}
	if q.left < 0 {
		return out
	}
	switch {
	case s.all:
		for i := range n.Fields {
			add(i)
		}
	case s.name != nil && n.Kind == specs.Object:
		if i := slices.IndexFunc(n.Fields, func(f specs.Field) bool { return f.Key == *s.name }); i >= 0 {
			add(i)
		}
	case s.index != nil && n.Kind == specs.Array:
		i := *s.index
		if i < 0 {
			i += size
		}
		if i >= 0 && i < size {
			add(i)
		}
	case s.slice != nil && n.Kind == specs.Array:
		step := 1
		if p := s.slice[2]; p != nil {
			step = *p
		}
		bound := func(p *int, standard, low, high int) int {
			if p == nil {
				return standard
			}
			i := *p
			if i < 0 {
				i += size
			}
			return min(max(i, low), high)
		}
		switch {
		case step > 0:
			for i, end := bound(s.slice[0], 0, 0, size), bound(s.slice[1], size, 0, size); i < end; i += min(step, size) {
				add(i)
			}
		case step < 0:
			for i, end := bound(s.slice[0], size-1, -1, size-1), bound(s.slice[1], -1, -1, size-1); i > end; i += max(step, -size) {
				add(i)
			}
		}
	case s.filter != nil:
		for i, f := range n.Fields {
			if q.left--; q.left < 0 {
				break
			}
			if s.filter(q, f.Value) {
				add(i)
			}
		}
	}
	return out
}

// compilePath reads a path.
func compilePath(text string) (*jsonPath, error) {
	p := &pathReader{s: text}
	if len(text) > 10_000 {
		return nil, errors.New("the path is too long")
	}
	if !p.take("$") {
		return nil, errors.New("a path begins with $")
	}
	j, err := p.segments()
	if err == nil && p.at < len(p.s) {
		err = p.fail()
	}
	if err != nil {
		return nil, err
	}
	return j, nil
}

type pathReader struct {
	s     string
	at    int
	depth int
}

func (p *pathReader) fail() error {
	rest := p.s[p.at:]
	if rest == "" {
		return errors.New("the path ends too early")
	}
	return fmt.Errorf("the path cannot be read from %.20q on", rest)
}

func (p *pathReader) take(word string) bool {
	if strings.HasPrefix(p.s[p.at:], word) {
		p.at += len(word)
		return true
	}
	return false
}

func (p *pathReader) space() {
	for p.at < len(p.s) && strings.IndexByte(" \t\r\n", p.s[p.at]) >= 0 {
		p.at++
	}
}

func (p *pathReader) segments() (*jsonPath, error) {
	j := &jsonPath{}
	for {
		before := p.at
		p.space()
		var s segment
		var err error
		switch {
		case p.take(".."):
			s.deep = true
			if p.take("[") {
				s.selectors, err = p.bracket()
			} else {
				s.selectors, err = p.member()
			}
		case p.take("."):
			s.selectors, err = p.member()
		case p.take("["):
			s.selectors, err = p.bracket()
		default:
			p.at = before
			return j, nil
		}
		if err != nil {
			return nil, err
		}
		j.segments = append(j.segments, s)
	}
}

// member is what follows a dot: a name or *.
func (p *pathReader) member() ([]selector, error) {
	if p.take("*") {
		return []selector{{all: true}}, nil
	}
	start := p.at
	for p.at < len(p.s) {
		c := p.s[p.at]
		if !('a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || c == '_' || c >= utf8.RuneSelf || p.at > start && '0' <= c && c <= '9' || p.at > start && c == '-') {
			break
		}
		p.at++
	}
	if p.at == start {
		return nil, p.fail()
	}
	name := p.s[start:p.at]
	return []selector{{name: &name}}, nil
}

func (p *pathReader) bracket() ([]selector, error) {
	var list []selector
	for {
		p.space()
		s, err := p.selector()
		if err != nil {
			return nil, err
		}
		list = append(list, s)
		p.space()
		if p.take("]") {
			return list, nil
		}
		if !p.take(",") {
			return nil, p.fail()
		}
	}
}

func (p *pathReader) selector() (selector, error) {
	switch {
	case p.take("*"):
		return selector{all: true}, nil
	case p.take("?"):
		f, err := p.or()
		return selector{filter: f}, err
	case p.at < len(p.s) && (p.s[p.at] == '\'' || p.s[p.at] == '"'):
		name, err := p.quoted()
		return selector{name: &name}, err
	}
	var parts [3]*int
	n := 0
	for {
		p.space()
		start := p.at
		p.take("-")
		for p.at < len(p.s) && '0' <= p.s[p.at] && p.s[p.at] <= '9' {
			p.at++
		}
		if p.at > start {
			i, err := strconv.Atoi(p.s[start:p.at])
			if err != nil || max(i, -i) > 1<<40 {
				return selector{}, p.fail()
			}
			parts[n] = &i
		}
		p.space()
		if n == 2 || !p.take(":") {
			break
		}
		n++
	}
	if n > 0 {
		return selector{slice: &parts}, nil
	}
	if parts[0] == nil {
		return selector{}, p.fail()
	}
	return selector{index: parts[0]}, nil
}

func (p *pathReader) quoted() (string, error) {
	quote := p.s[p.at]
	start := p.at
	p.at++
	var b strings.Builder
	b.WriteByte('"')
	for p.at < len(p.s) {
		c := p.s[p.at]
		p.at++
		switch {
		case c == quote:
			var s string
			if json.Unmarshal([]byte(b.String()+`"`), &s) != nil {
				p.at = start
				return "", p.fail()
			}
			return s, nil
		case c == '\\' && p.at < len(p.s) && p.s[p.at] == '\'':
			b.WriteByte('\'')
			p.at++
		case c == '\\' && p.at < len(p.s):
			b.WriteByte('\\')
			b.WriteByte(p.s[p.at])
			p.at++
		case c == '"':
			b.WriteString(`\"`)
		default:
			b.WriteByte(c)
		}
	}
	p.at = start
	return "", p.fail()
}

func (p *pathReader) or() (condition, error) {
	return p.chain("||", p.and, func(a, b condition) condition {
		return func(q *query, at *specs.Node) bool { return a(q, at) || b(q, at) }
	})
}

func (p *pathReader) and() (condition, error) {
	return p.chain("&&", p.basic, func(a, b condition) condition {
		return func(q *query, at *specs.Node) bool { return a(q, at) && b(q, at) }
	})
}

func (p *pathReader) chain(op string, next func() (condition, error), join func(a, b condition) condition) (condition, error) {
	left, err := next()
	for err == nil {
		p.space()
		if !p.take(op) {
			return left, nil
		}
		var right condition
		right, err = next()
		left = join(left, right)
	}
	return nil, err
}

func (p *pathReader) basic() (condition, error) {
	if p.depth++; p.depth > 50 {
		return nil, errors.New("the path is nested too deeply")
	}
	defer func() { p.depth-- }()
	p.space()
	if p.take("!") {
		c, err := p.basic()
		return func(q *query, at *specs.Node) bool { return !c(q, at) }, err
	}
	if p.take("(") {
		c, err := p.or()
		p.space()
		if err == nil && !p.take(")") {
			err = p.fail()
		}
		return c, err
	}
	for _, name := range []string{"match", "search"} {
		if p.take(name + "(") {
			return p.pattern(name == "match")
		}
	}
	left, isPath, err := p.comparable()
	if err != nil {
		return nil, err
	}
	p.space()
	for _, op := range []string{"==", "!=", "<=", ">=", "<", ">"} {
		if !p.take(op) {
			continue
		}
		p.space()
		right, _, err := p.comparable()
		if err != nil {
			return nil, err
		}
		return func(q *query, at *specs.Node) bool { return compareNodes(op, left(q, at), right(q, at)) }, nil
	}
	if !isPath {
		return nil, p.fail()
	}
	return func(q *query, at *specs.Node) bool { return left(q, at) != nil }, nil
}

// pattern is match(value, "pattern") for the whole text, or search for a part.
func (p *pathReader) pattern(whole bool) (condition, error) {
	p.space()
	value, _, err := p.comparable()
	if err != nil {
		return nil, err
	}
	p.space()
	if !p.take(",") {
		return nil, p.fail()
	}
	p.space()
	if p.at >= len(p.s) || p.s[p.at] != '\'' && p.s[p.at] != '"' {
		return nil, p.fail()
	}
	text, err := p.quoted()
	if err != nil {
		return nil, err
	}
	p.space()
	if !p.take(")") {
		return nil, p.fail()
	}
	if whole {
		text = "^(?:" + text + ")$"
	}
	re, err := regexp.Compile(text)
	if err != nil {
		return nil, fmt.Errorf("the pattern is wrong: %w", err)
	}
	return func(q *query, at *specs.Node) bool {
		v := value(q, at)
		return v != nil && v.Kind == specs.String && re.MatchString(v.Text)
	}, nil
}

// comparable is a constant, a path, or length(path). The value of a path that
// selects nothing is nil, of one that selects several the first.
func (p *pathReader) comparable() (value func(q *query, at *specs.Node) *specs.Node, isPath bool, err error) {
	constant := func(n *specs.Node) (func(*query, *specs.Node) *specs.Node, bool, error) {
		return func(*query, *specs.Node) *specs.Node { return n }, false, nil
	}
	switch {
	case p.at >= len(p.s):
		return nil, false, p.fail()
	case p.s[p.at] == '\'' || p.s[p.at] == '"':
		s, err := p.quoted()
		if err != nil {
			return nil, false, err
		}
		return constant(specs.NewString(s))
	case p.take("true"):
		return constant(specs.NewBool(true))
	case p.take("false"):
		return constant(specs.NewBool(false))
	case p.take("null"):
		return constant(&specs.Node{})
	case p.take("length("):
		p.space()
		of, _, err := p.comparable()
		p.space()
		if err == nil && !p.take(")") {
			err = p.fail()
		}
		if err != nil {
			return nil, false, err
		}
		return func(q *query, at *specs.Node) *specs.Node {
			switch n := of(q, at); {
			case n == nil:
			case n.Kind == specs.String:
				return specs.NewNumber(strconv.Itoa(utf8.RuneCountInString(n.Text)))
			case n.Kind >= specs.Array:
				return specs.NewNumber(strconv.Itoa(len(n.Fields)))
			}
			return nil
		}, false, nil
	case p.s[p.at] == '@' || p.s[p.at] == '$':
		fromRoot := p.s[p.at] == '$'
		p.at++
		j, err := p.segments()
		if err != nil {
			return nil, false, err
		}
		return func(q *query, at *specs.Node) *specs.Node {
			if fromRoot {
				at = q.root
			}
			if list := q.run(j, spot{nil, 0, at}); len(list) > 0 {
				return list[0].node
			}
			return nil
		}, true, nil
	}
	start := p.at
	for p.at < len(p.s) && strings.IndexByte("+-.eE0123456789", p.s[p.at]) >= 0 {
		p.at++
	}
	digits := p.s[start:p.at]
	if len(digits) == 0 || len(digits) > 40 || !json.Valid([]byte(digits)) {
		p.at = start
		return nil, false, p.fail()
	}
	return constant(specs.NewNumber(digits))
}

func compareNodes(op string, a, b *specs.Node) bool {
	order, comparable := 0, false
	equal := a == nil && b == nil
	if a != nil && b != nil && a.Kind == b.Kind {
		switch a.Kind {
		case specs.Number:
			x, ok1 := numberOf(a)
			y, ok2 := numberOf(b)
			if comparable = ok1 && ok2; comparable {
				order = x.Cmp(y)
			}
			equal = comparable && order == 0 || a.Text == b.Text
		case specs.String:
			comparable, order = true, strings.Compare(a.Text, b.Text)
			equal = order == 0
		default:
			equal = a.Equal(b)
		}
	}
	switch op {
	case "==":
		return equal
	case "!=":
		return !equal
	case "<":
		return comparable && order < 0
	case ">":
		return comparable && order > 0
	case "<=":
		return equal || comparable && order < 0
	}
	return equal || comparable && order > 0
}

func numberOf(n *specs.Node) (*big.Float, bool) {
	f, _, err := big.ParseFloat(n.Text, 10, 200, big.ToNearestEven)
	return f, err == nil
}
