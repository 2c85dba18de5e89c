package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"text/tabwriter"
	"time"
)

// cold measures the time from the start of the process to its first answer to
// tools/list on stdio, with an empty compile cache and with a filled one.
func (b *bench) cold() error {
	small := filepath.Join(b.dir, "bench.yaml")
	hand := filepath.Join(b.dir, "hand.hcl")
	if err := os.WriteFile(hand, []byte(thousandByHand()), 0o600); err != nil {
		return err
	}
	docs := []struct {
		name, path   string
		first, again float64 // targets in ms; 0: none
		memory       float64 // target in MB when read from the cache; 0: none
	}{
		{"small document (1 operation)", small, 30, 30, 0},
		{"spec of 1,000 tools by hand", hand, 300, 0, 0},
		{"GitHub (1,223 operations)", filepath.Join(b.corpus, "specs", "specs", "github-rest.json"), 700, 60, 80},
		{"Stripe (594 operations)", filepath.Join(b.corpus, "specs", "specs", "stripe.json"), 0, 0, 0},
	}
	fmt.Fprintf(b.out, "\nCold start: from the start of the process to the first answer to tools/list; median of 5\n\n")
	w := tabwriter.NewWriter(b.out, 0, 0, 3, ' ', tabwriter.AlignRight)
	fmt.Fprintf(w, "document\tfirst time ms\tMB\tseen before ms\tMB\tlist KB\t\n")
	for _, d := range docs {
		if _, err := os.Stat(d.path); err != nil {
			fmt.Fprintf(w, "%s\tnot measured: no %s\t\t\t\t\t\n", d.name, d.path)
			continue
		}
		var first, again start
		for _, cached := range []bool{false, true} {
			m, err := b.median(func() (start, error) {
				if !cached {
					if err := os.RemoveAll(filepath.Join(b.dir, "cache")); err != nil {
						return start{}, err
					}
				}
				return b.firstList(b.mcpc, "serve", d.path, "--base-url", "http://127.0.0.1:9")
			})
			if err != nil {
				return fmt.Errorf("%s: %w", d.name, err)
			}
			if cached {
				again = m
			} else {
				first = m
			}
		}
		fmt.Fprintf(w, "%s\t%.0f\t%.0f\t%.0f\t%.0f\t%d\t\n", d.name, milliseconds(first.took), first.peak, milliseconds(again.took), again.peak, first.size/1024)
		if d.first > 0 {
			b.target("cold start of the "+d.name, milliseconds(first.took), "ms", d.first)
		}
		if d.again > 0 {
			b.target("cold start of the "+d.name+", seen before", milliseconds(again.took), "ms", d.again)
		}
		if d.memory > 0 {
			b.target("peak memory of the "+d.name+", seen before", again.peak, "MB", d.memory)
		}
	}
	return w.Flush()
}

// start is one cold start.
type start struct {
	took time.Duration
	size int     // bytes of the answer
	peak float64 // MB, once it has answered
}

// median is the middle one of five starts.
func (b *bench) median(f func() (start, error)) (start, error) {
	var all []start
	for range 5 {
		s, err := f()
		if err != nil {
			return s, err
		}
		all = append(all, s)
	}
	slices.SortFunc(all, func(a, b start) int { return int(a.took - b.took) })
	return all[len(all)/2], nil
}

func milliseconds(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

// firstList starts a server on stdio and asks it for its tools.
func (b *bench) firstList(name string, args ...string) (start, error) {
	cmd, cancel := b.command(append([]string{name}, args...)...)
	defer cancel()
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		return start{}, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return start{}, err
	}
	begin := time.Now()
	if err := cmd.Start(); err != nil {
		return start{}, err
	}
	p := &process{cmd: cmd, cancel: cancel}
	defer p.stop()
	if _, err := io.WriteString(in, `{"jsonrpc":"2.0","id":1,"method":"tools/list","params":{`+meta+`}}`+"\n"); err != nil {
		return start{}, err
	}
	line, err := bufio.NewReaderSize(out, 1<<20).ReadBytes('\n')
	took := time.Since(begin)
	if err != nil {
		return start{}, errors.New(strings.TrimSpace(stderr.String()))
	}
	if !bytes.Contains(line, []byte(`"inputSchema"`)) {
		return start{}, fmt.Errorf("tools/list answered %.300s", line)
	}
	peak, err := p.memory("VmHWM:")
	return start{took, len(line), peak}, err
}

// manyTools is a document of 1,000 operations.
func manyTools() string {
	var doc strings.Builder
	doc.WriteString("openapi: 3.0.3\ninfo: {title: Many, version: '1'}\npaths:\n")
	for i := range 1000 {
		fmt.Fprintf(&doc, `  /things%d/{id}:
    post:
      operationId: thing%d
      summary: Change a thing of kind %d
      description: %s
      parameters:
        - {name: id, in: path, required: true, description: The thing, schema: {type: string}}
        - {name: mode, in: query, description: How, schema: {type: string, enum: [fast, exact, cheap]}}
      requestBody:
        content:
          application/json:
            schema:
              type: object
              required: [name]
              properties:
                name: {type: string, description: %s}
                size: {type: integer, minimum: 1, maximum: 1000}
                tags: {type: array, items: {type: string}}
      responses: {"204": {description: done}}
`, i, i, i, strings.Repeat("It says more of it. ", 25), strings.Repeat("A name. ", 40))
	}
	return doc.String()
}

// list measures tools/list of 1,000 tools over HTTP, after the first.
func (b *bench) list() error {
	path := filepath.Join(b.dir, "many.yaml")
	if err := os.WriteFile(path, []byte(manyTools()), 0o600); err != nil {
		return err
	}
	p, err := b.serve(path, "--base-url", "http://127.0.0.1:9")
	if err != nil {
		return err
	}
	defer p.stop()
	client := &http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{DisableCompression: true}}
	defer client.CloseIdleConnections()
	var begun, done []time.Duration
	size := 0
	for i := range 101 {
		r, err := post(p.url, `{"jsonrpc":"2.0","id":1,"method":"tools/list","params":{}}`)
		if err != nil {
			return err
		}
		r.Header["Mcp-Protocol-Version"] = []string{"2025-11-25"}
		begin := time.Now()
		answer, err := client.Do(r)
		if err != nil {
			return err
		}
		head := time.Since(begin)
		n, err := io.Copy(io.Discard, answer.Body)
		answer.Body.Close()
		if err != nil {
			return err
		}
		if answer.StatusCode != http.StatusOK || n < 1000 {
			return fmt.Errorf("tools/list: HTTP %d, %d bytes", answer.StatusCode, n)
		}
		if i > 0 {
			begun, done = append(begun, head), append(done, time.Since(begin))
		}
		size = int(n)
	}
	slices.Sort(begun)
	slices.Sort(done)
	middle := func(all []time.Duration) float64 { return float64(all[len(all)/2].Microseconds()) / 1000 }
	fmt.Fprintf(b.out, "\ntools/list of 1,000 tools, %.1f MB, after the first: begins after %.2f ms, is read after %.2f ms (median of 100)\n",
		float64(size)/1e6, middle(begun), middle(done))
	b.target("tools/list of 1,000 tools, until read", middle(done), "ms", 1)
	return nil
}
