package response

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/mcpc-dev/mcpc/runtime/internal/result"
	"github.com/mcpc-dev/mcpc/runtime/internal/upstream"
	"github.com/mcpc-dev/mcpc/runtime/plan"
)

func TestRefusals(t *testing.T) {
	const no = "\nRetrying the same call will not help."
	post := func(p *plan.Tool) { p.Request.Method, p.Hints = "POST", plan.Hints{} }
	for _, c := range []struct {
		name   string
		change func(*plan.Tool)
		status int
		media  string
		body   string
		answer func(*upstream.Answer)
		want   string
		code   string
	}{
		{name: "arguments", status: 400, media: "text/plain", body: "bad date\n", code: "http-400",
			want: "HTTP 400 Bad Request from GET /things/{id}.\nbad date\nCorrect the arguments and call again." + no},
		{name: "problem details", status: 422, media: "application/problem+json", code: "http-422",
			body: `{"type":"https://example.com/probs/v","title":"Invalid.","status":422,"detail":"qty must be > 0","instance":"/x/1","errors":[{"field": "qty","min": 1}]}`,
			want: "HTTP 422 Unprocessable Entity from GET /things/{id}.\nInvalid: qty must be > 0\nerrors: [{\"field\":\"qty\",\"min\":1}]\ntype: \"https://example.com/probs/v\"\nCorrect the arguments and call again." + no},
		{name: "only a title", status: 400, media: "application/json", body: `{"type":"about:blank","title":"Nope"}`, code: "http-400",
			want: "HTTP 400 Bad Request from GET /things/{id}.\nNope\nCorrect the arguments and call again." + no},
		{name: "other JSON is compacted", status: 400, media: "application/json", body: "{ \"error\" : \"a\\u003cb\",\n \"id\": 9007199254740993 }", code: "http-400",
			want: `HTTP 400 Bad Request from GET /things/{id}.` + "\n" + `{"error":"a<b","id":9007199254740993}` + "\nCorrect the arguments and call again." + no},
		{name: "a page is its text", status: 404, media: "text/html", body: "<html><head><title>404</title><style>p{}</style></head><body><h1>Not\n Found</h1><p>Gone &amp; lost</p></body></html>", code: "http-404",
			want: "HTTP 404 Not Found from GET /things/{id}.\n404 Not Found Gone & lost\nCheck the identifiers in the arguments: what they name does not exist, or is not visible with the server's credentials." + no},
		{name: "XML", status: 400, media: "text/xml", body: "<e>bad</e>", code: "http-400", want: "HTTP 400 Bad Request from GET /things/{id}.\n<e>bad</e>\nCorrect the arguments and call again." + no},
		{name: "bytes", status: 400, media: "application/pdf", body: "%PDF\x00", code: "http-400", want: "HTTP 400 Bad Request from GET /things/{id}.\n(application/pdf, 5 bytes)\nCorrect the arguments and call again." + no},
		{name: "no body", status: 409, code: "http-409",
			want: "HTTP 409 Conflict from GET /things/{id}.\nWhat the call is about is in another state than the call needs: read it again and adapt the call." + no},
		{name: "a credential is missing", status: 401, code: "http-401", answer: func(a *upstream.Answer) {
			a.Missing = []string{`the environment variable MCPC_AUTH_KEY (scheme "key")`, `the environment variable MCPC_AUTH_B (scheme "b")`}
		}, want: "HTTP 401 Unauthorized from GET /things/{id}.\nNo credential was sent, because none is set: the operator of this server has to set the environment variable MCPC_AUTH_KEY (scheme \"key\"), or the environment variable MCPC_AUTH_B (scheme \"b\")." + no},
		{name: "a credential is refused", status: 401, code: "http-401", answer: func(a *upstream.Answer) { a.Sent = []string{"key", "app"} },
			want: "HTTP 401 Unauthorized from GET /things/{id}.\nThe credential \"key\" and \"app\" was sent and not accepted: the operator of this server has to check it." + no},
		{name: "a credential is not enough", status: 403, code: "http-403", answer: func(a *upstream.Answer) { a.Sent = []string{"key"} },
			want: "HTTP 403 Forbidden from GET /things/{id}.\nThe credential \"key\" was sent; it does not permit this. The operator of this server may have one that does." + no},
		{name: "none is declared", status: 401, code: "http-401",
			want: "HTTP 401 Unauthorized from GET /things/{id}.\nNo credential was sent: the operation's description asks for none. The operator of this server has to look into it." + no},
		{name: "too often", change: post, status: 429, code: "http-429", answer: func(a *upstream.Answer) { a.Header.Set("Retry-After", "30") },
			want: "HTTP 429 Too Many Requests from POST /things/{id}.\nCall less often.\nA retry may help after 30 seconds."},
		{name: "a server's error, read", status: 500, code: "http-500", answer: func(a *upstream.Answer) { a.Attempts = 3 },
			want: "HTTP 500 Internal Server Error from GET /things/{id} (3 attempts).\nIf it stays so, tell the operator of this server.\nA retry may help."},
		{name: "a server's error, change", change: post, status: 502, code: "http-502",
			want: "HTTP 502 Bad Gateway from POST /things/{id}.\nIf it stays so, tell the operator of this server.\nIt is not known whether the call was carried out: check before calling again."},
		{name: "a change said to be idempotent", change: func(p *plan.Tool) { post(p); p.Hints.Idempotent = true }, status: 502, code: "http-502",
			want: "HTTP 502 Bad Gateway from POST /things/{id}.\nIf it stays so, tell the operator of this server.\nA retry may help."},
		{name: "unavailable for a while, change", change: post, status: 503, code: "http-503", answer: func(a *upstream.Answer) { a.Header.Set("Retry-After", "1") },
			want: "HTTP 503 Service Unavailable from POST /things/{id}.\nIt is not known whether the call was carried out: check before calling again.\nA retry may help after 1 second."},
		{name: "not implemented", status: 501, code: "http-501", want: "HTTP 501 Not Implemented from GET /things/{id}.\nThe upstream does not offer this operation here; the operator of this server has to look into it." + no},
		{name: "a status without name", status: 599, code: "http-599", want: "HTTP 599 from GET /things/{id}.\nIf it stays so, tell the operator of this server.\nA retry may help."},
		{name: "a redirect", change: post, status: 302, code: "http-302", answer: func(a *upstream.Answer) {
			a.Header.Set("Location", "https://user:pw@login.example:8443/in?token=x")
		}, want: "HTTP 302 Found from POST /things/{id}. It redirects to the host login.example.\nA redirect of this method is not followed.\nIt is not known whether the call was carried out: check before calling again."},
		{name: "a redirect to nowhere", status: 301, code: "http-301", want: "HTTP 301 Moved Permanently from GET /things/{id}. It says of no place to go to.\nThe operator of this server has to look into it." + no},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := tool(object)
			if c.change != nil {
				c.change(&p)
			}
			a := answer(c.status, c.media, c.body)
			if c.answer != nil {
				c.answer(a)
			}
			r := resultOf(compile(t, p), a)
			if got := r.Content[0].Text; got != c.want {
				t.Errorf("got\n%s\nwant\n%s", got, c.want)
			}
			if !r.IsError || r.Code != c.code || r.Structured != nil || len(r.Content) != 1 {
				t.Errorf("%+v", r)
			}
		})
	}
}

func TestRefusalIsBounded(t *testing.T) {
	for _, media := range []string{"text/plain", "application/json", "text/html", "text/xml", ""} {
		r := resultOf(compile(t, tool("")), answer(400, media, strings.Repeat(`{"é":`, 1<<20)))
		if n := len(r.Content[0].Text); n > maxExcerpt+400 || n < maxExcerpt {
			t.Errorf("%q: %d bytes", media, n)
		}
	}
}

func TestRetryDate(t *testing.T) {
	a := answer(503, "", "")
	a.Header.Set("Retry-After", time.Now().Add(time.Hour).UTC().Format(http.TimeFormat))
	r := resultOf(compile(t, tool("")), a)
	if r.Retry < result.RetryAfter(58*time.Minute) || r.Retry > result.RetryAfter(time.Hour) {
		t.Errorf("%v", time.Duration(r.Retry))
	}
}
