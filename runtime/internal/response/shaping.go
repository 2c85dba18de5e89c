package response

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/mcpc-dev/mcpc/runtime/internal/args"
	"github.com/mcpc-dev/mcpc/runtime/internal/expr"
	"github.com/mcpc-dev/mcpc/runtime/internal/result"
	"github.com/mcpc-dev/mcpc/runtime/internal/shape"
	"github.com/mcpc-dev/mcpc/runtime/internal/upstream"
	"github.com/mcpc-dev/mcpc/runtime/plan"
)

// shaping is what a plan says of the way from a decoded value to a result. A nil
// one leaves values as they are.
type shaping struct {
	selector *shape.Selector // nil: all
	program  *shape.Program  // nil: none
	as       string
	empty    string
	maxText  int // 0: no limit
}

func compileShaping(r plan.Response) (*shaping, error) {
	s := shaping{as: r.As, empty: r.Empty, maxText: int(r.MaxText)}
	var err error
	if r.Select != nil || r.MaxItems > 0 {
		if s.selector, err = shape.NewSelector(r.Select, r.MaxItems); err != nil {
			return nil, err
		}
	}
	if r.JQ != "" {
		if s.program, err = shape.NewProgram(r.JQ); err != nil {
			return nil, fmt.Errorf("jq: %w", err)
		}
	}
	switch s.as {
	case "", "json", "table", "markdown":
	default:
		return nil, fmt.Errorf("a text cannot be written as %q", s.as)
	}
	if s == (shaping{}) {
		return nil, nil
	}
	return &s, nil
}

// values tells whether there is anything to do with a value besides writing it.
func (s *shaping) values() bool { return s.selector != nil || s.program != nil }

// shaped makes a result of a decoded value as the plan says.
func (d *Decoder) shaped(b *body, v value) *result.Result {
	s := d.shaping
	if v.json == nil { // nested so deeply that a name may be there twice
		return d.tooDeep()
	}
	out := bytes.Trim(v.json, " \t\r\n")
	var notes []string
	if s.selector != nil {
		selected := s.selector.Select(out)
		out = selected.Value
		if s.selector.Renames() && !jsontext.Value(out).IsValid() {
			// What was renamed met a member of that name.
			if out = lastNames(out); out == nil {
				return d.tooDeep()
			}
		}
		v.where = "" // it speaks of the whole answer
		if selected.TooDeep {
			notes = append(notes, fmt.Sprintf("What is nested more than %d deep is left out.", shape.MaxDepth))
		}
		if selected.Total > selected.Kept {
			of := fmt.Sprint(selected.Total)
			if v.cut {
				of = "at least " + of
			}
			notes = append(notes, fmt.Sprintf("Shown are the first %d of %s elements.%s", selected.Kept, of, d.rest()))
		}
	}
	if s.program != nil {
		var err error
		if out, err = s.program.Run(b.ctx, out); err != nil {
			return result.Error("jq", b.answer.Redact("What "+d.operation+" answered could not be shaped. "+err.Error()),
				"The jq program of this tool does not fit this answer: other arguments may help; the operator of this server can correct it.", result.RetryNo)
		}
	}

	var res *result.Result
	if s.empty != "" && shape.Empty(out) {
		res = result.Text(s.empty)
	} else {
		text := s.write(out)
		if s.maxText > 0 && len(text) > s.maxText {
			var note string
			out, text, note = d.fit(out, text)
			notes = append(notes, note)
		} else if v.text != nil && s.as == "" && !s.values() {
			text = string(v.text)
		}
		res = result.Text(text)
	}
	if out[0] == 'n' {
		d.nothing(res)
	} else {
		d.structure(res, out)
	}
	if v.cut {
		d.note(b, res, v.where)
	}
	for _, n := range notes {
		res.Add(n)
		res.SetMeta("mcpc/truncated", true)
	}
	b.remarks(res)
	return res
}

// tooDeep is the result of an answer that cannot be shaped, and so is not shown.
func (d *Decoder) tooDeep() *result.Result {
	return result.Error("unreadable-answer", "The answer to "+d.operation+" is nested too deeply to be read.",
		"Ask for something smaller, if the tool's arguments allow it.", result.RetryNo)
}

// write is the text for the model: JSON where the form that is asked for has no
// place for the value.
func (s *shaping) write(v []byte) string {
	text := ""
	switch s.as {
	case "table":
		text = shape.Table(v)
	case "markdown":
		text = shape.Markdown(v)
	}
	if text == "" {
		return string(v)
	}
	return text
}

// fit makes a value small enough for the text that is made of it, by cutting
// where an element ends, and says so.
func (d *Decoder) fit(v []byte, text string) (less []byte, fitting, note string) {
	most, where := d.shaping.maxText, ""
	note = fmt.Sprintf("This answer is incomplete: the whole would be %d bytes, and this tool's are limited to %s.", len(text), size(int64(most)))
	budget := len(v)
	for len(text) > most {
		budget = min(budget-1, int(float64(budget)*float64(most)/float64(len(text))))
		c, ok := shorten(v, budget)
		if !ok { // no list or object, or one with a name that is too long already
			return v, result.Shorten(text, most), note + d.rest()
		}
		if c.at == "" {
			c.of = shape.Count(v)
		}
		less, text = c.text, d.shaping.write(c.text)
		where = " " + c.String()
	}
	return less, text, note + where + d.rest()
}

// fitText cuts a text where a line ends, if one does in its second half, and
// says so.
func (d *Decoder) fitText(text string) (fitting, note string) {
	most := d.shaping.maxText
	note = fmt.Sprintf("This answer is incomplete: the whole is %d bytes, and this tool's are limited to %s.", len(text), size(int64(most)))
	if i := strings.LastIndexByte(text[:most], '\n'); i >= most/2 {
		return text[:i+1], note + d.rest()
	}
	return result.Shorten(text, most), note + d.rest()
}

// rest says how to get what is missing.
func (d *Decoder) rest() string {
	if len(d.narrowing) > 0 {
		return " To get the rest, call again with other values of " + strings.Join(d.narrowing, ", ") + "."
	}
	return " Ask for less at once, if the tool's arguments allow it."
}

// rule is a compiled [plan.ErrorRule].
type rule struct {
	plan.ErrorRule
	condition, message expr.Func // nil: none
	// members are the parts of the body that the condition speaks of, by the
	// names of the variables that stand for them in it. Nothing else is decoded.
	members map[string][]string
}

// advice is a compiled [plan.Advice].
type advice struct {
	plan.Advice
	message expr.Func // nil: none
}

func compileErrors(r plan.Response) (rules []rule, advices []advice, err error) {
	compile := func(x *plan.Expr) (f expr.Func) {
		if x != nil && err == nil {
			f, err = expr.Compile(*x)
		}
		return f
	}
	for _, e := range r.Errors {
		if err = validRetry(e.Retry); err != nil {
			return nil, nil, err
		}
		r := rule{ErrorRule: e, message: compile(e.Message), members: map[string][]string{}}
		if e.Condition != nil {
			x := onMembers(*e.Condition, r.members)
			r.condition = compile(&x)
		}
		rules = append(rules, r)
	}
	for _, a := range r.Advice {
		if err = validRetry(a.Retry); err != nil {
			return nil, nil, err
		}
		advices = append(advices, advice{a, compile(a.Message)})
	}
	return rules, advices, err
}

func validRetry(word string) error {
	if word != "" && word != "no" && word != "later" {
		return fmt.Errorf("retry cannot be %q", word)
	}
	return nil
}

// retry is what a word of the plan means for an answer.
func retry(word string, a *upstream.Answer, otherwise result.Retry) result.Retry {
	switch word {
	case "no":
		return result.RetryNo
	case "later":
		return result.RetryAfter(upstream.RetryAfter(a.Header, time.Now()))
	}
	return otherwise
}

// failed tells whether an answer of a good status is an error all the same, and
// makes its result. v is the decoded body, as JSON, nil when it has none; for
// texts it is a string.
func (d *Decoder) failed(b *body, v []byte) *result.Result {
	v = bytes.Trim(v, " \t\r\n")
	for i := range d.rules {
		r := &d.rules[i]
		if r.Status != nil && !slices.Contains(r.Status, b.answer.Status) ||
			r.Element != nil && (len(v) == 0 || shape.Lookup(v, r.Element) == nil) ||
			r.Member != nil && (len(v) == 0 || !says(shape.Lookup(v, r.Member))) {
			continue
		}
		if r.condition != nil {
			// What cannot be asked of this answer does not hold for it.
			holds, err := r.condition(b.membersScope(r.members, v))
			if err != nil || holds != true && holds != "true" {
				continue
			}
		}
		message, ok := "", false
		if r.message != nil {
			message, ok = textOf(r.message, b.scope(v))
		}
		if !ok {
			message = fmt.Sprintf("The answer to %s is an error, although its status is %s.", d.operation, status(b.answer.Status))
			if text := excerpt(b.answer); text != "" {
				message += "\n" + text
			}
		}
		return result.Error("upstream-error", b.answer.Redact(message), "", retry(r.Retry, b.answer, result.RetryUnknown))
	}
	return nil
}

// textOf evaluates a message. One that cannot be evaluated, or is empty, is none.
func textOf(f expr.Func, env *expr.Env) (string, bool) {
	v, err := f(env)
	text, ok := v.(string)
	return text, err == nil && ok && strings.TrimSpace(text) != ""
}

// says tells whether a member says that something is wrong: it is there, and not
// null, false, 0 or empty.
func says(v []byte) bool {
	if v == nil || shape.Empty(v) || v[0] == 'f' {
		return false
	}
	return v[0] != '-' && (v[0] < '0' || v[0] > '9') || bytes.ContainsAny(bytes.SplitN(bytes.ToLower(v), []byte("e"), 2)[0], "123456789")
}

// scope is what expressions over the answer see. v is the decoded body as JSON,
// or nil; what is nested too deeply for expressions is null to them.
func (b *body) scope(v []byte) *expr.Env {
	response := b.response()
	if len(v) > 0 {
		response["body"], _ = args.Value(v)
	}
	return &expr.Env{Args: b.args, Vars: map[string]any{"response": response}}
}

// response is what expressions see of an answer besides its body.
func (b *body) response() map[string]any {
	return map[string]any{"status": json.Number(strconv.Itoa(b.answer.Status)), "headers": headers(b.answer.Header), "body": nil}
}

// onMembers returns a condition with a variable in place of response.body and of
// each chain of members of it, and remembers what they stand for.
func onMembers(x plan.Expr, members map[string][]string) plan.Expr {
	if names, ok := bodyMember(x); ok {
		name := "body " + strings.Join(names, "\x00")
		members[name] = names
		return plan.Expr{Op: plan.OpVar, Name: name}
	}
	in := x.Args
	x.Args = make([]plan.Expr, len(in))
	for i := range in {
		x.Args[i] = onMembers(in[i], members)
	}
	return x
}

// bodyMember returns the names after response.body of an expression that is
// nothing else.
func bodyMember(x plan.Expr) ([]string, bool) {
	if x.Op != plan.OpGet || len(x.Args) != 1 {
		return nil, false
	}
	if of := x.Args[0]; of.Op == plan.OpVar && of.Name == "response" && x.Name == "body" {
		return []string{}, true
	}
	names, ok := bodyMember(x.Args[0])
	return append(names, x.Name), ok
}

// membersScope is what a condition sees of an answer.
func (b *body) membersScope(members map[string][]string, v []byte) *expr.Env {
	vars := make(map[string]any, len(members)+1)
	vars["response"] = func() (any, error) { return b.response(), nil }
	for name, names := range members {
		vars[name] = func() (any, error) { return member(v, names) }
	}
	return &expr.Env{Args: b.args, Vars: vars}
}

// member decodes a member of a body: null when it is not there. Like everywhere
// in expressions, what is no object has no members, but null.
func member(v []byte, names []string) (any, error) {
	for i := range names {
		if len(v) == 0 || v[0] == 'n' {
			return nil, nil
		}
		if v[0] != '{' {
			return nil, fmt.Errorf("it has no member %q", names[i])
		}
		v = shape.Lookup(v, names[i:i+1])
	}
	if len(v) == 0 {
		return nil, nil
	}
	return args.Value(v)
}

// headers are the first values of an answer's headers by their names in lower
// case, without those that are, or may be, secret.
func headers(h http.Header) map[string]any {
	out := make(map[string]any, len(h))
	for name, values := range h {
		name = strings.ToLower(name)
		if len(values) > 0 && !secretHeader(name) {
			out[name] = values[0]
		}
	}
	return out
}

// secretHeader tells whether the value of a header with that name may let who
// knows it in.
func secretHeader(name string) bool {
	return slices.ContainsFunc([]string{"cookie", "auth", "token", "secret", "session", "password", "key", "csrf", "xsrf", "signature", "credential"},
		func(word string) bool { return strings.Contains(name, word) })
}
