package plan

import (
	"reflect"
	"strings"
	"testing"
	"time"
)

// sample sets every field of the plan types once.
func sample() *Server {
	var s Server
	fill(reflect.ValueOf(&s).Elem(), new(int), map[reflect.Type]int{})
	return &s
}

func fill(v reflect.Value, n *int, within map[reflect.Type]int) {
	*n++
	switch v.Kind() {
	case reflect.String:
		v.SetString(strings.Repeat("é", *n%5) + v.Type().Name())
	case reflect.Bool:
		v.SetBool(*n%2 == 0)
	case reflect.Int, reflect.Int64:
		v.SetInt(int64(*n) * 1_000_003 * int64(1-2*(*n%2)))
	case reflect.Pointer:
		if within[v.Type()] < 2 {
			within[v.Type()]++
			v.Set(reflect.New(v.Type().Elem()))
			fill(v.Elem(), n, within)
			within[v.Type()]--
		}
	case reflect.Slice:
		if within[v.Type()] < 2 {
			within[v.Type()]++
			v.Set(reflect.MakeSlice(v.Type(), 2, 2))
			fill(v.Index(0), n, within)
			fill(v.Index(1), n, within)
			within[v.Type()]--
		}
	case reflect.Struct:
		for i := range v.NumField() {
			fill(v.Field(i), n, within)
		}
	}
}

func TestCodecKeepsEverything(t *testing.T) {
	for name, s := range map[string]*Server{
		"zero":    {},
		"empties": {Tools: []Tool{}, Upstreams: []Upstream{{Timeout: -time.Second}}},
		"full":    sample(),
	} {
		got, err := Decode(Encode(s))
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if !reflect.DeepEqual(got, s) {
			t.Errorf("%s: the plan changed\n got %+v\nwant %+v", name, got, s)
		}
	}
}

func TestCodecRefusesForeignData(t *testing.T) {
	b := Encode(sample())
	change := func(i int) []byte {
		c := append([]byte(nil), b...)
		c[i] ^= 0x40
		return c
	}
	for want, data := range map[string][]byte{
		"not a stored plan": []byte("{}"),
		"another version":   change(len(codecMagic)),
		"is damaged":        change(len(b) / 2),
	} {
		if _, err := Decode(data); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
	if _, err := Decode(b[:len(b)-1]); err == nil {
		t.Error("a cut plan decodes")
	}
}

func FuzzDecode(f *testing.F) {
	f.Add(Encode(&Server{})[codecHeader:])
	f.Add(Encode(sample())[codecHeader:])
	f.Fuzz(func(t *testing.T, body []byte) {
		d := decoder{b: body}
		var s Server
		d.value(reflect.ValueOf(&s).Elem(), 0)
		if d.err != nil {
			return
		}
		again, err := Decode(Encode(&s))
		if err != nil || !reflect.DeepEqual(*again, s) {
			t.Fatalf("what decodes must encode to the same plan: %v", err)
		}
	})
}

func BenchmarkDecode(b *testing.B) {
	s := &Server{}
	for range 1000 {
		s.Tools = append(s.Tools, sample().Tools...)
	}
	data := Encode(s)
	b.SetBytes(int64(len(data)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Decode(data); err != nil {
			b.Fatal(err)
		}
	}
}
