package main

import (
	"fmt"
	"strconv"
	"strings"
	"sync"
	"testing"
)

// TestHostileConversations: what takes more than one request.
func TestHostileConversations(t *testing.T) {
	u := newUpstream(t)
	v := serveVictim(t, u, "", false)
	send := func(t *testing.T, text string) string {
		t.Helper()
		status, answer := v.exchange(t, probe{send: text})
		if status == 0 {
			t.Fatal("no answer")
		}
		leaks(t, answer)
		return answer
	}
	state := func(t *testing.T, id string) string {
		t.Helper()
		answer := send(t, modernCall("drop", `{"id":"`+id+`"}`, ""))
		_, rest, _ := strings.Cut(answer, `"requestState":"`)
		s, _, ok := strings.Cut(rest, `"`)
		if !ok {
			t.Fatalf("no question: %s", answer)
		}
		return s
	}
	consent := func(id, state, action string) string {
		return modernCall("drop", `{"id":"`+id+`"}`, `,"inputResponses":{"confirm":{"action":"`+action+`"}},"requestState":"`+state+`"`)
	}
	t.Run("the call of another is not cancelled, nor answered by one of its id", func(t *testing.T) {
		got := make(chan string, 1)
		go func() {
			_, answer := v.exchange(t, probe{send: rawPost(strings.Replace(callOf("wait", "{}"), `"id":1`, `"id":77`, 1), "")})
			got <- answer
		}()
		<-u.waiting
		send(t, rpc(`"method":"notifications/cancelled","params":{"requestId":77}`))
		send(t, rawPost(`{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":77,`+modernMeta+`}}`, modernHead+"Mcp-Method: notifications/cancelled\r\n"))
		if answer := send(t, rawPost(itemCall("77", `{"id":"mine"}`), "")); !strings.Contains(answer, "/v1/items/mine") {
			t.Errorf("the second of one id: %s", answer)
		}
		u.release <- struct{}{}
		if answer := <-got; !strings.Contains(answer, "waited") {
			t.Errorf("the first: %s", answer)
		}
	})
	t.Run("consent is for one call, once", func(t *testing.T) {
		u.take()
		s := state(t, "a")
		if answer := send(t, consent("b", s, "accept")); !strings.Contains(answer, `"isError":true`) {
			t.Errorf("another item: %s", answer)
		}
		if answer := send(t, consent("a", s[:len(s)-4]+"AAAA", "accept")); !strings.Contains(answer, `"isError":true`) {
			t.Errorf("a changed state: %s", answer)
		}
		if asked := u.take(); len(asked) > 0 {
			t.Errorf("nobody agreed, and the service was asked %q", asked)
		}
		if answer := send(t, consent("a", s, "accept")); strings.Contains(answer, `"isError":true`) {
			t.Errorf("agreed: %s", answer)
		}
		if answer := send(t, consent("a", s, "accept")); !strings.Contains(answer, `"isError":true`) {
			t.Errorf("agreed again: %s", answer)
		}
		if answer := send(t, consent("c", state(t, "c"), "decline")); !strings.Contains(answer, `"isError":true`) {
			t.Errorf("declined: %s", answer)
		}
		if asked := strings.Join(u.take(), ", "); asked != "DELETE /v1/items/a" {
			t.Errorf("the service was asked %q", asked)
		}
	})
	t.Run("a cursor is this server's, as it was given", func(t *testing.T) {
		answer := send(t, rawPost(callOf("list", "{}"), ""))
		_, rest, _ := strings.Cut(answer, `and cursor \"`)
		cursor, _, ok := strings.Cut(rest, `\"`)
		if !ok {
			t.Fatalf("no cursor: %s", answer)
		}
		u.take()
		for i := range len(cursor) {
			changed := []byte(cursor)
			changed[i] ^= 1
			if answer := send(t, rawPost(callOf("list", fmt.Sprintf(`{"cursor":%q}`, changed)), "")); !strings.Contains(answer, `"isError":true`) {
				// The last character has bits that mean nothing: it is the same cursor then.
				if i != len(cursor)-1 {
					t.Errorf("changed at %d: %s", i, answer)
				}
			}
		}
		for _, asked := range u.take() {
			if asked != "GET /v1/list?after=page-2" {
				t.Errorf("the service was asked %s", asked)
			}
		}
		if send(t, rawPost(callOf("list", fmt.Sprintf(`{"cursor":%q}`, cursor)), "")); strings.Join(u.take(), "") != "GET /v1/list?after=page-2" {
			t.Error("the cursor itself does not lead on")
		}
	})
	t.Run("many clients at once get their own answers", func(t *testing.T) {
		var wg sync.WaitGroup
		for i := range 8 {
			wg.Go(func() {
				for j := range 20 {
					own := fmt.Sprintf("c%d-%d", i, j)
					// All use the same ids; half of them send garbage between.
					if i%2 == 0 {
						v.exchange(t, probe{send: rawPost(`{"jsonrpc":"2.0","id":`+strconv.Itoa(j), "")})
					}
					status, answer := v.exchange(t, probe{send: rawPost(itemCall(strconv.Itoa(j), `{"id":"`+own+`"}`), "")})
					if status != 200 || !strings.Contains(answer, "/v1/items/"+own+`\"`) {
						t.Errorf("%s got %d %.500s", own, status, answer)
					}
				}
			})
		}
		wg.Wait()
	})
}
