package compiler

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/mcpc-dev/mcpc/specs"
)

func TestToolNames(t *testing.T) {
	for id, want := range map[string]string{
		"issues/create":       "issues_create",
		"listPets":            "listPets",
		"a.b c":               "a_b_c",
		"GET /a":              "get_a",
		"-_/":                 "x_" + hash("-_/"),
		"überListe":           "_berListe",
		"issues/list-for-org": "issues_list-for-org",
	} {
		if got := toolName(&specs.Operation{ID: id, Method: "GET", Path: "/a"}); got != want {
			t.Errorf("%s: %s, want %s", id, got, want)
		}
	}
	for path, want := range map[string]string{"/pets/{id}": "get_pets_id", "/": "get", "/a.b/{x}.json/": "get_a_b_x_json", "/v1/{name=p/*}:run": "get_v1_name_p___run"} {
		if got := toolName(&specs.Operation{ID: "GET " + path, Method: "GET", Path: path}); got != want {
			t.Errorf("%s: %s, want %s", path, got, want)
		}
	}
}

// names compiles operations with these ids, each on a path of its own.
func names(t *testing.T, prefix string, ids ...string) []string {
	t.Helper()
	api := &specs.API{Name: "t", ExposeAll: true, Declared: len(ids), Servers: []specs.ServerURL{{URL: "https://a.example"}}}
	for _, id := range ids {
		api.Operations = append(api.Operations, &specs.Operation{ID: id, Method: "GET", Path: "/" + id})
	}
	p, diags := CompileDocument(&specs.Document{APIs: []*specs.API{api}}, Options{NamePrefix: prefix})
	if p == nil {
		t.Fatal(diags)
	}
	var out []string
	for i := range p.Tools {
		out = append(out, p.Tools[i].Name)
	}
	return out
}

func TestNamesAreUniqueAndStable(t *testing.T) {
	long := strings.Repeat("list", 20)
	ids := []string{"a/b", "a.b", "a_b", long + "1", long + "2"}
	got := names(t, "", ids...)
	want := []string{"a_b_" + hash("GET /a/b"), "a_b_" + hash("GET /a.b"), "a_b", long[:55] + "_" + hash("GET /"+long+"1"), long[:55] + "_" + hash("GET /"+long+"2")}
	if !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
	// More operations change no name, whatever they are called.
	more := names(t, "", append(slices.Clone(ids), "a b", long+"3", want[0])...)
	if !slices.Equal(more[:len(ids)], got) {
		t.Errorf("%q after additions, %q before", more[:len(ids)], got)
	}
	if s := slices.Clone(more); len(slices.Compact(slices.Sorted(slices.Values(s)))) != len(more) {
		t.Errorf("a name twice: %q", more)
	}
	// Nobody wants these alone: each has its hash, and so has its name before a
	// third comes.
	if got := names(t, "", "a.b", "a b"); got[0] != "a_b_"+hash("GET /a.b") || got[1] != "a_b_"+hash("GET /a b") {
		t.Errorf("%q", got)
	}
	for _, n := range names(t, "mcp__orders__", ids...) {
		if len(n) > 64-len("mcp__orders__") {
			t.Errorf("%q leaves no room for the prefix", n)
		}
	}
}

// Where an operation stands in its document does not matter, and another
// operation matters only to those that want the same name.
func TestNamesDoNotDependOnOrder(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 300 {
		var ids []string
		for range 1 + r.IntN(6) {
			id := make([]byte, 1+r.IntN(3))
			for i := range id {
				id[i] = "ab._"[r.IntN(4)]
			}
			ids = append(ids, "x"+string(id))
		}
		slices.Sort(ids)
		ids = slices.Compact(ids)
		forged := r.IntN(3) == 0 // names like those with a hash
		if forged {
			ids = append(ids, "x_"+hash("GET /"+ids[0]), legalName(ids[0])+"_"+hash("GET /"+ids[0]))
		}
		before := map[string]string{}
		for i, name := range names(t, "", ids...) {
			before[ids[i]] = name
		}
		r.Shuffle(len(ids), func(i, j int) { ids[i], ids[j] = ids[j], ids[i] })
		for i, name := range names(t, "", ids...) {
			if name != before[ids[i]] {
				t.Fatalf("%q: %s is called %s, and %s in another order", ids, ids[i], name, before[ids[i]])
			}
		}
		if forged || len(ids) == 1 {
			continue
		}
		gone, rest := ids[0], ids[1:]
		for i, name := range names(t, "", rest...) {
			if name != before[rest[i]] && legalName(rest[i]) != legalName(gone) {
				t.Fatalf("%q: %s is called %s, and %s beside %s", rest, rest[i], name, before[rest[i]], gone)
			}
		}
	}
}

func TestNamePrefixTooLong(t *testing.T) {
	_, diags := CompileDocument(&specs.Document{}, Options{NamePrefix: strings.Repeat("p", 60)})
	if !diags.HasErrors() || diags[0].Code != "name-prefix-too-long" {
		t.Errorf("%+v", diags)
	}
}

func TestSameOperationInTwoAPIs(t *testing.T) {
	var apis []*specs.API
	for _, name := range []string{"a", "b"} {
		apis = append(apis, &specs.API{Name: name, Source: name, Expose: []*specs.Expose{{}}, Declared: 1, Servers: []specs.ServerURL{{URL: "https://" + name + ".example"}},
			Schemes:    []*specs.Scheme{{Name: "key", Kind: "bearer"}},
			Operations: []*specs.Operation{{ID: "list", Method: "GET", Path: "/", Security: [][]specs.SchemeUse{{{Scheme: "key"}}}}}})
	}
	p, diags := CompileDocument(&specs.Document{APIs: apis}, Options{})
	// Neither is the other's, whichever api comes first.
	if p == nil || len(p.Tools) != 2 || p.Tools[0].Name != "list_"+hash("a GET /") || p.Tools[1].Name != "list_"+hash("b GET /") {
		t.Fatalf("%+v %+v", p, diags)
	}
	for i, u := range p.Upstreams {
		if got, want := u.Credentials[0].Value.Secret.Env[0], fmt.Sprintf("MCPC_AUTH_%c_KEY", 'A'+i); got != want {
			t.Errorf("the secret of %s is in %s, want %s", u.Name, got, want)
		}
	}
}

func TestGlob(t *testing.T) {
	for _, c := range []struct {
		pattern, s string
		want       bool
	}{
		{"*", "issues/create", true}, {"**", "a/b/c", true}, {"issues/*", "issues/create", true}, {"issues/*", "issues/a/b", false},
		{"issues/**", "issues/a/b", true}, {"issues/*-lock", "issues/un-lock", true}, {"issues/*-lock", "issues/locks", false},
		{"**/create", "issues/create", true}, {"**/create", "create", true}, {"**/create", "recreate", false}, {"a*c*e", "abcde", true}, {"a*c*e", "abcd", false},
		{"get?et", "getPet", true}, {"get?et", "get/et", false}, {"", "", true}, {"", "a", false}, {"GET /pets/{id}", "GET /pets/{id}", true},
		{"/repos/*/issues/**", "/repos/x/issues/1/labels", true}, {"/repos/*/issues/**", "/repos/x/y/issues/1", false}, {"*list*", "issues/list", false}, {"**list**", "issues/list", true},
	} {
		if got := glob(c.pattern, c.s); got != c.want {
			t.Errorf("%q %q: %v", c.pattern, c.s, got)
		}
	}
}
