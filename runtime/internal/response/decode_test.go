package response

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"reflect"
	"strings"
	"testing"

	"github.com/mcpc-dev/mcpc/runtime/plan"
)

const (
	soap11 = "http://schemas.xmlsoap.org/soap/envelope/"
	soap12 = "http://www.w3.org/2003/05/soap-envelope"
)

func envelope(uri, body string) string {
	return `<?xml version="1.0"?><s:Envelope xmlns:s="` + uri + `"><s:Header><t:Trace xmlns:t="urn:t">abc</t:Trace></s:Header><s:Body>` + body + `</s:Body></s:Envelope>`
}

// What a plan says of how a body is read.
func TestReadings(t *testing.T) {
	types := func(pairs ...string) []plan.NameType {
		var out []plan.NameType
		for i := 0; i < len(pairs); i += 2 {
			out = append(out, plan.NameType{Name: pairs[i], Type: pairs[i+1]})
		}
		return out
	}
	lists := func(names ...string) *plan.XMLReading { return &plan.XMLReading{Lists: names} }
	spaces := &plan.XMLReading{Namespaces: []plan.Namespace{{Prefix: "inv", URI: "urn:inv"}, {Prefix: "o", URI: "urn:order"}}, Lists: []string{"inv:line"}}
	soap := &plan.XMLReading{SOAP: true}

	for _, c := range []struct {
		name string
		r    plan.Response
		body string
		want string // JSON, or the text of the result after "?"
	}{
		{"XML: a list of one", plan.Response{Kind: "xml", XML: lists("ORDER", "LINE")}, `<ORDERS><ORDER><LINE>a</LINE></ORDER></ORDERS>`, `{"ORDERS":{"ORDER":[{"LINE":["a"]}]}}`},
		{"XML: the root as list", plan.Response{Kind: "xml", XML: lists("ORDER")}, `<ORDER/>`, `{"ORDER":[""]}`},
		{"XML: types", plan.Response{Kind: "xml", Types: types("QTY", "integer", "TOTAL", "number", "PAID", "boolean", "@N", "integer", "NO", "string")},
			`<O N="7"><QTY> 12 </QTY><TOTAL cur="EUR">94.00</TOTAL><PAID>0</PAID><NO>007</NO><QTY/></O>`,
			`{"O":{"@N":7,"QTY":[12,null],"TOTAL":{"@cur":"EUR","#text":94.00},"PAID":false,"NO":"007"}}`},
		{"XML: texts that are not of their type", plan.Response{Kind: "xml", Types: types("I", "integer", "N", "number", "B", "boolean")},
			`<O><I>007</I><I>1.5</I><I>5.000</I><I>1e2</I><I>n/a</I><I>9007199254740993</I><I>-3</I><I>- 3</I><N>94,00</N><N>1.</N><N>.5</N><N>NaN</N><N>-1.50E3</N><B>yes</B><B>TRUE</B></O>`,
			`{"O":{"I":["007","1.5",5.000,"1e2","n/a",9007199254740993,-3,"- 3"],"N":["94,00","1.",".5","NaN",-1.50E3],"B":["yes","TRUE"]}}`},
		{"XML: namespaces by prefix", plan.Response{Kind: "xml", XML: spaces, Types: types("@o:n", "integer")},
			`<a xmlns="urn:inv" xmlns:x="urn:order"><line x:n="1" n="2"/><x:line/><y:line xmlns:y="urn:other">z</y:line><b xmlns="">c</b></a>`,
			`{"inv:a":{"inv:line":[{"@o:n":1,"@n":"2"}],"o:line":"","line":"z","b":"c"}}`},
		{"XML: namespaces end where they are bound", plan.Response{Kind: "xml", XML: spaces}, `<a><b xmlns="urn:inv"><c/></b><c/><d xmlns="urn:inv"/><d/></a>`, `{"a":{"inv:b":{"inv:c":""},"c":"","inv:d":"","d":""}}`},

		{"SOAP 1.1", plan.Response{Kind: "xml", XML: soap}, envelope(soap11, `<r:CancelResponse xmlns:r="urn:r"><No>1</No></r:CancelResponse>`), `{"CancelResponse":{"No":"1"}}`},
		{"SOAP 1.2", plan.Response{Kind: "xml", XML: soap}, envelope(soap12, `<CancelResponse/>`), `{"CancelResponse":""}`},
		{"SOAP: several in the body", plan.Response{Kind: "xml", XML: soap}, envelope(soap11, `<a>1</a><b/><a>2</a>`), `{"a":["1","2"],"b":""}`},
		{"SOAP: nothing in the body", plan.Response{Kind: "xml", XML: soap}, envelope(soap11, ``), `{}`},
		{"SOAP: no envelope", plan.Response{Kind: "xml", XML: soap}, `<a>1</a>`, `{"a":"1"}`},
		{"SOAP: a list, namespaces", plan.Response{Kind: "xml", XML: &plan.XMLReading{SOAP: true, Lists: []string{"e:x"}, Namespaces: []plan.Namespace{{Prefix: "e", URI: soap11}}}}, envelope(soap11, `<s:x/>`), `{"e:x":[""]}`},
		{"an envelope nobody asked for", plan.Response{Kind: "xml"}, envelope(soap11, `<a/>`), `{"Envelope":{"Header":{"Trace":"abc"},"Body":{"a":""}}}`},

		{"CSV: a delimiter", plan.Response{Kind: "csv", CSV: &plan.CSVReading{Delimiter: "|"}}, "a|b,c\n1|2;3\n", `[{"a":"1","b,c":"2;3"}]`},
		{"CSV: a delimiter that is found out", plan.Response{Kind: "csv", CSV: &plan.CSVReading{NoHeader: true}}, "007;1,5\n8;x\n", `[["007","1,5"],["8","x"]]`},
		{"CSV: one column", plan.Response{Kind: "csv", CSV: &plan.CSVReading{NoHeader: true}}, "a\nb;c", `[["a"],["b;c"]]`},
		{"CSV: a delimiter beyond ASCII", plan.Response{Kind: "csv", CSV: &plan.CSVReading{Delimiter: "¦"}}, "a¦b\n1¦¢\n", `[{"a":"1","b":"¢"}]`},
		{"CSV: no header", plan.Response{Kind: "csv", CSV: &plan.CSVReading{NoHeader: true}}, "1,2\n", `[["1","2"]]`},
		{"CSV: columns in place of a header", plan.Response{Kind: "csv", CSV: &plan.CSVReading{Columns: []string{"sku", "qty"}}, Types: types("qty", "integer")}, "Artikel,Menge\nx,2\ny,z,3\n", `[{"sku":"x","qty":2},{"sku":"y","qty":"z","column_3":"3"}]`},
		{"CSV: columns without a header", plan.Response{Kind: "csv", CSV: &plan.CSVReading{NoHeader: true, Columns: []string{"sku"}}}, "x,2\n", `[{"sku":"x","column_2":"2"}]`},
		{"CSV: types", plan.Response{Kind: "csv", Types: types("n", "number", "b", "boolean", "s", "string")}, "n,b,s\n1.50,true,007\n,,\n\"2\",0,\"\"\n", `[{"n":1.50,"b":true,"s":"007"},{"n":null,"b":null,"s":""},{"n":2,"b":false,"s":""}]`},
		{"CSV: another quote", plan.Response{Kind: "csv", CSV: &plan.CSVReading{Quote: "'"}}, "a,b\n'1,''2''',\"x\n", `[{"a":"1,'2'","b":"\"x"}]`},
		{"CSV: no quote", plan.Response{Kind: "csv", CSV: &plan.CSVReading{NoQuote: true}}, "a,b\n\"1,2\"\n", `[{"a":"\"1","b":"2\""}]`},
		{"CSV: lines in a value", plan.Response{Kind: "csv"}, "a,b\r\n\"1\r\n2\",\"\"\r\n\r\n5\" pipe,x\r", `[{"a":"1\r\n2","b":""},{"a":"5\" pipe","b":"x"}]`},
		{"CSV: an open quote", plan.Response{Kind: "csv"}, "a\n\"1\n", "?a\n\"1\n\n--\nThis is the text of the answer, which cannot be read as CSV: a quoted value does not end."},
		{"CSV: UTF-16", plan.Response{Kind: "csv"}, "\xff\xfea\x00\n\x001\x00\n\x00", `[{"a":"1"}]`},
		{"TSV", plan.Response{Kind: "tsv", CSV: &plan.CSVReading{NoHeader: true}}, "a,b\tc\n", `[["a,b","c"]]`},
		{"TSV: columns and quotes that are none", plan.Response{Kind: "tsv", CSV: &plan.CSVReading{Columns: []string{"a", "b"}}}, "A\tB\n\"x\t2\n", `[{"a":"\"x","b":"2"}]`},

		{"form: types", plan.Response{Kind: "form", Types: types("n", "integer", "b", "boolean")}, "n=1&b=0&n=x&s=1", `{"n":[1,"x"],"b":false,"s":"1"}`},
		{"form in Latin-1", plan.Response{Kind: "form", Charset: "iso-8859-1"}, "caf%E9=%FC", `{"café":"ü"}`},
		{"form that lies", plan.Response{Kind: "form"}, "a=%", "?a=%\n--\nThis is the text of the answer, which cannot be read as a form: it has % where no percent-encoding begins."},

		{"charset by the plan", plan.Response{Kind: "text", Charset: "windows-1252"}, "\x80", "?€"},
		{"charset of IANA", plan.Response{Kind: "text", Charset: "ibm850"}, "\x81\x9b", "?üø"},
		{"EBCDIC", plan.Response{Kind: "xml", Charset: "ibm037"}, "\x4c\x81\x6e\xc8\x85\x93\x93\x96\x4c\x61\x81\x6e", `{"a":"Hello"}`},
		{"charset by the plan, over the prolog", plan.Response{Kind: "xml", Charset: "iso-8859-15"}, "<?xml version='1.0' encoding='utf-8'?><a>\xa4</a>", `{"a":"€"}`},
		{"charset by the plan, of JSON that is UTF-8 by chance", plan.Response{Kind: "json", Charset: "iso-8859-1"}, "{\"a\":\"\xc3\xa9\"}", `{"a":"Ã©"}`},
		{"charset by the plan, of a page", plan.Response{Kind: "html", Charset: "iso-8859-1"}, "<meta charset=utf-8><p>caf\xe9", "?café"},
		{"a byte order mark wins", plan.Response{Kind: "text", Charset: "iso-8859-1"}, "\xef\xbb\xbfé", "?é"},
		{"UTF-8 that is none", plan.Response{Kind: "xml"}, "<?xml version='1.0' encoding='utf-8'?><a>\xe9</a>", "?{\"a\":\"é\"}\n--\nThe answer is said to be UTF-8 and is not; it was read as windows-1252.\n== {\"a\":\"é\"}"},
		{"UTF-8 that is none, twice wrong", plan.Response{Kind: "xml", Charset: "utf-8"}, "<a>\xe9", "?<a>é\n--\nThe answer is said to be UTF-8 and is not; it was read as windows-1252.\n--\nThis is the text of the answer, which cannot be read as XML: it ends before its root element does."},

		{"HTML: a tag", plan.Response{Kind: "html", HTML: "ARTICLE"}, "<p>x<article><p>a</article><article>b</article>", "?a"},
		{"HTML: an id", plan.Response{Kind: "html", HTML: "#c"}, "<main>m</main><div id=b>b</div><div id=c><h2>C</h2>d</div>", "?## C\n\nd"},
		{"HTML: a class", plan.Response{Kind: "html", HTML: ".post"}, "<main>m</main><div class='x post'>d</div>", "?d"},
		{"HTML: not there", plan.Response{Kind: "html", HTML: ".post"}, "<main>m</main>", "?m\n--\nThe page has no .post, the part that was to be shown; this is all of it."},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := tool("")
			p.Response = c.r
			d := compile(t, p)
			r := resultOf(d, answer(200, "", c.body))
			want, text := strings.CutPrefix(c.want, "?")
			if !text && want[0] == '{' {
				want += "\n== " + want
			}
			if got := show(r); got != want {
				t.Errorf("got\n%s\nwant\n%s", got, want)
			}
			checkValid(t, r)
		})
	}
}

// The header of an answer comes after the plan's word and before the text's own.
func TestCharsetOrder(t *testing.T) {
	const text = "<?xml version='1.0' encoding='windows-1252'?><a>\xa4\xb8</a>"
	for _, c := range []struct{ charset, media, want string }{
		{"", "text/xml", "¤¸"},
		{"", "text/xml; charset=iso-8859-15", "€ž"},
		{"windows-1251", "text/xml; charset=iso-8859-15", "¤ё"},
	} {
		p := tool("")
		p.Response.Charset = c.charset
		r := resultOf(compile(t, p), answer(200, c.media, text))
		if got := r.Content[0].Text; got != `{"a":"`+c.want+`"}` {
			t.Errorf("%q, %q: %s", c.charset, c.media, got)
		}
	}
	p := tool("")
	p.Response.Charset = "utf-7"
	if _, err := Compile(p); err == nil {
		t.Error("utf-7 is accepted")
	}
}

func TestFaults(t *testing.T) {
	fault11 := func(code, inner string) string {
		return envelope(soap11, `<s:Fault><faultcode>`+code+`</faultcode><faultstring>No such  order</faultstring>`+inner+`</s:Fault>`)
	}
	for _, c := range []struct {
		name   string
		status int
		media  string
		body   string
		unsafe bool
		want   string
	}{
		{"1.1 with status 500", 500, "text/xml", fault11("s:Server", `<detail><e:NotFound xmlns:e="urn:e" code="17"><No>9</No><stackTrace>at x.java</stackTrace></e:NotFound></detail>`), false,
			"SOAP fault from GET /things/{id} (HTTP 500 Internal Server Error): Server: No such order\ndetail: {\"NotFound\":{\"@code\":\"17\",\"No\":\"9\"}}\nIf it stays so, tell the operator of this server.\nA retry may help."},
		{"1.1 of the client", 500, "text/xml", fault11("Client.Order", ""), false,
			"SOAP fault from GET /things/{id} (HTTP 500 Internal Server Error): Client.Order: No such order\nCorrect the arguments and call again.\nRetrying the same call will not help."},
		{"1.1 with status 200", 200, "text/xml", fault11("s:Client", "<detail> plain  text </detail>"), false,
			"SOAP fault from GET /things/{id}: Client: No such order\ndetail: plain text\nCorrect the arguments and call again.\nRetrying the same call will not help."},
		{"1.2", 400, "application/soap+xml", envelope(soap12, `<s:Fault><s:Code><s:Value>s:Sender</s:Value><s:Subcode><s:Value>m:Timeout</s:Value></s:Subcode></s:Code>`+
			`<s:Reason><s:Text xml:lang="de">Zeit um</s:Text><s:Text xml:lang="en-US">Time is up</s:Text></s:Reason><s:Detail><m:Max xmlns:m="urn:m">5</m:Max></s:Detail></s:Fault>`), false,
			"SOAP fault from GET /things/{id} (HTTP 400 Bad Request): Sender.Timeout: Time is up\ndetail: {\"Max\":\"5\"}\nCorrect the arguments and call again.\nRetrying the same call will not help."},
		{"of a call that did something", 500, "text/xml", fault11("Server", ""), true, ""},
		{"that says nothing", 500, "text/xml", envelope(soap11, `<s:Fault/>`), false,
			"SOAP fault from GET /things/{id} (HTTP 500 Internal Server Error): no reason is given\nIf it stays so, tell the operator of this server.\nA retry may help."},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := tool("")
			p.Response.XML = &plan.XMLReading{SOAP: true}
			if c.unsafe {
				p.Request.Method = "POST"
				p.Hints = plan.Hints{}
			}
			r := resultOf(compile(t, p), answer(c.status, c.media, c.body))
			if !r.IsError || r.Code != "soap-fault" {
				t.Errorf("error %v, code %q", r.IsError, r.Code)
			}
			if got := r.Content[0].Text; c.want != "" && got != c.want {
				t.Errorf("got\n%s\nwant\n%s", got, c.want)
			}
			if again := strings.Contains(r.Content[0].Text, "A retry may help"); c.unsafe && again {
				t.Errorf("a call that is not safe may be repeated: %s", r.Content[0].Text)
			}
		})
	}
	t.Run("bounded", func(t *testing.T) {
		p := tool("")
		p.Response.XML = &plan.XMLReading{SOAP: true}
		a := answer(500, "text/xml", fault11("Server", "<detail>"+strings.Repeat("<a>x</a>", 5000)+"</detail>"))
		text := resultOf(compile(t, p), a).Content[0].Text
		if len(text) > maxExcerpt {
			t.Errorf("%d bytes: %.300s", len(text), text)
		}
	})
	t.Run("only where SOAP is spoken", func(t *testing.T) {
		r := resultOf(compile(t, tool("")), answer(200, "text/xml", fault11("Client", "")))
		if r.IsError {
			t.Error("a document that nobody said is SOAP is an error")
		}
	})
}

func TestRelatedParts(t *testing.T) {
	part := func(head, text string) string { return "--x\r\n" + head + "\r\n\r\n" + text + "\r\n" }
	xop := part("Content-Type: application/xop+xml; charset=UTF-8; type=\"text/xml\"\r\nContent-ID: <root>", envelope(soap11, `<Doc><File><xop:Include xmlns:xop="http://www.w3.org/2004/08/xop/include" href="cid:f"/></File></Doc>`))
	file := part("Content-Type: application/pdf\r\nContent-ID: <f>", "%PDF")
	for _, c := range []struct{ name, media, body, want string }{
		{"first", `multipart/related; boundary=x; type="application/xop+xml"`, xop + file + "--x--", `{"Doc":{"File":{"Include":{"@href":"cid:f"}}}}`},
		{"named", `multipart/related; boundary=x; start="<root>"`, file + xop + "--x--", `{"Doc":{"File":{"Include":{"@href":"cid:f"}}}}`},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := tool("")
			p.Response.XML = &plan.XMLReading{SOAP: true}
			r := resultOf(compile(t, p), answer(200, c.media, c.body))
			if got, want := show(r), c.want+"\n--\n<resource application/pdf mcpc://u/things/a%20b %PDF>\n== "+c.want; got != want {
				t.Errorf("got\n%s\nwant\n%s", got, want)
			}
		})
	}
	r := resultOf(compile(t, tool("")), answer(200, "multipart/related; boundary=x", part("Content-Type: text/html", "<p>a")+file+"--x--"))
	if got := r.Content[0].Text; !strings.HasPrefix(got, "2 parts:") {
		t.Errorf("a root that is a page: %s", got)
	}
}

func TestCSVIsBounded(t *testing.T) {
	for _, text := range []string{"a\n" + strings.Repeat("x", maxValue+1), strings.Repeat(",", maxFields+1)} {
		r := resultOf(compile(t, tool("")), answer(200, "text/csv", text))
		if len(r.Content) != 2 || r.Content[0].Text != text {
			t.Errorf("%d contents, %.100s", len(r.Content), r.Content[len(r.Content)-1].Text)
		}
	}
}

func FuzzCSV(f *testing.F) {
	for _, s := range []string{"a,b\n1,\"x\"\"y\"\n", "a;b\r\n1;2", "'a','b'\n'1''2'\n", "a\n\"x\n", "\n\n,\n", "a,a,\n1,2,3,4\n", "\"\"\n\"a\"b", "n,b\n1.5,true\n"} {
		f.Add([]byte(s), ",", "\"", true, false)
		f.Add([]byte(s), ",", "\"", false, false)
		f.Add([]byte(s), ";", "'", false, true)
		f.Add([]byte(s), "¦", "", true, false)
	}
	f.Fuzz(func(t *testing.T, text []byte, comma, quote string, header, cut bool) {
		if len(text) == 0 || strings.ContainsAny(comma+quote, "\r\n") || comma != "" && (comma == quote || comma == `"` && quote == "") {
			return
		}
		p := tool("")
		p.Response = plan.Response{Kind: "csv", Types: []plan.NameType{{Name: "n", Type: "number"}, {Name: "b", Type: "boolean"}, {Name: "a", Type: "integer"}},
			CSV: &plan.CSVReading{Delimiter: comma, Quote: quote, NoQuote: quote == "", NoHeader: !header}}
		d := compile(t, p)
		a := answer(200, "", string(text))
		a.Truncated = cut
		checkValid(t, resultOf(d, a))
		v, err := d.value(kindCSV, d.body(a))
		if err != nil || cut || header || comma != "," || quote != `"` {
			return
		}
		// What the standard library's reader accepts means the same here.
		r := csv.NewReader(bytes.NewReader(d.body(a).utf8("")))
		r.FieldsPerRecord = -1
		want, err := r.ReadAll()
		if err != nil {
			return
		}
		var got [][]string
		if err := json.Unmarshal(v.json, &got); err != nil {
			t.Fatal(err)
		}
		for i := range got {
			for j := range got[i] {
				got[i][j] = strings.ReplaceAll(got[i][j], "\r\n", "\n") // which it does to values, too
			}
		}
		if len(got)+len(want) > 0 && !reflect.DeepEqual(got, want) {
			t.Errorf("%q\ngot  %q\nwant %q", text, got, want)
		}
	})
}
