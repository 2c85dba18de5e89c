package main

import (
	"encoding/json"
	"fmt"
	"net/http"
)

// newShop has one order, prices, and writes invoices.
func newShop() http.Handler {
	prices := map[string]int{"BOLT-M8": 35, "NUT-M8": 12} // cents
	mux := http.NewServeMux()
	mux.HandleFunc("GET /api/orders/{id}", func(w http.ResponseWriter, r *http.Request) {
		switch r.PathValue("id") {
		case "4711":
			write(w, 200, `{"id":4711,"lines":[{"sku":"BOLT-M8","quantity":200},{"sku":"NUT-M8","quantity":100}]}`)
		case "4712":
			write(w, 200, `{"id":4712,"lines":[{"sku":"BOLT-M8","quantity":1},{"sku":"GONE","quantity":1}]}`)
		default:
			write(w, 404, `{"error":"no such order"}`)
		}
	})
	mux.HandleFunc("GET /api/prices/{sku}", func(w http.ResponseWriter, r *http.Request) {
		cents, ok := prices[r.PathValue("sku")]
		if !ok {
			write(w, 404, `{"error":"not sold any more"}`)
			return
		}
		write(w, 200, fmt.Sprintf(`{"price":%d.%02d}`, cents/100, cents%100))
	})
	mux.HandleFunc("PUT /api/orders/{id}/invoice", func(w http.ResponseWriter, r *http.Request) {
		var in struct {
			Lines []struct {
				SKU      string      `json:"sku"`
				Quantity int         `json:"quantity"`
				Price    json.Number `json:"price"`
			} `json:"lines"`
		}
		if err := json.NewDecoder(r.Body).Decode(&in); err != nil {
			write(w, 400, `{"error":"no invoice"}`)
			return
		}
		cents := 0
		for _, l := range in.Lines {
			cents += prices[l.SKU] * l.Quantity
		}
		write(w, 200, fmt.Sprintf(`{"number":"R-%s","total":%d.%02d}`, r.PathValue("id"), cents/100, cents%100))
	})
	return mux
}

func write(w http.ResponseWriter, status int, body string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	fmt.Fprint(w, body)
}
