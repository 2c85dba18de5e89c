// Package confirm asks the person behind a client whether a call shall be made.
//
// The question travels as an elicitation of MCP. How, depends on the client: one
// of revision 2026-07-28 is told that input is required and makes the call
// again with the answer and a state that only this server can have made
// ([Keeper]); an older one on stdio is asked while the call waits. Who cannot be
// asked, has not agreed: then nothing is done.
package confirm

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"sync"
	"time"
)

// Answer is what came of a question.
type Answer uint8

const (
	Unable  Answer = iota // the client cannot ask, or did not
	Yes                   // a person agreed
	No                    // a person declined, or closed the question
	Pending               // the client asks, and makes the call again
)

// Question is what is asked, and of which call.
type Question struct {
	Text string
	// Call is a digest of everything that was agreed to: tool, arguments and on
	// whose behalf. Another call needs another answer.
	Call [sha256.Size]byte
}

// Asker asks one client. An error says why an answer does not count, in one
// sentence for the model.
type Asker func(ctx context.Context, q Question) (Answer, error)

type key struct{}

// With returns a context whose calls ask by a.
func With(ctx context.Context, a Asker) context.Context { return context.WithValue(ctx, key{}, a) }

// Ask asks who made the call of ctx.
func Ask(ctx context.Context, q Question) (Answer, error) {
	a, _ := ctx.Value(key{}).(Asker)
	if a == nil {
		return Unable, nil
	}
	return a(ctx, q)
}

// Lifetime is how long a question can be answered.
const Lifetime = 5 * time.Minute

// maxUsed bounds the states that are remembered as used.
const maxUsed = 100_000

// Keeper makes the states that connect a question with its answer, and
// recognises its own: each holds for one call, once, for [Lifetime]. It is safe
// for concurrent use.
type Keeper struct {
	secret [32]byte
	now    func() time.Time

	mu   sync.Mutex
	used map[[nonceSize]byte]time.Time // until when it has to be remembered
}

const (
	nonceSize = 16
	stateSize = 8 + nonceSize + sha256.Size // end, nonce, authentication
)

// NewKeeper returns a keeper whose states no other can have made.
func NewKeeper() *Keeper {
	k := &Keeper{now: time.Now, used: map[[nonceSize]byte]time.Time{}}
	_, _ = rand.Read(k.secret[:]) // never fails
	return k
}

// Seal returns the state of a question.
func (k *Keeper) Seal(q Question) string {
	b := make([]byte, 8+nonceSize, stateSize)
	binary.BigEndian.PutUint64(b, uint64(k.now().Add(Lifetime).Unix())) //nolint:gosec // after 1970
	_, _ = rand.Read(b[8:])                                             // never fails
	return base64.RawURLEncoding.EncodeToString(k.mac(b, q))
}

// mac appends the authentication of b and a question to b.
func (k *Keeper) mac(b []byte, q Question) []byte {
	h := hmac.New(sha256.New, k.secret[:])
	h.Write(b) // never fails
	h.Write(q.Call[:])
	h.Write([]byte(q.Text))
	return h.Sum(b)
}

// Open tells whether a state is that of a question and was not used before.
func (k *Keeper) Open(state string, q Question) error {
	b, err := base64.RawURLEncoding.DecodeString(state)
	if err != nil || len(b) != stateSize || !hmac.Equal(b, k.mac(b[:8+nonceSize:8+nonceSize], q)) {
		return errors.New("the answer is to another question than this call's")
	}
	end := time.Unix(int64(binary.BigEndian.Uint64(b)), 0) //nolint:gosec // made by Seal
	now := k.now()
	if now.After(end) {
		return errors.New("the answer came too late")
	}
	nonce := [nonceSize]byte(b[8:])
	k.mu.Lock()
	defer k.mu.Unlock()
	if _, again := k.used[nonce]; again {
		return errors.New("the answer was used before")
	}
	if len(k.used) >= maxUsed {
		for n, until := range k.used {
			if now.After(until) {
				delete(k.used, n)
			}
		}
		if len(k.used) >= maxUsed {
			return errors.New("too many questions were answered in a short time")
		}
	}
	k.used[nonce] = end
	return nil
}
