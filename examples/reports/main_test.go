package main

import "testing"

func TestShow(t *testing.T) {
	t.Chdir("../..")
	err := example().Check(
		"Schraube M8",
		"420,00 €",
		"sent      nothing", // the second time
		"No sales in that month.",
	)
	if err != nil {
		t.Fatal(err)
	}
}
