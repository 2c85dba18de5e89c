package main

import "testing"

func TestShow(t *testing.T) {
	t.Chdir("../..")
	err := example().Check(
		`"city":"Köln"`,
		`"amount":119.00`,
		"Bolt, M8: loose",
		"There is no customer C-1.",
		"No open invoices.",
	)
	if err != nil {
		t.Fatal(err)
	}
}
