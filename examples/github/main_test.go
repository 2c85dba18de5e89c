package main

import (
	"os"
	"path/filepath"
	"testing"
)

// wanted is what the show tells whichever document the tools come from.
var wanted = []string{
	"q=is%3Aopen%20label%3Abug%20org%3Aacme", // what the author appends
	"/repos/acme/shop/issues?",
	"page=3", // all pages are fetched
	`"url":"https://github.example/acme/shop/issues/71"`,
	"sent      nothing", // the owner is refused
}

func TestShow(t *testing.T) {
	t.Chdir("../..")
	if err := example().Check(wanted...); err != nil {
		t.Fatal(err)
	}
}

// The real document takes the place of the small one, and nothing else changes.
func TestRealDocument(t *testing.T) {
	corpus := os.Getenv("MCPC_CORPUS")
	if corpus == "" {
		corpus = filepath.Join("..", "..", "..", "shared")
	}
	document, err := os.ReadFile(filepath.Join(corpus, "specs", "specs", "github-rest.json"))
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatalf("the corpus of real documents is missing (MCPC_CORPUS): %v", err)
		}
		t.Skipf("the corpus of real documents is not on this machine (MCPC_CORPUS names its folder): %v", err)
	}
	dir := t.TempDir()
	if err := os.CopyFS(dir, files); err != nil {
		t.Fatal(err)
	}
	at := filepath.Join(dir, "specs", "api.github.com.yaml")
	if err := os.Remove(at); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(at, document, 0o600); err != nil {
		t.Fatal(err)
	}
	s := example()
	s.Files = os.DirFS(dir)
	t.Chdir(t.TempDir()) // so that the folder of the checkout is not found
	if err := s.Check(wanted...); err != nil {
		t.Fatal(err)
	}
}
