package main

import (
	"encoding/xml"
	"fmt"
	"io"
	"net/http"
	"strings"

	"golang.org/x/text/encoding/charmap"
)

const password = "demo" // of the user svc-mcp

// newERP is the back office: a form that answers in Latin-1 XML, and a SOAP
// service.
func newERP() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /api.asp/orders/search", search)
	mux.HandleFunc("POST /api.asp/soap/orders.asmx", cancel)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if user, pass, _ := r.BasicAuth(); user != "svc-mcp" || pass != password {
			w.Header().Set("WWW-Authenticate", `Basic realm="erp"`)
			http.Error(w, "who are you?", http.StatusUnauthorized)
			return
		}
		mux.ServeHTTP(w, r)
	})
}

func search(w http.ResponseWriter, r *http.Request) {
	customer, status := r.PostFormValue("CUSTNO"), r.PostFormValue("STAT")
	body := "<ORDERS/>"
	switch {
	case customer == "C-0":
		body = "<ERROR><CODE>17</CODE><TEXT>customer C-0 is locked</TEXT></ERROR>"
	case customer == "C-10442" && status == "10":
		body = `<ORDERS><ORDER STAT="10"><ORDNO>4711</ORDNO><NAME>Müller &amp; Söhne</NAME><TOTAL>94.00</TOTAL>` +
			`<LINE><SKU>BOLT-M8</SKU><QTY>200</QTY></LINE><LINE><SKU>NUT-M8</SKU><QTY>200</QTY></LINE></ORDER></ORDERS>`
	}
	latin1, err := charmap.ISO8859_1.NewEncoder().String(body)
	if err != nil {
		panic(err) // the texts above are Latin-1
	}
	w.Header().Set("Content-Type", "text/xml") // without the charset, as such services do
	_, _ = io.WriteString(w, latin1)           // the client went away
}

func cancel(w http.ResponseWriter, r *http.Request) {
	var envelope struct {
		Body struct {
			Cancel struct{ No, Why string } `xml:"urn:erp CancelOrder"`
		} `xml:"http://schemas.xmlsoap.org/soap/envelope/ Body"`
	}
	text, err := io.ReadAll(r.Body)
	if err == nil {
		err = xml.Unmarshal(text, &envelope)
	}
	w.Header().Set("Content-Type", "text/xml; charset=utf-8")
	answer := func(status int, body string) {
		w.WriteHeader(status)
		fmt.Fprintf(w, `<?xml version="1.0"?><soap:Envelope xmlns:soap="http://schemas.xmlsoap.org/soap/envelope/"><soap:Body>%s</soap:Body></soap:Envelope>`, body)
	}
	order := envelope.Body.Cancel
	switch {
	case err != nil || strings.Trim(r.Header.Get("SOAPAction"), `"`) != "urn:erp:CancelOrder":
		answer(500, `<soap:Fault><faultcode>soap:Client</faultcode><faultstring>not a CancelOrder request</faultstring></soap:Fault>`)
	case order.No != "4711":
		answer(500, `<soap:Fault><faultcode>soap:Client</faultcode><faultstring>no open order of this number</faultstring></soap:Fault>`)
	default:
		var why strings.Builder
		if err := xml.EscapeText(&why, []byte(order.Why)); err != nil {
			panic(err) // a builder takes everything
		}
		answer(200, fmt.Sprintf(`<CancelOrderResponse xmlns="urn:erp"><No>%s</No><State>cancelled</State><Why>%s</Why></CancelOrderResponse>`, order.No, why.String()))
	}
}
