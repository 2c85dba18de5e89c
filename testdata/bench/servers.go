package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"strings"
	"time"
)

// document describes the upstream, as mcpc reads it.
const document = `openapi: 3.0.3
info: {title: Bench, version: "1"}
paths:
  /items/{id}:
    get:
      operationId: getItem
      parameters:
        - {name: id, in: path, required: true, schema: {type: string}}
      responses:
        "200":
          description: an item
          content:
            application/json:
              schema:
                type: object
                properties:
                  id: {type: string}
                  name: {type: string}
                  tags: {type: array, items: {type: string}}
                  description: {type: string}
`

// byHand describes it by hand, with what specs do in each call: rules, expressions
// and a shape of the answer.
const byHand = `api "bench" { base_url = "http://127.0.0.1:9" }

tool "getItem" {
  description = "Get an item."
  read_only   = true

  input "id" {
    type    = string
    pattern = "^item-[0-9]+$"
  }
  input "status" {
    type    = enum("open", "shipped", "cancelled")
    default = "open"
  }

  request "GET" "/items/{id}" {
    query = {
      STAT   = { open = "10", shipped = "40", cancelled = "90" }[args.status]
      MAXROW = 50
    }
    headers = { X-Item = "item ${upper(args.id)}" }
  }

  response {
    fields = ["id", "name", "tags", "description"]
    error_when {
      json = "error.code"
    }
  }
}
`

// thousandByHand are 1,000 tools described by hand.
func thousandByHand() string {
	var doc strings.Builder
	doc.WriteString("api \"erp\" { base_url = \"https://erp.example\" }\n")
	for i := range 1000 {
		fmt.Fprintf(&doc, `
tool "search_%d" {
  description = "Find orders by customer and status. Returns at most 50, newest first."
  read_only   = true

  input "customer" {
    type        = string
    description = "Customer number, e.g. C-10442"
    pattern     = "^C-[0-9]+$"
  }
  input "status" {
    type    = enum("open", "shipped", "cancelled")
    default = "open"
  }

  request "POST" "/orders/{customer}/search" {
    form = {
      CUSTNO = "C-${args.customer}"
      STAT   = { open = "10", shipped = "40", cancelled = "90" }[args.status]
      MAXROW = 50
    }
  }

  response {
    root   = "orders"
    fields = ["number", "status", "lines.item", "lines.quantity"]
  }
}
`, i)
	}
	return doc.String()
}

// item is the answer of the upstream: 1 KB of JSON with the id in it.
func item(id string) []byte {
	b := fmt.Appendf(nil, `{"id":%q,"name":"Item %s","tags":["a","b","c"],"description":"`, id, id)
	return append(append(b, bytes.Repeat([]byte("lorem ipsum "), (1020-len(b))/12)...), `"}`...)
}

func listen(w io.Writer) (net.Listener, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err == nil {
		fmt.Fprintf(w, "http://%s\n", l.Addr())
	}
	return l, err
}

func serveOn(ctx context.Context, l net.Listener, h http.Handler) error {
	s := &http.Server{Handler: h, ReadHeaderTimeout: 5 * time.Second}
	context.AfterFunc(ctx, func() { s.Close() })
	if err := s.Serve(l); err != http.ErrServerClosed {
		return err
	}
	return nil
}

func serveUpstream(ctx context.Context, w io.Writer) error {
	l, err := listen(w)
	if err != nil {
		return err
	}
	return serveOn(ctx, l, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body := item(strings.TrimPrefix(r.URL.Path, "/items/"))
		w.Header()["Content-Type"] = []string{"application/json"}
		w.Header()["Content-Length"] = []string{fmt.Sprint(len(body))}
		_, _ = w.Write(body)
	}))
}

// serveProxy is the yardstick: the standard library's reverse proxy with a
// connection pool that fits the load.
func serveProxy(ctx context.Context, w io.Writer, upstream string) error {
	u, err := url.Parse(upstream)
	if err != nil {
		return err
	}
	l, err := listen(w)
	if err != nil {
		return err
	}
	proxy := &httputil.ReverseProxy{
		Rewrite:   func(r *httputil.ProxyRequest) { r.SetURL(u) },
		Transport: &http.Transport{MaxIdleConns: 256, MaxIdleConnsPerHost: 256},
	}
	return serveOn(ctx, l, proxy)
}
