package lsp

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode/utf16"
	"unicode/utf8"
)

func frame(s string) string { return "Content-Length: " + strconv.Itoa(len(s)) + "\r\n\r\n" + s }

func TestFrames(t *testing.T) {
	for _, c := range []struct{ name, in, want, err string }{
		{"one", frame("{}"), "{}", ""},
		{"other headers, any case", "content-type: x\r\ncontent-length:  2 \r\n\r\n{}", "{}", ""},
		{"empty", "Content-Length: 0\r\n\r\n", "", ""},
		{"end", "", "", "EOF"},
		{"end in the header", "Content-Len", "", "unexpected EOF"},
		{"end in the content", "Content-Length: 9\r\n\r\n{}", "", "unexpected EOF"},
		{"no length", "\r\n", "", "has no Content-Length"},
		{"no header", "hello\r\n\r\n", "", "is no header"},
		{"no number", "Content-Length: two\r\n\r\n", "", "cannot be"},
		{"less than nothing", "Content-Length: -1\r\n\r\n", "", "cannot be"},
		{"too much", "Content-Length: 99999999999\r\n\r\n", "", "cannot be"},
		{"a header without end", strings.Repeat("a", 10000), "", "too long"},
		{"headers without end", strings.Repeat("a: b\r\n", 10000), "", "too long"},
	} {
		b, err := readFrame(bufio.NewReaderSize(strings.NewReader(c.in), maxHeader))
		got := ""
		if err != nil {
			got = err.Error()
		}
		if string(b) != c.want && c.err == "" || (got == "") != (c.err == "") || !strings.Contains(got, c.err) {
			t.Errorf("%s: got %q, %v", c.name, b, err)
		}
	}
}

func TestPositions(t *testing.T) {
	l := newLines([]byte("aé😀b\r\n\rx\ny"))
	for _, c := range []struct {
		offset int
		at     position
	}{{0, position{0, 0}}, {1, position{0, 1}}, {3, position{0, 2}}, {7, position{0, 4}}, {8, position{0, 5}}, {10, position{1, 0}}, {11, position{2, 0}}, {12, position{2, 1}}, {13, position{3, 0}}, {14, position{3, 1}}} {
		if got := l.position(c.offset); got != c.at {
			t.Errorf("byte %d is at %v, want %v", c.offset, got, c.at)
		}
		if got := l.offset(c.at); got != c.offset {
			t.Errorf("%v is byte %d, want %d", c.at, got, c.offset)
		}
	}
	for at, want := range map[position]int{{0, 3}: 3 /* inside of the pair */, {0, 99}: 8, {0, -1}: 0, {-5, 3}: 0, {99, 0}: 14, {1, 5}: 10} {
		if got := l.offset(at); got != want {
			t.Errorf("%v is byte %d, want %d", at, got, want)
		}
	}
}

func TestApply(t *testing.T) {
	at := func(a, b, c, d int) *textRange { return &textRange{position{a, b}, position{c, d}} }
	text := []byte("one\ntwo 😀\n")
	got := apply(text, []change{
		{at(1, 4, 1, 6), "2"},  // the pair
		{at(0, 0, 0, 3), "1"},  // counted in what the first left
		{at(9, 9, 9, 9), "!"},  // past the end
		{at(1, 3, 0, 0), "->"}, // backwards: an insertion
	})
	if want := "1\ntwo-> 2\n!"; string(got) != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if string(text) != "one\ntwo 😀\n" {
		t.Error("the old text changed")
	}
	if got := apply(text, []change{{nil, "all"}}); string(got) != "all" {
		t.Errorf("got %q", got)
	}
}

func TestPaths(t *testing.T) {
	for uri, want := range map[string]string{
		"file:///a/b%20c.hcl": "/a/b c.hcl", "file://localhost/a/../b.hcl": "/b.hcl", "untitled:x": "", "file://host/a.hcl": "", "file:///a%00b": "", "%": "", "": "",
	} {
		if got := pathOf(uri); got != want {
			t.Errorf("%s: %q, want %q", uri, got, want)
		}
	}
	s := &server{docs: map[string]*document{"file:///x%2Dy": {uri: "file:///x%2Dy", path: "/x-y"}}}
	if got := s.uriOf("/a/b c#.hcl"); got != "file:///a/b%20c%23.hcl" {
		t.Errorf("got %q", got)
	}
	if got := s.uriOf("/x-y"); got != "file:///x%2Dy" {
		t.Errorf("the editor's own form is %q", got)
	}
}

func TestPlain(t *testing.T) {
	if got, want := plain("request \"${1|GET,POST|}\" \"${2:path}\" {\n  $0\n}"), "request \"GET\" \"path\" {\n  \n}"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

// What does not follow the protocol gets an error, and the next message counts.
func TestProtocol(t *testing.T) {
	for _, c := range []struct {
		name string
		in   []string
		want []string // parts of the output, in order
		err  error
	}{
		{"before initialize", []string{`{"id":1,"method":"textDocument/hover"}`, `{"id":2,"method":"initialize","params":{}}`, `{"id":3,"method":"shutdown"}`, `{"method":"exit"}`},
			[]string{`"id":1,"error":{"code":-32002`, `"id":2,"result":{"capabilities"`, `"id":3,"result":null`}, nil},
		{"no JSON, no object, no method", []string{`{`, `[]`, `{"id":1}`, `{"id":2,"method":"initialize","params":{}}`},
			[]string{`"id":null,"error":{"code":-32700`, `"id":null,"error":{"code":-32700`, `"id":1,"error":{"code":-32600`, `"id":2,"result"`}, ErrNoShutdown},
		{"twice", []string{`{"id":1,"method":"initialize","params":{}}`, `{"id":2,"method":"initialize","params":{}}`}, []string{`"id":1,"result"`, `"id":2,"error":{"code":-32600`}, ErrNoShutdown},
		{"unknown method and document, wrong parameters", []string{`{"id":1,"method":"initialize","params":{}}`, `{"id":"a","method":"x"}`, `{"id":2,"method":"textDocument/hover","params":{"textDocument":{"uri":"file:///none"}}}`, `{"id":3,"method":"textDocument/hover","params":[]}`},
			[]string{`"id":1,"result"`, `"id":"a","error":{"code":-32601`, `"id":2,"error":{"code":-32602`, `"id":3,"error":{"code":-32602`}, ErrNoShutdown},
		{"after shutdown", []string{`{"id":1,"method":"initialize","params":{}}`, `{"id":2,"method":"shutdown"}`, `{"id":3,"method":"textDocument/hover"}`}, []string{`"id":1,"result"`, `"id":2,"result":null`, `"id":3,"error":{"code":-32600`}, nil},
		{"answers", []string{`{"id":1,"method":"initialize","params":{}}`, `{"id":"watch","result":null}`, `{"id":"watch","error":{"code":1,"message":"no"}}`}, []string{`"id":1,"result"`}, ErrNoShutdown},
		{"exit without shutdown", []string{`{"method":"exit"}`}, nil, ErrNoShutdown},
	} {
		var in, out bytes.Buffer
		for _, m := range c.in {
			in.WriteString(frame(m))
		}
		if err := Serve(t.Context(), &in, &out, Options{}); !errors.Is(err, c.err) {
			t.Errorf("%s: %v, want %v", c.name, err, c.err)
		}
		rest := out.String()
		if n := strings.Count(rest, "Content-Length"); n != len(c.want) {
			t.Errorf("%s: %d messages, want %d", c.name, n, len(c.want))
		}
		for _, w := range c.want {
			_, after, ok := strings.Cut(rest, w)
			if !ok {
				t.Errorf("%s: no %s in\n%s", c.name, w, rest)
				break
			}
			rest = after
		}
	}
}

func FuzzPositions(f *testing.F) {
	f.Add("aé😀\r\n\rb", 3, 1, 2)
	f.Add("\xff\xf0\n", -1, 99, -1)
	f.Fuzz(func(t *testing.T, text string, offset, line, character int) {
		l := newLines([]byte(text))
		o := l.offset(position{line, character})
		if o < 0 || o > len(text) {
			t.Fatalf("offset %d of %d", o, len(text))
		}
		if p := l.position(o); utf8.ValidString(text) && l.offset(p) != o {
			t.Fatalf("byte %d is at %v, which is byte %d", o, p, l.offset(p))
		}
		p := l.position(offset)
		if p.Line < 0 || p.Character < 0 || p.Line >= len(l.starts) {
			t.Fatalf("%v of %d lines", p, len(l.starts))
		}
		if offset = min(max(offset, 0), len(text)); utf8.ValidString(text) && utf8.ValidString(text[:offset]) {
			if want := len(utf16.Encode([]rune(text[l.starts[p.Line]:offset]))); p.Character != want {
				t.Fatalf("character %d, want %d", p.Character, want)
			}
		}
		edits := difference([]byte(text), []byte(text[o:]))
		if len(edits) == 1 && utf8.ValidString(text) {
			if got := apply([]byte(text), []change{{&edits[0].Range, edits[0].NewText}}); string(got) != text[o:] {
				t.Fatalf("got %q, want %q", got, text[o:])
			}
		}
	})
}

// Whatever comes in, the server ends when its input does.
func FuzzServe(f *testing.F) {
	open := frame(`{"id":1,"method":"initialize","params":{}}`) + frame(`{"method":"textDocument/didOpen","params":{"textDocument":{"uri":"untitled:a","version":1,"text":"tool \"x\" {\n  ti\n}"}}}`)
	f.Add(open + frame(`{"id":2,"method":"textDocument/completion","params":{"textDocument":{"uri":"untitled:a"},"position":{"line":1,"character":4}}}`))
	f.Add(open + frame(`{"method":"textDocument/didChange","params":{"textDocument":{"uri":"untitled:a","version":2},"contentChanges":[{"range":{"start":{"line":0,"character":-1},"end":{"line":9,"character":9}},"text":"a = [\"${"}]}}`) +
		frame(`{"id":3,"method":"textDocument/documentSymbol","params":{"textDocument":{"uri":"untitled:a"}}}`) + frame(`{"id":4,"method":"textDocument/formatting","params":{"textDocument":{"uri":"untitled:a"}}}`))
	f.Add("Content-Length: 1\r\n\r\n{Content-Length: -1\r\n\r\n")
	f.Fuzz(func(t *testing.T, in string) {
		if strings.Contains(in, "file:") {
			t.Skip("reads no files")
		}
		var log bytes.Buffer
		done := make(chan error, 1)
		go func() { done <- Serve(t.Context(), strings.NewReader(in), io.Discard, Options{Log: &log}) }()
		select {
		case <-done:
		case <-time.After(20 * time.Second):
			t.Fatal("it does not end")
		}
		if strings.Contains(log.String(), "panic") {
			t.Fatal(log.String())
		}
	})
}
