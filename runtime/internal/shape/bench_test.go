package shape

import (
	"bytes"
	"encoding/json"
	"fmt"
	"testing"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/mcpc-dev/mcpc/runtime/plan"
)

// issues is a list as code hosts send it, of about n bytes.
func issues(n int) []byte {
	var b bytes.Buffer
	b.WriteByte('[')
	for i := 1; b.Len() < n; i++ {
		if i > 1 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, `{"url":"https://api.example/repos/o/r/issues/%[1]d","id":%[1]d00000001,"node_id":"MDU6SXNzdWUx%[1]d","number":%[1]d,"title":"Found a \"bug\" in %[1]d","user":{"login":"octocat","id":1,"node_id":"MDQ6VXNlcjE=","avatar_url":"https://github.example/images/error/octocat_happy.gif","gravatar_id":"","followers_url":"https://api.example/users/octocat/followers","type":"User","site_admin":false},"labels":[{"id":208045946,"node_id":"MDU6TGFiZWwyMDgwNDU5NDY=","url":"https://api.example/repos/o/r/labels/bug","name":"bug","description":"Something isn't working","color":"f29513","default":true}],"state":"open","locked":true,"assignee":null,"comments":0,"created_at":"2011-04-22T13:33:48Z","updated_at":"2011-04-22T13:33:48Z","body":"I'm having a problem with this, and it takes a paragraph to tell.\nThen there is a second line.","reactions":{"total_count":0,"+1":0,"url":"https://api.example/x"}}`, i)
	}
	b.WriteByte(']')
	return b.Bytes()
}

// BenchmarkSelect masks a list of 1 MB. valid is what every answer costs before,
// jq is the selection of fields by a program, table the text of what they leave.
func BenchmarkSelect(b *testing.B) {
	text := issues(1 << 20)
	fields := plan.Selection{Fields: paths("number", "title", "state", "user.login", "labels[].name")}
	for _, c := range []struct {
		name string
		s    plan.Selection
		most int
	}{
		{"fields", fields, 0},
		{"drop", plan.Selection{Drop: paths("**.*_url", "**.url", "**.node_id", "reactions")}, 0},
		{"deep", plan.Selection{Fields: paths("**.id", "**.name")}, 0},
		{"rename", plan.Selection{Rename: []plan.NamePair{{From: "number", To: "no"}}, Fields: fields.Fields}, 0},
		{"max items", fields, 50},
	} {
		b.Run(c.name, func(b *testing.B) {
			m := selector(b, c.s, c.most)
			b.SetBytes(int64(len(text)))
			b.ReportAllocs()
			for b.Loop() {
				m.Select(text)
			}
		})
	}
	b.Run("valid", func(b *testing.B) {
		b.SetBytes(int64(len(text)))
		b.ReportAllocs()
		for b.Loop() {
			jsontext.Value(text).IsValid()
		}
	})
	b.Run("jq", func(b *testing.B) {
		p := program(b, "[.[] | {number, title, state, user: {login: .user.login}, labels: [.labels[] | {name}]}]")
		b.SetBytes(int64(len(text)))
		b.ReportAllocs()
		for b.Loop() {
			if _, err := p.Run(b.Context(), text); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("table", func(b *testing.B) {
		list := selector(b, fields, 0).Select(text).Value
		b.SetBytes(int64(len(list)))
		b.ReportAllocs()
		for b.Loop() {
			Table(list)
		}
	})
	b.Run("decode", func(b *testing.B) {
		b.SetBytes(int64(len(text)))
		b.ReportAllocs()
		for b.Loop() {
			var v any
			if err := json.Unmarshal(text, &v); err != nil {
				b.Fatal(err)
			}
		}
	})
}
