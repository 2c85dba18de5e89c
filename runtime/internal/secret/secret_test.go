package secret_test

import (
	"bytes"
	"encoding/gob"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/mcpc-dev/mcpc/runtime/internal/secret"
)

// Whatever prints a secret, or something that holds one in whatever way, prints
// none of it.
func TestNothingShowsASecret(t *testing.T) {
	type holder struct {
		Shown  secret.Text
		hidden secret.Text
		List   []secret.Text
		Keyed  map[string]secret.Text
		Any    any
		Behind *secret.Text
		inner  struct{ deep secret.Text }
	}
	for range 200 {
		plain := fmt.Sprintf("s3cr3t-%x", rand.Uint64())
		text := secret.New(plain)
		h := holder{Shown: text, hidden: text, List: []secret.Text{text}, Keyed: map[string]secret.Text{"k": text}, Any: text, Behind: &text}
		h.inner.deep = text
		var out bytes.Buffer
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%t", "%T", "%p", "%08.3f", "% x", "%U", "%c"} {
			for _, v := range []any{text, &text, h, &h, []any{text}, fmt.Errorf("wrapped: %w", errors.New(fmt.Sprint(text)))} {
				fmt.Fprintf(&out, verb+"\n", v)
			}
		}
		fmt.Fprint(&out, text, h)
		fmt.Fprintln(&out, text, h)
		for _, handler := range []slog.Handler{slog.NewJSONHandler(&out, nil), slog.NewTextHandler(&out, nil)} {
			slog.New(handler).With("w", text).Info("m", "secret", text, "holder", h, slog.Group("g", "s", text), "pointer", &text)
		}
		if err := json.NewEncoder(&out).Encode(map[string]any{"t": text, "h": h}); err != nil {
			t.Fatal(err)
		}
		if err := xml.NewEncoder(&out).Encode(struct {
			XMLName xml.Name    `xml:"x"`
			A       secret.Text `xml:"a,attr"`
			E       secret.Text `xml:"e"`
		}{A: text, E: text}); err != nil {
			t.Fatal(err)
		}
		_ = gob.NewEncoder(&out).Encode(text) // it refuses
		for _, form := range []string{plain, fmt.Sprintf("%x", plain), fmt.Sprintf("%X", plain), fmt.Sprintf("% x", plain)} {
			if strings.Contains(out.String(), form) {
				t.Fatalf("%q is in\n%s", form, out.String())
			}
		}
		if text.Reveal() != plain {
			t.Fatal("it does not hold what it was made of")
		}
	}
	if s := secret.New(""); !s.IsZero() || s.Reveal() != "" || fmt.Sprint(s) != "" {
		t.Error("no text is none")
	}
}
