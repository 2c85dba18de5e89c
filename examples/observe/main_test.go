package main

import (
	"net/http"
	"net/http/httptest"
	"testing"
)

func TestShow(t *testing.T) {
	t.Chdir("../..")
	collector := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	defer collector.Close()
	err := example(t.TempDir(), collector.URL).Check(`"state":"open"`, `"state":"closed"`)
	if err != nil {
		t.Fatal(err)
	}
}
