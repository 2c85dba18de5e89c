package runtime

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/mcpc-dev/mcpc/runtime/function"
	"github.com/mcpc-dev/mcpc/runtime/internal/confirm"
	"github.com/mcpc-dev/mcpc/runtime/internal/expr"
	"github.com/mcpc-dev/mcpc/runtime/internal/observe"
	"github.com/mcpc-dev/mcpc/runtime/internal/result"
	"github.com/mcpc-dev/mcpc/runtime/internal/upstream"
)

// WithConfirmation returns a context whose calls ask by ask before a tool that
// wants a person's word does anything. Clients are asked without it; it is for
// calls that no client made. A false answer, or an error, and nothing is done.
func WithConfirmation(ctx context.Context, ask func(ctx context.Context, question string) (bool, error)) context.Context {
	return confirm.With(ctx, func(ctx context.Context, q confirm.Question) (confirm.Answer, error) {
		yes, err := ask(ctx, q.Text)
		if err != nil || !yes {
			return confirm.No, err
		}
		return confirm.Yes, nil
	})
}

// confirmed asks a person, where the tool wants it. A result says why the call
// goes no further. Nobody is asked between the steps of a composite tool, when
// others have been made already: it asked for all of them before the first.
func (b *Bridge) confirmed(ctx context.Context, k *Call) *Result {
	switch {
	case k.tool.confirm == nil || k.agreed:
		return nil
	case k.of != "": // middleware led a step here
		return result.Error("confirmation", fmt.Sprintf("Nothing was done: %s wants a person's agreement, which is not asked for between steps.", k.Tool), "Call "+k.Tool+" by itself if it is listed; otherwise tell the operator of this server.", result.RetryNo)
	}
	v, err := k.tool.confirm(&expr.Env{Args: k.args.Values})
	text, ok := v.(string)
	if err != nil || !ok {
		return b.failure(ctx, k.tool, "confirm", fmt.Errorf("the question cannot be made: %w", err))
	}
	q := confirm.Question{Text: result.Shorten(b.discreet(ctx, k, text), maxQuestion), Call: digest(k)}
	answer, err := confirm.Ask(ctx, q)
	switch {
	case err != nil:
		return result.Error("confirmation", "Nothing was done: "+err.Error()+".", "Call again to ask anew.", result.RetryMay)
	case answer == confirm.Yes:
		return nil
	case answer == confirm.No:
		return result.Error("declined", "Nothing was done: the person who was asked did not agree.", "Do not call again unless the person wants it.", result.RetryNo)
	case answer == confirm.Pending:
		return result.Error("confirmation", "Nothing was done yet: a person is asked.", "", result.RetryNo) // the client gets the question instead
	}
	return result.Error("confirmation", fmt.Sprintf("Nothing was done: %s wants a person's agreement, and this client cannot ask for it.", k.Tool),
		"Use a client that supports elicitation; over HTTP it has to speak revision 2026-07-28 or newer.", result.RetryNo)
}

// discreet is a question without secrets: those that are known, and arguments that
// are secret. Clients keep what they ask people, and others may look on.
func (b *Bridge) discreet(ctx context.Context, k *Call, question string) string {
	secretName := observe.SecretName
	if b.observer != nil {
		secretName = b.observer.Redactor.Name
	}
	var list []string
	var visit func(v any, hidden bool)
	visit = func(v any, hidden bool) {
		switch v := v.(type) {
		case map[string]any:
			for name, m := range v {
				visit(m, hidden || slices.Contains(k.tool.plan.Sensitive, name) || secretName(name))
			}
		case []any:
			for _, m := range v {
				visit(m, hidden)
			}
		case nil, bool:
		default:
			if text, ok := function.Text(v); ok && hidden {
				list = append(list, text)
			}
		}
	}
	visit(k.args.Values, false)
	if list != nil {
		question = upstream.Redact(question, list)
	}
	return b.redact(ctx, question)
}

// maxQuestion bounds a question, in bytes: arguments are in it, and a person has
// to read it.
const maxQuestion = 2000

// digest is what a person agrees to: the tool, all arguments, whoever calls. The
// order of members and white space do not matter, every digit does.
func digest(k *Call) [sha256.Size]byte {
	text, err := json.Marshal([]any{k.Tool, k.Principal.Tenant, k.Principal.Subject, k.Principal.Client, k.args.Values})
	if err != nil {
		panic("runtime: decoded arguments do not encode: " + err.Error())
	}
	return sha256.Sum256(text)
}
