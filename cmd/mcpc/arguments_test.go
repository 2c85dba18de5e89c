package main

import (
	"strings"
	"testing"

	"github.com/mcpc-dev/mcpc/runtime/plan"
)

func TestTypedArguments(t *testing.T) {
	tool := &plan.Tool{Input: `{"type":"object","properties":{
		"s":{"type":"string"},"i":{"type":"integer"},"n":{"type":["number","null"]},"b":{"type":"boolean"},
		"tags":{"type":"array","items":{"type":"integer"}},"names":{"type":"array","items":{"type":"string"}},
		"any":{},"either":{"anyOf":[{"type":"integer"},{"type":"string"}]},
		"a.b":{"type":"integer"},
		"body":{"$ref":"#/$defs/Pet"},"open":{"type":"object"}},
		"$defs":{"Pet":{"type":"object","properties":{"age":{"type":"integer"},"parent":{"$ref":"#/$defs/Pet"},"note":{"type":"string"}}}}}`}
	for _, c := range []struct{ words, want string }{
		{"", `{}`},
		{"s=7 i=7", `{"i":7,"s":"7"}`},
		{"i=12345678901234567890", `{"i":12345678901234567890}`},
		{"n=1.50 b=true", `{"b":true,"n":1.50}`},
		{"n=null", `{"n":null}`},
		{"i=seven", `{"i":"seven"}`},
		{"tags=1 tags=2", `{"tags":[1,2]}`},
		{"tags=[1,2]", `{"tags":[1,2]}`},
		{"names=1 names=<x>", `{"names":["1","<x>"]}`},
		{"any=1 any2=x", `{"any":"1","any2":"x"}`},
		{"any:=1", `{"any":1}`},
		{"either=1", `{"either":"1"}`},
		{"a.b=1", `{"a.b":1}`},
		{"body.age=3 body.parent.age=4 body.note=x=y", `{"body":{"age":3,"note":"x=y","parent":{"age":4}}}`},
		{`body={"age":3}`, `{"body":{"age":3}}`},
		{"open.deep.er=1", `{"open":{"deep":{"er":"1"}}}`},
		{"s=", `{"s":""}`},
		{"unknown.x=1", `{"unknown.x":"1"}`},
		{"novalue", `error: argument "novalue" is not of the form K=V or K:=JSON`},
		{"any:=x", `error: argument "any:=x": what follows := is not JSON`},
		{"s=1 s=2", `error: argument "s=2": s is given twice`},
		{`body={} body.age=3`, `error: argument "body.age=3": body has a value already`},
	} {
		got, err := typedArguments(tool, strings.Fields(c.words))
		if err != nil {
			got = []byte("error: " + err.Error())
		}
		if string(got) != c.want {
			t.Errorf("%s: %s, want %s", c.words, got, c.want)
		}
	}
}
