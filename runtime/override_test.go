package runtime

import (
	"context"
	"os/exec"
	"reflect"
	"slices"
	"sync"
	"testing"
)

// What generated code has for the tools of library, in short.

type bookIn struct {
	ID int64 `json:"id"`
}

type bookOut struct {
	ID    int64  `json:"id"`
	Title string `json:"title,omitzero"`
}

type bridgeOf struct{ bridge *Bridge }

func (b bridgeOf) GetBook(ctx context.Context, in *bookIn) (*bookOut, error) {
	return Bridged[bookIn, bookOut](ctx, b.bridge, "get_book", in)
}

func (b bridgeOf) Signed(ctx context.Context, in *struct{}) (*Result, error) {
	return BridgedResult(ctx, b.bridge, "signed", in)
}

type bookTools interface {
	GetBook(context.Context, *bookIn) (*bookOut, error)
	Signed(context.Context, *struct{}) (*Result, error)
}

func serveBooks(b *Bridge, tools bookTools) (*Server, error) {
	return b.Serve(tools, reflect.TypeFor[bridgeOf](), func() []Door {
		return []Door{
			{Tool: "get_book", Method: "GetBook", Handler: Native(tools.GetBook)},
			{Tool: "signed", Method: "Signed", Handler: NativeResult(tools.Signed)},
		}
	})
}

// Types that embed it, in all the ways that Go has.
type (
	plain    struct{ bridgeOf }
	pointing struct{ *bridgeOf }
	guarded  struct {
		sync.Mutex
		bridgeOf
	}
	nested       struct{ plain }
	nestedByRef  struct{ *nested }
	values       struct{ bridgeOf } // overrides by value
	references   struct{ bridgeOf } // by pointer
	aboveValues  struct{ values }
	aboveRefs    struct{ *references }
	aboveRefsToo struct{ references }
	both         struct{ values } // one more
	shelf        struct{}         // has a method, embeds nothing
	shallow      struct {         // the shelf's is nearer than the bridge's
		plain
		shelf
	}
	shallowToo struct {
		shelf
		plain
	}
	deep struct { // the bridge's is nearer than the shelf's
		shelves
		bridgeOf
	}
	shelves    struct{ shelf }
	byContract struct{ bookTools } // whose methods those are is not known before it runs
	circular   struct {            // Go allows it, by pointer
		*circular
		bridgeOf
	}
	generic[T any]      struct{ bridgeOf }
	genericPlain[T any] struct{ bridgeOf }
)

func (values) GetBook(context.Context, *bookIn) (*bookOut, error) {
	return &bookOut{Title: "value"}, nil
}
func (*references) GetBook(context.Context, *bookIn) (*bookOut, error) { return &bookOut{}, nil }
func (both) Signed(context.Context, *struct{}) (*Result, error)        { return Text("both"), nil }
func (shelf) GetBook(context.Context, *bookIn) (*bookOut, error)       { return &bookOut{}, nil }
func (generic[T]) GetBook(context.Context, *bookIn) (*bookOut, error)  { return &bookOut{}, nil }

// Which methods are native is noticed, however a type embeds the bridge.
func TestServeNoticesOverrides(t *testing.T) {
	b, err := NewBridge(library("http://127.0.0.1:1"), Options{})
	if err != nil {
		t.Fatal(err)
	}
	base := bridgeOf{b}
	get, all := []string{"get_book"}, []string{"get_book", "signed"}
	for _, tt := range []struct {
		name  string
		tools bookTools
		want  []string
	}{
		{"the bridge", base, nil},
		{"a pointer to it", &base, nil},
		{"embedded", plain{base}, nil},
		{"a pointer to what embeds it", &plain{base}, nil},
		{"embedded by pointer", pointing{&base}, nil},
		{"embedded beside another", &guarded{bridgeOf: base}, nil},
		{"embedded twice over", nested{plain{base}}, nil},
		{"embedded twice over, by pointer", nestedByRef{&nested{plain{base}}}, nil},
		{"a value method", values{base}, get},
		{"a value method of a pointer", &values{base}, get},
		{"a pointer method", &references{base}, get},
		{"an embedded value method", aboveValues{values{base}}, get},
		{"a pointer to an embedded value method", &aboveValues{values{base}}, get},
		{"an embedded pointer method", aboveRefs{&references{base}}, get},
		{"a pointer method embedded by value", &aboveRefsToo{references{base}}, get},
		{"one here and one below", both{values{base}}, all},
		{"another's method nearer than the bridge's", shallow{plain: plain{base}}, get},
		{"the same in the other order", shallowToo{plain: plain{base}}, get},
		{"another's method farther than the bridge's", deep{shelves{}, base}, nil},
		{"an interface that is embedded", byContract{base}, all},
		{"a type in itself", circular{nil, base}, nil},
		{"a generic type", genericPlain[int]{base}, nil},
		{"a method of a generic type", generic[int]{base}, get},
		{"a method of a generic type, by pointer", &generic[string]{base}, get},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s, err := serveBooks(b, tt.tools)
			if err != nil {
				t.Fatal(err)
			}
			got := s.NativeTools()
			if !slices.Equal(got, tt.want) {
				t.Errorf("native are %v, not %v", got, tt.want)
			}
		})
	}
	if _, err := serveBooks(nil, base); err == nil {
		t.Error("a bridge that was not made is served")
	}
}

// How it is noticed must not depend on the build.
func TestServeNoticesOverridesInOtherBuilds(t *testing.T) {
	if testing.Short() {
		t.Skip("builds this test anew")
	}
	for _, flags := range [][]string{{"-trimpath", "-ldflags=-s -w"}, {"-gcflags=-N -l"}} {
		t.Run(flags[0], func(t *testing.T) {
			args := append([]string{"test", "-run", "^TestServeNoticesOverrides$"}, flags...)
			if out, err := exec.CommandContext(t.Context(), "go", append(args, ".")...).CombinedOutput(); err != nil {
				t.Errorf("%v\n%s", err, out)
			}
		})
	}
}
