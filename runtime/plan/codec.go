package plan

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"reflect"
	"strings"
	"sync"
	"unsafe"
)

// The binary form of a plan: a header, then the fields of [Server] one after
// another. Integers are varints, strings and slices carry their length, a
// pointer says first whether it is there. Nothing names a field; instead the
// header holds a fingerprint of all the types, so that a plan written by
// another shape of this package is not read at all.
//
//	magic      8 bytes  "mcpcplan"
//	fingerprint 16 bytes  of Format and the types
//	checksum    4 bytes  CRC-32C of what follows
//	data

const magic = "mcpcplan"

const headerSize = len(magic) + 16 + 4

// ErrFormat is returned by [Decode] for data that another version wrote, or
// that is no plan.
var ErrFormat = errors.New("not a plan of this version")

var errDamaged = errors.New("damaged plan")

// maxNesting bounds how deep values of a plan nest: expressions are trees.
const maxNesting = 2000

// castagnoli and codec are computed once; they do not change.
var (
	castagnoli = sync.OnceValue(func() *crc32.Table { return crc32.MakeTable(crc32.Castagnoli) })
	codec      = sync.OnceValue(func() *types { return newTypes(reflect.TypeFor[Server]()) })
)

// Fingerprint identifies the shape of this package's types.
func Fingerprint() [16]byte { return codec().fingerprint }

// Encode writes s in a compact form that only the same version of this package
// reads. The same plan gives the same bytes.
func Encode(s *Server) []byte {
	t := codec()
	b := make([]byte, headerSize, 1<<16)
	copy(b, magic)
	copy(b[len(magic):], t.fingerprint[:])
	b = t.encode(b, reflect.ValueOf(s).Elem())
	binary.LittleEndian.PutUint32(b[headerSize-4:], crc32.Checksum(b[headerSize:], castagnoli()))
	return b
}

// Decode reads what [Encode] wrote. The strings of the plan share the memory of
// b, which must not be changed afterwards. Damaged data is an error.
func Decode(b []byte) (*Server, error) {
	t := codec()
	if len(b) < headerSize || string(b[:len(magic)]) != magic || [16]byte(b[len(magic):headerSize-4]) != t.fingerprint {
		return nil, ErrFormat
	}
	if crc32.Checksum(b[headerSize:], castagnoli()) != binary.LittleEndian.Uint32(b[headerSize-4:]) {
		return nil, errDamaged
	}
	s := new(Server)
	d := decoder{types: t, b: b[headerSize:]}
	d.decode(reflect.ValueOf(s).Elem(), 0)
	if d.err == nil && len(d.b) > 0 {
		d.err = errDamaged
	}
	if d.err != nil {
		return nil, d.err
	}
	return s, nil
}

// types knows the shape of everything a plan is made of.
type types struct {
	fingerprint [16]byte
	least       map[reflect.Type]int // smallest encoding in bytes
}

func newTypes(root reflect.Type) *types {
	t := &types{least: map[reflect.Type]int{}}
	var shape strings.Builder
	fmt.Fprintf(&shape, "format %d\n", Format)
	t.add(root, &shape)
	sum := sha256.Sum256([]byte(shape.String()))
	copy(t.fingerprint[:], sum[:])
	return t
}

// add describes a type and all it is made of, each once.
func (t *types) add(r reflect.Type, shape *strings.Builder) {
	if _, ok := t.least[r]; ok {
		return
	}
	t.least[r] = 1
	switch r.Kind() {
	case reflect.Bool, reflect.String, reflect.Int, reflect.Int64:
		fmt.Fprintf(shape, "%s %s\n", r, r.Kind())
	case reflect.Slice, reflect.Pointer:
		fmt.Fprintf(shape, "%s %s of %s\n", r, r.Kind(), r.Elem())
		t.add(r.Elem(), shape)
	case reflect.Struct:
		fmt.Fprintf(shape, "%s struct\n", r)
		n := 0
		for i := range r.NumField() {
			f := r.Field(i)
			fmt.Fprintf(shape, "\t%s %s\n", f.Name, f.Type)
			if !f.IsExported() {
				panic("plan: unexported field " + r.String() + "." + f.Name)
			}
			t.add(f.Type, shape)
			n += t.least[f.Type]
		}
		t.least[r] = max(n, 1)
	default:
		panic("plan: no encoding for " + r.String())
	}
}

func (t *types) encode(b []byte, v reflect.Value) []byte {
	switch v.Kind() {
	case reflect.Bool:
		if v.Bool() {
			return append(b, 1)
		}
		return append(b, 0)
	case reflect.String:
		b = binary.AppendUvarint(b, uint64(v.Len()))
		return append(b, v.String()...)
	case reflect.Int, reflect.Int64:
		return binary.AppendVarint(b, v.Int())
	case reflect.Slice:
		b = binary.AppendUvarint(b, uint64(v.Len()))
		for i := range v.Len() {
			b = t.encode(b, v.Index(i))
		}
		return b
	case reflect.Pointer:
		if v.IsNil() {
			return append(b, 0)
		}
		return t.encode(append(b, 1), v.Elem())
	case reflect.Struct:
		for i := range v.NumField() {
			b = t.encode(b, v.Field(i))
		}
		return b
	}
	panic("plan: no encoding for " + v.Type().String())
}

type decoder struct {
	*types
	b   []byte
	err error
}

func (d *decoder) uvarint() uint64 {
	if len(d.b) > 0 && d.b[0] < 0x80 {
		n := d.b[0]
		d.b = d.b[1:]
		return uint64(n)
	}
	n, size := binary.Uvarint(d.b)
	if size <= 0 {
		d.err, d.b = errDamaged, nil
		return 0
	}
	d.b = d.b[size:]
	return n
}

// length reads the length of something whose elements take least bytes each.
// It cannot be more than what is there: nothing is allocated for a claim.
func (d *decoder) length(least int) int {
	n := d.uvarint()
	if n > uint64(len(d.b)/least) {
		d.err, d.b = errDamaged, nil
		return 0
	}
	return int(n)
}

func (d *decoder) flag() bool {
	n := d.uvarint()
	if n > 1 {
		d.err, d.b = errDamaged, nil
	}
	return n == 1
}

func (d *decoder) decode(v reflect.Value, depth int) {
	if d.err != nil {
		return
	}
	if depth > maxNesting {
		d.err = errDamaged
		return
	}
	switch v.Kind() {
	case reflect.Bool:
		v.SetBool(d.flag())
	case reflect.String:
		if n := d.length(1); n > 0 {
			v.SetString(unsafe.String(&d.b[0], n))
			d.b = d.b[n:]
		}
	case reflect.Int, reflect.Int64:
		u := d.uvarint()
		n := int64(u >> 1)
		if u&1 != 0 {
			n = ^n
		}
		if v.OverflowInt(n) {
			d.err = errDamaged
			return
		}
		v.SetInt(n)
	case reflect.Slice:
		n := d.length(d.least[v.Type().Elem()])
		if n == 0 {
			return
		}
		s := reflect.MakeSlice(v.Type(), n, n)
		for i := range n {
			d.decode(s.Index(i), depth+1)
		}
		v.Set(s)
	case reflect.Pointer:
		if d.flag() {
			p := reflect.New(v.Type().Elem())
			d.decode(p.Elem(), depth+1)
			v.Set(p)
		}
	case reflect.Struct:
		for i := range v.NumField() {
			d.decode(v.Field(i), depth+1)
		}
	}
}
