package response

import (
	"encoding/xml"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/mcpc-dev/mcpc/runtime/plan"
)

// A megabyte of orders, as three formats write them.
func megabyteOf(row func(b *strings.Builder, i int)) string {
	var b strings.Builder
	for i := 0; b.Len() < 1<<20; i++ {
		row(&b, i)
	}
	return b.String()
}

func ordersXML() string {
	return `<?xml version="1.0"?><ORDERS>` + megabyteOf(func(b *strings.Builder, i int) {
		fmt.Fprintf(b, "\n  <ORDER STAT=\"10\">\n    <ORDNO>%08d</ORDNO>\n    <CUSTOMER>Müller &amp; Söhne GmbH</CUSTOMER>\n    <TOTAL>%d.50</TOTAL>\n    <LINE><SKU>A-%d</SKU><QTY>2</QTY></LINE>\n    <LINE><SKU>B-%d</SKU><QTY>1</QTY></LINE>\n  </ORDER>", i, i, i, i)
	}) + `</ORDERS>`
}

func ordersCSV() string {
	return "ordno,customer,total,sku,qty\n" + megabyteOf(func(b *strings.Builder, i int) {
		fmt.Fprintf(b, "%08d,\"Müller, Söhne\",%d.50,A-%d,2\n", i, i, i)
	})
}

func ordersHTML() string {
	return "<html><body><main><h1>Orders</h1>" + megabyteOf(func(b *strings.Builder, i int) {
		fmt.Fprintf(b, "<p>Order <a href=\"/o/%d\">%08d</a> of <b>Müller</b>: %d.50 with a longer text behind it, as pages mostly have more of it than of tags.</p>\n", i, i, i)
	}) + "</main></body></html>"
}

// The tokens of the standard library's reader, for comparison: no JSON yet.
func BenchmarkXMLTokens(b *testing.B) {
	text := ordersXML()
	b.SetBytes(int64(len(text)))
	b.ReportAllocs()
	for b.Loop() {
		dec := xml.NewDecoder(strings.NewReader(text))
		for {
			if _, err := dec.Token(); err == io.EOF {
				break
			} else if err != nil {
				b.Fatal(err)
			}
		}
	}
}

func BenchmarkDecode(b *testing.B) {
	for _, c := range []struct {
		name, kind string
		text       string
	}{
		{"xml", "xml", ordersXML()},
		{"csv", "csv", ordersCSV()},
		{"html", "html", ordersHTML()[:1<<18]}, // Markdown; a larger page becomes plain text
		{"large-html", "html", ordersHTML()},
	} {
		b.Run(c.name, func(b *testing.B) {
			p := tool("")
			p.Response = plan.Response{Kind: c.kind, XML: &plan.XMLReading{Lists: []string{"ORDER", "LINE"}},
				Types: []plan.NameType{{Name: "QTY", Type: "integer"}, {Name: "TOTAL", Type: "number"}, {Name: "total", Type: "number"}}}
			d := compile(b, p)
			a := answer(200, "", c.text)
			if r := resultOf(d, a); len(r.Content) != 1 && c.kind != "html" || len(r.Content[0].Text) < 1<<17 {
				b.Fatalf("%d contents, %d bytes", len(r.Content), len(r.Content[0].Text))
			}
			b.SetBytes(int64(len(c.text)))
			b.ReportAllocs()
			for b.Loop() {
				if k, _ := kindNamed(c.kind); c.kind != "html" {
					if _, err := d.value(k, d.body(a)); err != nil {
						b.Fatal(err)
					}
				} else {
					resultOf(d, a)
				}
			}
		})
	}
}
