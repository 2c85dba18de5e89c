// Package cases runs the archives of testdata/cases: one behaviour each, as
// what is written, what an upstream sees and what a client gets. It knows
// neither how a spec becomes a server nor which kind of server it is, so the
// same archives judge every kind.
//
// An archive is a txtar file. The comment on top says why. Its files:
//
//	spec.hcl, spec.yaml, spec.json …  the target (else the folder is) and what it reads
//	flags, env                        flags of the command, a K=V a line; words apart by white space
//	diagnostics, pretty               what validate says, as lines and for people; no file: nothing
//	tools.json                        the tools as listed, where the archive is about them
//	resources.json, templates.json,
//	prompts.json                      the same of resources, their templates and prompts
//	NAME/call.json                    {"tool": …, "arguments": …}, or {"resource": URI}, or
//	                                  {"prompt": …, "arguments": …}
//	NAME/reply, reply2 …              the raw HTTP answers in the order of these files; or
//	                                  "hang", "close", "refuse"
//	NAME/request                      the requests the upstream sees, exactly; "none"
//	NAME/result.json                  the result the client gets
//
// A section of what was seen, such as NAME/request, needs what it was seen of.
//
// Of a request, headers are sorted and those that say nothing are left out; a
// multipart boundary reads BOUNDARY, a carriage return ␍ and a last line end ␊.
// A body that is no text is a Go string.
package cases

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"
)

// Spec is what an archive describes, unpacked in the working directory.
type Spec struct {
	Name   string // of the archive, e.g. "body/form"
	Target string
	Flags  []string
	Getenv func(string) string
}

// Outcome is what became of a Spec.
type Outcome struct {
	// Diagnostics are what validate says in the format "line" or "pretty". Nil is
	// a server that was compiled earlier: the archive's are not compared.
	Diagnostics func(format string) string
	Handler     http.Handler // of an MCP server; nil when there is none
}

// Make makes a server of a spec. It sends its requests through upstream.
type Make func(t *testing.T, s Spec, upstream http.RoundTripper) Outcome

// Each calls f in a subtest for every archive below a folder.
func Each(t *testing.T, root string, f func(t *testing.T, archive string)) {
	root, err := filepath.Abs(root)
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	err = filepath.WalkDir(root, func(path string, _ fs.DirEntry, err error) error {
		if err != nil || filepath.Ext(path) != ".txtar" {
			return err
		}
		n++
		t.Run(name(path), func(t *testing.T) { f(t, path) })
		return nil
	})
	if err != nil || n == 0 {
		t.Fatalf("%d archives in %s: %v", n, root, err)
	}
}

// name is the name of an archive: its own and its folder's.
func name(archive string) string {
	return filepath.Base(filepath.Dir(archive)) + "/" + strings.TrimSuffix(filepath.Base(archive), ".txtar")
}

// Unpack unpacks an archive into a folder of its own, which is the working
// directory until the test ends.
func Unpack(t *testing.T, archive string) Spec {
	_, s := unpack(t, archive)
	return s
}

func unpack(t *testing.T, archive string) (*txtar.Archive, Spec) {
	a, err := txtar.ParseFile(archive)
	if err != nil {
		t.Fatal(err)
	}
	t.Chdir(t.TempDir())
	for _, f := range a.Files {
		if err := os.MkdirAll(filepath.Dir(f.Name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(f.Name, f.Data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	s := files(a.Files).spec()
	s.Name = name(archive)
	return a, s
}

// Run compares one archive with what a server does. With update it writes into
// the archive what the server does; the difference is then for people to read.
func Run(t *testing.T, archive string, update bool, serve Make) {
	path, err := filepath.Abs(archive)
	if err != nil {
		t.Fatal(err)
	}
	a, s := unpack(t, path)
	files := files(a.Files)
	got := files.run(t, s, serve)
	if update {
		for _, g := range got {
			files.put(g)
		}
		a.Files = files
		if err := os.WriteFile(path, txtar.Format(a), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	for _, name := range files.stale(got) {
		t.Errorf("%s says what nobody asked for; remove it, or write the call", name)
	}
	for _, g := range got {
		switch want := files.text(g.Name); {
		case want == "" && len(g.Data) > 0:
			t.Errorf("%s is missing; go test -update writes it:\n%s", g.Name, g.Data)
		case want != string(g.Data):
			t.Errorf("%s:\n%s\nwant\n%s", g.Name, g.Data, want)
		}
	}
}

// lists are the files that hold what is listed, and the methods that list it.
var lists = [][2]string{{"tools.json", "tools/list"}, {"resources.json", "resources/list"}, {"templates.json", "resources/templates/list"}, {"prompts.json", "prompts/list"}}

// run does what the archive says and returns the sections that tell of it.
func (fs files) run(t *testing.T, s Spec, serve Make) (got files) {
	add := func(name, text string) { got = append(got, txtar.File{Name: name, Data: []byte(text)}) }
	u := newUpstream(t)
	defer u.close()
	o := serve(t, s, u.transport())
	if o.Diagnostics != nil {
		add("diagnostics", o.Diagnostics("line"))
		if fs.index("pretty") >= 0 {
			add("pretty", o.Diagnostics("pretty"))
		}
	}
	need := func(file string) {
		if o.Handler == nil {
			t.Fatalf("%s: there is no server: %v", file, got)
		}
	}
	for _, l := range lists {
		if fs.index(l[0]) >= 0 {
			need(l[0])
			add(l[0], ask(t, o.Handler, l[1], "{}"))
		}
	}
	for _, f := range fs {
		name, ok := strings.CutSuffix(f.Name, "/call.json")
		if !ok {
			continue
		}
		var call struct {
			Tool      string          `json:"tool"`
			Resource  string          `json:"resource"`
			Prompt    string          `json:"prompt"`
			Arguments json.RawMessage `json:"arguments"`
		}
		if err := json.Unmarshal(f.Data, &call); err != nil {
			t.Fatalf("%s: %v", f.Name, err)
		}
		need(f.Name)
		var replies []string
		for _, r := range fs {
			if strings.HasPrefix(r.Name, name+"/reply") {
				replies = append(replies, string(r.Data))
			}
		}
		u.expect(replies)
		method, params := "tools/call", fmt.Sprintf(`{"name":%q,"arguments":%s}`, cmp.Or(call.Tool, call.Prompt), cmp.Or(string(call.Arguments), "{}"))
		switch {
		case call.Resource != "":
			method, params = "resources/read", fmt.Sprintf(`{"uri":%q}`, call.Resource)
		case call.Prompt != "":
			method = "prompts/get"
		}
		result := ask(t, o.Handler, method, params)
		add(name+"/request", u.requests())
		add(name+"/result.json", result)
	}
	return got
}

// stale lists the files that nothing reads or writes any more: those of a call
// that is gone, and outcomes of a server that is not made. Of a server that was
// compiled earlier nobody asks for diagnostics.
func (fs files) stale(got files) (names []string) {
	compiled := got.index("diagnostics") >= 0
	for _, f := range fs {
		if !compiled && (f.Name == "diagnostics" || f.Name == "pretty") {
			continue
		}
		call, _, inCall := strings.Cut(f.Name, "/")
		made := f.Name == "diagnostics" || f.Name == "pretty" || slices.ContainsFunc(lists, func(l [2]string) bool { return l[0] == f.Name }) || strings.HasSuffix(f.Name, "/request") || strings.HasSuffix(f.Name, "/result.json")
		reply := inCall && strings.HasPrefix(f.Name, call+"/reply")
		if made && got.index(f.Name) < 0 || reply && fs.index(call+"/call.json") < 0 {
			names = append(names, f.Name)
		}
	}
	return names
}

// ask sends one request as a client of 2025-11-25 does, and returns the result,
// or the error object, indented.
func ask(t *testing.T, h http.Handler, method, params string) string {
	body := fmt.Sprintf(`{"jsonrpc":"2.0","id":1,"method":%q,"params":%s}`, method, params)
	r := httptest.NewRequest(http.MethodPost, "http://127.0.0.1/mcp", strings.NewReader(body))
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Accept", "application/json, text/event-stream")
	r.Header.Set("MCP-Protocol-Version", "2025-11-25")
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	var answer struct{ Result, Error json.RawMessage }
	if err := json.Unmarshal(w.Body.Bytes(), &answer); err != nil {
		t.Fatalf("%s: status %d, %v: %s", method, w.Code, err, w.Body)
	}
	var b bytes.Buffer
	if err := json.Indent(&b, append(answer.Result, answer.Error...), "", "  "); err != nil {
		t.Fatalf("%s: %v: %s", method, err, w.Body)
	}
	return b.String() + "\n"
}

// files are the files of an archive.
type files []txtar.File

func (fs files) index(name string) int {
	return slices.IndexFunc(fs, func(f txtar.File) bool { return f.Name == name })
}

func (fs files) text(name string) string {
	if i := fs.index(name); i >= 0 {
		return string(fs[i].Data)
	}
	return ""
}

// put replaces a file, or adds it where a reader looks for it: a call's after
// the call, others before the calls.
func (fs *files) put(f txtar.File) {
	if i := fs.index(f.Name); i >= 0 {
		(*fs)[i] = f
		return
	}
	if len(f.Data) == 0 {
		return
	}
	at := slices.IndexFunc(*fs, func(f txtar.File) bool { return strings.HasSuffix(f.Name, "/call.json") })
	if call, _, ok := strings.Cut(f.Name, "/"); ok {
		for i, other := range *fs {
			if strings.HasPrefix(other.Name, call+"/") {
				at = i + 1
			}
		}
	}
	if at < 0 {
		at = len(*fs)
	}
	*fs = slices.Insert(*fs, at, f)
}

func (fs files) spec() Spec {
	s := Spec{Target: ".", Flags: strings.Fields(fs.text("flags"))}
	for _, name := range []string{"spec.hcl", "spec.yaml", "spec.json"} {
		if fs.index(name) >= 0 {
			s.Target = name
			break
		}
	}
	env := map[string]string{}
	for line := range strings.Lines(fs.text("env")) {
		k, v, _ := strings.Cut(strings.TrimSpace(line), "=")
		env[k] = v
	}
	s.Getenv = func(name string) string { return env[name] }
	return s
}
