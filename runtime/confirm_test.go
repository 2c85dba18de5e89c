package runtime

import (
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/mcpc-dev/mcpc/runtime/plan"
)

// asking is a server whose tool cancel wants a person's word, and the number of
// requests its upstream got.
func asking(t *testing.T) (*Server, *atomic.Int64) {
	t.Helper()
	var sent atomic.Int64
	base := upstreamOf(t, func(w http.ResponseWriter, _ *http.Request) {
		sent.Add(1)
		w.WriteHeader(http.StatusNoContent)
	})
	p := library(base)
	p.Tools = append(p.Tools, plan.Tool{
		Name: "cancel", Description: "Cancels.",
		Input: `{"type":"object","properties":{"id":{"type":"integer"},"why":{"type":"string"}},"required":["id"]}`,
		Request: plan.Request{Upstream: "books", Method: "DELETE", Path: []plan.Segment{{Literal: "/books/"},
			{Param: &plan.Param{Name: "id", Arg: "id", Style: plan.Simple, Required: true}}}},
		Confirm: &plan.Expr{Op: plan.OpTemplate, Args: []plan.Expr{{Op: plan.OpConst, Const: `"Cancel "`}, {Op: plan.OpArg, Name: "id"}, {Op: plan.OpConst, Const: `"?"`}}},
	})
	s, err := New(p, Options{})
	if err != nil {
		t.Fatal(err)
	}
	return s, &sent
}

// modern is a call of revision 2026-07-28; more are further members of params.
func modern(capabilities, arguments, more string) string {
	return `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"cancel","arguments":` + arguments + more +
		`,"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":` + capabilities + `}}}`
}

type confirmAnswer struct {
	Result struct {
		ResultType    string
		IsError       bool
		RequestState  string
		InputRequests map[string]struct {
			Method string
			Params struct{ Mode, Message string }
		}
		Content []struct{ Text string }
		Meta    map[string]json.RawMessage `json:"_meta"`
	}
}

func TestConfirmModern(t *testing.T) {
	s, sent := asking(t)
	web := httptest.NewServer(s.Handler())
	defer web.Close()
	post := func(body string) confirmAnswer {
		t.Helper()
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, web.URL+"/mcp", strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		for k, v := range map[string]string{"Content-Type": "application/json", "Accept": "application/json, text/event-stream", "MCP-Protocol-Version": "2026-07-28", "Mcp-Method": "tools/call", "Mcp-Name": "cancel"} {
			r.Header.Set(k, v)
		}
		res, err := web.Client().Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		text, err := io.ReadAll(res.Body)
		if err != nil {
			t.Fatal(err)
		}
		var a confirmAnswer
		if err := json.Unmarshal(text, &a); err != nil {
			t.Fatalf("%v: %s", err, text)
		}
		return a
	}
	const able = `{"elicitation":{}}`
	ask := func() string {
		t.Helper()
		a := post(modern(able, `{"id":9007199254740993,"why":"x"}`, ""))
		q := a.Result.InputRequests["confirm"]
		if a.Result.ResultType != "input_required" || q.Method != "elicitation/create" || q.Params.Message != "Cancel 9007199254740993?" || q.Params.Mode != "form" || a.Result.RequestState == "" {
			t.Fatalf("%+v", a)
		}
		if a.Result.Meta["io.modelcontextprotocol/serverInfo"] == nil {
			t.Errorf("no server info: %v", a.Result.Meta)
		}
		return a.Result.RequestState
	}
	with := func(state, action string) string {
		return `,"requestState":"` + state + `","inputResponses":{"confirm":{"action":"` + action + `"}}`
	}
	refused := func(a confirmAnswer, want string) {
		t.Helper()
		if !a.Result.IsError || a.Result.ResultType != "complete" || !strings.Contains(a.Result.Content[0].Text, want) {
			t.Errorf("%+v does not say %q", a, want)
		}
	}

	// Who cannot be asked has not agreed.
	refused(post(modern(`{}`, `{"id":1}`, "")), "this client cannot ask")
	refused(post(modern(`{"elicitation":{"url":{}}}`, `{"id":1}`, "")), "this client cannot ask")
	// Arguments are checked before anybody is bothered.
	refused(post(modern(able, `{"id":"x"}`, "")), "not valid")

	refused(post(modern(able, `{"id":9007199254740993,"why":"x"}`, with(ask(), "decline"))), "did not agree")
	refused(post(modern(able, `{"id":9007199254740993,"why":"x"}`, with(ask(), "cancel"))), "did not agree")
	refused(post(modern(able, `{"id":9007199254740993,"why":"x"}`, `,"requestState":"`+ask()+`"`)), "the answer is missing")
	refused(post(modern(able, `{"id":9007199254740993,"why":"x"}`, with("AAAA", "accept"))), "another question")
	// An answer that says two things, or not in the words of the protocol, is none.
	for answer, want := range map[string]string{
		`{"confirm":{"Action":"accept"}}`:                    "did not agree",
		`{"confirm":{"action":"decline","ACTION":"accept"}}`: "did not agree",
		`{"confirm":{"action":["accept"]}}`:                  "did not agree",
		`{"confirm":true}`:                                   "did not agree",
		`{"Confirm":{"action":"accept"}}`:                    "the answer is missing",
		`{"confirm":null}`:                                   "did not agree",
		`["accept"]`:                                         "the answer is missing",
	} {
		refused(post(modern(able, `{"id":9007199254740993,"why":"x"}`, `,"requestState":"`+ask()+`","inputResponses":`+answer)), want)
	}
	refused(post(modern(`{"Elicitation":{}}`, `{"id":1}`, "")), "this client cannot ask")
	// An agreement is to these arguments, to the last digit.
	refused(post(modern(able, `{"id":9007199254740992,"why":"x"}`, with(ask(), "accept"))), "another question")
	refused(post(modern(able, `{"id":9007199254740993,"why":"y"}`, with(ask(), "accept"))), "another question")
	if n := sent.Load(); n != 0 {
		t.Fatalf("%d requests without an agreement", n)
	}

	state := ask()
	// The order of members and white space are the client's affair.
	if a := post(modern(able, `{ "why":"x", "id":9007199254740993 }`, with(state, "accept"))); a.Result.IsError || sent.Load() != 1 {
		t.Errorf("agreed, and %d requests: %+v", sent.Load(), a)
	}
	refused(post(modern(able, `{"id":9007199254740993,"why":"x"}`, with(state, "accept"))), "used before")
	if n := sent.Load(); n != 1 {
		t.Errorf("%d requests for one agreement", n)
	}
}

// What one caller agreed to is no agreement of another's, though he knows all of
// it; who may not call is not asked; and nobody is over HTTP before 2026-07-28, where a
// server without sessions has no way to.
func TestConfirmIsTheCallers(t *testing.T) {
	s, sent := asking(t)
	p := *s.bridge.plan
	key := func(name string) plan.APIKey {
		hash := sha256.Sum256([]byte(name + "-key"))
		return plan.APIKey{Name: name, Hash: hex.EncodeToString(hash[:])}
	}
	p.Identities = []plan.Identity{{Name: "machines", Keys: &plan.APIKeys{Header: "X-Api-Key", Keys: []plan.APIKey{key("alice"), key("bob"), key("carl")}}}}
	carl := plan.Expr{Op: plan.OpCall, Name: "==", Args: []plan.Expr{pathOf("caller.subject"), constOf(`"carl"`)}}
	p.Policy = &plan.Policy{Rules: []plan.PolicyRule{{Name: "all"}, {Name: "not carl", Deny: true, When: &carl}}}
	s, err := New(&p, Options{Getenv: env("LIBRARY_TOKEN", "t"), ReadFile: noFile})
	if err != nil {
		t.Fatal(err)
	}
	web := httptest.NewServer(s.Handler())
	defer web.Close()
	post := func(who, version, body string) (a confirmAnswer) {
		t.Helper()
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, web.URL+"/mcp", strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		for k, v := range map[string]string{"Content-Type": "application/json", "Accept": "application/json, text/event-stream", "MCP-Protocol-Version": version, "Mcp-Method": "tools/call", "Mcp-Name": "cancel", "X-Api-Key": who + "-key"} {
			r.Header.Set(k, v)
		}
		res, err := web.Client().Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		if err := json.NewDecoder(res.Body).Decode(&a); err != nil {
			t.Fatal(err)
		}
		return a
	}
	const able, arguments = `{"elicitation":{}}`, `{"id":5,"why":"x"}`
	state := post("alice", "2026-07-28", modern(able, arguments, "")).Result.RequestState
	agreed := modern(able, arguments, `,"requestState":"`+state+`","inputResponses":{"confirm":{"action":"accept"}}`)
	if a := post("bob", "2026-07-28", agreed); state == "" || !a.Result.IsError || !strings.Contains(a.Result.Content[0].Text, "another question") {
		t.Errorf("bob with alice's agreement %q: %+v", state, a)
	}
	if a := post("carl", "2026-07-28", modern(able, arguments, "")); a.Result.RequestState != "" || !a.Result.IsError || !strings.Contains(a.Result.Content[0].Text, `"not carl"`) {
		t.Errorf("carl is asked: %+v", a)
	}
	for _, version := range []string{"2025-03-26", "2025-11-25"} {
		a := post("alice", version, `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"cancel","arguments":`+arguments+`}}`)
		if !a.Result.IsError || !strings.Contains(a.Result.Content[0].Text, "cannot ask") {
			t.Errorf("%s: %+v", version, a)
		}
	}
	if n := sent.Load(); n != 0 {
		t.Errorf("%d requests without an agreement", n)
	}
	if a := post("alice", "2026-07-28", agreed); a.Result.IsError || sent.Load() != 1 {
		t.Errorf("alice, who agreed: %d requests, %+v", sent.Load(), a)
	}
}

// An older client on stdio is asked while its call waits.
func TestConfirmLegacyStdio(t *testing.T) {
	for action, want := range map[string]string{
		`"result":{"action":"accept","content":{}}`: "Done",
		`"result":{"action":"decline"}`:             "did not agree",
		`"result":{"action":"cancel"}`:              "did not agree",
		`"result":"yes"`:                            "did not agree",
		`"result":{"Action":"accept"}`:              "did not agree",
		`"error":{"code":-1,"message":"no"}`:        "cannot ask",
	} {
		s, sent := asking(t)
		lines := stdioOf(t, s, `{"elicitation":{}}`)
		lines.write(`{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":"cancel","arguments":{"id":5}}}`)
		var q struct {
			ID     string
			Method string
			Params struct{ Message string }
		}
		if err := json.Unmarshal([]byte(lines.read()), &q); err != nil || q.Method != "elicitation/create" || q.Params.Message != "Cancel 5?" {
			t.Fatalf("%+v, %v", q, err)
		}
		lines.write(`{"jsonrpc":"2.0","id":"other","result":{"action":"accept"}}`) // nobody asked that
		lines.write(`{"jsonrpc":"2.0","id":"` + q.ID + `",` + action + `}`)
		if got := lines.read(); !strings.Contains(got, want) || (sent.Load() == 1) != (want == "Done") {
			t.Errorf("%s: %d requests, %s", action, sent.Load(), got)
		}
	}
	s, sent := asking(t)
	lines := stdioOf(t, s, `{}`)
	lines.write(`{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":"cancel","arguments":{"id":5}}}`)
	if got := lines.read(); !strings.Contains(got, "cannot ask") || sent.Load() != 0 {
		t.Errorf("%d requests, %s", sent.Load(), got)
	}
}

// A call that no client made is asked about by whoever makes it.
func TestConfirmByCode(t *testing.T) {
	s, sent := asking(t)
	ask := func(yes bool, err error) *Result {
		t.Helper()
		ctx := WithConfirmation(t.Context(), func(_ context.Context, q string) (bool, error) {
			if q != "Cancel 5?" {
				t.Errorf("asked %q", q)
			}
			return yes, err
		})
		res, cerr := s.Call(ctx, Principal{}, "cancel", []byte(`{"id":5}`))
		if cerr != nil {
			t.Fatal(cerr)
		}
		return res
	}
	if res := ask(false, nil); res.Code != "declined" {
		t.Errorf("%+v", res)
	}
	if res := ask(true, errors.New("the terminal is gone")); res.Code != "confirmation" {
		t.Errorf("%+v", res)
	}
	if sent.Load() != 0 {
		t.Fatal("a request without an agreement")
	}
	if res := ask(true, nil); res.IsError || sent.Load() != 1 {
		t.Errorf("%+v", res)
	}
}

// Native code in the place of a tool does not take its question away.
func TestConfirmNative(t *testing.T) {
	s, _ := asking(t)
	ran := false
	n, err := s.bridge.Server(map[string]Handler{"cancel": func(context.Context, *Call) (*Result, error) {
		ran = true
		return Text("done"), nil
	}})
	if err != nil {
		t.Fatal(err)
	}
	if res, err := n.Call(t.Context(), Principal{}, "cancel", []byte(`{"id":5}`)); err != nil || res.Code != "confirmation" || ran {
		t.Errorf("ran %v: %+v %v", ran, res, err)
	}
	ctx := WithConfirmation(t.Context(), func(context.Context, string) (bool, error) { return true, nil })
	if res, err := n.Call(ctx, Principal{}, "cancel", []byte(`{"id":5}`)); err != nil || res.IsError || !ran {
		t.Errorf("ran %v: %+v %v", ran, res, err)
	}
}

// stdioLines is a client of an older revision on stdio, after its handshake.
type stdioLines struct {
	t   *testing.T
	in  io.Writer
	out *bufio.Scanner

	opened string // the answer to initialize
}

func stdioOf(t *testing.T, s *Server, capabilities string) *stdioLines {
	t.Helper()
	inR, inW := io.Pipe()
	outR, outW := io.Pipe()
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := s.ServeStdio(context.Background(), inR, outW); err != nil {
			t.Error(err)
		}
		_ = outW.Close()
	}()
	t.Cleanup(func() {
		_ = inW.Close()
		_, _ = io.Copy(io.Discard, outR)
		<-done
	})
	l := &stdioLines{t: t, in: inW, out: bufio.NewScanner(outR)}
	l.write(`{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":` + capabilities + `,"clientInfo":{"name":"t","version":"1"}}}`)
	l.opened = l.read()
	return l
}

func (l *stdioLines) write(line string) {
	l.t.Helper()
	if _, err := io.WriteString(l.in, line+"\n"); err != nil {
		l.t.Fatal(err)
	}
}

func (l *stdioLines) read() string {
	l.t.Helper()
	if !l.out.Scan() {
		l.t.Fatal("no line:", l.out.Err())
	}
	return l.out.Text()
}
