package main

import (
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"

	"golang.org/x/text/encoding/charmap"
)

const pin = "1234"

// newRegister is the member register: a CGI program that knows Latin-1 only.
func newRegister() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /cgi-bin/member.cgi", member)
	mux.HandleFunc("GET /cgi-bin/plan.cgi", plan)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("X-Club-Pin") != pin {
			http.Error(w, "wrong pin", http.StatusForbidden)
			return
		}
		mux.ServeHTTP(w, r)
	})
}

func member(w http.ResponseWriter, r *http.Request) {
	raw, err := io.ReadAll(r.Body)
	form, ferr := url.ParseQuery(string(raw))
	if err != nil || ferr != nil {
		http.Error(w, "no form", http.StatusBadRequest)
		return
	}
	value := func(name string) string { // bytes above 0x7F are Latin-1
		s, err := charmap.ISO8859_1.NewDecoder().String(form.Get(name))
		if err != nil {
			return ""
		}
		return s
	}
	w.Header().Set("Content-Type", "text/plain")
	answer := func(pairs ...string) {
		var out []string
		for i := 0; i < len(pairs); i += 2 {
			latin1, err := charmap.ISO8859_1.NewEncoder().String(pairs[i+1])
			if err != nil {
				latin1 = "?"
			}
			out = append(out, pairs[i]+"="+url.QueryEscape(latin1))
		}
		fmt.Fprint(w, strings.Join(out, "&"))
	}
	switch value("action") {
	case "find":
		if value("name") != "Müller" {
			answer("status", "ERR", "text", "kein Mitglied "+value("name"))
			return
		}
		answer("status", "OK", "nr", "M-17", "name", "Müller", "city", "Köln", "paid", "true", "internal", "x")
	case "move":
		answer("status", "OK", "nr", value("nr"), "city", value("city"))
	default:
		answer("status", "ERR", "text", "unbekannte Aktion")
	}
}

func plan(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "text/html; charset=iso-8859-1")
	page := `<html><head><title>Verein</title></head><body><nav><a href="/">Start</a></nav>
<div id="plan"><h1>Plan</h1><ul><li>18:00 Läufer</li><li>19:00 Schwimmer (` + r.URL.Query().Get("day") + `)</li></ul></div><footer>1997</footer></body></html>`
	latin1, err := charmap.ISO8859_1.NewEncoder().String(page)
	if err != nil {
		http.Error(w, "?", http.StatusBadRequest)
		return
	}
	_, _ = io.WriteString(w, latin1) // the client went away
}
