package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"sync"
)

// archive keeps documents in memory.
type archive struct {
	mu        sync.Mutex
	documents []document
}

type document struct {
	Number string   `json:"number"`
	Title  string   `json:"title"`
	Name   string   `json:"name"`
	Size   int      `json:"size"`
	Tags   []string `json:"tags"`
}

// newArchive is a document archive that takes uploads as browsers send them.
func newArchive() http.Handler {
	a := &archive{}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /documents", a.file)
	mux.HandleFunc("GET /documents", a.list)
	return mux
}

func (a *archive) file(w http.ResponseWriter, r *http.Request) {
	part, head, err := r.FormFile("document")
	if err != nil {
		http.Error(w, "no document", http.StatusBadRequest)
		return
	}
	defer part.Close()
	text, err := io.ReadAll(part)
	if err != nil {
		http.Error(w, "no document", http.StatusBadRequest)
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	d := document{fmt.Sprintf("D-%d", len(a.documents)+1), r.FormValue("title"), head.Filename, len(text), r.MultipartForm.Value["tag"]}
	a.documents = append([]document{d}, a.documents...)
	reply(w, http.StatusCreated, d)
}

func (a *archive) list(w http.ResponseWriter, _ *http.Request) {
	a.mu.Lock()
	defer a.mu.Unlock()
	reply(w, http.StatusOK, map[string]any{"documents": append([]document{}, a.documents...)})
}

func reply(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v) // the client went away
}
