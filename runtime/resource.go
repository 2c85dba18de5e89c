package runtime

import (
	"context"
	"fmt"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"sync"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/mcpc-dev/mcpc/runtime/internal/args"
	"github.com/mcpc-dev/mcpc/runtime/internal/expr"
	"github.com/mcpc-dev/mcpc/runtime/internal/observe"
	"github.com/mcpc-dev/mcpc/runtime/internal/response"
	"github.com/mcpc-dev/mcpc/runtime/internal/result"
	"github.com/mcpc-dev/mcpc/runtime/internal/schema"
	"github.com/mcpc-dev/mcpc/runtime/internal/transport"
	"github.com/mcpc-dev/mcpc/runtime/internal/upstream"
	"github.com/mcpc-dev/mcpc/runtime/plan"
)

// maxURI bounds the URIs that are looked at, in bytes.
const maxURI = 8 << 10

// Bounds of what is made of the answer of a prompt.
const maxPromptText = 1 << 20

// resource is a plan's resource and what reads it.
type resource struct {
	plan  *plan.Resource
	call  *tool
	match func() (*regexp.Regexp, error) // of its URIs; made on first use
}

// prompt is a plan's prompt and what is made of it when it is first asked for.
type prompt struct {
	plan *plan.Prompt
	call *tool // nil: its messages need no request
	own  *tool // call, or what stands for it; the policy and the limits are asked about it

	ready    sync.Once
	broken   error
	input    *schema.Validator
	rules    []rule
	messages []promptMessage
}

type promptMessage struct {
	role           string
	text, resource expr.Func // one of the two
	encoded        expr.Func // the same as JSON, for what is no text
}

func newResource(p *plan.Resource, call *tool) *resource {
	return &resource{plan: p, call: call, match: sync.OnceValues(func() (*regexp.Regexp, error) { return uriPattern(p.Parts) })}
}

// uriPattern matches the URIs of a template. A variable is a value as RFC 6570's
// simple expansion writes it, percent-encoded, or with slashes where the template
// says so; it is never empty.
func uriPattern(parts []plan.URIPart) (*regexp.Regexp, error) {
	var b strings.Builder
	b.WriteString(`^`)
	for _, p := range parts {
		switch {
		case p.Var == "":
			b.WriteString(regexp.QuoteMeta(p.Literal))
		case p.Reserved:
			b.WriteString(`(.+)`)
		default:
			b.WriteString(`([^/?#]+)`)
		}
	}
	b.WriteString(`$`)
	return regexp.Compile(b.String())
}

// variables are the values of the variables in a URI, in order; false when it is
// not one of the resource's.
func (r *resource) variables(uri string) ([]string, bool) {
	if !r.plan.IsTemplate() {
		return nil, uri == r.plan.URI
	}
	re, err := r.match()
	if err != nil || len(uri) > maxURI {
		return nil, false
	}
	m := re.FindStringSubmatch(uri)
	if m == nil {
		return nil, false
	}
	values := m[1:]
	for i, v := range values {
		plain, err := url.PathUnescape(v)
		if err != nil {
			return nil, false
		}
		values[i] = plain
	}
	return values, true
}

// arguments are the arguments that the values of the variables make.
func (r *resource) arguments(values []string) ([]byte, error) {
	if err := r.call.prepare(); err != nil {
		return nil, err
	}
	var given args.Args
	i := 0
	for _, p := range r.plan.Parts {
		if p.Var == "" {
			continue
		}
		if err := given.Set(p.Var, typedText(r.call.input, p.Var, values[i])); err != nil {
			return nil, err
		}
		i++
	}
	return given.JSON(), nil
}

// resourceOf finds what a URI is of: one without variables first.
func (b *Bridge) resourceOf(uri string) (*resource, []string) {
	for _, templates := range []bool{false, true} {
		for _, r := range b.resources {
			if r.plan.IsTemplate() != templates {
				continue
			}
			if values, ok := r.variables(uri); ok {
				return r, values
			}
		}
	}
	return nil, nil
}

// typedText is a text as the value that an argument takes: itself, or what it says in
// JSON where the argument takes no text.
func typedText(v *schema.Validator, name, text string) jsontext.Value {
	if v.TakesText(name) {
		return result.AppendString(nil, text)
	}
	if raw := jsontext.Value(strings.TrimSpace(text)); raw.IsValid() {
		return raw
	}
	return result.AppendString(nil, text) // it will be refused, by its name
}

// read reads a resource. A result that is an error says why that cannot be; nil
// means that there is none of that URI.
func (b *Bridge) read(ctx context.Context, who Principal, uri string) (*resource, *Call, *Result) {
	r, values := b.resourceOf(uri)
	if r == nil {
		return nil, nil, nil
	}
	k := &Call{Tool: r.plan.Name, Principal: who, tool: r.call, counts: true, kind: observe.Resource}
	ctx, start := b.begin(ctx, k)
	res := b.guard(ctx, k, func(ctx context.Context, k *Call) *Result {
		if err := r.call.prepare(); err != nil {
			return b.failure(ctx, r.call, "plan", err)
		}
		var err error
		if k.Arguments, err = r.arguments(values); err != nil {
			return badArguments(sentence(err.Error()))
		}
		return b.checked(ctx, k)
	})
	b.end(ctx, k, res, start)
	return r, k, res
}

// contents are what reading a resource yields, for the protocol.
func contents(r *resource, k *Call, uri string, res *Result) []result.Content {
	out := make([]result.Content, 0, len(res.Content))
	for i, c := range res.Content {
		one := result.Content{Type: result.TypeResource, URI: uri, Text: c.Text, Data: c.Data, MIME: c.MIME}
		if c.Type == result.TypeText {
			one.MIME = "text/plain"
			if i == 0 {
				one.MIME = textType(k.answer, c.Text)
			}
		}
		if i == 0 && r.plan.MIME != "" {
			one.MIME = r.plan.MIME
		}
		out = append(out, one)
	}
	return out
}

// textType is the media type of the text that an answer became.
func textType(a *upstream.Answer, text string) string {
	media := ""
	if a != nil {
		media, _, _ = strings.Cut(strings.ToLower(a.Header.Get("Content-Type")), ";")
		media = strings.TrimSpace(media)
	}
	trimmed := strings.TrimSpace(text)
	switch {
	case strings.HasSuffix(media, "html"):
		return "text/markdown"
	case trimmed != "" && (trimmed[0] == '{' || trimmed[0] == '[') && jsontext.Value(trimmed).IsValid(jsontext.AllowDuplicateNames(true)):
		return "application/json"
	case strings.HasPrefix(media, "text/"):
		return media
	}
	return "text/plain"
}

// prepare makes what a prompt needs, once.
func (p *prompt) prepare() error {
	p.ready.Do(func() {
		if p.input, p.broken = schema.CompileInput(&plan.Tool{Input: p.plan.Input, Formats: p.plan.Formats}); p.broken != nil {
			return
		}
		if p.rules, p.broken = compileRules(p.plan.Rules); p.broken != nil {
			return
		}
		for _, m := range p.plan.Messages {
			one := promptMessage{role: m.Role}
			x, to := m.Text, &one.text
			if x == nil {
				x, to = m.Resource, &one.resource
			}
			if x == nil {
				p.broken = fmt.Errorf("a message of prompt %s is empty", p.plan.Name)
				return
			}
			if *to, p.broken = expr.Compile(*x); p.broken != nil {
				return
			}
			if one.encoded, p.broken = expr.Compile(plan.Expr{Op: plan.OpCall, Name: "jsonencode", Args: []plan.Expr{*x}}); p.broken != nil {
				return
			}
			p.messages = append(p.messages, one)
		}
	})
	return p.broken
}

// message is a message of a prompt, filled in.
type message struct {
	role    string
	content result.Content
}

// prompted writes the messages of a prompt. A result says why that cannot be.
func (b *Bridge) prompted(ctx context.Context, who Principal, p *prompt, arguments []byte) ([]message, *Result) {
	k := &Call{Tool: p.plan.Name, Principal: who, tool: p.own, Arguments: arguments, counts: true, kind: observe.Prompt}
	ctx, start := b.begin(ctx, k)
	var out []message
	res := b.guard(ctx, k, func(ctx context.Context, k *Call) (bad *Result) {
		out, bad = b.fill(ctx, k, p)
		return bad
	})
	ended := res
	if ended == nil {
		ended = written(out)
	}
	b.end(ctx, k, ended, start)
	return out, res
}

// written is messages as a result, for the record of them.
func written(list []message) *Result {
	res := &Result{}
	for _, m := range list {
		res.Content = append(res.Content, m.content)
	}
	return res
}

// fill writes the messages of a prompt; call is the record of it.
func (b *Bridge) fill(ctx context.Context, call *Call, p *prompt) (out []message, bad *Result) {
	who := call.Principal
	anonymous := &tool{plan: &plan.Tool{Name: p.plan.Name}}
	if err := p.prepare(); err != nil {
		return nil, b.failure(ctx, anonymous, "plan", err)
	}
	given, err := p.arguments(call.Arguments)
	if err != nil {
		return nil, badArguments(sentence(err.Error()))
	}
	env := &expr.Env{Args: given.Values, Vars: map[string]any{}}
	size := 0 // of what the client gets
	if p.call != nil {
		call.Arguments = given.JSON()
		res := b.guard(ctx, call, b.checked)
		if res.IsError {
			return nil, res
		}
		env.Vars["response"] = response.Scope(call.answer, bodyOf(res))
	} else {
		k := call
		k.args = given
		if res := b.permitted(ctx, k, false); res != nil {
			return nil, res
		}
		problems := p.input.Check(given.Values)
		if problems == nil {
			problems = checkRules(p.rules, env)
		}
		if problems != nil {
			return nil, badArguments(describe(problems))
		}
		if res := b.permitted(ctx, k, true); res != nil {
			return nil, res
		}
		done, res := b.admit(ctx, k)
		if res != nil {
			return nil, res
		}
		defer func() { done(size) }()
	}
	for _, m := range p.messages {
		x := m.text
		if x == nil {
			x = m.resource
		}
		v, err := x(env)
		if err != nil {
			return nil, badArguments("A message of the prompt cannot be written: " + sentence(err.Error()))
		}
		text, ok := v.(string)
		if !ok {
			if v, err = m.encoded(env); err != nil {
				return nil, b.failure(ctx, anonymous, "prompt", err)
			}
			text, _ = v.(string)
		}
		if m.text != nil {
			out = append(out, message{m.role, result.Content{Type: result.TypeText, Text: text}})
			size += len(text)
		} else {
			r, k, res := b.read(ctx, who, text)
			switch {
			case r == nil:
				return nil, badArguments("A message of the prompt embeds " + strconv.Quote(text) + ", which is no resource of this server.")
			case res.IsError:
				return nil, res
			}
			for _, c := range contents(r, k, text, res) {
				// What a model can look at or listen to is that, not a file.
				switch media, _, _ := strings.Cut(c.MIME, "/"); {
				case c.Data != nil && media == "image":
					c.Type = result.TypeImage
				case c.Data != nil && media == "audio":
					c.Type = result.TypeAudio
				}
				out = append(out, message{m.role, c})
				size += len(c.Text) + len(c.Data)
			}
		}
		if size > maxPromptText {
			return nil, result.Error("too-large", fmt.Sprintf("The messages of the prompt are larger than %d bytes.", maxPromptText), "Ask for less, with other arguments.", result.RetryNo)
		}
	}
	return out, nil
}

// arguments reads the arguments of a prompt, which the protocol has as text.
func (p *prompt) arguments(text []byte) (args.Args, error) {
	given, err := args.Decode(text)
	if err != nil {
		return given, err
	}
	for name, v := range given.Values {
		if s, ok := v.(string); ok && !p.input.TakesText(name) {
			if err := given.Set(name, typedText(p.input, name, s)); err != nil {
				return given, fmt.Errorf("the argument %s: %w", name, err)
			}
		}
	}
	return given, nil
}

// bodyOf is the value that an answer became: JSON where it is that, and the text.
func bodyOf(res *Result) any {
	if len(res.Content) == 0 {
		return nil
	}
	text := strings.TrimSpace(res.Content[0].Text)
	for _, raw := range []string{text, string(res.Structured)} {
		if raw != "" {
			if v, err := args.Value([]byte(raw)); err == nil {
				return v
			}
		}
	}
	return res.Content[0].Text
}

// resourceScopes are the scopes that a resource wants of its reader.
func (b *Bridge) resourceScopes(uri string) []string {
	if r, _ := b.resourceOf(uri); r != nil {
		return r.plan.Call.Scopes
	}
	return nil
}

// ReadResource reads a resource for a client.
func (c caller) ReadResource(ctx context.Context, who Principal, uri string, e transport.Era, b []byte) ([]byte, *transport.Error) {
	if c.line.inFlight.Add(1) > c.maxCalls {
		c.line.inFlight.Add(-1)
		return b, busy()
	}
	defer c.line.inFlight.Add(-1)
	r, k, res := c.bridge.read(ctx, who, uri)
	if r == nil {
		return b, transport.NoResource(uri, e)
	}
	if res.IsError && res.Code == "http-404" {
		return b, transport.NoResource(uri, e).Recorded()
	}
	if res.IsError {
		return b, refusal(res)
	}
	b = append(b, '{')
	if e == transport.Modern {
		b = append(append(b, c.front.Complete()...), `,"ttlMs":0,"cacheScope":"private",`...)
	}
	b = append(b, `"contents":[`...)
	for i, one := range contents(r, k, uri, res) {
		if i > 0 {
			b = append(b, ',')
		}
		b = one.AppendResource(b)
	}
	return append(b, "]}"...), nil
}

// GetPrompt writes a prompt for a client.
func (c caller) GetPrompt(ctx context.Context, who Principal, name string, arguments []byte, e transport.Era, b []byte) ([]byte, *transport.Error) {
	p := c.bridge.prompts[name]
	if p == nil {
		return b, transport.NoPrompt(name)
	}
	if c.line.inFlight.Add(1) > c.maxCalls {
		c.line.inFlight.Add(-1)
		return b, busy()
	}
	defer c.line.inFlight.Add(-1)
	messages, bad := c.bridge.prompted(ctx, who, p, arguments)
	if bad != nil {
		return b, refusal(bad)
	}
	b = append(b, '{')
	if e == transport.Modern {
		b = append(append(b, c.front.Complete()...), ',')
	}
	if p.plan.Description != "" {
		b = append(result.AppendString(append(b, `"description":`...), p.plan.Description), ',')
	}
	b = append(b, `"messages":[`...)
	for i, m := range messages {
		if i > 0 {
			b = append(b, ',')
		}
		b = result.AppendString(append(b, `{"role":`...), m.role)
		b = append(m.content.Append(append(b, `,"content":`...)), '}')
	}
	return append(b, "]}"...), nil
}

// refusal is a result that is an error, for methods whose results cannot be one.
func refusal(res *Result) *transport.Error {
	text := "the call failed"
	if len(res.Content) > 0 {
		text = res.Content[0].Text
	}
	return transport.Failed(text, res.Code, res.Code == "invalid-arguments").Recorded()
}

func busy() *transport.Error {
	return transport.Failed("the server is working on as many calls as it takes at once; ask again in a second", "busy", false).Because("busy")
}
