package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net/textproto"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// editor drives the language server as an editor does: a process of its own,
// and messages through pipes.
type editor struct {
	t      *testing.T
	dir    string
	in     io.WriteCloser
	out    *bufio.Reader
	asked  int
	said   []notice // diagnostics that nobody has waited for
	called []string // what the server asked for
}

type notice struct {
	URI         string
	Version     int
	Diagnostics []struct {
		Range struct {
			Start, End struct{ Line, Character int }
		}
		Severity int
		Code     string
		Message  string
	}
}

// text is a notice as the tests write it: line:character code, from 0.
func (n notice) text() string {
	var list []string
	for _, d := range n.Diagnostics {
		list = append(list, fmt.Sprintf("%d:%d-%d:%d %s", d.Range.Start.Line, d.Range.Start.Character, d.Range.End.Line, d.Range.End.Character, d.Code))
	}
	return strings.Join(list, ", ")
}

func startEditor(t *testing.T, files map[string]string, flags ...string) *editor {
	t.Helper()
	e := &editor{t: t, dir: t.TempDir()}
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(e.dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.Command("mcpc", append([]string{"lsp"}, flags...)...)
	cmd.Env = append(os.Environ(), "MCPC_VAR_password=hunter2")
	var err error
	if e.in, err = cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	e.out = bufio.NewReader(out)
	var stderr strings.Builder
	cmd.Stderr = &stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	limit := time.AfterFunc(time.Minute, func() { cmd.Process.Kill() })
	e.ask("initialize", `{"processId":null,"rootUri":null,"capabilities":{"workspace":{"didChangeWatchedFiles":{"dynamicRegistration":true}},"textDocument":{"completion":{"completionItem":{"snippetSupport":true}}}}}`, nil)
	e.tell("initialized", `{}`)
	t.Cleanup(func() {
		if !t.Failed() {
			e.ask("shutdown", "null", nil)
			e.tell("exit", "null")
		}
		e.in.Close()
		if err := cmd.Wait(); err != nil && !t.Failed() {
			t.Error(err)
		}
		limit.Stop()
		if stderr.Len() > 0 {
			t.Errorf("it said: %s", stderr.String())
		}
	})
	return e
}

func (e *editor) uri(name string) string {
	return (&url.URL{Scheme: "file", Path: filepath.ToSlash(filepath.Join(e.dir, name))}).String()
}

func (e *editor) send(m string) {
	e.t.Helper()
	if _, err := fmt.Fprintf(e.in, "Content-Length: %d\r\n\r\n%s", len(m), m); err != nil {
		e.t.Fatal(err)
	}
}

func (e *editor) tell(method, params string) {
	e.t.Helper()
	e.send(fmt.Sprintf(`{"jsonrpc":"2.0","method":%q,"params":%s}`, method, params))
}

type incoming struct {
	ID     json.RawMessage
	Method string
	Params json.RawMessage
	Result json.RawMessage
	Error  *struct{ Message string }
}

func (e *editor) receive() (m incoming) {
	e.t.Helper()
	header, err := textproto.NewReader(e.out).ReadMIMEHeader()
	if err != nil {
		e.t.Fatal(err)
	}
	n, err := strconv.Atoi(header.Get("Content-Length"))
	if err != nil {
		e.t.Fatal(err)
	}
	b := make([]byte, n)
	if _, err := io.ReadFull(e.out, b); err != nil {
		e.t.Fatal(err)
	}
	if strings.Contains(string(b), "hunter2") {
		e.t.Errorf("a secret is said: %s", b)
	}
	if err := json.Unmarshal(b, &m); err != nil {
		e.t.Fatal(err)
	}
	if m.Method != "" && m.ID != nil {
		e.called = append(e.called, m.Method)
	}
	if m.Method == "textDocument/publishDiagnostics" {
		var n notice
		if err := json.Unmarshal(m.Params, &n); err != nil {
			e.t.Fatal(err)
		}
		e.said = append(e.said, n)
	}
	return m
}

// ask sends a request and decodes its result.
func (e *editor) ask(method, params string, result any) {
	e.t.Helper()
	e.asked++
	e.send(fmt.Sprintf(`{"jsonrpc":"2.0","id":%d,"method":%q,"params":%s}`, e.asked, method, params))
	for {
		m := e.receive()
		if string(m.ID) != strconv.Itoa(e.asked) {
			continue
		}
		if m.Error != nil {
			e.t.Fatalf("%s: %s", method, m.Error.Message)
		}
		if result != nil {
			if err := json.Unmarshal(m.Result, result); err != nil {
				e.t.Fatalf("%s: %v in %s", method, err, m.Result)
			}
		}
		return
	}
}

// at is the parameters of a request about a place of a document.
func (e *editor) at(name string, line, character int) string {
	return fmt.Sprintf(`{"textDocument":{"uri":%q},"position":{"line":%d,"character":%d}}`, e.uri(name), line, character)
}

func (e *editor) open(name, text string) {
	e.t.Helper()
	e.tell("textDocument/didOpen", fmt.Sprintf(`{"textDocument":{"uri":%q,"languageId":"hcl","version":1,"text":%s}}`, e.uri(name), quoteJSON(text)))
}

func (e *editor) change(name string, version, line, from, to int, text string) {
	e.t.Helper()
	e.tell("textDocument/didChange", fmt.Sprintf(`{"textDocument":{"uri":%q,"version":%d},"contentChanges":[{"range":{"start":{"line":%d,"character":%d},"end":{"line":%d,"character":%d}},"text":%s}]}`,
		e.uri(name), version, line, from, line, to, quoteJSON(text)))
}

func quoteJSON(s string) string {
	b, err := json.Marshal(s)
	if err != nil {
		panic(err)
	}
	return string(b)
}

// diagnostics waits for those of one version of a document; version 0 is that of
// a document that is not open.
func (e *editor) diagnostics(name string, version int) notice {
	e.t.Helper()
	for {
		for i, n := range e.said {
			if n.URI == e.uri(name) && n.Version == version {
				e.said = slices.Delete(e.said, i, i+1)
				return n
			}
		}
		e.receive()
	}
}

// A broken spec in two files and an OpenAPI document: it is told what is wrong,
// edits until all is well, and asks about places.
func TestLanguageServer(t *testing.T) {
	const document = `openapi: 3.1.0
info: {title: Shop, version: "1"}
servers: [{url: "https://shop.example"}]
paths:
  /orders/{id}:
    get:
      operationId: getOrder
      summary: One order
      parameters:
        - {name: id, in: path, required: true, description: Its number, schema: {type: integer}}
      responses: {"200": {description: ok}}
`
	const other = `variable "password" {
  sensitive = true
}
variable "limit" { type = integer }
`
	const broken = `# 😀 comment
api "shop" {
  openapi = "shop.yaml"
  auth = basic("😀", var.pasword)
}

tool "order" {
  operation = api.shop["getOrdr"]
  titel = "An order"
}
`
	e := startEditor(t, map[string]string{"shop.yaml": document, "vars.hcl": other, "shop.hcl": "tool {"})
	e.open("shop.hcl", broken)
	if got, want := e.diagnostics("shop.hcl", 1).text(), "3:21-3:32 unknown-variable, 7:14-7:33 unknown-operation, 8:2-8:7 unknown-attribute"; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	if n := e.diagnostics("vars.hcl", 0); n.text() != "3:0-3:16 missing-variable" || n.Diagnostics[0].Severity != 3 {
		t.Errorf("the other file: %s", n.text())
	}

	if !slices.Contains(e.called, "client/registerCapability") {
		t.Errorf("files on disk are not watched; the server asked for %q", e.called)
	}
	e.send(`{"jsonrpc":"2.0","id":"watch","result":null}`)

	// A slip is mended by the proposed action, the others by hand.
	var actions []struct {
		Title string
		Edit  struct {
			Changes map[string][]struct {
				Range   struct{ Start, End struct{ Line, Character int } }
				NewText string
			}
		}
	}
	e.ask("textDocument/codeAction", fmt.Sprintf(`{"textDocument":{"uri":%q},"range":{"start":{"line":7,"character":20},"end":{"line":7,"character":20}},"context":{"diagnostics":[]}}`, e.uri("shop.hcl")), &actions)
	if len(actions) != 1 || len(actions[0].Edit.Changes[e.uri("shop.hcl")]) != 1 {
		t.Fatalf("actions: %+v", actions)
	}
	edit := actions[0].Edit.Changes[e.uri("shop.hcl")][0]
	if actions[0].Title != `Replace by "getOrder"` || edit.Range.Start.Character != 24 || edit.Range.End.Character != 31 {
		t.Errorf("action: %+v", actions[0])
	}
	e.change("shop.hcl", 2, edit.Range.Start.Line, edit.Range.Start.Character, edit.Range.End.Character, edit.NewText)
	e.change("shop.hcl", 3, 3, 25, 32, "password")
	e.change("shop.hcl", 4, 8, 2, 7, "title")
	if n := e.diagnostics("shop.hcl", 4); n.text() != "" {
		t.Errorf("after the edits: %s", n.text())
	}

	// What the document says counts as it is in the editor, not on disk.
	e.open("vars.hcl", strings.Replace(other, "integer }", "integr }", 1))
	if n := e.diagnostics("vars.hcl", 1); !strings.Contains(n.text(), "unknown-type") {
		t.Errorf("the other file in the editor: %s", n.text())
	}
	e.open("shop.yaml", strings.Replace(document, "in: path", "in: pth", 1))
	if n := e.diagnostics("shop.yaml", 1); len(n.Diagnostics) == 0 {
		t.Error("nothing is said about the OpenAPI document")
	}
	for _, name := range []string{"shop.yaml", "vars.hcl"} {
		e.tell("textDocument/didClose", fmt.Sprintf(`{"textDocument":{"uri":%q}}`, e.uri(name)))
	}
	if n := e.diagnostics("shop.yaml", 0); n.text() != "" {
		t.Errorf("closed again: %s", n.text())
	}

	var place struct {
		URI   string
		Range struct{ Start struct{ Line, Character int } }
	}
	e.ask("textDocument/definition", e.at("shop.hcl", 7, 26), &place)
	if place.URI != e.uri("shop.yaml") || place.Range.Start.Line != 5 {
		t.Errorf("the operation is at %+v", place)
	}
	e.ask("textDocument/definition", e.at("shop.hcl", 3, 28), &place)
	if place.URI != e.uri("vars.hcl") || place.Range.Start.Line != 0 || place.Range.Start.Character != 10 {
		t.Errorf("the variable is at %+v", place)
	}
	var hover struct{ Contents struct{ Value string } }
	e.ask("textDocument/hover", e.at("shop.hcl", 7, 26), &hover)
	if want := "**GET** `/orders/{id}`\n\nOne order"; hover.Contents.Value != want {
		t.Errorf("hover %q, want %q", hover.Contents.Value, want)
	}
	e.ask("textDocument/hover", e.at("shop.hcl", 3, 28), &hover)
	if !strings.Contains(hover.Contents.Value, "(sensitive)") {
		t.Errorf("hover %q", hover.Contents.Value)
	}

	e.change("shop.hcl", 5, 9, 0, 0, "  input \"\" {}\n")
	var list struct {
		Items []struct {
			Label         string
			Detail        string
			Documentation struct{ Value string }
			TextEdit      struct{ NewText string }
		}
	}
	e.ask("textDocument/completion", e.at("shop.hcl", 9, 9), &list)
	if len(list.Items) != 1 || list.Items[0].Label != "id" || list.Items[0].Detail != "integer" || list.Items[0].Documentation.Value != "Its number" || list.Items[0].TextEdit.NewText != "id" {
		t.Errorf("completion: %+v", list)
	}
	var symbols []struct {
		Name     string
		Children []struct{ Name string }
	}
	e.ask("textDocument/documentSymbol", e.at("shop.hcl", 0, 0), &symbols)
	if len(symbols) != 2 || symbols[1].Name != `tool "order"` || len(symbols[1].Children) != 3 {
		t.Errorf("symbols: %+v", symbols)
	}
	e.change("shop.hcl", 6, 9, 9, 9, "id")
	var edits []struct {
		Range   struct{ Start, End struct{ Line, Character int } }
		NewText string
	}
	e.ask("textDocument/formatting", fmt.Sprintf(`{"textDocument":{"uri":%q},"options":{"tabSize":2,"insertSpaces":true}}`, e.uri("shop.hcl")), &edits)
	if len(edits) != 1 || edits[0].Range.Start.Line != 3 || !strings.HasPrefix(edits[0].NewText, "  auth    = basic") {
		t.Errorf("formatting: %+v", edits)
	}
	if n := e.diagnostics("shop.hcl", 6); n.text() != "" {
		t.Errorf("at the end: %s", n.text())
	}

	// A file that changes on disk counts when the editor says so.
	if err := os.WriteFile(filepath.Join(e.dir, "shop.yaml"), []byte(strings.Replace(document, "getOrder", "readOrder", 1)), 0o644); err != nil {
		t.Fatal(err)
	}
	e.said = nil
	e.tell("workspace/didChangeWatchedFiles", fmt.Sprintf(`{"changes":[{"uri":%q,"type":2}]}`, e.uri("shop.yaml")))
	if n := e.diagnostics("shop.hcl", 6); n.text() != "7:14-7:34 unknown-operation" {
		t.Errorf("after a change on disk: %s", n.text())
	}

	// What is closed and wrong is wrong no more: nobody looks at it.
	e.change("shop.hcl", 7, 0, 0, 0, "?")
	e.diagnostics("shop.hcl", 7)
	e.said = nil
	e.tell("textDocument/didClose", fmt.Sprintf(`{"textDocument":{"uri":%q}}`, e.uri("shop.hcl")))
	if n := e.diagnostics("shop.hcl", 0); n.text() != "" {
		t.Errorf("closed: %s", n.text())
	}
}

// With --files, files of a folder are no one spec.
func TestLanguageServerFiles(t *testing.T) {
	const one = "server \"a\" {}\napi \"x\" { base_url = \"https://x.example\" }\n"
	files := map[string]string{"a.hcl": one, "b.hcl": one}
	e := startEditor(t, files)
	e.open("a.hcl", one)
	if n := e.diagnostics("b.hcl", 0); !strings.Contains(n.text(), "duplicate-api") {
		t.Errorf("a folder: %s", n.text())
	}
	e = startEditor(t, files, "--files")
	e.open("a.hcl", one)
	if n := e.diagnostics("a.hcl", 1); n.text() != "" {
		t.Errorf("a file: %s", n.text())
	}
}
