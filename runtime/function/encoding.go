package function

import (
	"crypto/hmac"
	"crypto/md5" // services that are described sign and key with it; nothing here relies on it
	"crypto/rand"
	"crypto/sha1" // the same, and RFC 9562 for UUIDs of version 5
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/csv"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"net/url"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/mcpc-dev/mcpc/runtime/internal/args"
)

func base64Encode(s string) string    { return base64.StdEncoding.EncodeToString([]byte(s)) }
func base64URLEncode(s string) string { return base64.RawURLEncoding.EncodeToString([]byte(s)) }
func hexEncode(s string) string       { return hex.EncodeToString([]byte(s)) }

// decoded is the text of decoded bytes.
func decoded(b []byte, err error, what string) (any, error) {
	if err != nil {
		return nil, errors.New("the text is not " + what)
	}
	if !utf8.Valid(b) {
		return nil, errors.New("the decoded bytes are not UTF-8 text")
	}
	return string(b), nil
}

func base64Decode(in []any) (any, error) {
	s, err := textAt(in, 0)
	if err != nil {
		return nil, err
	}
	b, err := base64.StdEncoding.DecodeString(s)
	return decoded(b, err, "base64")
}

func base64URLDecode(in []any) (any, error) {
	s, err := textAt(in, 0)
	if err != nil {
		return nil, err
	}
	b, err := base64.RawURLEncoding.DecodeString(strings.TrimRight(s, "="))
	return decoded(b, err, "base64url")
}

func hexDecode(in []any) (any, error) {
	s, err := textAt(in, 0)
	if err != nil {
		return nil, err
	}
	b, err := hex.DecodeString(s)
	return decoded(b, err, "hexadecimal")
}

func urlDecode(in []any) (any, error) {
	s, err := textAt(in, 0)
	if err != nil {
		return nil, err
	}
	plain, err := url.QueryUnescape(s)
	return decoded([]byte(plain), err, "percent-encoded")
}

func urlParse(in []any) (any, error) {
	s, err := textAt(in, 0)
	if err != nil {
		return nil, err
	}
	u, err := url.Parse(s)
	if err != nil {
		return nil, errors.New("the text is no URL")
	}
	given, err := url.ParseQuery(u.RawQuery)
	if err != nil {
		return nil, errors.New("the query of the URL is not percent-encoded")
	}
	query := make(map[string]any, len(given))
	for name, list := range given {
		of := make([]any, len(list))
		for i, v := range list {
			if !utf8.ValidString(name + v) {
				return nil, errors.New("the query of the URL is not UTF-8 text")
			}
			of[i] = v
		}
		query[name] = of
	}
	if !utf8.ValidString(u.Path + u.Fragment + u.Host) {
		return nil, errors.New("the URL is not UTF-8 text")
	}
	return map[string]any{"scheme": u.Scheme, "host": u.Host, "hostname": u.Hostname(), "port": u.Port(), "path": u.Path, "query": query, "fragment": u.Fragment}, nil
}

func jsonDecode(in []any) (any, error) {
	s, err := textAt(in, 0)
	if err != nil {
		return nil, err
	}
	v, err := args.Value([]byte(s))
	if err != nil {
		return nil, errors.New("the text is not JSON")
	}
	return v, nil
}

// csvDecode reads RFC 4180 with a header line.
func csvDecode(in []any) (any, error) {
	s, err := textAt(in, 0)
	if err != nil {
		return nil, err
	}
	r := csv.NewReader(strings.NewReader(s))
	header, err := r.Read()
	if errors.Is(err, io.EOF) {
		return nil, errors.New("the text has no header line")
	}
	if err != nil {
		return nil, fmt.Errorf("the text is not CSV: %w", err)
	}
	header = slices.Clone(header)
	for i, name := range header {
		if slices.Contains(header[:i], name) {
			return nil, Quoting("the header has the name %.40q twice", name)
		}
		if i > 1000 {
			return nil, errTooLarge
		}
	}
	out := []any{}
	cells := 0
	for {
		row, err := r.Read()
		if errors.Is(err, io.EOF) {
			return out, nil
		}
		if err != nil {
			return nil, fmt.Errorf("the text is not CSV: %w", err)
		}
		if cells += len(row); cells > 10*MaxElements {
			return nil, errTooLarge
		}
		m := make(map[string]any, len(row))
		for i, cell := range row {
			m[header[i]] = cell
		}
		out = append(out, m)
	}
}

var hashes = map[string]func() hash.Hash{"md5": md5.New, "sha1": sha1.New, "sha256": sha256.New, "sha512": sha512.New}

func sumOf(h hash.Hash, s string) string {
	_, _ = io.WriteString(h, s) // a hash never fails
	return string(h.Sum(nil))
}

func digest(algorithm string, write func(string) string) func([]any) (any, error) {
	return text1(func(s string) string { return write(sumOf(hashes[algorithm](), s)) })
}

// keyed makes the functions of HMAC (RFC 2104).
func keyed(write func(string) string) func([]any) (any, error) {
	return func(in []any) (any, error) {
		s, err := texts(in)
		if err != nil {
			return nil, err
		}
		h := hashes[s[0]]
		if h == nil {
			return nil, Quoting("there is no algorithm %.20q; there are md5, sha1, sha256, sha512", s[0])
		}
		return write(sumOf(hmac.New(h, []byte(s[1])), s[2])), nil
	}
}

func writeUUID(b []byte, version byte) string {
	b[6] = b[6]&0x0f | version<<4
	b[8] = b[8]&0x3f | 0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[0:4], b[4:6], b[6:8], b[8:10], b[10:16])
}

func uuid4([]any) (any, error) {
	b := make([]byte, 16)
	_, _ = rand.Read(b) // it never fails
	return writeUUID(b, 4), nil
}

// uuid5 is a UUID made of a name (RFC 9562).
func uuid5(in []any) (any, error) {
	s, err := texts(in)
	if err != nil {
		return nil, err
	}
	space := s[0]
	switch space {
	case "dns":
		space = "6ba7b810-9dad-11d1-80b4-00c04fd430c8"
	case "url":
		space = "6ba7b811-9dad-11d1-80b4-00c04fd430c8"
	case "oid":
		space = "6ba7b812-9dad-11d1-80b4-00c04fd430c8"
	case "x500":
		space = "6ba7b814-9dad-11d1-80b4-00c04fd430c8"
	}
	b, err := hex.DecodeString(strings.ReplaceAll(space, "-", ""))
	if err != nil || len(space) != 36 || len(b) != 16 {
		return nil, errors.New("the namespace is dns, url, oid, x500 or a UUID")
	}
	return writeUUID([]byte(sumOf(sha1.New(), string(b)+s[1]))[:16], 5), nil
}
