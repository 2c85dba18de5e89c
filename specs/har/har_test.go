package har_test

import (
	"strings"
	"testing"

	"github.com/mcpc-dev/mcpc/specs/diag"
	"github.com/mcpc-dev/mcpc/specs/har"
)

func get(url string) string { return request("GET", url, "") }

func request(method, url, body string) string {
	if body != "" {
		body = `, "postData": ` + body
	}
	return `{"request": {"method": "` + method + `", "url": "` + url + `"` + body + `}, "response": {"content": {"mimeType": "application/json"}}}`
}

// Which requests are one tool, and what of them is an input.
func TestTools(t *testing.T) {
	for _, tt := range []struct {
		name    string
		entries []string
		want    string // tools with their inputs; "?" marks optional ones
	}{
		{"one", []string{get("https://a.example/orders?status=open")}, "get_orders(status)"},
		{"values differ", []string{get("https://a.example/orders?s=1&l=de"), get("https://a.example/orders?s=2&l=de")}, "get_orders(s)"},
		{"a value is missing", []string{get("https://a.example/orders?s=1"), get("https://a.example/orders")}, "get_orders(s?)"},
		{"ids", []string{get("https://a.example/orders/1/items/550e8400-e29b-41d4-a716-446655440000"), get("https://a.example/orders/2/items/550e8400-e29b-41d4-a716-446655440001")},
			"get_orders_by_order_id_items_by_item_id(order_id, item_id)"},
		{"words are no ids", []string{get("https://a.example/orders/open"), get("https://a.example/orders/closed")}, "get_orders_open() get_orders_closed()"},
		{"methods", []string{get("https://a.example/x"), request("DELETE", "https://a.example/x", "")}, "get_x() delete_x()"},
		{"hosts", []string{get("https://a.example/x"), get("https://b.example/x")}, "get_x() get_x_2()"},
		{"JSON", []string{request("POST", "https://a.example/x", `{"mimeType": "application/json; charset=utf-8", "text": "{\"a\": [1], \"b\": {\"c\": null}}"}`)}, "post_x(a, b)"},
		{"a list as JSON", []string{request("POST", "https://a.example/x", `{"mimeType": "application/json", "text": "[1, 2]"}`)}, "post_x(body)"},
		{"GraphQL", []string{
			request("POST", "https://a.example/q", `{"mimeType": "application/json", "text": "{\"query\": \"query A { a }\", \"variables\": {\"x\": 1}}"}`),
			request("POST", "https://a.example/q", `{"mimeType": "application/json", "text": "{\"query\": \"mutation B { b }\", \"variables\": {\"y\": 1}}"}`),
		}, "post_q(x) post_q_2(y)"},
		{"parts as parameters", []string{request("POST", "https://a.example/x", `{"mimeType": "multipart/form-data; boundary=b", "params": [{"name": "f", "fileName": "a.png"}, {"name": "n", "value": "1"}]}`)}, "post_x(f, n)"},
		{"parts as text", []string{request("POST", "https://a.example/x",
			`{"mimeType": "multipart/form-data; boundary=b", "text": "--b\r\nContent-Disposition: form-data; name=\"f\"; filename=\"a\"\r\n\r\nx\r\n--b\r\nContent-Disposition: form-data; name=\"n\"\r\n\r\n1\r\n--b--\r\n"}`)}, "post_x(f, n)"},
		{"bytes", []string{request("PUT", "https://a.example/x", `{"mimeType": "image/png", "encoding": "base64", "text": "iVBORw0="}`)}, "put_x(file)"},
		{"XML", []string{request("POST", "https://a.example/x", `{"mimeType": "text/xml", "text": "<a><b>1</b><c/></a>"}`)}, "post_x(b)"},
		{"text", []string{request("POST", "https://a.example/x", `{"mimeType": "text/plain", "text": "hello"}`)}, "post_x(body)"},
		{"a repeated name", []string{get("https://a.example/x?t=a&t=b")}, "get_x(t)"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s, diags := har.Read(&diag.Source{Name: "a.har", Text: []byte(`{"log": {"entries": [` + strings.Join(tt.entries, ",") + `]}}`)})
			if s == nil {
				t.Fatal(diags)
			}
			var tools []string
			for _, tool := range s.Tools {
				var inputs []string
				for _, in := range tool.Inputs {
					name := in.Name
					if in.Optional {
						name += "?"
					}
					inputs = append(inputs, name)
				}
				tools = append(tools, tool.Name+"("+strings.Join(inputs, ", ")+")")
			}
			if got := strings.Join(tools, " "); got != tt.want {
				t.Errorf("got  %s\nwant %s", got, tt.want)
			}
		})
	}
}
