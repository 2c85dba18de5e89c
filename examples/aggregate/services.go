package main

import (
	"fmt"
	"net/http"
)

const token = "demo-token"

// The three systems. They have nothing in common but the token.

func newCRM() http.Handler {
	return guarded(func(mux *http.ServeMux) {
		mux.HandleFunc("GET /v2/customers/{id}", func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			if r.PathValue("id") != "C-10442" {
				w.WriteHeader(http.StatusNotFound)
				fmt.Fprint(w, `{"error":"unknown"}`)
				return
			}
			fmt.Fprint(w, `{"id":"C-10442","name":"Müller & Söhne","city":"Köln","since":"1998-04-01","_links":{"self":"/x"},"score":0.7}`)
		})
	})
}

func newBilling() http.Handler {
	return guarded(func(mux *http.ServeMux) {
		mux.HandleFunc("GET /invoices.xml", func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "application/xml")
			if r.URL.Query().Get("customer") != "C-10442" {
				fmt.Fprint(w, `<INVOICES/>`)
				return
			}
			fmt.Fprint(w, `<INVOICES><INVOICE><NO>R-881</NO><AMOUNT>119.00</AMOUNT><DUE>2026-12-01</DUE><LEDGER>4400</LEDGER></INVOICE></INVOICES>`)
		})
	})
}

func newTickets() http.Handler {
	return guarded(func(mux *http.ServeMux) {
		mux.HandleFunc("GET /export.csv", func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "text/csv; charset=utf-8")
			fmt.Fprint(w, "id;opened;subject\n90;2026-11-20;\"Bolt, M8: loose\"\n71;2026-10-02;Invoice\n")
		})
	})
}

func guarded(routes func(*http.ServeMux)) http.Handler {
	mux := http.NewServeMux()
	routes(mux)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "Bearer "+token || r.Header.Get("X-Request-Source") != "mcp" {
			http.Error(w, "no", http.StatusUnauthorized)
			return
		}
		mux.ServeHTTP(w, r)
	})
}
