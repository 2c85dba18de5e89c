package contract

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"unicode/utf8"

	"github.com/mcpc-dev/mcpc/runtime"
	"github.com/mcpc-dev/mcpc/runtime/plan"
	"github.com/mcpc-dev/mcpc/specs"
)

// recording is what a file of answers holds.
type recording struct {
	Exchanges []exchange `json:"exchanges"`
}

type exchange struct {
	Request  recordedRequest  `json:"request"`
	Response recordedResponse `json:"response"`
}

type recordedRequest struct {
	Method string `json:"method"`
	Path   string `json:"path"` // percent-encoded, with the query
}

type recordedResponse struct {
	Status  int               `json:"status"`
	Headers map[string]string `json:"headers,omitempty"`
	Body    string            `json:"body,omitempty"`
	Base64  []byte            `json:"base64,omitempty"` // of a body that is no text
}

// kept are the headers that a recording holds: those that say how a body is
// read and what to do next. Others may hold cookies, tokens and internal names.
var kept = []string{"Content-Type", "Content-Language", "Content-Disposition", "Content-Location", "Location", "Link", "Retry-After", "Etag", "Last-Modified", "X-Total-Count"}

// maxRecording bounds a file of answers, in bytes.
const maxRecording = 64 << 20

// read reads a file of answers.
func read(name string) ([]reply, error) {
	info, err := os.Stat(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("there is no recording %s; mcpc test --record makes it", name)
	}
	if err != nil {
		return nil, err
	}
	if info.Size() > maxRecording {
		return nil, fmt.Errorf("the recording %s is larger than %d MB", name, maxRecording>>20)
	}
	b, err := os.ReadFile(name)
	if err != nil {
		return nil, err
	}
	list, err := parse(b)
	if err != nil {
		return nil, fmt.Errorf("the recording %s: %w", name, err)
	}
	return list, nil
}

func parse(b []byte) ([]reply, error) {
	var r recording
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	if err := d.Decode(&r); err != nil {
		return nil, err
	}
	var list []reply
	for i, e := range r.Exchanges {
		if e.Request.Method == "" || e.Response.Status < 200 || e.Response.Status > 599 {
			return nil, fmt.Errorf("exchange %d needs a method, and a status from 200 to 599", i+1)
		}
		out := reply{method: e.Request.Method, path: e.Request.Path, status: e.Response.Status, header: http.Header{}, body: []byte(e.Response.Body), recorded: true}
		if len(e.Response.Base64) > 0 {
			out.body = e.Response.Base64
		}
		for name, v := range e.Response.Headers {
			out.header.Set(name, v)
		}
		list = append(list, out)
	}
	return list, nil
}

// ErrExists says that a recording is there already.
var ErrExists = errors.New("the recording exists; --update replaces it")

// Record makes the call of a test, for real, and writes what was answered to the
// test's recording. Without update a file that exists stays as it is. It returns
// the number of answers.
func Record(ctx context.Context, p *plan.Server, o runtime.Options, t *specs.Test, update bool) (int, error) {
	if _, err := os.Stat(t.Recording.Value); err == nil && !update {
		return 0, ErrExists
	}
	var mu sync.Mutex
	var r recording
	o.Record = func(e runtime.Exchange) {
		out := exchange{Request: recordedRequest{e.Method, e.Path}, Response: recordedResponse{Status: e.Status}}
		for _, name := range kept {
			if v := e.Header.Get(name); v != "" {
				if out.Response.Headers == nil {
					out.Response.Headers = map[string]string{}
				}
				out.Response.Headers[name] = v
			}
		}
		if utf8.Valid(e.Body) {
			out.Response.Body = string(e.Body)
		} else {
			out.Response.Base64 = e.Body
		}
		mu.Lock()
		defer mu.Unlock()
		r.Exchanges = append(r.Exchanges, out)
	}
	open := *p // the author records, who need not be among the callers
	open.Policy, open.Limits = nil, nil
	b, err := runtime.NewBridge(&open, o)
	if err != nil {
		return 0, err
	}
	args := "{}"
	if t.Args != nil {
		args = t.Args.JSON()
	}
	res, err := b.Call(ctx, runtime.Principal{}, t.Call.Name, []byte(args))
	if err != nil {
		return 0, err
	}
	if len(r.Exchanges) == 0 {
		if res.IsError && len(res.Content) > 0 {
			return 0, fmt.Errorf("the service did not answer: %s", res.Content[0].Text)
		}
		return 0, errors.New("the tool sent nothing")
	}
	// Steps that run at the same time end in any order.
	slices.SortStableFunc(r.Exchanges, func(a, b exchange) int {
		if len(findTool(p, t.Call.Name).Steps) == 0 {
			return 0
		}
		return bytes.Compare([]byte(a.Request.Method+" "+a.Request.Path), []byte(b.Request.Method+" "+b.Request.Path))
	})
	var out bytes.Buffer
	e := json.NewEncoder(&out)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	if err := e.Encode(r); err != nil {
		return 0, err
	}
	if err := os.MkdirAll(filepath.Dir(t.Recording.Value), 0o755); err != nil {
		return 0, err
	}
	return len(r.Exchanges), os.WriteFile(t.Recording.Value, out.Bytes(), 0o644)
}
