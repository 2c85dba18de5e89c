package runtime

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/mcpc-dev/mcpc/runtime/internal/progress"
	"github.com/mcpc-dev/mcpc/runtime/plan"
)

func constOf(json string) plan.Expr { return plan.Expr{Op: plan.OpConst, Const: json} }

func argOf(name string) plan.Expr { return plan.Expr{Op: plan.OpArg, Name: name} }

// pathOf is a reference such as step.order.lines.
func pathOf(path string) plan.Expr {
	names := strings.Split(path, ".")
	x := plan.Expr{Op: plan.OpVar, Name: names[0]}
	for _, n := range names[1:] {
		x = plan.Expr{Op: plan.OpGet, Name: n, Args: []plan.Expr{x}}
	}
	return x
}

// goodsPlan is a plan with get_order and get_item, an unsafe note_item, and the
// composite tool "whole" of the steps given.
func goodsPlan(base string, t plan.Tool) *plan.Server {
	get := func(name, method, path, arg string) plan.Tool {
		return plan.Tool{
			Name:    name,
			Input:   plan.Schema(fmt.Sprintf(`{"type":"object","properties":{%q:{"type":"string"}},"required":[%q],"additionalProperties":false}`, arg, arg)),
			Hints:   plan.Hints{ReadOnly: method == "GET", Idempotent: method == "GET"},
			Request: plan.Request{Upstream: "shop", Method: method, Path: []plan.Segment{{Literal: path}, {Param: &plan.Param{Name: arg, Arg: arg, Style: plan.Simple, Required: true}}}},
		}
	}
	t.Name, t.Input = "whole", `{"type":"object","properties":{"id":{"type":"string"},"n":{"type":"integer"}}}`
	for i := range t.Steps {
		s := &t.Steps[i]
		s.Parallel, s.Max = max(s.Parallel, 1), max(s.Max, 0)
		if s.Max == 0 {
			s.Max = 100
		}
		if s.OnError == "" {
			s.OnError = plan.OnErrorFail
		}
	}
	return &plan.Server{
		Name:      "shop",
		Upstreams: []plan.Upstream{{Name: "shop", BaseURL: base, Timeout: 20 * time.Second, Retry: plan.Retry{Attempts: 1}}},
		Tools:     []plan.Tool{get("get_order", "GET", "/orders/", "id"), get("get_item", "GET", "/items/", "sku"), get("note_item", "POST", "/notes/", "sku"), t},
	}
}

func orderStep() plan.Step {
	return plan.Step{Name: "order", Tool: "get_order", Args: []plan.StepArg{{Name: "id", Value: argOf("id")}}}
}

func itemsStep(tool string) plan.Step {
	each, lines := pathOf("each.value.sku"), pathOf("step.order.lines")
	return plan.Step{Name: "items", Tool: tool, ForEach: &lines, Args: []plan.StepArg{{Name: "sku", Value: each}}}
}

// goods serves an order of as many lines as its id says, and their items. Items
// whose sku begins with "bad" do not exist.
func goods(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	kind, id, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
	switch {
	case kind == "orders" && id == "none":
		w.WriteHeader(204)
	case kind == "orders":
		var n int
		_, _ = fmt.Sscan(id, &n)
		var lines []string
		for i := range n {
			lines = append(lines, fmt.Sprintf(`{"sku":"s%d"}`, i))
		}
		fmt.Fprintf(w, `{"id":%q,"total":9007199254740993,"lines":[%s]}`, id, strings.Join(lines, ","))
	case strings.HasPrefix(id, "bad"):
		w.WriteHeader(404)
		_, _ = io.WriteString(w, `{"message":"no such item"}`)
	default:
		fmt.Fprintf(w, `{"sku":%q,"price":1.50}`, id)
	}
}

func callWhole(t testing.TB, s *Server, args string) *Result {
	t.Helper()
	res, err := s.Call(t.Context(), Principal{}, "whole", []byte(args))
	if err != nil {
		t.Fatal(err)
	}
	return res
}

func TestSteps(t *testing.T) {
	base := upstreamOf(t, goods)
	object := func(pairs ...any) *plan.Expr {
		x := &plan.Expr{Op: plan.OpObject}
		for i := 0; i < len(pairs); i += 2 {
			x.Args = append(x.Args, constOf(fmt.Sprintf("%q", pairs[i])), pairs[i+1].(plan.Expr))
		}
		return x
	}
	with := func(s plan.Step, change func(*plan.Step)) plan.Step { change(&s); return s }
	list := func(skus ...string) *plan.Expr {
		x := constOf(`["` + strings.Join(skus, `","`) + `"]`)
		return &x
	}
	mixed := func(on plan.OnError) plan.Step {
		return plan.Step{Name: "items", Tool: "get_item", ForEach: list("a", "bad", "c", "bad2"), OnError: on, Args: []plan.StepArg{{Name: "sku", Value: pathOf("each.value")}}}
	}
	never, isB := constOf("false"), plan.Expr{Op: plan.OpCall, Name: "!=", Args: []plan.Expr{pathOf("each.value"), constOf(`"b"`)}}
	for _, c := range []struct {
		name string
		tool plan.Tool
		args string
		want string // structured content, or text
		more string // of the last block, "" when there is one
	}{
		{"the last step's own bytes", plan.Tool{Steps: []plan.Step{orderStep()}}, `{"id":"1"}`, `{"id":"1","total":9007199254740993,"lines":[{"sku":"s0"}]}`, ""},
		{"a list of what came", plan.Tool{Steps: []plan.Step{orderStep(), itemsStep("get_item")}}, `{"id":"2"}`, `[{"price":1.50,"sku":"s0"},{"price":1.50,"sku":"s1"}]`, ""},
		{"in order, though parallel", plan.Tool{Steps: []plan.Step{orderStep(), with(itemsStep("get_item"), func(s *plan.Step) { s.Parallel, s.JQ = 8, ".sku" })}}, `{"id":"12"}`,
			`["s0","s1","s2","s3","s4","s5","s6","s7","s8","s9","s10","s11"]`, ""},
		{"null has no elements", plan.Tool{Steps: []plan.Step{orderStep(), itemsStep("get_item")}}, `{"id":"none"}`, `[]`, ""},
		{"an output", plan.Tool{Steps: []plan.Step{orderStep()}, Result: object("id", argOf("id"), "n", argOf("n"), "total", pathOf("step.order.total"), "x", pathOf("step.order.x.y"))}, `{"id":"0"}`,
			`{"id":"0","n":null,"total":9007199254740993,"x":null}`, ""},
		{"jq, digits kept", plan.Tool{Steps: []plan.Step{with(orderStep(), func(s *plan.Step) { s.JQ = "{t: .total, n: (.lines | length)}" })}}, `{"id":"3"}`, `{"n":3,"t":9007199254740993}`, ""},
		{"jq yields nothing", plan.Tool{Steps: []plan.Step{with(orderStep(), func(s *plan.Step) { s.JQ = "empty" })}}, `{"id":"3"}`, `null`, ""},
		{"a step that is not run", plan.Tool{Steps: []plan.Step{with(orderStep(), func(s *plan.Step) { s.When = &never })}}, `{"id":"3"}`, `null`, ""},
		{"elements that are not run", plan.Tool{Steps: []plan.Step{{Name: "i", Tool: "get_item", ForEach: list("a", "b", "c"), When: &isB, JQ: ".sku", Args: []plan.StepArg{{Name: "sku", Value: pathOf("each.value")}}}}}, `{}`, `["a","c"]`, ""},
		{"keys of an object", plan.Tool{Steps: []plan.Step{{Name: "i", Tool: "get_item", ForEach: object("b", constOf("1"), "a", constOf("2")), JQ: ".sku",
			Args: []plan.StepArg{{Name: "sku", Value: plan.Expr{Op: plan.OpTemplate, Args: []plan.Expr{pathOf("each.key"), pathOf("each.value"), pathOf("each.index")}}}}}}}, `{}`, `["a20","b11"]`, ""},
		{"failures left out", plan.Tool{Steps: []plan.Step{mixed(plan.OnErrorSkip)}}, `{}`, `[{"price":1.50,"sku":"a"},{"price":1.50,"sku":"c"}]`,
			`Step "items": 2 of 4 elements failed; left out. HTTP 404 Not Found from GET /items/{sku}.`},
		{"failures as null", plan.Tool{Steps: []plan.Step{mixed(plan.OnErrorNull)}}, `{}`, `[{"price":1.50,"sku":"a"},null,{"price":1.50,"sku":"c"},null]`,
			`Step "items": 2 of 4 elements failed; null in their place. HTTP 404`},
		{"one failure as null", plan.Tool{Steps: []plan.Step{{Name: "i", Tool: "get_item", OnError: plan.OnErrorSkip, Args: []plan.StepArg{{Name: "sku", Value: constOf(`"bad"`)}}}}}, `{}`, `null`,
			`Step "i": the call failed; null stands for it. HTTP 404`},
		{"wrapped", plan.Tool{Steps: []plan.Step{orderStep(), itemsStep("get_item")}, Response: plan.Response{Wrap: true}}, `{"id":"1"}`, `{"result":[{"price":1.50,"sku":"s0"}]}`, ""},
		{"a null argument is not given", plan.Tool{Steps: []plan.Step{{Name: "o", Tool: "get_order", Args: []plan.StepArg{{Name: "id", Value: constOf(`"0"`)}, {Name: "sku", Value: argOf("n")}}}}}, `{}`, `{"id":"0","total":9007199254740993,"lines":[]}`, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			res := callWhole(t, newServer(t, goodsPlan(base, c.tool), Options{}), c.args)
			if res.IsError {
				t.Fatal(text(res))
			}
			got := string(res.Structured)
			if got == "" {
				got = text(res)
			}
			if got != c.want {
				t.Errorf("got\n%s\nwant\n%s", got, c.want)
			}
			last := ""
			if n := len(res.Content); n > 1 {
				last = res.Content[n-1].Text
			}
			if !strings.HasPrefix(last, c.more) || (last == "") != (c.more == "") {
				t.Errorf("beside it %q, want %q", last, c.more)
			}
		})
	}
}

// A failure says what was done before, and whether a retry repeats that.
func TestStepsFail(t *testing.T) {
	base := upstreamOf(t, goods)
	three := constOf(`["a","bad","c"]`)
	value := []plan.StepArg{{Name: "sku", Value: pathOf("each.value")}}
	note := plan.Step{Name: "note", Tool: "note_item", Args: []plan.StepArg{{Name: "sku", Value: constOf(`"x"`)}}}
	text1 := constOf(`"text"`)
	down := plan.Step{Name: "late", Tool: "get_item", Args: []plan.StepArg{{Name: "sku", Value: constOf(`"slow"`)}}}
	for _, c := range []struct {
		name  string
		steps []plan.Step
		args  string
		code  string
		retry Retry
		want  string
	}{
		{"the first step", []plan.Step{{Name: "i", Tool: "get_item", Args: []plan.StepArg{{Name: "sku", Value: constOf(`"bad"`)}}}}, `{}`, "http-404", RetryNo,
			"Step \"i\" failed: HTTP 404 Not Found from GET /items/{sku}.\n{\"message\":\"no such item\"}\nCheck the identifiers in the arguments: what they name does not exist, or is not visible with the server's credentials.\nRetrying the same call will not help."},
		{"an element", []plan.Step{orderStep(), {Name: "items", Tool: "get_item", ForEach: &three, Args: value}}, `{"id":"1"}`, "http-404", RetryNo,
			"Steps done: order, items (1 of 3 elements).\nRetrying the same call will not help."},
		{"after a change", []plan.Step{note, {Name: "items", Tool: "get_item", ForEach: &three, Args: value}}, `{}`, "http-404", RetryNo, "Steps done: note, items (1 of 3 elements). What they changed stays changed."},
		{"arguments of a step", []plan.Step{orderStep(), {Name: "i", Tool: "get_item", Args: []plan.StepArg{{Name: "sku", Value: argOf("n")}}}}, `{"id":"0","n":3}`, "invalid-arguments", RetryNo,
			"Step \"i\" failed: The arguments are not valid: sku must be a string, not 3\nSteps done: order.\nRetrying the same call will not help."},
		{"an expression", []plan.Step{orderStep(), {Name: "i", Tool: "get_item", Args: []plan.StepArg{{Name: "sku", Value: plan.Expr{Op: plan.OpTemplate, Args: []plan.Expr{pathOf("step.order.nothing")}}}}}}, `{"id":"0"}`, "step-value", RetryNo,
			`Step "i" failed: Its call cannot be made: member "nothing" is needed in a text but is not given.`},
		{"for_each over text", []plan.Step{{Name: "i", Tool: "get_item", ForEach: &text1, Args: value}}, `{}`, "step-value", RetryNo, `Step "i" cannot be made: for_each is a text, and needs a list or an object.`},
		{"too many", []plan.Step{orderStep(), func() plan.Step { s := itemsStep("get_item"); s.Max = 2; return s }()}, `{"id":"3"}`, "too-many-elements", RetryNo,
			`Step "items" has 3 elements, and no more than 2 are worked on in one call.`},
		{"jq", []plan.Step{func() plan.Step { s := orderStep(); s.JQ = ".id + 1"; return s }()}, `{"id":"3"}`, "step-value", RetryNo, `What tool "get_order" answered cannot be used: Jq: cannot add`},
		{"the time is up", []plan.Step{note, down}, `{}`, "timeout", RetryCheck, "The tool did not finish within 300ms; it was in step \"late\".\nSteps done: note. What they changed stays changed."},
	} {
		t.Run(c.name, func(t *testing.T) {
			tool := plan.Tool{Steps: c.steps}
			at := base
			if c.code == "timeout" {
				tool.Timeout = 300 * time.Millisecond
				at = upstreamOf(t, func(w http.ResponseWriter, r *http.Request) {
					if strings.HasSuffix(r.URL.Path, "/slow") {
						<-r.Context().Done()
						return
					}
					goods(w, r)
				})
			}
			res := callWhole(t, newServer(t, goodsPlan(at, tool), Options{}), c.args)
			if !res.IsError || res.Code != c.code || res.Retry != c.retry || !strings.Contains(text(res), c.want) {
				t.Errorf("%s, retry %d:\n%s\nwant %s, retry %d:\n%s", res.Code, res.Retry, text(res), c.code, c.retry, c.want)
			}
		})
	}
}

// At most as many elements at a time as the step says, and no goroutine is left
// when one of them fails or the caller goes away.
func TestStepsParallel(t *testing.T) {
	var now, most atomic.Int32
	var fail atomic.Bool
	arrived, four := make(chan struct{}, 100), make(chan struct{})
	base := upstreamOf(t, func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, "/orders/") {
			goods(w, r)
			return
		}
		n := now.Add(1)
		defer now.Add(-1)
		for {
			m := most.Load()
			if n <= m {
				break
			}
			if most.CompareAndSwap(m, n) {
				if n == 4 {
					close(four)
				}
				break
			}
		}
		arrived <- struct{}{}
		if r.URL.Path == "/items/s2" && fail.Load() {
			<-four
			w.WriteHeader(500)
			return
		}
		if fail.Load() || strings.HasPrefix(r.URL.Path, "/items/s1") {
			<-r.Context().Done() // until the caller gives up
			return
		}
		goods(w, r)
	})
	items := itemsStep("get_item")
	items.Parallel = 4
	s := newServer(t, goodsPlan(base, plan.Tool{Steps: []plan.Step{orderStep(), items}}), Options{})

	before := runtime.NumGoroutine()
	fail.Store(true)
	res := callWhole(t, s, `{"id":"8"}`)
	if res.Code != "http-500" || !strings.Contains(text(res), `Step "items" (element 3 of 8) failed`) {
		t.Errorf("%s: %s", res.Code, text(res))
	}
	if m := most.Load(); m != 4 {
		t.Errorf("%d at a time, want 4", m)
	}

	fail.Store(false)
	for len(arrived) > 0 {
		<-arrived
	}
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		for range 3 {
			<-arrived
		}
		cancel()
	}()
	res, err := s.Call(ctx, Principal{}, "whole", []byte(`{"id":"8"}`))
	if err != nil || res.Code != "canceled" || !strings.Contains(text(res), `The call was canceled in step "items"`) || !strings.Contains(text(res), "Steps done: order") {
		t.Errorf("%v %s: %s", err, res.Code, text(res))
	}
	// Those of idle connections come and go; ours would be four, and stay.
	for i := 0; runtime.NumGoroutine() > before+4 && i < 1000; i++ {
		runtime.Gosched()
		time.Sleep(time.Millisecond)
	}
	buf := make([]byte, 1<<20)
	if stacks := string(buf[:runtime.Stack(buf, true)]); strings.Contains(stacks, "(*composition)") {
		t.Errorf("a goroutine is left:\n%s", stacks)
	}
}

// Steps go the way of the call they belong to: through the middleware and to
// native code when a server was called, bridged when a bridge was.
func TestStepsCallNative(t *testing.T) {
	base := upstreamOf(t, goods)
	var mu sync.Mutex
	var through []string
	watch := func(next Handler) Handler {
		return func(ctx context.Context, c *Call) (*Result, error) {
			mu.Lock()
			through = append(through, c.Tool+" "+PrincipalOf(ctx).Subject)
			mu.Unlock()
			return next(ctx, c)
		}
	}
	b, err := NewBridge(goodsPlan(base, plan.Tool{Steps: []plan.Step{orderStep(), itemsStep("get_item")}}), Options{Middleware: []Middleware{watch}})
	if err != nil {
		t.Fatal(err)
	}
	s, err := b.Server(map[string]Handler{"get_item": func(_ context.Context, c *Call) (*Result, error) {
		if string(c.Arguments) == `{"sku":"s1"}` {
			return nil, NewToolError("no-stock", "There is none.", "", RetryMay)
		}
		return Text("native " + string(c.Arguments)), nil
	}})
	if err != nil {
		t.Fatal(err)
	}
	who := Principal{Subject: "ann"}
	res, err := s.Call(t.Context(), who, "whole", []byte(`{"id":"1"}`))
	if err != nil || text(res) != `["native {\"sku\":\"s0\"}"]` {
		t.Errorf("%v %s", err, text(res))
	}
	if want := []string{"whole ann", "get_order ann", "get_item ann"}; !slices.Equal(through, want) {
		t.Errorf("the middleware saw %q, want %q", through, want)
	}
	if res, _ = s.Call(t.Context(), who, "whole", []byte(`{"id":"2"}`)); res.Code != "no-stock" || res.Retry != RetryMay {
		t.Errorf("%s %v: %s", res.Code, res.Retry, text(res))
	}
	if res, err = b.Call(t.Context(), who, "whole", []byte(`{"id":"1"}`)); err != nil || text(res) != `[{"price":1.50,"sku":"s0"}]` {
		t.Errorf("%v %s", err, text(res))
	}
}

// Progress counts calls; those within a step that is composite itself do not.
func TestStepsProgress(t *testing.T) {
	base := upstreamOf(t, goods)
	p := goodsPlan(base, plan.Tool{Steps: []plan.Step{orderStep(), itemsStep("get_item")}})
	p.Tools = append(p.Tools, plan.Tool{Name: "outer", Input: `{"type":"object"}`, Steps: []plan.Step{{Name: "a", Tool: "whole", Args: []plan.StepArg{{Name: "id", Value: constOf(`"3"`)}}, Parallel: 1, Max: 1}}})
	s := newServer(t, p, Options{})
	var notes []string
	ctx := progress.With(t.Context(), func(n progress.Note) { notes = append(notes, fmt.Sprintf("%d/%d %s", n.Done, n.Total, n.Message)) })
	if _, err := s.Call(ctx, Principal{}, "whole", []byte(`{"id":"2"}`)); err != nil {
		t.Fatal(err)
	}
	if want := []string{"0/2 ", "1/2 step order", "2/3 step items, 1 of 2", "3/3 step items, 2 of 2"}; !slices.Equal(notes, want) {
		t.Errorf("got %q, want %q", notes, want)
	}
	notes = nil
	if _, err := s.Call(ctx, Principal{}, "outer", nil); err != nil {
		t.Fatal(err)
	}
	if want := []string{"0/1 ", "1/1 step a"}; !slices.Equal(notes, want) {
		t.Errorf("got %q, want %q", notes, want)
	}
}

func TestInternalTools(t *testing.T) {
	p := goodsPlan(upstreamOf(t, goods), plan.Tool{Steps: []plan.Step{orderStep()}})
	p.Tools[0].Internal = true
	s := newServer(t, p, Options{})
	if _, err := s.Call(t.Context(), Principal{}, "get_order", []byte(`{"id":"1"}`)); !errors.Is(err, ErrUnknownTool) {
		t.Errorf("a client can call an internal tool: %v", err)
	}
	if res := callWhole(t, s, `{"id":"1"}`); res.IsError {
		t.Error(text(res))
	}
	e, err := s.Explain("whole", []byte(`{"id":"1"}`))
	if err != nil || !reflect.DeepEqual(e.Steps, p.Tools[3].Steps) {
		t.Errorf("%+v, %v", e, err)
	}
}

func TestStepsOfABadPlan(t *testing.T) {
	for _, c := range []struct {
		step plan.Step
		want string
	}{
		{plan.Step{Name: "a", Tool: "nothing"}, `tool whole: step a calls unknown tool "nothing"`},
		{plan.Step{Name: "a", Tool: "whole"}, "tool whole calls itself"},
	} {
		if _, err := New(goodsPlan("http://x.example", plan.Tool{Steps: []plan.Step{c.step}}), Options{}); err == nil || err.Error() != c.want {
			t.Errorf("%v, want %s", err, c.want)
		}
	}
}

// What the steps hold is bounded, however many there are.
func TestStepsTooLarge(t *testing.T) {
	big := `{"x":"` + strings.Repeat("x", 3<<20) + `"}`
	base := upstreamOf(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, big)
	})
	eight := constOf(`["1","2","3","4","5","6","7","8"]`)
	s := newServer(t, goodsPlan(base, plan.Tool{Steps: []plan.Step{{Name: "i", Tool: "get_item", ForEach: &eight, Args: []plan.StepArg{{Name: "sku", Value: pathOf("each.value")}}}}}), Options{})
	if res := callWhole(t, s, `{}`); res.Code != "too-large" {
		t.Errorf("%s: %.200s", res.Code, text(res))
	}
}

type instant struct{}

func (instant) RoundTrip(r *http.Request) (*http.Response, error) {
	body := `{"sku":"a","price":1.50}`
	if strings.HasPrefix(r.URL.Path, "/orders/") {
		body = `{"id":"1","lines":[{"sku":"s0"}]}`
	}
	return &http.Response{StatusCode: 200, Header: http.Header{"Content-Type": {"application/json"}}, Body: io.NopCloser(strings.NewReader(body)), ContentLength: int64(len(body)), Request: r}, nil
}

// BenchmarkSteps compares a tool of three steps with its three calls.
func BenchmarkSteps(b *testing.B) {
	second := plan.Step{Name: "item", Tool: "get_item", Args: []plan.StepArg{{Name: "sku", Value: pathOf("step.order.id")}}}
	third := plan.Step{Name: "other", Tool: "get_item", Args: []plan.StepArg{{Name: "sku", Value: pathOf("step.item.sku")}}}
	s := newServer(b, goodsPlan("http://shop.example", plan.Tool{Steps: []plan.Step{orderStep(), second, third}}), Options{Transport: instant{}})
	b.Run("composite", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			callWhole(b, s, `{"id":"1"}`)
		}
	})
	b.Run("calls", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			for _, c := range [][2]string{{"get_order", `{"id":"1"}`}, {"get_item", `{"sku":"1"}`}, {"get_item", `{"sku":"a"}`}} {
				res, err := s.Call(b.Context(), Principal{}, c[0], []byte(c[1]))
				if err != nil || res.IsError {
					b.Fatal(err)
				}
				var v any
				if err := json.Unmarshal(res.Structured, &v); err != nil { // who calls has to read it
					b.Fatal(err)
				}
			}
		}
	})
}

// A person is asked before the first step, for all of them, and never between.
func TestStepsConfirm(t *testing.T) {
	var sent atomic.Int32
	base := upstreamOf(t, func(w http.ResponseWriter, r *http.Request) { sent.Add(1); goods(w, r) })
	question := constOf(`"Note it?"`)
	note := plan.Step{Name: "note", Tool: "note_item", Args: []plan.StepArg{{Name: "sku", Value: constOf(`"x"`)}}}
	p := goodsPlan(base, plan.Tool{Confirm: &question, Steps: []plan.Step{orderStep(), note}})
	p.Tools[2].Confirm = &question
	astray := func(next Handler) Handler {
		return func(ctx context.Context, c *Call) (*Result, error) {
			if c.Tool == "get_item" {
				c.Tool, c.Arguments = "note_item", []byte(`{"sku":"x"}`)
			}
			return next(ctx, c)
		}
	}
	for _, yes := range []bool{true, false} {
		sent.Store(0)
		asked := 0
		ctx := WithConfirmation(t.Context(), func(context.Context, string) (bool, error) { asked++; return yes, nil })
		res, err := newServer(t, p, Options{}).Call(ctx, Principal{}, "whole", []byte(`{"id":"1"}`))
		if err != nil || res.IsError == yes || asked != 1 || (sent.Load() == 2) != yes || (sent.Load() == 0) == yes {
			t.Errorf("%v: %v, asked %d times, %d requests: %s", yes, err, asked, sent.Load(), text(res))
		}
	}

	p = goodsPlan(base, plan.Tool{Steps: []plan.Step{{Name: "a", Tool: "get_item", Args: note.Args}}})
	p.Tools[2].Confirm = &question
	ctx := WithConfirmation(t.Context(), func(context.Context, string) (bool, error) { t.Error("asked between steps"); return true, nil })
	if res, err := newServer(t, p, Options{Middleware: []Middleware{astray}}).Call(ctx, Principal{}, "whole", nil); err != nil || res.Code != "confirmation" {
		t.Errorf("%v: %s", err, text(res))
	}
	p.Tools[3].Steps[0].Tool = "note_item"
	if _, err := New(p, Options{}); err == nil || !strings.Contains(err.Error(), "asks a person first") {
		t.Error(err)
	}
}
