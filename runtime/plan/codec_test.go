package plan

import (
	"bytes"
	"errors"
	"math/rand"
	"reflect"
	"testing"
	"time"

	"encoding/binary"
	"hash/crc32"
)

// fill sets every field of v to something, to a bounded depth.
func fill(v reflect.Value, r *rand.Rand, depth int) {
	switch v.Kind() {
	case reflect.Bool:
		v.SetBool(r.Intn(2) == 1)
	case reflect.String:
		b := make([]byte, r.Intn(12))
		r.Read(b)
		v.SetString(string(b))
	case reflect.Int, reflect.Int64:
		v.SetInt(int64(r.Uint64()) >> uint(r.Intn(64)))
	case reflect.Slice:
		if depth == 0 {
			return
		}
		if n := r.Intn(3); n > 0 {
			v.Set(reflect.MakeSlice(v.Type(), n, n))
			for i := range n {
				fill(v.Index(i), r, depth-1)
			}
		}
	case reflect.Pointer:
		if depth > 0 && r.Intn(2) == 1 {
			v.Set(reflect.New(v.Type().Elem()))
			fill(v.Elem(), r, depth-1)
		}
	case reflect.Struct:
		for i := range v.NumField() {
			fill(v.Field(i), r, depth)
		}
	}
}

func someServer(seed int64) *Server {
	s := new(Server)
	fill(reflect.ValueOf(s).Elem(), rand.New(rand.NewSource(seed)), 7)
	return s
}

func TestCodecRoundTrip(t *testing.T) {
	for seed := range int64(50) {
		s := someServer(seed)
		b := Encode(s)
		got, err := Decode(b)
		if err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
		if !reflect.DeepEqual(got, s) {
			t.Fatalf("seed %d: decoded plan differs", seed)
		}
		if !bytes.Equal(Encode(got), b) {
			t.Fatalf("seed %d: encoding is not stable", seed)
		}
	}
	got, err := Decode(Encode(&Server{}))
	if err != nil || !reflect.DeepEqual(got, &Server{}) {
		t.Fatalf("empty server: %+v, %v", got, err)
	}
}

func TestDecodeRefuses(t *testing.T) {
	b := Encode(someServer(1))
	other := bytes.Clone(b)
	other[len(magic)] ^= 1
	flipped := bytes.Clone(b)
	flipped[len(b)-1] ^= 1
	for name, c := range map[string]struct {
		b    []byte
		want error
	}{
		"empty":       {nil, ErrFormat},
		"magic":       {append([]byte("x"), b...), ErrFormat},
		"fingerprint": {other, ErrFormat},
		"cut":         {b[:len(b)-1], errDamaged},
		"flipped":     {flipped, errDamaged},
		"longer":      {append(bytes.Clone(b), 0), errDamaged},
	} {
		if _, err := Decode(c.b); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
}

// A changed type must change the fingerprint, or a stored plan is misread.
func TestFingerprintSeesTypes(t *testing.T) {
	type a struct{ X, Y string }
	type b struct{ Y, X string }
	type c struct {
		X string
		Y int
	}
	seen := map[[16]byte]bool{}
	for _, r := range []reflect.Type{reflect.TypeFor[a](), reflect.TypeFor[b](), reflect.TypeFor[c](), reflect.TypeFor[Server](), reflect.TypeFor[[]a]()} {
		seen[newTypes(r).fingerprint] = true
	}
	if len(seen) != 5 {
		t.Errorf("%d different fingerprints of 5 types", len(seen))
	}
}

// FuzzDecode gives the decoder damaged data with a right checksum.
func FuzzDecode(f *testing.F) {
	f.Add(Encode(&Server{})[headerSize:])
	f.Add(Encode(&Server{Name: "n", Upstreams: []Upstream{{Timeout: time.Second}}})[headerSize:])
	for seed := range int64(4) {
		if b := Encode(someServer(seed)); len(b) < 4096 {
			f.Add(b[headerSize:])
		}
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		b := make([]byte, headerSize, headerSize+len(data))
		copy(b, magic)
		fp := Fingerprint()
		copy(b[len(magic):], fp[:])
		b = append(b, data...)
		binary.LittleEndian.PutUint32(b[headerSize-4:], crc32.Checksum(data, castagnoli()))
		s, err := Decode(b)
		if err != nil {
			return
		}
		again, err := Decode(Encode(s))
		if err != nil || !reflect.DeepEqual(again, s) {
			t.Fatalf("a plan that was read is not read again: %v", err)
		}
	})
}
