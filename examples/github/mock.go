package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"
)

const token = "demo-token"

// newGitHub answers like GitHub's REST API, for one repository of acme.
func newGitHub() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /search/issues", search)
	mux.HandleFunc("GET /repos/{owner}/{repo}", func(w http.ResponseWriter, r *http.Request) {
		write(w, 200, map[string]any{"full_name": r.PathValue("owner") + "/" + r.PathValue("repo"), "node_id": "R_1", "description": "Bolts and nuts",
			"clone_url": "https://github.example/acme/shop.git", "stargazers_count": 7, "owner": user("acme")})
	})
	mux.HandleFunc("GET /repos/{owner}/{repo}/issues", list)
	mux.HandleFunc("POST /repos/{owner}/{repo}/issues", create)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "Bearer "+token || r.Header.Get("X-GitHub-Api-Version") != "2022-11-28" {
			write(w, 401, map[string]any{"message": "Bad credentials"})
			return
		}
		mux.ServeHTTP(w, r)
	})
}

func user(login string) map[string]any {
	return map[string]any{"login": login, "node_id": "U_1", "avatar_url": "https://github.example/a.png"}
}

func issue(n int) map[string]any {
	return map[string]any{"number": n, "node_id": fmt.Sprint("I_", n), "title": fmt.Sprint("Bolt ", n, " is loose"), "state": "open",
		"html_url": fmt.Sprint("https://github.example/acme/shop/issues/", n), "events_url": "https://github.example/events", "user": user("mona"),
		"labels": []any{map[string]any{"name": "bug", "node_id": "L_1", "url": "https://github.example/l"}}, "reactions": map[string]any{"total_count": 0}}
}

func write(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v) // the client went away
}

func search(w http.ResponseWriter, r *http.Request) {
	items := []any{}
	if strings.Contains(r.URL.Query().Get("q"), "org:acme") {
		items = append(items, issue(1), issue(2))
	}
	write(w, 200, map[string]any{"total_count": len(items), "incomplete_results": false, "items": items})
}

// list has 70 issues, in pages that a Link header leads through.
func list(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	page, size := 1, 30
	if n, err := strconv.Atoi(q.Get("page")); err == nil {
		page = n
	}
	if n, err := strconv.Atoi(q.Get("per_page")); err == nil {
		size = n
	}
	const all = 70
	items := []any{}
	for n := (page-1)*size + 1; n <= min(page*size, all); n++ {
		items = append(items, issue(n))
	}
	if page*size < all {
		next := *r.URL
		q.Set("page", strconv.Itoa(page+1))
		next.RawQuery = q.Encode()
		w.Header().Set("Link", fmt.Sprintf(`<http://%s%s>; rel="next"`, r.Host, next.String()))
	}
	write(w, 200, items)
}

func create(w http.ResponseWriter, r *http.Request) {
	var in struct {
		Title  string   `json:"title"`
		Labels []string `json:"labels"`
	}
	if err := json.NewDecoder(r.Body).Decode(&in); err != nil || in.Title == "" {
		write(w, 422, map[string]any{"message": "Validation Failed"})
		return
	}
	made := issue(71)
	made["title"] = in.Title
	labels := []any{}
	for _, l := range in.Labels {
		labels = append(labels, map[string]any{"name": l, "node_id": "L_2"})
	}
	made["labels"] = labels
	write(w, 201, made)
}
