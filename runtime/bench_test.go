package runtime

import (
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
