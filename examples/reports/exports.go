package main

import (
	"io"
	"net/http"

	"golang.org/x/text/encoding/charmap"
)

// newExports serves exports as a spreadsheet wrote them: semicolons, decimal
// commas, the charset of Windows.
func newExports() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /export/{file}", func(w http.ResponseWriter, r *http.Request) {
		text := "Region;Artikel;Menge;Umsatz;Kostenstelle\r\n"
		switch r.PathValue("file") {
		case "sales-2026-11.csv":
			text += "Süd;Schraube M8;1200;\"420,00 €\";4400\r\nNord;Mutter M8;800;\"96,00 €\";4400\r\n"
		case "sales-2026-10.csv":
		default:
			http.NotFound(w, r)
			return
		}
		windows, err := charmap.Windows1252.NewEncoder().String(text)
		if err != nil {
			panic(err) // the texts above are of that charset
		}
		w.Header().Set("Content-Type", "application/octet-stream") // as a download
		w.Header().Set("Etag", `"`+r.PathValue("file")+`"`)
		_, _ = io.WriteString(w, windows) // the client went away
	})
	return mux
}
