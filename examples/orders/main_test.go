package main

import (
	"bytes"
	"os"
	"strings"
	"testing"
)

func TestShow(t *testing.T) {
	// From the repository's root, as the README says, and from anywhere, as an
	// installed program finds itself.
	for _, dir := range []string{"../..", t.TempDir()} {
		t.Chdir(dir)
		var stdout, stderr bytes.Buffer
		if code := orders().Main(&stdout, &stderr, []string{"--once"}); code != 0 {
			t.Fatalf("exit code %d\n%s%s", code, stdout.String(), stderr.String())
		}
		got := stdout.String()
		for _, want := range []string{
			"search_orders",                              // a tool of the HCL spec
			"createOrder",                                // a tool of the document
			"CUSTNO=C-10442&STAT=10&MAXROW=50",           // the form as the service got it
			"Müller & Söhne",                             // through Latin-1
			"sent      GET /api/orders/9007199254740993", // the id, to the last digit
			"image/png",
			"result 3s",         // the slow report
			"sent      nothing", // the refused arguments
			"503",
		} {
			if !strings.Contains(got, want) {
				t.Errorf("the show does not contain %q:\n%s", want, got)
			}
		}
		for line := range strings.Lines(got) {
			if n := len([]rune(strings.TrimRight(line, "\n"))); n > 120 {
				t.Errorf("a line of %d characters: %s", n, line)
			}
		}
	}
}

func TestWrongFlag(t *testing.T) {
	var stdout, stderr bytes.Buffer
	if code := orders().Main(&stdout, &stderr, []string{"--twice"}); code != 2 {
		t.Errorf("exit code %d", code)
	}
}

// Unset and set environment: what is set wins over the sample's password.
func TestGetenv(t *testing.T) {
	t.Setenv("ORDERS_PASSWORD", "")
	if got := orders().Getenv("ORDERS_PASSWORD"); got != "demo" {
		t.Errorf("unset: %q", got)
	}
	t.Setenv("ORDERS_PASSWORD", "other")
	if got := orders().Getenv("ORDERS_PASSWORD"); got != "other" {
		t.Errorf("set: %q", got)
	}
	if got := orders().Getenv("HOME"); got != os.Getenv("HOME") {
		t.Errorf("HOME: %q", got)
	}
}
