package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"text/tabwriter"
	"time"
)

// contender is a server under load and how it is called.
type contender struct {
	name    string
	process *process
	request func(id string) (*http.Request, error)
	few     int64 // different ids it is asked for; 0: each once

	calls   int
	busy    time.Duration // wall time of its slices
	spent   time.Duration // CPU time of the process in its slices
	latency []time.Duration
	perCall []float64 // CPU time of a call, by slice, in µs
}

func newClient() *http.Client {
	return &http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{MaxIdleConns: 1024, MaxIdleConnsPerHost: 256, DisableCompression: true}}
}

// inTurn calls all contenders from n goroutines, in slices, after connections, code
// paths and caches are warm.
func inTurn(client *http.Client, contenders []*contender, n, rounds int, slice time.Duration) error {
	for _, c := range contenders {
		if err := c.slice(client, n, 500*time.Millisecond); err != nil {
			return err
		}
	}
	for _, c := range contenders {
		c.calls, c.busy, c.spent, c.latency, c.perCall = 0, 0, 0, nil, nil
	}
	for round := range rounds {
		// Each goes first, second, third … equally often.
		for i := range contenders {
			if err := contenders[(i+round)%len(contenders)].slice(client, n, slice); err != nil {
				return err
			}
		}
	}
	return nil
}

// load calls all contenders in turn, slice by slice.
func (b *bench) load() error {
	upstream, err := b.self("-role", "upstream")
	if err != nil {
		return err
	}
	defer upstream.stop()
	proxy, err := b.self("-role", "proxy", "-upstream", upstream.url)
	if err != nil {
		return err
	}
	defer proxy.stop()
	// A call arrives as a POST with a body, which costs a server more than a GET
	// before anything is done with it: the same proxy shows how much.
	posts, err := b.self("-role", "proxy", "-upstream", upstream.url)
	if err != nil {
		return err
	}
	defer posts.stop()
	doc := filepath.Join(b.dir, "bench.yaml")
	if err := os.WriteFile(doc, []byte(document), 0o600); err != nil {
		return err
	}
	// One process per protocol era, so that each has a CPU account of its own.
	modern, err := b.serve(doc, "--base-url", upstream.url)
	if err != nil {
		return err
	}
	defer modern.stop()
	legacy, err := b.serve(doc, "--base-url", upstream.url)
	if err != nil {
		return err
	}
	defer legacy.stop()

	built, err := b.generate("bench", doc)
	if err != nil {
		return err
	}
	native, err := b.start(built.binary, "--base-url", upstream.url)
	if err != nil {
		return err
	}
	defer native.stop()

	spec := filepath.Join(b.dir, "bench.hcl")
	if err := os.WriteFile(spec, []byte(byHand), 0o600); err != nil {
		return err
	}
	hand, err := b.serve(spec, "--base-url", upstream.url)
	if err != nil {
		return err
	}
	defer hand.stop()

	contenders := []*contender{
		{name: "ReverseProxy", process: proxy, request: func(id string) (*http.Request, error) {
			return http.NewRequest("GET", proxy.url+"/items/"+id, nil)
		}},
		{name: "ReverseProxy, the calls' POST", process: posts, request: func(id string) (*http.Request, error) { return modernCall(posts.url+"/items/"+id, id) }},
		{name: "mcpc 2026-07-28", process: modern, request: func(id string) (*http.Request, error) { return modernCall(modern.url, id) }},
		{name: "mcpc 2025-11-25", process: legacy, request: func(id string) (*http.Request, error) { return legacyCall(legacy.url, id) }},
		{name: "by hand 2026-07-28", process: hand, request: func(id string) (*http.Request, error) { return modernCall(hand.url, id) }},
		{name: "generated 2026-07-28", process: native, request: func(id string) (*http.Request, error) { return modernCall(native.url, id) }},
	}
	client := newClient()
	defer client.CloseIdleConnections()

	fmt.Fprintf(b.out, "Calls: 1 KB of JSON from the same upstream, %d slices of %v each, in turn\n\n", b.rounds, b.slice)
	w := tabwriter.NewWriter(b.out, 0, 0, 3, ' ', tabwriter.AlignRight)
	fmt.Fprintf(w, "at once\tserver\tcalls/s\tratio\tp50 µs\tratio\tp99 µs\tratio\tCPU µs\tratio\t\n")
	for _, n := range []int{1, 16, 64} {
		if err := inTurn(client, contenders, n, b.rounds, b.slice); err != nil {
			return err
		}
		var base, interpreted figures
		for i, c := range contenders {
			f := c.figures()
			if i == 0 {
				base = f
			}
			fmt.Fprintf(w, "%d\t%s\t%.0f\t%.2f\t%.0f\t%.2f\t%.0f\t%.2f\t%.0f\t%.2f\t\n", n, c.name, f.rate, f.rate/base.rate,
				f.p50, f.p50/base.p50, f.p99, f.p99/base.p99, f.cpu, f.cpu/base.cpu)
			switch {
			case c.process == modern:
				interpreted = f
			case c.process == hand && n <= 16: // rules, expressions and a shape
				b.target(fmt.Sprintf("at %d, a tool by hand against one of a document: CPU per call", n), f.cpu/interpreted.cpu, "×", 1.15)
			case c.process == native && n <= 16: // the same plan: no more than noise between them
				b.target(fmt.Sprintf("at %d, generated against interpreted: CPU per call", n), f.cpu/interpreted.cpu, "×", 1.05)
			}
			if n <= 16 && (c.process == modern || c.process == legacy) {
				what := fmt.Sprintf("at %d, %s against the proxy: ", n, c.name)
				b.target(what+"CPU per call", f.cpu/base.cpu, "×", 1.2)
				b.target(what+"p50", f.p50/base.p50, "×", 1.2)
				b.rows = append(b.rows, row{what + "throughput", f.rate / base.rate, "×", 0.85, true})
			}
		}
		fmt.Fprintf(w, "\t\t\t\t\t\t\t\t\t\t\n")
	}
	if err := w.Flush(); err != nil {
		return err
	}
	for _, c := range contenders {
		mb, err := c.process.memory("VmHWM:")
		if err != nil {
			return err
		}
		fmt.Fprintf(b.out, "peak memory of %s under this load: %.0f MB\n", c.name, mb)
	}
	return nil
}

// figures are what one contender did at one concurrency; times in µs per call.
type figures struct{ rate, p50, p99, cpu float64 }

func (c *contender) figures() figures {
	slices.Sort(c.latency)
	at := func(q float64) float64 {
		return float64(c.latency[int(q*float64(len(c.latency)-1))].Nanoseconds()) / 1000
	}
	return figures{
		rate: float64(c.calls) / c.busy.Seconds(),
		p50:  at(0.5),
		p99:  at(0.99),
		cpu:  float64(c.spent.Nanoseconds()) / 1000 / float64(c.calls),
	}
}

var next atomic.Int64

// slice calls a server from n goroutines for a while. Every answer must hold
// what belongs to its request.
func (c *contender) slice(client *http.Client, n int, length time.Duration) error {
	before, err := c.process.cpu()
	if err != nil {
		return err
	}
	var wait sync.WaitGroup
	var mu sync.Mutex
	var failure error
	calls, begin := 0, time.Now()
	for range n {
		wait.Go(func() {
			var took []time.Duration
			var failed error
			for failed == nil && time.Since(begin) < length {
				start := time.Now()
				failed = c.call(client, c.id())
				took = append(took, time.Since(start))
			}
			mu.Lock()
			defer mu.Unlock()
			c.latency = append(c.latency, took...)
			calls += len(took)
			failure = errors.Join(failure, failed)
		})
	}
	wait.Wait()
	c.busy += time.Since(begin)
	if failure != nil {
		return fmt.Errorf("%s: %w", c.name, failure)
	}
	after, err := c.process.cpu()
	if err != nil {
		return err
	}
	c.calls += calls
	c.spent += after - before
	c.perCall = append(c.perCall, float64((after-before).Nanoseconds())/1000/float64(calls))
	return nil
}

// id names what is asked for: something new each time, or one of few.
func (c *contender) id() string {
	n := next.Add(1)
	if c.few > 0 {
		n %= c.few
	}
	return fmt.Sprintf("item-%d", n)
}

func (c *contender) call(client *http.Client, id string) error {
	r, err := c.request(id)
	if err != nil {
		return err
	}
	answer, err := client.Do(r)
	if err != nil {
		return err
	}
	text, err := io.ReadAll(answer.Body)
	answer.Body.Close()
	if err != nil {
		return err
	}
	if answer.StatusCode != http.StatusOK || !bytes.Contains(text, []byte("Item "+id)) {
		return fmt.Errorf("HTTP %d: %.300s", answer.StatusCode, text)
	}
	return nil
}

func post(url, body string) (*http.Request, error) {
	r, err := http.NewRequest("POST", url, bytes.NewReader([]byte(body)))
	if err != nil {
		return nil, err
	}
	r.Header["Content-Type"] = []string{"application/json"}
	r.Header["Accept"] = []string{"application/json, text/event-stream"}
	return r, nil
}

// meta is what every request of the stateless revision carries.
const meta = `"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientInfo":{"name":"bench","version":"1"},"io.modelcontextprotocol/clientCapabilities":{}}`

func modernCall(url, id string) (*http.Request, error) {
	r, err := post(url, `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"getItem","arguments":{"id":"`+id+`"},`+meta+`}}`)
	if err != nil {
		return nil, err
	}
	r.Header["Mcp-Protocol-Version"] = []string{"2026-07-28"}
	r.Header["Mcp-Method"] = []string{"tools/call"}
	r.Header["Mcp-Name"] = []string{"getItem"}
	return r, nil
}

func legacyCall(url, id string) (*http.Request, error) {
	r, err := post(url, `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"getItem","arguments":{"id":"`+id+`"}}}`)
	if err != nil {
		return nil, err
	}
	r.Header["Mcp-Protocol-Version"] = []string{"2025-11-25"}
	return r, nil
}
