package main

import "testing"

func TestShow(t *testing.T) {
	t.Chdir("../..")
	err := example().Check(
		"q=is%3Aopen%20label%3Abug%20org%3Aacme", // what the author appends
		"GET /repos/acme/shop/issues?per_page=30",
		"page=3", // all pages are fetched
		`"url":"https://github.example/acme/shop/issues/71"`,
		"sent      nothing", // the owner is refused
	)
	if err != nil {
		t.Fatal(err)
	}
}
