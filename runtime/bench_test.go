package runtime

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/mcpc-dev/mcpc/runtime/plan"
)

// benchServer is an HTTP server in a process of its own, so that the CPU time
// of one side of a call can be told from that of the others. This test binary
// is started again with the name of what it should serve.
type benchServer struct {
	url string
	cmd *exec.Cmd
}

const benchEnv = "MCPC_BENCH_SERVE"

// serveBench is the other process.
func serveBench(kind string) {
	target := os.Getenv("MCPC_BENCH_TARGET")
	var h http.Handler
	switch kind {
	case "upstream":
		body := []byte(`{"id":7,"title":"` + strings.Repeat("A long title. ", 70) + `"}`) // 1 KB
		h = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			_, _ = w.Write(body)
		})
	case "proxy":
		u, err := url.Parse(target)
		if err != nil {
			panic(err)
		}
		t := http.DefaultTransport.(*http.Transport).Clone()
		t.MaxIdleConnsPerHost = 256
		t.DisableCompression = true
		h = &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(u) }, Transport: t}
	case "list":
		h = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			_, _ = w.Write(benchLists()[r.URL.Path])
		})
	case "shaping":
		s, err := New(shapers(target), Options{})
		if err != nil {
			panic(err)
		}
		h = s.Handler()
	case "mcpc":
		s, err := New(library(target), Options{Getenv: env("LIBRARY_TOKEN", "sesame")})
		if err != nil {
			panic(err)
		}
		h = s.Handler()
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	_, _ = fmt.Fprintln(os.Stdout, "http://"+l.Addr().String())
	panic(http.Serve(l, h))
}

func TestMain(m *testing.M) {
	if kind := os.Getenv(benchEnv); kind != "" {
		serveBench(kind)
	}
	os.Exit(m.Run())
}

func startBench(b *testing.B, kind, target string) *benchServer {
	b.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), benchEnv+"="+kind, "MCPC_BENCH_TARGET="+target)
	out, err := cmd.StdoutPipe()
	if err != nil {
		b.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	s := &benchServer{cmd: cmd}
	b.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	if _, err := fmt.Fscanln(out, &s.url); err != nil {
		b.Fatal(err)
	}
	return s
}

// cpu is the processor time the process has used.
func (s *benchServer) cpu(b *testing.B) time.Duration {
	b.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", s.cmd.Process.Pid))
	if err != nil {
		b.Skip("there is no /proc to read the CPU time of a process from")
	}
	fields := strings.Fields(string(text[strings.LastIndexByte(string(text), ')')+2:]))
	var user, system int64
	if _, err := fmt.Sscan(fields[11]+" "+fields[12], &user, &system); err != nil {
		b.Fatal(err)
	}
	return time.Duration(user+system) * time.Second / 100 // USER_HZ is 100 on Linux
}

// BenchmarkAgainstReverseProxy compares a call with the same GET through
// httputil.ReverseProxy: CPU time per call and throughput, in turns within one
// run, and prints the ratios. The target is at most 1.2 and at least 0.85.
func BenchmarkAgainstReverseProxy(b *testing.B) {
	up := startBench(b, "upstream", "")
	proxy, mcpc := startBench(b, "proxy", up.url), startBench(b, "mcpc", up.url)
	const legacy = `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"get_book","arguments":{"id":7,"lang":"en"}}}`
	modern := strings.Replace(legacy, `"name"`, `"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{},"io.modelcontextprotocol/clientInfo":{"name":"bench","version":"1"}},"name"`, 1)
	header := http.Header{"Content-Type": {"application/json"}, "Accept": {"application/json, text/event-stream"}}
	modernHeader := header.Clone()
	modernHeader["Mcp-Protocol-Version"], modernHeader["Mcp-Method"], modernHeader["Mcp-Name"] = []string{"2026-07-28"}, []string{"tools/call"}, []string{"get_book"}
	subjects := []struct {
		name string
		s    *benchServer
		make func(base string) (*http.Request, error)
	}{
		{"proxy", proxy, func(base string) (*http.Request, error) {
			r, err := http.NewRequest("GET", base+"/books/7?lang=en", nil)
			if err == nil {
				r.Header = http.Header{"Accept": {"application/json"}, "Authorization": {"Bearer sesame"}}
			}
			return r, err
		}},
		{"legacy", mcpc, func(base string) (*http.Request, error) {
			r, err := http.NewRequest("POST", base+"/mcp", strings.NewReader(legacy))
			if err == nil {
				r.Header = header
			}
			return r, err
		}},
		{"modern", mcpc, func(base string) (*http.Request, error) {
			r, err := http.NewRequest("POST", base+"/mcp", strings.NewReader(modern))
			if err == nil {
				r.Header = modernHeader
			}
			return r, err
		}},
	}
	for _, clients := range []int{1, 16, 64} {
		b.Run(fmt.Sprintf("c=%d", clients), func(b *testing.B) {
			client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 256, DisableCompression: true}}
			spent, took := make([]time.Duration, len(subjects)), make([]time.Duration, len(subjects))
			calls := 0
			const round = 2000
			for b.Loop() {
				calls += round
				for i, subject := range subjects {
					before, start := subject.s.cpu(b), time.Now()
					var wg sync.WaitGroup
					for range clients {
						wg.Go(func() {
							for range round / clients {
								r, err := subject.make(subject.s.url)
								if err != nil {
									b.Error(err)
									return
								}
								resp, err := client.Do(r)
								if err != nil {
									b.Error(err)
									return
								}
								text, err := io.ReadAll(resp.Body)
								_ = resp.Body.Close()
								if err != nil || resp.StatusCode != 200 || !strings.Contains(string(text), "A long title") {
									b.Errorf("%s: %d %s %v", subject.name, resp.StatusCode, text, err)
									return
								}
							}
						})
					}
					wg.Wait()
					took[i] += time.Since(start)
					spent[i] += subject.s.cpu(b) - before
				}
			}
			for i, subject := range subjects {
				b.ReportMetric(float64(spent[i].Microseconds())/float64(calls), subject.name+"-cpu-µs/call")
				if i > 0 {
					b.ReportMetric(float64(spent[i])/float64(spent[0]), subject.name+"-cpu-ratio")
					b.ReportMetric(float64(took[0])/float64(took[i]), subject.name+"-rate-ratio")
				}
			}
			b.ReportMetric(0, "ns/op") // of a round of all, which says nothing
		})
	}
}

// benchLists are answers by their paths: lists of issues, as code hosts send
// them.
var benchLists = sync.OnceValue(func() map[string][]byte {
	list := func(n int) []byte {
		var b bytes.Buffer
		b.WriteString(`{"total":` + fmt.Sprint(n) + `,"items":[`)
		for i := range n {
			if i > 0 {
				b.WriteByte(',')
			}
			fmt.Fprintf(&b, `{"url":"https://api.example/repos/o/r/issues/%[1]d","id":1%[1]d,"node_id":"MDU6SXNzdWUx%[1]d","number":%[1]d,"title":"Found a \"bug\" in %[1]d","user":{"login":"octocat","id":1,"node_id":"MDQ6VXNlcjE=","avatar_url":"https://github.example/images/octocat_happy.gif","type":"User"},"labels":[{"id":208045946,"node_id":"MDU6TGFiZWwyMDgwNDU5NDY=","name":"bug","default":true}],"state":"open","assignee":null,"created_at":"2011-04-22T13:33:48Z","body":"I'm having a problem with this, and it takes a paragraph to tell.\nThen there is a second line."}`, i)
		}
		b.WriteString("]}")
		return b.Bytes()
	}
	return map[string][]byte{"/1KB": list(2), "/20KB": list(32), "/1MB": list(1700)}
})

// shapers is a plan of one tool that passes a list on, and of others that shape
// it.
func shapers(base string) *plan.Server {
	p := &plan.Server{Name: "shapers", Version: "1", Upstreams: []plan.Upstream{{
		Name: "u", BaseURL: base, Timeout: 20 * time.Second, ConnectTimeout: 5 * time.Second, MaxResponse: 4 << 20, Retry: plan.Retry{Attempts: 1},
	}}}
	step := func(names ...string) (out plan.Path) {
		for _, n := range names {
			out = append(out, plan.PathStep{Name: strings.TrimPrefix(n, "**."), Glob: strings.Contains(strings.TrimPrefix(n, "**."), "*"), Deep: strings.HasPrefix(n, "**.")})
		}
		return out
	}
	failed := plan.Expr{Op: plan.OpCall, Name: "==", Args: []plan.Expr{
		{Op: plan.OpGet, Name: "ok", Args: []plan.Expr{{Op: plan.OpGet, Name: "body", Args: []plan.Expr{{Op: plan.OpVar, Name: "response"}}}}}, {Op: plan.OpConst, Const: "false"}}}
	fields := []plan.Path{step("number"), step("title"), step("state"), step("user", "login"), step("labels", "name")}
	for name, r := range map[string]plan.Response{
		"plain":  {},
		"root":   {Select: &plan.Selection{Root: []string{"items"}}, Wrap: true},
		"fields": {Select: &plan.Selection{Root: []string{"items"}, Fields: fields}, Wrap: true},
		"drop":   {Select: &plan.Selection{Drop: []plan.Path{step("**.*_url"), step("**.url"), step("**.node_id")}}},
		"errors": {Errors: []plan.ErrorRule{{Member: []string{"error", "code"}}, {Status: []int{202}}}},
		"rule":   {Errors: []plan.ErrorRule{{Condition: &failed}}},
		"table":  {Select: &plan.Selection{Root: []string{"items"}, Fields: fields}, Wrap: true, As: "table"},
		"jq":     {JQ: "[.items[] | {number, title, state, user: .user.login, labels: [.labels[].name]}]", Wrap: true},
	} {
		p.Tools = append(p.Tools, plan.Tool{
			Name: name, Description: "A list.", Input: `{"type":"object","properties":{"size":{"type":"string"}},"required":["size"],"additionalProperties":false}`,
			Request: plan.Request{Upstream: "u", Method: "GET", Accept: "application/json",
				Path: []plan.Segment{{Literal: "/"}, {Param: &plan.Param{Name: "size", Arg: "size", Style: plan.Simple, Required: true}}}},
			Response: r,
		})
	}
	return p
}

// BenchmarkShaping compares calls of tools that shape their answers with the same
// call of one that passes it on: CPU time of the server per call, in turns within
// one run, and prints the ratios. The target is at most 1.15 for what is no
// program: root, fields, drop and errors.
func BenchmarkShaping(b *testing.B) {
	up := startBench(b, "list", "")
	mcpc := startBench(b, "shaping", up.url)
	subjects := []string{"plain", "root", "fields", "drop", "errors", "rule", "table", "jq"}
	client := &http.Client{Transport: &http.Transport{DisableCompression: true}}
	for _, c := range []struct {
		size  string
		round int
	}{{"1KB", 1000}, {"20KB", 500}, {"1MB", 20}} {
		b.Run(c.size, func(b *testing.B) {
			spent := make([]time.Duration, len(subjects))
			calls := 0
			for b.Loop() {
				calls += c.round
				for i, tool := range subjects {
					before := mcpc.cpu(b)
					for range c.round {
						r, err := http.NewRequest("POST", mcpc.url+"/mcp", strings.NewReader(`{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"`+tool+`","arguments":{"size":"`+c.size+`"}}}`))
						if err != nil {
							b.Fatal(err)
						}
						r.Header = http.Header{"Content-Type": {"application/json"}, "Accept": {"application/json, text/event-stream"}}
						resp, err := client.Do(r)
						if err != nil {
							b.Fatal(err)
						}
						text, err := io.ReadAll(resp.Body)
						_ = resp.Body.Close()
						if err != nil || resp.StatusCode != 200 || !bytes.Contains(text, []byte("octocat")) || bytes.Contains(text, []byte(`"isError":true`)) {
							b.Fatalf("%s: %d %.300s %v", tool, resp.StatusCode, text, err)
						}
					}
					spent[i] += mcpc.cpu(b) - before
				}
			}
			b.ReportMetric(float64(spent[0].Microseconds())/float64(calls), "plain-cpu-µs/call")
			for i, tool := range subjects[1:] {
				b.ReportMetric(float64(spent[i+1])/float64(spent[0]), tool+"-ratio")
			}
			b.ReportMetric(0, "ns/op") // of a round of all, which says nothing
		})
	}
}
