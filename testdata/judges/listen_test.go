package judges

import (
	"bufio"
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// A client of the official SDK sees a tool that a running server gets, without
// asking and once.
func TestListChanged(t *testing.T) {
	node := node(t)
	need(t, "node_modules/@modelcontextprotocol/sdk/package.json")
	spec := filepath.Join(t.TempDir(), "server.hcl")
	write := func(tools ...string) {
		t.Helper()
		text := "server \"s\" {}\napi \"a\" { base_url = \"http://127.0.0.1:1\" }\n"
		for _, name := range tools {
			text += "tool \"" + name + "\" {\n  description = \"T.\"\n  request \"GET\" \"/t\" {}\n}\n"
		}
		if err := os.WriteFile(spec+"~", []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(spec+"~", spec); err != nil {
			t.Fatal(err)
		}
	}
	write("first")
	url := serve(t, nil, spec)

	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	client := command(ctx, node, "listen-client.mjs", url)
	var stderr strings.Builder
	client.Stderr = &stderr
	in, err := client.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := client.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := client.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	sees := func(want string) {
		t.Helper()
		if !lines.Scan() || lines.Text() != want {
			t.Fatalf("it sees %q, not %s\n%s", lines.Text(), want, stderr.String())
		}
	}
	sees(`["first"]`)
	write("first", "second")
	sees(`["first","second"]`)
	write("second")
	sees(`["second"]`)
	_ = in.Close()
	if lines.Scan() {
		t.Errorf("it was told once more: %s", lines.Text())
	}
	if err := client.Wait(); err != nil {
		t.Errorf("%v\n%s", err, stderr.String())
	}
}
