package args

import (
	"bytes"
	"encoding/json"
	"reflect"
	"strings"
	"testing"

	"github.com/go-json-experiment/json/jsontext"
)

func TestDecode(t *testing.T) {
	tests := []struct {
		in   string
		want map[string]any
		raw  map[string]string
	}{
		{"", map[string]any{}, map[string]string{}},
		{" \n", map[string]any{}, map[string]string{}},
		{"null", map[string]any{}, map[string]string{}},
		{"{}", map[string]any{}, map[string]string{}},
		{`{"a":1}`, map[string]any{"a": json.Number("1")}, map[string]string{"a": "1"}},
		{` { "a" : [ 1 , {"b": null} ] , "c":"x" } `,
			map[string]any{"a": []any{json.Number("1"), map[string]any{"b": nil}}, "c": "x"},
			map[string]string{"a": `[ 1 , {"b": null} ]`, "c": `"x"`}},
		{`{"n":9007199254740993,"e":1e400,"d":0.10,"m":-0}`,
			map[string]any{"n": json.Number("9007199254740993"), "e": json.Number("1e400"), "d": json.Number("0.10"), "m": json.Number("-0")},
			map[string]string{"n": "9007199254740993", "e": "1e400", "d": "0.10", "m": "-0"}},
		{`{"s":"e\u0301 \ud83d\ude00"}`, map[string]any{"s": "e\u0301 😀"}, map[string]string{"s": `"e\u0301 \ud83d\ude00"`}},
		{`{"t":true,"f":false,"n":null}`, map[string]any{"t": true, "f": false, "n": nil}, map[string]string{"t": "true", "f": "false", "n": "null"}},
		{`{"":1,"a\"b":2}`, map[string]any{"": json.Number("1"), `a"b`: json.Number("2")}, map[string]string{"": "1", `a"b`: "2"}},
	}
	for _, tt := range tests {
		got, err := Decode([]byte(tt.in))
		if err != nil {
			t.Errorf("%s: %v", tt.in, err)
			continue
		}
		if !reflect.DeepEqual(got.Values, tt.want) {
			t.Errorf("%s: values %#v", tt.in, got.Values)
		}
		raw := map[string]string{}
		for k, v := range got.Raw {
			raw[k] = string(v)
		}
		if !reflect.DeepEqual(raw, tt.raw) {
			t.Errorf("%s: raw %q", tt.in, raw)
		}
	}
}

func TestDecodeRefuses(t *testing.T) {
	tests := []struct{ in, want string }{
		{`[]`, "must be a JSON object"},
		{`"{}"`, "must be a JSON object"},
		{`1`, "must be a JSON object"},
		{`{"a":1,"a":2}`, `"a" is given twice`},
		{`{"x":{"a":1,"\u0061":2}}`, `"a" is given twice`},
		{`{"a":1}{}`, "text after"},
		{`{"a":1} x`, "not valid JSON"},
		{`{"a":1`, "too early"},
		{`{"a"`, "too early"},
		{`{"a":01}`, "not valid JSON"},
		{`{"a":NaN}`, "not valid JSON"},
		{`{'a':1}`, "not valid JSON"},
		{`{"a":1,}`, "not valid JSON"},
		{"{\"a\":\"\xff\"}", "not valid JSON"},
		{`{"a":"\ud800"}`, "not valid JSON"},
		{"\xef\xbb\xbf{}", "must be a JSON object"},
		{`{"a":` + strings.Repeat("[", 128) + strings.Repeat("]", 128) + `}`, "more than 128 deep"},
		{`{"a":1e1000}`, "out of range"},
		{`{"a":1e999999999999999999999}`, "out of range"},
		{`{"a":[1E-1000]}`, "out of range"},
		{`{"a":` + strings.Repeat("1", 1025) + `}`, "out of range"},
	}
	for _, tt := range tests {
		_, err := Decode([]byte(tt.in))
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%.60s: error %v, want %q", tt.in, err, tt.want)
		}
	}
	if _, err := Decode([]byte(`{"a":` + strings.Repeat("[", 127) + strings.Repeat("]", 127) + `}`)); err != nil {
		t.Errorf("128 deep: %v", err)
	}
}

func TestSet(t *testing.T) {
	var a Args
	if err := a.Set("x", []byte(`[1]`)); err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(a.Values["x"], []any{json.Number("1")}) || string(a.Raw["x"]) != "[1]" {
		t.Errorf("%#v", a)
	}
	for _, bad := range []string{``, `[1`, `1 2`, `{"a":1,"a":1}`} {
		if err := a.Set("x", []byte(bad)); err == nil {
			t.Errorf("%q is accepted", bad)
		}
	}
}

// FuzzArguments: exactly what jsontext takes for an object, and is within the
// limits, is accepted; its values are those of encoding/json, and every text in
// Raw decodes to its value.
func FuzzArguments(f *testing.F) {
	for _, s := range []string{
		`{}`, `{"a":1e400,"b":[{"c":null}]}`, ` { "x" : "\u00e9" } `, `{"a":1,"a":2}`, `null`, `{"a":"\ud800"}`, `{"a":"\ud83d\ude00\/\b"}`,
		`{"a":-0.0e-1,"b":[],"c":{}}`, `{"a":tru}`, "{\"a\":\"\xff\"}", `{"a":1}x`, `[1]`, `{"a" 1}`, `{"a":"\x"}`, `{"a":-}`, `{"a":1.}`, `{"a":"\u12`,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		a, err := Decode(text)
		if len(bytes.Trim(text, " \t\r\n")) == 0 || string(bytes.Trim(text, " \t\r\n")) == "null" {
			if err != nil || len(a.Values) != 0 {
				t.Fatalf("%v %v", a, err)
			}
			return
		}
		v := jsontext.Value(text)
		valid := v.IsValid() && v.Kind() == '{'
		if err != nil {
			limit := strings.Contains(err.Error(), "out of range") || strings.Contains(err.Error(), "deep")
			if valid && !limit {
				t.Fatalf("refused: %v", err)
			}
			return
		}
		if !valid {
			t.Fatalf("accepted: %v", a)
		}
		if len(a.Raw) != len(a.Values) {
			t.Fatalf("%d raw, %d values", len(a.Raw), len(a.Values))
		}
		for k, raw := range a.Raw {
			v, err := Value(raw)
			if err != nil || !reflect.DeepEqual(v, a.Values[k]) {
				t.Fatalf("%q: raw %q is %#v (%v), want %#v", k, raw, v, err, a.Values[k])
			}
		}
		d := json.NewDecoder(bytes.NewReader(text))
		d.UseNumber()
		var want map[string]any
		if err := d.Decode(&want); err != nil || !reflect.DeepEqual(want, a.Values) {
			t.Fatalf("encoding/json: %v\n%#v\n%#v", err, want, a.Values)
		}
	})
}

func BenchmarkDecode(b *testing.B) {
	text := []byte(`{"owner":"octo","repo":"hello-world","number":9007199254740993,"labels":["bug","help wanted"],"body":{"title":"x","draft":false}}`)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Decode(text); err != nil {
			b.Fatal(err)
		}
	}
}
