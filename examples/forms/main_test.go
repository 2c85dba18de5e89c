package main

import "testing"

func TestShow(t *testing.T) {
	t.Chdir("../..")
	err := example().Check(
		"action=find&name=M%FCller",
		`"city":"Köln"`,
		`"paid":true`,
		"The register says: kein Mitglied Meier",
		"sent      nothing",
		"18:00 Läufer",
	)
	if err != nil {
		t.Fatal(err)
	}
}
