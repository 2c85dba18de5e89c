// Command bench measures mcpc against what a thin layer costs anyway: calls
// through `mcpc serve` beside the same calls through httputil.ReverseProxy, in
// one interleaved run, so that a busy machine disturbs both alike. Then what each
// feature adds to a call, how long a cold start takes, what a long list costs, and
// how much memory clients take that do nothing.
//
// Compare ratios, not absolutes. Everything is on 127.0.0.1 and bounded: about
// four minutes in all; -only cost is two of them.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"text/tabwriter"
	"time"
)

func main() { os.Exit(run(os.Stdout, os.Stderr, os.Args[1:])) }

func run(stdout, stderr io.Writer, args []string) int {
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	flags.SetOutput(stderr)
	role := flags.String("role", "", "what this process is, for the bench itself: upstream or proxy")
	upstream := flags.String("upstream", "", "where the proxy sends its calls")
	corpus := flags.String("corpus", filepath.Join("..", "..", "..", "shared"), "folder with specs/specs/github-rest.json and stripe.json")
	binary := flags.String("mcpc", "", "an mcpc to measure; empty: build this checkout's")
	rounds := flags.Int("rounds", 16, "slices per server and concurrency")
	slice := flags.Duration("slice", 250*time.Millisecond, "length of a slice")
	only := flags.String("only", "", "one part: "+strings.Join(partNames(), ", "))
	feature := flags.String("feature", "", "of the part cost, measure only features with this in their name, each alone and with none")
	memory := flags.Int("idle", 10_000, "clients that are connected and do nothing, of the part idle")
	if flags.Parse(args) != nil {
		return 2
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	ctx, cancel := context.WithTimeout(ctx, 10*time.Minute)
	defer cancel()

	var err error
	switch *role {
	case "upstream":
		err = serveUpstream(ctx, stdout)
	case "proxy":
		err = serveProxy(ctx, stdout, *upstream)
	default:
		b := &bench{ctx: ctx, out: stdout, corpus: *corpus, mcpc: *binary, rounds: *rounds, slice: *slice, idle: *memory, feature: *feature}
		err = b.all(*only)
	}
	if err != nil {
		fmt.Fprintln(stderr, "bench:", err)
		return 1
	}
	return 0
}

// bench is one run.
type bench struct {
	ctx     context.Context
	out     io.Writer
	corpus  string
	mcpc    string
	rounds  int
	slice   time.Duration
	idle    int
	feature string
	dir     string // for everything written
	rows    []row
}

// row is a figure with its target.
type row struct {
	what   string
	got    float64
	unit   string
	target float64
	more   bool // at least the target, instead of at most
}

func (r row) verdict() string {
	if r.more == (r.got >= r.target) || r.got == r.target {
		return "met"
	}
	return "missed"
}

func (b *bench) target(what string, got float64, unit string, target float64) {
	b.rows = append(b.rows, row{what, got, unit, target, false})
}

// parts are what is measured, in this order.
var parts = []struct {
	name string
	run  func(*bench) error
}{
	{"load", (*bench).load},
	{"cost", (*bench).cost},
	{"cold", (*bench).cold},
	{"list", (*bench).list},
	{"generation", (*bench).generation},
	{"idle", (*bench).idleClients},
}

func partNames() (names []string) {
	for _, p := range parts {
		names = append(names, p.name)
	}
	return names
}

// all measures all parts, or only one.
func (b *bench) all(only string) error {
	if only != "" && !slices.Contains(partNames(), only) {
		return fmt.Errorf("there is no part %q: %s", only, strings.Join(partNames(), ", "))
	}
	var err error
	if b.dir, err = os.MkdirTemp("", "bench-"); err != nil {
		return err
	}
	defer os.RemoveAll(b.dir)
	if b.mcpc == "" {
		b.mcpc = filepath.Join(b.dir, "mcpc")
		build := exec.CommandContext(b.ctx, "go", "build", "-o", b.mcpc, "./cmd/mcpc")
		build.Dir = filepath.Join("..", "..")
		if out, err := build.CombinedOutput(); err != nil {
			return fmt.Errorf("build mcpc: %w\n%s", err, out)
		}
	}
	for _, part := range parts {
		if only != "" && part.name != only {
			continue
		}
		if err := part.run(b); err != nil {
			return fmt.Errorf("%s: %w", part.name, err)
		}
	}
	fmt.Fprintf(b.out, "\nTargets\n\n")
	w := tabwriter.NewWriter(b.out, 0, 0, 3, ' ', tabwriter.AlignRight)
	fmt.Fprintf(w, "measured\ttarget\t\t  \n")
	for _, r := range b.rows {
		sign := "≤"
		if r.more {
			sign = "≥"
		}
		fmt.Fprintf(w, "%.2f %s\t%s %.4g %s\t%s\t  %s\n", r.got, r.unit, sign, r.target, r.unit, r.verdict(), r.what)
	}
	return w.Flush()
}
