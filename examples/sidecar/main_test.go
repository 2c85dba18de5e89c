package main

import "testing"

func TestShow(t *testing.T) {
	t.Chdir("../..")
	err := example().Check(
		"Nothing is filed yet.",
		`"name":"contract.txt","size":48`, // its bytes arrived
		`"number":"D-1"`,
		"sent      nothing",
		"D-1\tContract",
	)
	if err != nil {
		t.Fatal(err)
	}
}
