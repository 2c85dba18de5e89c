package specs

import (
	"encoding/json"
	"testing"
	"unicode/utf8"

	"github.com/mcpc-dev/mcpc/specs/diag"
)

func TestNodeKeepsOrderAndDigits(t *testing.T) {
	n := NewObject(
		F("z", NewNumber("9007199254740993")),
		F("a", NewArray(NewNumber("0.10"), NewBool(true), &Node{})),
		F("t", NewString("a\"\\\n\u2028<&>")),
	)
	const want = `{"z":9007199254740993,"a":[0.10,true,null],"t":"a\"\\\n` + "\u2028" + `<&>"}`
	if got := n.JSON(); got != want {
		t.Errorf("JSON:\n got %s\nwant %s", got, want)
	}
	c := n.Clone()
	if !c.Equal(n) {
		t.Error("a clone differs from its original")
	}
	c.Get("a").Fields[0].Value.Text = "0.1"
	if c.Equal(n) {
		t.Error("0.1 and 0.10 are written differently, but compare equal")
	}
	c.Delete("z")
	if c.Has("z") || !n.Has("z") {
		t.Error("Delete must remove from the clone and leave the original")
	}
	c.Set("a", NewString("new"))
	c.Set("b", NewBool(false))
	if got := c.JSON(); got != `{"a":"new","t":"a\"\\\n`+"\u2028"+`<&>","b":false}` {
		t.Errorf("after Set: %s", got)
	}
}

func TestNodeAccessIsSafeOnAnything(t *testing.T) {
	var none *Node
	for _, n := range []*Node{none, {}, NewString("x"), NewArray(NewString("x"))} {
		if n.Get("k") != nil || n.Has("k") || n.IsTrue() {
			t.Errorf("%s: has members", n.JSON())
		}
	}
	if !none.Range().IsZero() || none.Str() != "" || NewBool(true).Str() != "" {
		t.Error("a nil node has a place or text")
	}
}

func TestKeyRangeCoversTheKey(t *testing.T) {
	src := &diag.Source{Name: "f.json", Text: []byte(`{"ab": 1, cd: 2}`)}
	v := &Node{Kind: Number, Text: "1", Source: src, Start: 7, End: 8}
	for _, c := range []struct {
		field Field
		want  string
	}{
		{Field{Key: "ab", Value: v, KeyStart: 1}, `"ab"`},
		{Field{Key: "cd", Value: v, KeyStart: 10}, `cd`},
		{Field{Key: "cd", Value: v, KeyStart: -1}, `1`},
	} {
		r := c.field.KeyRange()
		if got := string(src.Text[r.Start:r.End]); got != c.want {
			t.Errorf("%s at %d: covers %q, want %q", c.field.Key, c.field.KeyStart, got, c.want)
		}
	}
}

func FuzzAppendQuoted(f *testing.F) {
	for _, s := range []string{"", "a", "\"\\/", "\x00\x1f\x7f", "é😀\u2028", "\xff\xc3("} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		b := AppendQuoted(nil, s)
		var back string
		if err := json.Unmarshal(b, &back); err != nil {
			t.Fatalf("%q is no JSON string: %v", b, err)
		}
		if utf8.ValidString(s) && back != s {
			t.Fatalf("%q came back as %q", s, back)
		}
	})
}
