package judges

import (
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// foreign is a document nobody here wrote, from a package of npm.
type foreign struct {
	kind, file string
	host       string // where its requests go, replaced by the stand-in
	tools      int    // at least
	call, args string
	want       []string // parts of the request that reaches the stand-in
	answer     string
	media      string
	result     []string // parts of the result
}

var foreigners = []foreign{
	{
		kind: "wsdl", file: "node_modules/strong-soap/example/wsdls/weather.wsdl", host: "http://wsf.cdyne.com", tools: 3,
		call: "get_city_weather_by_zip", args: `{"ZIP":"10<01"}`,
		want: []string{"POST /WeatherWS/Weather.asmx", "Soapaction: \"http://ws.cdyne.com/WeatherWS/GetCityWeatherByZIP\"", "Content-Type: text/xml; charset=utf-8",
			`<GetCityWeatherByZIP xmlns="http://ws.cdyne.com/WeatherWS/">`, "<ZIP>10&lt;01</ZIP>", "soap:Envelope"},
		media: "text/xml; charset=utf-8",
		answer: `<soap:Envelope xmlns:soap="http://schemas.xmlsoap.org/soap/envelope/"><soap:Body><GetCityWeatherByZIPResponse xmlns="http://ws.cdyne.com/WeatherWS/">` +
			`<GetCityWeatherByZIPResult><Success>true</Success><City>New York</City><WeatherID>4</WeatherID></GetCityWeatherByZIPResult></GetCityWeatherByZIPResponse></soap:Body></soap:Envelope>`,
		result: []string{`"Success":true`, `"WeatherID":4`, `"City":"New York"`},
	},
	{
		kind: "postman", file: "node_modules/postman-to-openapi/test/resources/input/v21/FolderCollection.json", host: "https://api.io", tools: 8,
		call: "users_create_a_user", args: `{"example":"e","other":{"data1":"1"}}`,
		want:   []string{"POST /users", "Content-Type: application/json", `{"example":"e","other":{"data1":"1"}}`},
		media:  "application/json",
		answer: `{"id":9007199254740993}`,
		result: []string{`9007199254740993`},
	},
	{
		kind: "har", file: "examples.har", host: "https://httpbin.org", tools: 6,
		call: "post_post", args: `{"hello":"w&d"}`,
		want:   []string{"POST /post?key=k", "Content-Type: application/x-www-form-urlencoded", "foo=bar&hello=w%26d"},
		media:  "application/json",
		answer: `{"form":{"foo":"bar"}}`,
		result: []string{`"foo":"bar"`},
	},
}

// Documents of others import without errors, and what they became reaches the
// service as they say.
func TestForeignDocuments(t *testing.T) {
	bothServers(t, func(t *testing.T, serve serveFunc) {
		for _, f := range foreigners {
			t.Run(f.kind, func(t *testing.T) { f.run(t, serve) })
		}
	})
}

// recording joins the recordings of the package har-examples, which are modules
// of JavaScript, into one.
func recording(t *testing.T) string {
	t.Helper()
	need(t, "node_modules/har-examples/package.json")
	const script = `const all = Object.values(require("har-examples"));
console.log(JSON.stringify({log: {...all[0].log, entries: all.flatMap((h) => h.log.entries)}}))`
	stdout, stderr, code := run(t, time.Minute, node(t), "-e", script)
	if code != 0 {
		t.Fatal(stderr)
	}
	name := filepath.Join(t.TempDir(), "examples.har")
	if err := os.WriteFile(name, []byte(stdout), 0o644); err != nil {
		t.Fatal(err)
	}
	return name
}

func (f foreign) run(t *testing.T, serve serveFunc) {
	document := f.file
	if f.kind == "har" {
		document = recording(t)
	}
	need(t, document)
	spec := filepath.Join(t.TempDir(), f.kind+".hcl")
	_, stderr, code := run(t, time.Minute, mcpc, "import", f.kind, document, "--out", spec)
	if code != 0 {
		t.Fatalf("mcpc import ends with %d\n%s", code, stderr)
	}
	stdout, stderr, code := run(t, time.Minute, mcpc, "validate", spec)
	if code != 0 {
		t.Fatalf("what was imported has errors\n%s%s", stdout, stderr)
	}

	seen := make(chan string, 10)
	upstream := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		text := r.Method + " " + r.RequestURI + "\n"
		for name, values := range r.Header {
			text += name + ": " + strings.Join(values, ", ") + "\n"
		}
		seen <- text + string(body)
		w.Header().Set("Content-Type", f.media)
		io.WriteString(w, f.answer)
	}))
	t.Cleanup(upstream.Close)
	text, err := os.ReadFile(spec)
	if err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(string(text), f.host); n == 0 {
		t.Fatalf("no request goes to %s\n%s", f.host, text)
	}
	if err := os.WriteFile(spec, []byte(strings.ReplaceAll(string(text), f.host, upstream.URL)), 0o644); err != nil {
		t.Fatal(err)
	}

	c := newClient(serve(t, []string{"HTTPBIN_KEY=k"}, spec))
	if n := len(c.tools(t)); n < f.tools {
		t.Errorf("%d tools, want %d or more", n, f.tools)
	}
	r := c.call(t, f.call, f.args)
	if len(seen) != 1 {
		t.Fatalf("%d requests reached the service; the result is %s", len(seen), r.text())
	}
	got := <-seen
	for _, part := range f.want {
		if !strings.Contains(got, part) {
			t.Errorf("the request lacks %q\n%s", part, got)
		}
	}
	for _, part := range f.result {
		if r.IsError || !strings.Contains(r.text(), part) {
			t.Errorf("the result lacks %q\n%s", part, r.text())
		}
	}
}
