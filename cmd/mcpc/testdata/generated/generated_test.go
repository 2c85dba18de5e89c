// Package generated is the test of a module of generated packages, which are
// listed in its other file. ../../generated_test.go makes the module and puts
// this file into it.
package generated

import (
	"net/http"
	"os"
	"path/filepath"
	"reflect"
	"testing"

	"github.com/mcpc-dev/mcpc/cmd/mcpc/internal/cases"
	"github.com/mcpc-dev/mcpc/runtime"
	"github.com/mcpc-dev/mcpc/runtime/plan"
)

// server is a generated package.
type server struct {
	dir  string
	plan func() *plan.Server
	make func(runtime.Options) (*runtime.Server, error)
}

// A generated package holds the plan it was generated from.
func TestPlans(t *testing.T) {
	for name, s := range servers {
		b, err := os.ReadFile(filepath.Join(s.dir, "plan.bin"))
		if err != nil {
			t.Fatal(err)
		}
		want, err := plan.Decode(b)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if !reflect.DeepEqual(s.plan(), want) {
			t.Errorf("%s: the generated plan differs from the compiled one", name)
		}
		if _, err := s.make(runtime.Options{}); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// A generated server does in every archive what the archive says.
func TestCases(t *testing.T) {
	cases.Each(t, os.Getenv("CASES"), func(t *testing.T, archive string) {
		cases.Run(t, archive, false, func(t *testing.T, s cases.Spec, upstream http.RoundTripper) cases.Outcome {
			generated, ok := servers[s.Name]
			if !ok {
				return cases.Outcome{} // nothing to serve; the archive is about that, or fails
			}
			server, err := generated.make(runtime.Options{Getenv: s.Getenv, Transport: upstream})
			if err != nil {
				t.Fatal(err)
			}
			return cases.Outcome{Handler: server.Handler()}
		})
	})
}
