package transport

import (
	"bytes"
	"context"
	"errors"
	"strconv"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/mcpc-dev/mcpc/runtime/internal/confirm"
	"github.com/mcpc-dev/mcpc/runtime/internal/result"
)

// questionID names the one question a call can ask.
const questionID = "confirm"

// question asks a client of revision 2026-07-28 for a person's word: the first
// call is answered with the question and a state, and the client makes the
// call again with both the answer and the state.
type question struct {
	front   *Front
	message *message
	text    string
	state   string // set when the client has to ask
}

// ask is a [confirm.Asker].
func (q *question) ask(_ context.Context, asked confirm.Question) (confirm.Answer, error) {
	if !asksForms(q.message.capabilities) {
		return confirm.Unable, nil
	}
	if q.message.state == "" {
		q.text, q.state = asked.Text, q.front.keeper.Seal(asked)
		return confirm.Pending, nil
	}
	if err := q.front.keeper.Open(q.message.state, asked); err != nil {
		return confirm.No, err
	}
	var answers map[string]jsontext.Value
	if json.Unmarshal(q.message.answers, &answers) != nil || answers[questionID] == nil {
		return confirm.No, errors.New("the answer is missing")
	}
	return answerOf(answers[questionID]), nil
}

// append appends the result that asks.
func (q *question) append(b []byte) []byte {
	b = append(b, `{"resultType":"input_required"`...)
	b = append(b, bytes.TrimPrefix(q.front.complete, []byte(`"resultType":"complete"`))...)
	b = append(b, `,"inputRequests":{"`+questionID+`":{"method":"elicitation/create","params":`...)
	b = append(appendElicitation(b, q.text), `}},"requestState":`...)
	return append(result.AppendString(b, q.state), '}')
}

// appendElicitation appends the parameters of a question that is answered by
// accepting or declining it.
func appendElicitation(b []byte, text string) []byte {
	b = result.AppendString(append(b, `{"mode":"form","message":`...), text)
	return append(b, `,"requestedSchema":{"type":"object","properties":{}}}`...)
}

// asksForms tells whether a client with these capabilities shows forms to a
// person. One that names no mode means this one.
func asksForms(capabilities jsontext.Value) bool {
	var c struct {
		Elicitation *struct {
			Form *jsontext.Value `json:"form"`
			URL  *jsontext.Value `json:"url"`
		} `json:"elicitation"`
	}
	if len(capabilities) == 0 || json.Unmarshal(capabilities, &c) != nil || c.Elicitation == nil {
		return false
	}
	return c.Elicitation.Form != nil || c.Elicitation.URL == nil
}

// answerOf reads an ElicitResult. What is not plainly an agreement is none; so an
// answer that says two things, or says it by other names.
func answerOf(text []byte) confirm.Answer {
	var r struct {
		Action string `json:"action"`
	}
	if json.Unmarshal(text, &r) != nil || r.Action != "accept" {
		return confirm.No
	}
	return confirm.Yes
}

// ask is a [confirm.Asker] for a client of an older revision on stdio: it is
// asked while the call waits.
func (c *conn) ask(ctx context.Context, q confirm.Question) (confirm.Answer, error) {
	ctx, cancel := context.WithTimeout(ctx, confirm.Lifetime)
	defer cancel()
	answer := make(chan []byte, 1)
	c.mu.Lock()
	c.asked++
	id := questionID + "-" + strconv.Itoa(c.asked)
	c.questions[id] = answer
	c.mu.Unlock()
	defer func() {
		c.mu.Lock()
		delete(c.questions, id)
		c.mu.Unlock()
	}()
	b := result.AppendString([]byte(`{"jsonrpc":"2.0","id":`), id)
	b = appendElicitation(append(b, `,"method":"elicitation/create","params":`...), q.Text)
	if !c.send(reply{head: append(b, '}')}) {
		return confirm.Unable, nil
	}
	select {
	case text := <-answer:
		var r struct {
			Result jsontext.Value `json:"result"`
		}
		if json.Unmarshal(text, &r) != nil || r.Result == nil {
			return confirm.Unable, nil // an error: it does not ask after all
		}
		return answerOf(r.Result), nil
	case <-ctx.Done():
		return confirm.No, errors.New("nobody answered in time")
	}
}

// answered takes a client's answer to a question of ours.
func (c *conn) answered(id jsontext.Value, line []byte) {
	text, err := jsontext.AppendUnquote(nil, id)
	if err != nil {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if answer := c.questions[string(text)]; answer != nil {
		delete(c.questions, string(text)) // a second answer is nobody's
		answer <- line
	}
}
