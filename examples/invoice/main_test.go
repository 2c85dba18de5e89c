package main

import "testing"

func TestShow(t *testing.T) {
	t.Chdir("../..")
	err := example().Check(
		"GET /api/prices/BOLT-M8",
		"GET /api/prices/NUT-M8",
		`{"lines":[{"price":0.35,"quantity":200,"sku":"BOLT-M8"}`,
		`"invoice":"R-4711"`,
		`"total":82.00`,
		"prices", // the step that fails
	)
	if err != nil {
		t.Fatal(err)
	}
}
