package imported

import (
	"slices"
	"strings"
	"testing"

	"github.com/mcpc-dev/mcpc/specs"
	"github.com/mcpc-dev/mcpc/specs/diag"
)

func TestSnake(t *testing.T) {
	for in, want := range map[string]string{
		"Get userByID": "get_user_by_id", "GetHTTPStatus": "get_http_status", "list-orders (v2)": "list_orders_v2", "Größe": "gr_e", "": "", "---": "",
		"ABC": "abc", "orders/{id}": "orders_id", strings.Repeat("a", 80): strings.Repeat("a", 64),
	} {
		if got := Snake(in); got != want {
			t.Errorf("Snake(%q) = %q, want %q", in, got, want)
		}
	}
}

func TestHostName(t *testing.T) {
	for in, want := range map[string]string{
		"api.github.com": "github", "shop.example:8443": "shop", "www.bbc.co.uk": "bbc", "localhost:80": "local", "127.0.0.1": "local", "[::1]:80": "local", "intranet": "intranet", "": "api",
	} {
		if got := HostName(in); got != want {
			t.Errorf("HostName(%q) = %q, want %q", in, got, want)
		}
	}
}

func TestSecrets(t *testing.T) {
	for _, name := range []string{"password", "X-Api-Key", "access_token", "clientSecret", "Authorization", "sessionId", "PHPSESSID", "X-CSRF-Token", "pwd", "api-key"} {
		if !IsSecretName(name) {
			t.Errorf("%s is not taken for a secret", name)
		}
	}
	for _, name := range []string{"max_tokens", "token_type", "nextToken", "page_token", "passenger", "keyword", "author", "secretary", "status", "key", "password_length"} {
		if IsSecretName(name) {
			t.Errorf("%s is taken for a secret", name)
		}
	}
	for text, want := range map[string]bool{
		"Bearer eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.sig": true, "sk_live_0123456789abcdef": true, "ghp_0123456789abcdefghijklmn": true, "AKIAIOSFODNN7EXAMPLE": true,
		"a sentence about tokens": false, "550e8400-e29b-41d4-a716-446655440000": false,
	} {
		if IsSecretValue(text) != want {
			t.Errorf("IsSecretValue(%q) is %t", text, !want)
		}
	}
}

func TestIdentifiers(t *testing.T) {
	for _, s := range []string{"4711", "550e8400-e29b-41d4-a716-446655440000", "507f1f77bcf86cd799439011", "2026-01-31", "jo@shop.example", "C-10442", "AB123", "v1StGXR8Z5jdHi6BmyT12"} {
		if !IsIdentifier(s) {
			t.Errorf("%s is taken for a word", s)
		}
	}
	for _, s := range []string{"orders", "v1", "v2.1", "api", "search-by-name", "internationalization", ""} {
		if IsIdentifier(s) {
			t.Errorf("%s is taken for an identifier", s)
		}
	}
}

func TestSchemaOf(t *testing.T) {
	for _, tt := range []struct{ values, want string }{
		{`[1, 2]`, `{"type":"integer"}`},
		{`[1, 2.5]`, `{"type":"number"}`},
		{`[1, "a"]`, `{}`},
		{`[]`, `{}`},
		{`[null]`, `{}`},
		{`[[1], ["a"]]`, `{"type":"array","items":{}}`},
		{`[{"a": 1}, {"a": 2, "b": true}]`, `{"type":"object","properties":{"a":{"type":"integer"},"b":{"type":"boolean"}},"additionalProperties":false}`},
		{`[{}]`, `{"type":"object","additionalProperties":{}}`},
	} {
		n, bad := specs.ParseJSON(&diag.Source{Text: []byte(tt.values)})
		if bad != nil {
			t.Fatal(bad.Message)
		}
		var values []*specs.Node
		for _, f := range n.Fields {
			values = append(values, f.Value)
		}
		if got := SchemaOf(values).JSON(); got != tt.want {
			t.Errorf("SchemaOf(%s) = %s, want %s", tt.values, got, tt.want)
		}
	}
}

// Wherever a secret that was met stands, it does not stay: neither in what is
// written nor in what is said, encoded or not.
func TestDone(t *testing.T) {
	const secret = `p4ss"w/rd`
	text := `{"a": "p4ss\"w/rd", "b": "p4ss%22w%2Frd"}`
	b := NewBuilder(&diag.Source{Name: "x", Text: []byte(text)})
	x := b.Secret("the service", "pw", secret)
	b.Warn("w", diag.Range{Source: b.Source, Start: 1, End: 4}, "", "%s is here", secret)
	auth := &Auth{Kind: "bearer", Value: x}
	tool := b.Tool(&Sample{Base: Text("https://a.example"), Host: "a.example", Auth: auth, Method: "POST", Name: "log " + secret, Description: "Sends " + secret,
		Body: Body{Kind: "form", Fields: []Field{{Name: "note", Value: Text("say " + secret)}}}})
	tool.Request.Headers = []Entry{{"X-Note", Text("say " + secret + "!")}}
	s, diags := b.Done()
	if string(b.Source.Text) != `{"a": "**********", "b": "*************"}` {
		t.Errorf("the source is shown as %s", b.Source.Text)
	}
	if diags[0].Message != "*** is here" {
		t.Errorf("the warning is %q", diags[0].Message)
	}
	got := s.Tools[0]
	if got.Description != "Sends ***" || len(got.Inputs[0].Examples) > 0 {
		t.Errorf("the tool is %q with %v", got.Description, got.Inputs[0].Examples)
	}
	header := got.Request.Headers[0].Value
	if header.Op != specs.ExprTemplate || len(header.Args) != 3 || header.Args[1].Name != "pw" {
		t.Errorf("the header is %+v", header)
	}
	if text == string(b.Source.Text) {
		t.Error("the text that was given was changed")
	}
}

func TestLeaves(t *testing.T) {
	const text = `<a x="1"><b>one</b><c> two &amp; <![CDATA[<3]]></c><d><e>4</e> tail</d><f/><g> </g></a>`
	var got []string
	for _, l := range leaves(text) {
		got = append(got, l.name+"="+l.text+"|"+text[l.start:l.end])
	}
	want := []string{"b=one|one", "c= two & <3| two &amp; <![CDATA[<3]]>", "e=4|4"}
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	for _, text := range []string{"<a>", "no", "<!DOCTYPE a><a>1</a>", "<a>&x;</a>", strings.Repeat("<a>", 200) + "1" + strings.Repeat("</a>", 200)} {
		if l := leaves(text); len(l) > 0 {
			t.Errorf("%.40s: %v", text, l)
		}
	}
}
