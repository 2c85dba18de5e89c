// Package lsp is a language server for specs in HCL. It keeps the texts an
// editor has open, compiles their specs when they change, publishes what is
// wrong, and answers questions about places in them. What it knows of the
// language it asks of specs/hclspec.
//
// wire.go reads and writes messages, text.go counts positions, check.go compiles
// and publishes, answers.go answers.
package lsp

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/url"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"time"

	"github.com/mcpc-dev/mcpc/compiler"
)

// Options say how specs are compiled.
type Options struct {
	// Compile holds what is the same for all specs: variables, folders for $ref.
	Compile compiler.Options
	Getenv  func(string) string
	// Files makes each file a spec of its own; otherwise all .hcl files of a
	// folder are one.
	Files bool
	// Delay is how long a text must rest before it is compiled.
	Delay time.Duration
	Log   io.Writer // remarks for people; nil: none
}

// ErrNoShutdown means that the client left without asking to shut down.
var ErrNoShutdown = errors.New("the client left without a shutdown request")

// maxRunning is how many requests are answered at the same time.
const maxRunning = 8

// server is one connection.
type server struct {
	ctx     context.Context
	options Options
	out     *writer

	initialized, shutdown bool
	snippets              bool // the client fills in places of completions
	watches               bool // the client can be asked to watch files

	mu      sync.Mutex
	docs    map[string]*document // by URI
	units   map[string]*unit     // by target
	answers map[string]context.CancelFunc

	running   chan struct{} // requests being answered
	compiling chan struct{} // the compilation under way
	wg        sync.WaitGroup
}

// document is a text that is open in the editor.
type document struct {
	uri, path string // path is "" where the URI names no file
	version   int
	text      []byte
	unit      *unit // nil: no part of a spec
}

// Serve speaks the protocol until the client says exit, or leaves.
func Serve(ctx context.Context, r io.Reader, w io.Writer, o Options) error {
	ctx, cancel := context.WithCancel(ctx)
	s := &server{ctx: ctx, options: o, out: &writer{w: w}, docs: map[string]*document{}, units: map[string]*unit{}, answers: map[string]context.CancelFunc{},
		running: make(chan struct{}, maxRunning), compiling: make(chan struct{}, 1)}
	if s.options.Log == nil {
		s.options.Log = io.Discard
	}
	frames := make(chan []byte)
	var end error
	go func() {
		defer close(frames)
		in := bufio.NewReaderSize(r, maxHeader)
		for {
			b, err := readFrame(in)
			if err != nil {
				end = err
				return
			}
			select {
			case frames <- b:
			case <-ctx.Done():
				return
			}
		}
	}()
	defer s.wg.Wait()
	defer s.stop()
	defer cancel()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case b, ok := <-frames:
			switch {
			case !ok && errors.Is(end, io.EOF) && s.shutdown:
				return nil
			case !ok && errors.Is(end, io.EOF):
				return ErrNoShutdown
			case !ok:
				return end
			}
			exit, err := s.receive(b)
			switch {
			case err != nil:
				return err
			case exit && !s.shutdown:
				return ErrNoShutdown
			case exit:
				return nil
			}
		}
	}
}

// receive handles one message. An error is that of writing.
func (s *server) receive(b []byte) (exit bool, err error) {
	var m message
	if err := json.Unmarshal(b, &m); err != nil {
		return false, s.out.reply(nil, nil, &rpcError{parseError, "the message is no JSON-RPC object: " + err.Error()})
	}
	isAnswer := m.Method == "" && (m.Result != nil || m.Error != nil)
	isRequest := len(m.ID) > 0 && string(m.ID) != "null"
	switch {
	case isAnswer: // to the one thing that is asked of a client; there is nothing to be done about a no
		return false, nil
	case m.Method == "initialized" && s.initialized && s.watches:
		return false, s.out.send(message{ID: json.RawMessage(`"watch"`), Method: "client/registerCapability", Params: watching})
	case m.Method == "":
		return false, s.out.reply(m.ID, nil, &rpcError{invalidRequest, "the message has no method"})
	case m.Method == "exit":
		return true, nil
	case !isRequest:
		if s.initialized && !s.shutdown {
			s.notification(m)
		}
		return false, nil
	case m.Method == "initialize" && !s.initialized:
		var p initializeParams
		if err := json.Unmarshal(m.Params, &p); err != nil {
			return false, s.out.reply(m.ID, nil, &rpcError{invalidParams, err.Error()})
		}
		s.initialized = true
		s.watches = p.Capabilities.Workspace.Watch.DynamicRegistration
		s.snippets = p.Capabilities.TextDocument.Completion.CompletionItem.SnippetSupport
		return false, s.out.reply(m.ID, map[string]any{"capabilities": capabilities, "serverInfo": map[string]string{"name": "mcpc"}}, nil)
	case m.Method == "initialize" || s.shutdown:
		return false, s.out.reply(m.ID, nil, &rpcError{invalidRequest, m.Method + " cannot be asked now"})
	case !s.initialized:
		return false, s.out.reply(m.ID, nil, &rpcError{notInitialized, "initialize comes first"})
	case m.Method == "shutdown":
		s.shutdown = true
		return false, s.out.reply(m.ID, nil, nil)
	}
	return false, s.request(m)
}

// request answers a question about a document. The text is that of now, whatever
// the client sends while it is answered.
func (s *server) request(m message) error {
	answer := answers[m.Method]
	if answer == nil {
		return s.out.reply(m.ID, nil, &rpcError{methodNotFound, "there is no method " + m.Method})
	}
	var p documentParams
	if err := json.Unmarshal(m.Params, &p); err != nil {
		return s.out.reply(m.ID, nil, &rpcError{invalidParams, err.Error()})
	}
	s.mu.Lock()
	var doc *document
	if d := s.docs[p.TextDocument.URI]; d != nil {
		c := *d
		doc = &c
	}
	ctx, cancel := context.WithCancel(s.ctx)
	id := string(m.ID)
	s.answers[id] = cancel
	s.mu.Unlock()
	if doc == nil {
		s.done(id)
		return s.out.reply(m.ID, nil, &rpcError{invalidParams, fmt.Sprintf("%.200q is not open", p.TextDocument.URI)})
	}
	select {
	case s.running <- struct{}{}:
	case <-s.ctx.Done():
		return s.ctx.Err()
	}
	s.wg.Go(func() {
		defer func() { <-s.running }()
		defer s.done(id)
		result, err := s.answer(ctx, answer, doc, &p)
		if ctx.Err() != nil {
			err = &rpcError{cancelled, "cancelled"}
		}
		if err := s.out.reply(m.ID, result, err); err != nil {
			s.log("%v", err)
		}
	})
	return nil
}

// answer computes one answer. A mistake of ours costs the answer, not the
// connection.
func (s *server) answer(ctx context.Context, f answerFunc, doc *document, p *documentParams) (result any, err error) {
	defer func() {
		if r := recover(); r != nil {
			stack := make([]byte, 8<<10)
			s.log("panic: %v\n%s", r, stack[:runtime.Stack(stack, false)])
			result, err = nil, &rpcError{internalError, "internal error"}
		}
	}()
	return f(&question{server: s, ctx: ctx, doc: doc, params: p, lines: newLines(doc.text)})
}

func (s *server) done(id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if cancel := s.answers[id]; cancel != nil {
		cancel()
		delete(s.answers, id)
	}
}

// notification takes note of what the client says. What makes no sense is left
// aside: there is nobody to tell.
func (s *server) notification(m message) {
	if m.Method == "$/cancelRequest" {
		var p struct {
			ID json.RawMessage `json:"id"`
		}
		if json.Unmarshal(m.Params, &p) == nil {
			s.mu.Lock()
			if cancel := s.answers[string(p.ID)]; cancel != nil {
				cancel()
			}
			s.mu.Unlock()
		}
		return
	}
	var p documentParams
	switch m.Method {
	case "textDocument/didOpen", "textDocument/didChange", "textDocument/didSave", "textDocument/didClose":
		if err := json.Unmarshal(m.Params, &p); err != nil {
			s.log("%s: %v", m.Method, err)
			return
		}
	case "workspace/didChangeWatchedFiles":
	default:
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	doc := s.docs[p.TextDocument.URI]
	switch m.Method {
	case "textDocument/didOpen":
		doc = &document{uri: p.TextDocument.URI, path: pathOf(p.TextDocument.URI), version: p.TextDocument.Version, text: []byte(p.TextDocument.Text)}
		if old := s.docs[doc.uri]; old != nil {
			s.leave(old)
		}
		s.docs[doc.uri] = doc
		s.join(doc)
		s.changed(doc, 0)
	case "textDocument/didChange":
		if doc != nil {
			doc.text, doc.version = apply(doc.text, p.ContentChanges), p.TextDocument.Version
			s.changed(doc, s.options.Delay)
		}
	case "textDocument/didClose":
		if doc != nil {
			delete(s.docs, doc.uri)
			s.changed(doc, 0)
			s.leave(doc)
		}
	default: // something on disk is different
		for _, u := range s.units {
			s.schedule(u, 0)
		}
	}
}

func (s *server) log(format string, args ...any) {
	fmt.Fprintf(s.options.Log, "mcpc lsp: "+format+"\n", args...)
}

// pathOf is the file that a URI names, or "".
func pathOf(uri string) string {
	u, err := url.Parse(uri)
	if err != nil || u.Scheme != "file" || u.Host != "" && u.Host != "localhost" || u.Path == "" || strings.Contains(u.Path, "\x00") {
		return ""
	}
	path := u.Path
	if len(path) > 2 && path[0] == '/' && path[2] == ':' { // /C:/specs
		path = path[1:]
	}
	path = filepath.FromSlash(path)
	if !filepath.IsAbs(path) {
		return ""
	}
	return filepath.Clean(path)
}

// uriOf is the URI of a file, as the editor wrote it where it is open.
func (s *server) uriOf(path string) string {
	for _, d := range s.docs {
		if d.path == path && path != "" {
			return d.uri
		}
	}
	path = filepath.ToSlash(path)
	if !strings.HasPrefix(path, "/") {
		path = "/" + path
	}
	return (&url.URL{Scheme: "file", Path: path}).String()
}
