package plan

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"hash/fnv"
	"reflect"
	"unsafe"
)

// The binary form of a plan is for storing a compiled server between two runs
// of the same program, nothing else: it changes with every change of the types.
//
//	magic (8) | fingerprint (8) | CRC-32C of the body (4) | body
//
// The body is the Server, field by field: integers as varints, strings and
// slices behind their length, pointers behind one byte. Slices and strings in
// the result of [Decode] share the buffer they were decoded from.

const codecMagic = "mcpcplan"

const codecHeader = len(codecMagic) + 8 + 4

// maxCodecDepth bounds nesting, which only expressions can make deep.
const maxCodecDepth = 500

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// Encode returns the binary form of s.
func Encode(s *Server) []byte {
	b := make([]byte, codecHeader, 1<<16)
	b = appendValue(b, reflect.ValueOf(s).Elem())
	copy(b, codecMagic)
	binary.LittleEndian.PutUint64(b[len(codecMagic):], fingerprint())
	binary.LittleEndian.PutUint32(b[len(codecMagic)+8:], crc32.Checksum(b[codecHeader:], castagnoli))
	return b
}

// Decode reads what [Encode] wrote. It fails when the data is damaged or was
// written by a program whose plan types differ. The caller must not change b
// afterwards.
func Decode(b []byte) (*Server, error) {
	if len(b) < codecHeader || string(b[:len(codecMagic)]) != codecMagic {
		return nil, errors.New("not a stored plan")
	}
	if binary.LittleEndian.Uint64(b[len(codecMagic):]) != fingerprint() {
		return nil, errors.New("stored plan of another version")
	}
	body := b[codecHeader:]
	if binary.LittleEndian.Uint32(b[len(codecMagic)+8:]) != crc32.Checksum(body, castagnoli) {
		return nil, errors.New("stored plan is damaged")
	}
	var s Server
	d := decoder{b: body}
	d.value(reflect.ValueOf(&s).Elem(), 0)
	if d.err == nil && len(d.b) > 0 {
		d.fail("data after the end")
	}
	if d.err != nil {
		return nil, d.err
	}
	return &s, nil
}

// fingerprint identifies the shape of the plan types: names, order and kinds
// of all fields.
func fingerprint() uint64 {
	h := fnv.New64a()
	seen := map[reflect.Type]bool{}
	var describe func(t reflect.Type)
	describe = func(t reflect.Type) {
		fmt.Fprint(h, t.Kind(), " ", t.String(), ";")
		if seen[t] {
			return
		}
		seen[t] = true
		switch t.Kind() {
		case reflect.Struct:
			for i := range t.NumField() {
				fmt.Fprint(h, t.Field(i).Name, ":")
				describe(t.Field(i).Type)
			}
		case reflect.Slice, reflect.Pointer:
			describe(t.Elem())
		}
	}
	fmt.Fprint(h, Format, ";")
	describe(reflect.TypeFor[Server]())
	return h.Sum64()
}

func appendValue(b []byte, v reflect.Value) []byte {
	switch v.Kind() {
	case reflect.String:
		s := v.String()
		return append(binary.AppendUvarint(b, uint64(len(s))), s...)
	case reflect.Bool:
		if v.Bool() {
			return append(b, 1)
		}
		return append(b, 0)
	case reflect.Int, reflect.Int64:
		return binary.AppendVarint(b, v.Int())
	case reflect.Pointer:
		if v.IsNil() {
			return append(b, 0)
		}
		return appendValue(append(b, 1), v.Elem())
	case reflect.Slice:
		if v.IsNil() {
			return append(b, 0)
		}
		b = binary.AppendUvarint(b, uint64(v.Len())+1)
		for i := range v.Len() {
			b = appendValue(b, v.Index(i))
		}
		return b
	case reflect.Struct:
		for i := range v.NumField() {
			b = appendValue(b, v.Field(i))
		}
		return b
	}
	panic("plan: " + v.Type().String() + " has no binary form")
}

type decoder struct {
	b   []byte // what is left
	err error
}

func (d *decoder) fail(why string) {
	if d.err == nil {
		d.err = errors.New("stored plan is damaged: " + why)
	}
	d.b = nil
}

// length reads a count of things that take at least one byte each.
func (d *decoder) length() int {
	n, size := binary.Uvarint(d.b)
	if size <= 0 || n > uint64(len(d.b)-size)+1 {
		d.fail("a length is out of range")
		return 0
	}
	d.b = d.b[size:]
	return int(n)
}

func (d *decoder) flag() bool {
	if len(d.b) == 0 || d.b[0] > 1 {
		d.fail("a flag is out of range")
		return false
	}
	f := d.b[0] == 1
	d.b = d.b[1:]
	return f
}

func (d *decoder) value(v reflect.Value, depth int) {
	if depth > maxCodecDepth {
		d.fail("nested too deeply")
	}
	if d.err != nil {
		return
	}
	switch v.Kind() {
	case reflect.String:
		n := d.length()
		if n > len(d.b) {
			d.fail("a text is cut off")
			return
		}
		if n > 0 {
			v.SetString(unsafe.String(&d.b[0], n))
			d.b = d.b[n:]
		}
	case reflect.Bool:
		v.SetBool(d.flag())
	case reflect.Int, reflect.Int64:
		n, size := binary.Varint(d.b)
		if size <= 0 {
			d.fail("a number is out of range")
			return
		}
		d.b = d.b[size:]
		v.SetInt(n)
	case reflect.Pointer:
		if d.flag() {
			v.Set(reflect.New(v.Type().Elem()))
			d.value(v.Elem(), depth+1)
		}
	case reflect.Slice:
		if n := d.length(); n > 0 {
			v.Set(d.slice(v.Type(), n-1, depth))
		}
	case reflect.Struct:
		for i := range v.NumField() {
			d.value(v.Field(i), depth+1)
		}
	default:
		panic("plan: " + v.Type().String() + " has no binary form")
	}
}

// slice decodes n elements. Damaged data could claim as many elements as there
// are bytes left, so memory is taken as elements arrive.
func (d *decoder) slice(t reflect.Type, n, depth int) reflect.Value {
	const atOnce = 4096
	s := reflect.MakeSlice(t, 0, min(n, atOnce))
	for i := 0; i < n && d.err == nil; i++ {
		if s.Len() == s.Cap() {
			grown := reflect.MakeSlice(t, s.Len(), s.Len()+min(n-i, s.Len()))
			reflect.Copy(grown, s)
			s = grown
		}
		s = s.Slice(0, i+1)
		d.value(s.Index(i), depth+1)
	}
	return s
}
