// Package dnstest answers the questions of a resolver without a network, for
// tests.
package dnstest

import (
	"context"
	"encoding/binary"
	"io"
	"net"
	"net/netip"
	"strings"
	"sync"
	"testing"

	"golang.org/x/net/dns/dnsmessage"
)

// Server is a name server within the process.
type Server struct {
	// Answer gives the addresses of a name, lower case and without a trailing dot.
	// ok false: there is no such name. Addresses nil: the server fails.
	Answer func(name string) (addresses []netip.Addr, ok bool)

	mu    sync.Mutex
	asked map[string]int
}

// Asked is how often the addresses of a name were asked for.
func (s *Server) Asked(name string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.asked[name]
}

// Resolver is a resolver that asks the server, and nobody else.
func (s *Server) Resolver(t testing.TB) *net.Resolver {
	return &net.Resolver{PreferGo: true, StrictErrors: true, Dial: func(context.Context, string, string) (net.Conn, error) {
		client, server := net.Pipe()
		go s.serve(t, server)
		return client, nil
	}}
}

// serve answers the questions of one connection, which is a stream: each message
// is preceded by its length.
func (s *Server) serve(t testing.TB, c net.Conn) {
	defer c.Close()
	for {
		var size [2]byte
		if _, err := io.ReadFull(c, size[:]); err != nil {
			return
		}
		text := make([]byte, binary.BigEndian.Uint16(size[:]))
		if _, err := io.ReadFull(c, text); err != nil {
			return
		}
		reply, err := s.reply(text)
		if err != nil {
			t.Errorf("a question of a resolver: %v", err)
			return
		}
		if _, err := c.Write(append(binary.BigEndian.AppendUint16(nil, uint16(len(reply))), reply...)); err != nil { //nolint:gosec // small
			return
		}
	}
}

func (s *Server) reply(text []byte) ([]byte, error) {
	var m dnsmessage.Message
	if err := m.Unpack(text); err != nil {
		return nil, err
	}
	m.Response, m.RecursionAvailable, m.Additionals = true, true, nil
	q := m.Questions[0]
	name := strings.ToLower(strings.TrimSuffix(q.Name.String(), "."))
	if q.Type == dnsmessage.TypeA {
		s.mu.Lock()
		if s.asked == nil {
			s.asked = map[string]int{}
		}
		s.asked[name]++
		s.mu.Unlock()
	}
	addresses, ok := s.Answer(name)
	switch {
	case !ok:
		m.RCode = dnsmessage.RCodeNameError
	case addresses == nil:
		m.RCode = dnsmessage.RCodeServerFailure
	}
	header := dnsmessage.ResourceHeader{Name: q.Name, Class: dnsmessage.ClassINET, TTL: 1}
	for _, a := range addresses {
		switch {
		case a.Is4() && q.Type == dnsmessage.TypeA:
			m.Answers = append(m.Answers, dnsmessage.Resource{Header: header, Body: &dnsmessage.AResource{A: a.As4()}})
		case a.Is6() && q.Type == dnsmessage.TypeAAAA:
			m.Answers = append(m.Answers, dnsmessage.Resource{Header: header, Body: &dnsmessage.AAAAResource{AAAA: a.As16()}})
		}
	}
	return m.Pack()
}
