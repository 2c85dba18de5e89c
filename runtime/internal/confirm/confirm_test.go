package confirm

import (
	"context"
	"encoding/base64"
	"testing"
	"time"
)

func TestKeeper(t *testing.T) {
	k := NewKeeper()
	now := time.Unix(1_800_000_000, 0)
	k.now = func() time.Time { return now }
	q := Question{Text: "Cancel 7?", Call: [32]byte{7}}
	state := k.Seal(q)

	other := q
	other.Call[0] = 8
	if k.Open(state, other) == nil {
		t.Error("the answer holds for another call")
	}
	other = q
	other.Text = "Cancel 8?"
	if k.Open(state, other) == nil {
		t.Error("the answer holds for another question")
	}
	if NewKeeper().Open(state, q) == nil {
		t.Error("a state of another server is taken")
	}
	raw, err := base64.RawURLEncoding.DecodeString(state)
	if err != nil {
		t.Fatal(err)
	}
	for i := range raw { // every bit of it counts
		bad := append([]byte(nil), raw...)
		bad[i] ^= 1
		if k.Open(base64.RawURLEncoding.EncodeToString(bad), q) == nil {
			t.Errorf("byte %d can be changed", i)
		}
	}
	for _, bad := range []string{"", "x", state[:20], state + "AA"} {
		if k.Open(bad, q) == nil {
			t.Errorf("%q is taken", bad)
		}
	}
	if err := k.Open(state, q); err != nil {
		t.Fatal(err)
	}
	if k.Open(state, q) == nil {
		t.Error("an answer counts twice")
	}
	late := k.Seal(q)
	now = now.Add(Lifetime + time.Second)
	if k.Open(late, q) == nil {
		t.Error("a late answer counts")
	}
}

// Remembering used states does not grow without bound, and what is forgotten can
// not be used again.
func TestKeeperIsBounded(t *testing.T) {
	k := NewKeeper()
	now := time.Unix(1_800_000_000, 0)
	k.now = func() time.Time { return now }
	for i := range maxUsed {
		k.used[[nonceSize]byte{byte(i), byte(i >> 8), byte(i >> 16)}] = now.Add(Lifetime)
	}
	q := Question{Text: "?"}
	if k.Open(k.Seal(q), q) == nil {
		t.Error("more states than the bound are remembered")
	}
	now = now.Add(Lifetime + time.Second)
	if err := k.Open(k.Seal(q), q); err != nil {
		t.Error(err)
	}
	if len(k.used) != 1 {
		t.Errorf("%d states are remembered", len(k.used))
	}
}

func TestAsk(t *testing.T) {
	if a, err := Ask(t.Context(), Question{}); a != Unable || err != nil {
		t.Errorf("nobody is there to ask: %v %v", a, err)
	}
	ctx := With(t.Context(), func(_ context.Context, q Question) (Answer, error) {
		if q.Text == "ok?" {
			return Yes, nil
		}
		return No, nil
	})
	if a, _ := Ask(ctx, Question{Text: "ok?"}); a != Yes {
		t.Errorf("got %v", a)
	}
}
