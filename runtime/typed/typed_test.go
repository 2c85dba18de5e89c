package typed

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

type item struct {
	ID    int64            `json:"id"`
	Note  Nullable[string] `json:"note,omitzero"`
	When  *DateTime        `json:"when,omitzero"`
	Tags  []string         `json:"tags,omitzero"`
	Value *Union           `json:"value,omitzero"`
}

func TestRoundTrip(t *testing.T) {
	for _, text := range []string{
		`{"id":9007199254740993}`,
		`{"id":1,"note":null}`,
		`{"id":1,"note":"<b>&\u2028"}`,
		`{"id":1,"when":"2026-01-02T03:04:05.000Z","tags":[]}`,
		`{"id":1,"value":1.50}`,
		`{"id":1,"value":{"b":1,"a":[2.0]}}`,
	} {
		var v item
		if err := Unmarshal([]byte(text), &v); err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		b, err := Marshal(v)
		if want := strings.ReplaceAll(text, `\u2028`, "\u2028"); err != nil || string(b) != want {
			t.Errorf("%s became %s, %v", text, b, err)
		}
	}
}

// What a model is told of a value that does not fit names the place and repeats
// neither the value nor Go types.
func TestUnmarshalSaysWhere(t *testing.T) {
	var v struct {
		Body struct {
			Items []item `json:"items"`
		} `json:"body"`
	}
	err := Unmarshal([]byte(`{"body":{"items":[{"id":"s3cret"}]}}`), &v)
	if err == nil || !strings.HasPrefix(err.Error(), "body.items.0.id: ") || strings.Contains(err.Error(), "s3cret") || strings.Contains(err.Error(), "int64") {
		t.Errorf("%v", err)
	}
	if err := Unmarshal([]byte(`{"id":1,"id":2}`), &item{}); err == nil {
		t.Error("a member twice is taken")
	}
}

func TestNullable(t *testing.T) {
	var n Nullable[int]
	if _, ok := n.Get(); ok || n.IsNull() || !n.IsZero() {
		t.Errorf("the zero value: %+v", n)
	}
	if n = Null[int](); !n.IsNull() || n.IsZero() {
		t.Errorf("null: %+v", n)
	}
	if v, ok := Some(7).Get(); !ok || v != 7 {
		t.Errorf("some: %d %v", v, ok)
	}
}

func TestUnion(t *testing.T) {
	u, err := UnionOf(map[string]any{"kind": "cat", "lives": 9})
	if err != nil || u.Member("kind") != "cat" || u.Member("lives") != "" || u.Member("x") != "" || u.IsZero() {
		t.Errorf("%s, %v", u.JSON(), err)
	}
	var n int
	if u.As(&n) == nil {
		t.Error("an object is a number")
	}
	if b, _ := (Union{}).MarshalJSON(); string(b) != "null" || !(Union{}).IsZero() {
		t.Errorf("the zero value: %s", b)
	}
}

func TestFormats(t *testing.T) {
	day := time.Date(2026, 1, 2, 3, 4, 5, 600e6, time.UTC)
	for text, want := range map[DateTime]time.Time{
		DateTimeOf(day):              day,
		"2026-01-02T03:04:05.6Z":     day,
		"2026-01-02 05:04:05.6+0200": day,
		"2026-01-02T03:04:05.600":    day,
	} {
		if got, err := text.Time(); err != nil || !got.Equal(want) {
			t.Errorf("%s: %v, %v", text, got, err)
		}
	}
	for _, text := range []DateTime{"", "yesterday", "2026-01-02", "2026-13-02T00:00:00Z"} {
		if _, err := text.Time(); err == nil {
			t.Errorf("%s is a time", text)
		}
	}
	if d, err := DateOf(day).Time(); err != nil || !d.Equal(day.Truncate(24*time.Hour)) {
		t.Errorf("%v, %v", d, err)
	}
	if _, err := Date("02.01.2026").Time(); err == nil {
		t.Error("02.01.2026 is a date")
	}
	for _, text := range []UUID{"", "6ba7b8109dad11d180b400c04fd430c8", "6ba7b810-9dad-11d1-80b4-00c04fd430cx", "6ba7b810-9dad-11d1-80b4-00c04fd430c"} {
		if _, err := text.Bytes(); err == nil {
			t.Errorf("%q is a UUID", text)
		}
	}
	for _, text := range []Base64{"data:,abc", "a", "?"} {
		if _, err := text.Bytes(); err == nil {
			t.Errorf("%q is base64", text)
		}
	}
}

func TestBinary(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		data := rapid.SliceOf(rapid.Byte()).Draw(t, "data")
		text := Base64Of(data)
		for _, form := range []Base64{text, Base64(strings.TrimRight(string(text), "=")), Base64(strings.NewReplacer("+", "-", "/", "_").Replace(string(text))), "data:x/y;base64," + text} {
			if got, err := form.Bytes(); err != nil || !bytes.Equal(got, data) {
				t.Fatalf("%s: %x, %v", form, got, err)
			}
		}
		id := [16]byte(rapid.SliceOfN(rapid.Byte(), 16, 16).Draw(t, "uuid"))
		if got, err := UUIDOf(id).Bytes(); err != nil || got != id {
			t.Fatalf("%s: %x, %v", UUIDOf(id), got, err)
		}
		if got, err := UUID(strings.ToUpper(string(UUIDOf(id)))).Bytes(); err != nil || got != id {
			t.Fatalf("upper case: %x, %v", got, err)
		}
	})
}
