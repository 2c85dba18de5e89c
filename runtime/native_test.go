package runtime

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/mcpc-dev/mcpc/runtime/plan"
)

// nativeCall calls get_book of a server on which f answers it.
func nativeCall(t *testing.T, wrap bool, h Handler, arguments string) (*Result, string) {
	t.Helper()
	p := library("http://127.0.0.1:1")
	p.Tools[0].Response = plan.Response{Wrap: wrap}
	var log logged
	b, err := NewBridge(p, Options{Logger: log.logger()})
	if err != nil {
		t.Fatal(err)
	}
	s, err := b.Server(map[string]Handler{"get_book": h})
	if err != nil {
		t.Fatal(err)
	}
	res, err := s.Call(t.Context(), Principal{}, "get_book", []byte(arguments))
	if err != nil {
		t.Fatal(err)
	}
	return res, log.String()
}

// A typed function gets its arguments as Go values and its answer becomes the
// result that a bridged call would have: as text, and as structured content.
func TestNative(t *testing.T) {
	res, log := nativeCall(t, false, Native(func(_ context.Context, in *bookIn) (*bookOut, error) {
		return &bookOut{ID: in.ID, Title: "Möbius & <Co>"}, nil
	}), `{"id":9007199254740993}`)
	const want = `{"id":9007199254740993,"title":"Möbius & <Co>"}`
	if res.IsError || text(res) != want || string(res.Structured) != want {
		t.Errorf("%q and %q", text(res), res.Structured)
	}
	if strings.Contains(log, "output schema") {
		t.Errorf("log:\n%s", log)
	}
}

// Where a bridged answer is wrapped because it is no object, so is a native one.
func TestNativeWraps(t *testing.T) {
	type list struct {
		Result []int `json:"result"`
	}
	res, _ := nativeCall(t, true, Native(func(context.Context, *bookIn) (*list, error) { return &list{[]int{1, 2}}, nil }), `{"id":1}`)
	if text(res) != `[1,2]` || string(res.Structured) != `{"result":[1,2]}` {
		t.Errorf("%q and %q", text(res), res.Structured)
	}
	res, _ = nativeCall(t, false, Native(func(context.Context, *bookIn) (*list, error) { return &list{[]int{1, 2}}, nil }), `{"id":1}`)
	if text(res) != `{"result":[1,2]}` {
		t.Errorf("not wrapped: %q", text(res))
	}
}

func TestNativeFails(t *testing.T) {
	type small struct {
		ID int8 `json:"id"`
	}
	called := false
	for _, tt := range []struct {
		name      string
		handler   Handler
		code      string
		text, log string
	}{
		// The schema allows what the type does not hold. The message says where, and
		// repeats neither the value nor the Go type.
		{"the arguments do not fit the type", Native(func(context.Context, *small) (*bookOut, error) { called = true; return nil, nil }), "invalid-arguments", ": id: a number does not fit here.", ""},
		{"nor that of an untyped answer", NativeResult(func(context.Context, *small) (*Result, error) { called = true; return nil, nil }), "invalid-arguments", ": id: a number does not fit here.", ""},
		{"no answer", Native(func(context.Context, *bookIn) (*bookOut, error) { return nil, nil }), "internal", "correlation", "neither a value nor an error"},
		{"no untyped answer", NativeResult(func(context.Context, *bookIn) (*Result, error) { return nil, nil }), "internal", "correlation", "neither"},
		{"an answer that is no JSON", Native(func(context.Context, *bookIn) (*func(), error) { f := func() {}; return &f, nil }), "internal", "correlation", "encode the answer"},
		{"an error", Native(func(context.Context, *bookIn) (*bookOut, error) { return nil, errors.New("the shelf is locked") }), "internal", "correlation", "shelf"},
		{"an error for the model", Native(func(context.Context, *bookIn) (*bookOut, error) {
			return nil, NewToolError("lent", "It is lent.", "", RetryNo)
		}), "lent", "It is lent.", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			res, log := nativeCall(t, false, tt.handler, `{"id":70000}`)
			if !res.IsError || res.Code != tt.code || !strings.Contains(text(res), tt.text) || strings.Contains(text(res), "70000") || strings.Contains(text(res), "int8") {
				t.Errorf("code %q: %s", res.Code, text(res))
			}
			if !strings.Contains(log, tt.log) {
				t.Errorf("log:\n%s", log)
			}
		})
	}
	if called {
		t.Error("a function was called with arguments that it does not hold")
	}
}

// Native answers are compared with the output schema as bridged ones are, and
// delivered either way.
func TestNativeAnswersAreObserved(t *testing.T) {
	type other struct {
		ISBN string `json:"isbn"`
	}
	res, log := nativeCall(t, false, Native(func(context.Context, *bookIn) (*other, error) { return &other{"0-201"}, nil }), `{"id":1}`)
	if res.IsError || text(res) != `{"isbn":"0-201"}` {
		t.Errorf("%q", text(res))
	}
	if !strings.Contains(log, "an answer breaks its output schema") || strings.Contains(log, "0-201") {
		t.Errorf("log:\n%s", log)
	}
}

// A tool called from typed code, and all that may be in the way.
func TestBridged(t *testing.T) {
	s := newShop(t, nil)
	out, err := Bridged[bookIn, bookOut](t.Context(), s.bridge, "get_book", &bookIn{ID: 7})
	if err != nil || *out != (bookOut{7, "A Book"}) {
		t.Fatalf("%+v, %v", out, err)
	}
	res, err := BridgedResult(t.Context(), s.bridge, "get_book", &bookIn{ID: 7})
	if err != nil || text(res) != `{"id":7,"title":"A Book"}` {
		t.Fatalf("%+v, %v", res, err)
	}
	var failed *ToolError
	if _, err = Bridged[bookIn, bookOut](t.Context(), s.bridge, "get_book", &bookIn{ID: 404}); !errors.As(err, &failed) || failed.Result.Code != "http-404" {
		t.Errorf("an error of the service: %v", err)
	}
	if _, err = Bridged[bookIn, bookOut](t.Context(), s.bridge, "get_book", nil); !errors.As(err, &failed) || failed.Result.Code != "invalid-arguments" {
		t.Errorf("arguments that are not allowed: %v", err)
	}
	if err.Error() != text(failed.Result) {
		t.Errorf("the error says %q", err)
	}
	if _, err = Bridged[bookIn, bookOut](t.Context(), s.bridge, "burn_book", &bookIn{ID: 7}); !errors.Is(err, ErrUnknownTool) {
		t.Errorf("an unknown tool: %v", err)
	}
	if _, err = Bridged[bookIn, bookOut](t.Context(), nil, "get_book", &bookIn{ID: 7}); err == nil || errors.As(err, &failed) {
		t.Errorf("no bridge: %v", err)
	}
	if _, err = Bridged[bookIn, struct {
		Title int `json:"title"`
	}](t.Context(), s.bridge, "get_book", &bookIn{ID: 7}); err == nil || err.Error() != "tool get_book: the answer does not fit its schema: title: a string does not fit here" {
		t.Errorf("an answer of another type: %v", err)
	}
	if _, err = Bridged[func(), bookOut](t.Context(), s.bridge, "get_book", new(func())); err == nil || !strings.Contains(err.Error(), "encode the arguments") {
		t.Errorf("arguments that are no JSON: %v", err)
	}
	texts := newServer(t, library("http://books.invalid"), Options{Transport: answering("plain text"), Getenv: env("SIGN", "seal-1")})
	if _, err = Bridged[struct{}, bookOut](t.Context(), texts.bridge, "signed", nil); err == nil || !strings.Contains(err.Error(), "the answer is not JSON") {
		t.Errorf("an answer that is no JSON: %v", err)
	}
}

// Errors for the model read as what it is told.
func ExampleNewToolError() {
	err := NewToolError("no-stock", "There are 3 pieces, not 5.", "Order at most 3.", RetryNo)
	fmt.Println(err)
	// Output:
	// There are 3 pieces, not 5.
	// Order at most 3.
	// Retrying the same call will not help.
}
