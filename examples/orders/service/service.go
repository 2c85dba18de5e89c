// Package service is a small order system of the kind many companies still
// run: JSON here, form posts and Latin-1 XML there, numbers too big for a
// float, a report that takes its time and a warehouse that is down. It stands
// in for the service you want to put behind MCP.
//
// Data lives in memory and is the same at every start; no clock and no random
// number is read, so the same requests in the same order get the same answers.
package service

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"io"
	"mime"
	"net/http"
	"slices"
	"strconv"
	"sync"
	"time"
)

// User and Password are what the form endpoints under /legacy want, as HTTP
// basic authentication.
const (
	User     = "mcpc"
	Password = "demo"
)

// ReportTime is how long a report takes.
const ReportTime = 3 * time.Second

// FirstOrder is the number of the oldest order: 2^53 + 1, the first integer
// that a JavaScript number cannot hold.
const FirstOrder = 9007199254740993

// Order is one order.
type Order struct {
	ID       int64       `json:"id"`
	Customer string      `json:"customer"`
	Name     string      `json:"name"`
	Status   string      `json:"status"` // open, shipped or cancelled
	Total    json.Number `json:"total"`  // EUR
	Lines    []Line      `json:"lines"`
	Note     string      `json:"note,omitempty"`
}

// Line is one position of an order.
type Line struct {
	SKU      string      `json:"sku"`
	Quantity int         `json:"quantity"`
	Price    json.Number `json:"price"` // EUR for one
}

// customers by number; the umlauts are there to be lost by careless hands.
var customers = map[string]string{
	"C-10442": "Müller & Söhne",
	"C-10777": "Café Ångström",
}

// prices in cents.
var prices = map[string]int{"BOLT-M8": 35, "NUT-M8": 12, "PLATE-40": 1250}

type service struct {
	mu     sync.Mutex
	orders []*Order
}

// New returns the service with its three orders.
func New() http.Handler {
	s := &service{}
	s.add("C-10442", []Line{{SKU: "BOLT-M8", Quantity: 200}, {SKU: "NUT-M8", Quantity: 200}})
	s.add("C-10777", []Line{{SKU: "PLATE-40", Quantity: 3}})
	s.add("C-10442", []Line{{SKU: "PLATE-40", Quantity: 1}})
	s.orders[1].Status = "shipped"

	mux := http.NewServeMux()
	mux.HandleFunc("GET /api/orders", s.list)
	mux.HandleFunc("POST /api/orders", s.create)
	mux.HandleFunc("GET /api/orders/{id}", s.get)
	mux.HandleFunc("GET /api/orders/{id}/label", s.label)
	mux.HandleFunc("GET /api/reports/{month}", s.report)
	mux.HandleFunc("GET /api/stock/{sku}", s.stock)
	mux.HandleFunc("POST /legacy/search", legacy(s.search))
	mux.HandleFunc("POST /legacy/cancel", legacy(s.cancel))
	mux.HandleFunc("POST /legacy/notes", legacy(s.notes))
	mux.HandleFunc("GET /legacy/customer", legacy(s.customer))
	return mux
}

// add appends an order with the next odd number.
func (s *service) add(customer string, lines []Line) *Order {
	o := &Order{ID: FirstOrder + 2*int64(len(s.orders)), Customer: customer, Name: customers[customer], Status: "open"}
	cents := 0
	for _, l := range lines {
		l.Price = euros(prices[l.SKU])
		cents += prices[l.SKU] * l.Quantity
		o.Lines = append(o.Lines, l)
	}
	o.Total = euros(cents)
	s.orders = append(s.orders, o)
	return o
}

// euros writes cents as a decimal with both digits, 12.50 and not 12.5.
func euros(cents int) json.Number {
	return json.Number(fmt.Sprintf("%d.%02d", cents/100, cents%100))
}

func (s *service) find(id string) *Order {
	i := slices.IndexFunc(s.orders, func(o *Order) bool { return strconv.FormatInt(o.ID, 10) == id })
	if i < 0 {
		return nil
	}
	return s.orders[i]
}

// reply writes JSON.
func reply(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	write(w, status, v)
}

// refuse writes a problem of RFC 9457.
func refuse(w http.ResponseWriter, status int, title, detail string) {
	w.Header().Set("Content-Type", "application/problem+json")
	write(w, status, map[string]any{"status": status, "title": title, "detail": detail})
}

func write(w http.ResponseWriter, status int, v any) {
	w.WriteHeader(status)
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	_ = e.Encode(v) // fails only when the client has gone
}

func (s *service) list(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	limit := 50
	if t := q.Get("limit"); t != "" {
		n, err := strconv.Atoi(t)
		if err != nil || n < 1 {
			refuse(w, http.StatusBadRequest, "bad limit", "limit is a number from 1")
			return
		}
		limit = n
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	found := []*Order{}
	for _, o := range s.orders {
		if (q.Get("status") == "" || slices.Contains(q["status"], o.Status)) && (q.Get("customer") == "" || q.Get("customer") == o.Customer) {
			found = append(found, o)
		}
	}
	reply(w, http.StatusOK, map[string]any{"count": len(found), "orders": found[:min(limit, len(found))]})
}

func (s *service) get(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	o := s.find(r.PathValue("id"))
	if o == nil {
		refuse(w, http.StatusNotFound, "no such order", "there is no order "+r.PathValue("id"))
		return
	}
	reply(w, http.StatusOK, o)
}

func (s *service) create(w http.ResponseWriter, r *http.Request) {
	var in struct {
		Customer string
		Lines    []Line
		Note     string
	}
	if err := json.NewDecoder(io.LimitReader(r.Body, 1<<20)).Decode(&in); err != nil {
		refuse(w, http.StatusBadRequest, "not JSON", err.Error())
		return
	}
	if customers[in.Customer] == "" {
		refuse(w, http.StatusUnprocessableEntity, "unknown customer", "there is no customer "+in.Customer)
		return
	}
	for _, l := range in.Lines {
		if prices[l.SKU] == 0 || l.Quantity < 1 {
			refuse(w, http.StatusUnprocessableEntity, "bad line", fmt.Sprintf("cannot order %d of %q", l.Quantity, l.SKU))
			return
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	o := s.add(in.Customer, in.Lines)
	o.Note = in.Note
	w.Header().Set("Location", fmt.Sprintf("/api/orders/%d", o.ID))
	reply(w, http.StatusCreated, o)
}

// label draws the order's number as bars, one per bit.
func (s *service) label(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	o := s.find(r.PathValue("id"))
	s.mu.Unlock()
	if o == nil {
		refuse(w, http.StatusNotFound, "no such order", "there is no order "+r.PathValue("id"))
		return
	}
	img := image.NewGray(image.Rect(0, 0, 4*64, 48))
	for x := range img.Rect.Dx() {
		shade := color.Gray{Y: 255}
		if o.ID>>(63-x/4)&1 == 1 {
			shade.Y = 0
		}
		for y := range img.Rect.Dy() {
			img.SetGray(x, y, shade)
		}
	}
	var b bytes.Buffer
	if err := png.Encode(&b, img); err != nil {
		refuse(w, http.StatusInternalServerError, "no label", err.Error())
		return
	}
	w.Header().Set("Content-Type", "image/png")
	w.Write(b.Bytes())
}

// wait returns after d, or when the client has gone.
func wait(r *http.Request, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-r.Context().Done():
	}
}

func (s *service) report(w http.ResponseWriter, r *http.Request) {
	wait(r, ReportTime)
	s.mu.Lock()
	defer s.mu.Unlock()
	reply(w, http.StatusOK, map[string]any{"month": r.PathValue("month"), "orders": len(s.orders), "currency": "EUR"})
}

// stock always fails: the warehouse is closed.
func (s *service) stock(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Retry-After", "120")
	refuse(w, http.StatusServiceUnavailable, "warehouse closed", "stocktaking until noon")
}

// legacy guards an endpoint with the password and parses its form.
func legacy(h http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if u, p, ok := r.BasicAuth(); !ok || u != User || p != Password {
			w.Header().Set("WWW-Authenticate", `Basic realm="orders"`)
			http.Error(w, "ERR 01 LOGON", http.StatusUnauthorized)
			return
		}
		r.Body = http.MaxBytesReader(w, r.Body, 1<<20)
		h(w, r)
	}
}

// codes of the old system for the words of the new one.
var codes = map[string]string{"open": "10", "shipped": "40", "cancelled": "90"}

// form reads a form post and refuses everything else, as old systems do.
func form(w http.ResponseWriter, r *http.Request) bool {
	t, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if t != "application/x-www-form-urlencoded" || r.ParseForm() != nil {
		http.Error(w, "ERR 02 FORM EXPECTED", http.StatusUnsupportedMediaType)
		return false
	}
	return true
}

type orderXML struct {
	Status string    `xml:"STAT,attr"`
	Number int64     `xml:"ORDNO"`
	Name   string    `xml:"NAME"`
	Total  string    `xml:"TOTAL"`
	Lines  []lineXML `xml:"LINE"`
}

type lineXML struct {
	SKU      string `xml:"SKU"`
	Quantity int    `xml:"QTY"`
}

func (s *service) search(w http.ResponseWriter, r *http.Request) {
	if !form(w, r) {
		return
	}
	rows, err := strconv.Atoi(r.PostForm.Get("MAXROW"))
	if err != nil {
		rows = 50
	}
	out := struct {
		XMLName xml.Name   `xml:"ORDERS"`
		Orders  []orderXML `xml:"ORDER"`
	}{}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, o := range s.orders {
		stat := r.PostForm.Get("STAT")
		if o.Customer != r.PostForm.Get("CUSTNO") || (stat != "" && codes[o.Status] != stat) || len(out.Orders) >= rows {
			continue
		}
		x := orderXML{Status: codes[o.Status], Number: o.ID, Name: o.Name, Total: o.Total.String()}
		for _, l := range o.Lines {
			x.Lines = append(x.Lines, lineXML{l.SKU, l.Quantity})
		}
		out.Orders = append(out.Orders, x)
	}
	latin1(w, out)
}

func (s *service) customer(w http.ResponseWriter, r *http.Request) {
	no := r.URL.Query().Get("no")
	if customers[no] == "" {
		http.Error(w, "ERR 11 NO CUSTOMER "+no, http.StatusNotFound)
		return
	}
	latin1(w, struct {
		XMLName xml.Name `xml:"CUSTOMER"`
		Number  string   `xml:"NO,attr"`
		Name    string   `xml:"NAME"`
	}{Number: no, Name: customers[no]})
}

// latin1 writes XML as ISO 8859-1.
func latin1(w http.ResponseWriter, v any) {
	text, err := xml.MarshalIndent(v, "", "  ")
	if err != nil {
		http.Error(w, "ERR 99 "+err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/xml; charset=ISO-8859-1")
	out := []byte("<?xml version=\"1.0\" encoding=\"ISO-8859-1\"?>\n")
	for _, c := range string(text) {
		if c > 255 {
			out = append(out, fmt.Sprintf("&#%d;", c)...)
			continue
		}
		out = append(out, byte(c))
	}
	w.Write(append(out, '\n'))
}

func (s *service) cancel(w http.ResponseWriter, r *http.Request) {
	if !form(w, r) {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	o := s.find(r.PostForm.Get("ORDNO"))
	switch {
	case o == nil:
		http.Error(w, "ERR 12 NO ORDER "+r.PostForm.Get("ORDNO"), http.StatusNotFound)
	case o.Status != "open":
		http.Error(w, fmt.Sprintf("ERR 17 ORDER %d IS %s", o.ID, codes[o.Status]), http.StatusConflict)
	default:
		o.Status = "cancelled"
		o.Note = r.PostForm.Get("REASON")
		fmt.Fprintf(w, "OK %d\n", o.ID)
	}
}

func (s *service) notes(w http.ResponseWriter, r *http.Request) {
	var in struct {
		Order json.Number `json:"order"`
		Text  string      `json:"text"`
	}
	if err := json.NewDecoder(r.Body).Decode(&in); err != nil {
		refuse(w, http.StatusBadRequest, "not JSON", err.Error())
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	o := s.find(in.Order.String())
	if o == nil {
		refuse(w, http.StatusNotFound, "no such order", "there is no order "+in.Order.String())
		return
	}
	o.Note = in.Text
	reply(w, http.StatusOK, o)
}
