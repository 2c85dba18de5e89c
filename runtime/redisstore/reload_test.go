package redisstore

import (
	"os"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// replace gives the server another spec and waits until it is in use.
func (s *server) replace(spec string) {
	s.t.Helper()
	before := strings.Count(s.log.String(), "msg=reloaded")
	if err := os.WriteFile(s.spec, []byte(spec), 0o600); err != nil {
		s.t.Fatal(err)
	}
	if err := s.command.Process.Signal(syscall.SIGHUP); err != nil {
		s.t.Fatal(err)
	}
	within(s.t, 30*time.Second, "the plan is reloaded", func() bool { return strings.Count(s.log.String(), "msg=reloaded") > before })
}

// connections is how many clients a Redis server has besides the one that asks.
func connections(t *testing.T, r *redis) int {
	t.Helper()
	all, err := do(t, local(t, r), "INFO", "clients").ToString()
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(all, "connected_clients:")
	number, _, _ := strings.Cut(rest, "\r\n")
	n, err := strconv.Atoi(number)
	if err != nil {
		t.Fatalf("%q: %v", number, err)
	}
	return n
}

// A limit goes on counting in its store over reloads, with the connections it has;
// a store that says something else is connected to instead, and the old one left.
func TestReload(t *testing.T) {
	first, second := startRedis(t), startRedis(t)
	service, _ := orders(t)
	of := func(r *redis, title string) string {
		return strings.Replace(spec(service, r, "rate = \"1/h\"\n  burst = 2"), `server "shop" {}`, `server "shop" { instructions = "`+title+`" }`, 1)
	}
	s := serve(t, of(first, "one"))
	if got := s.call(); got.code != "ok" {
		t.Fatalf("the first call: %+v", got)
	}
	s.replace(of(first, "two"))
	if got := s.call(); got.code != "ok" {
		t.Fatalf("the second call: %+v", got)
	}
	s.replace(of(first, "three"))
	if got := s.call(); got.code != "rate-limited" {
		t.Errorf("the third call of two, after a reload: %+v", got)
	}
	// Of the connections to the first store the server's are those that ran a script.
	asked := func() bool {
		list, err := do(t, local(t, first), "CLIENT", "LIST").ToString()
		return err != nil || strings.Contains(list, "cmd=evalsha")
	}
	if !asked() {
		t.Error("no connection of the server to the store")
	}
	idle := connections(t, second)
	s.replace(of(second, "four"))
	for n := range 2 {
		if got := s.call(); got.code != "ok" {
			t.Errorf("call %d with another store: %+v", n+1, got)
		}
	}
	if got := connections(t, second); got <= idle {
		t.Errorf("%d clients of the new store, %d without the server", got, idle)
	}
	// What only the old plan had is left: what stays are connections of this test.
	within(t, 10*time.Second, "the old store is left", func() bool { return !asked() })
	before := connections(t, second)
	for n := range 8 {
		s.replace(of(second, "more "+strconv.Itoa(n)))
	}
	if got := s.call(); got.code != "rate-limited" {
		t.Errorf("after eight reloads: %+v", got)
	}
	if after := connections(t, second); after > before+2 {
		t.Errorf("%d clients of the store after eight reloads, %d before", after, before)
	}
}
