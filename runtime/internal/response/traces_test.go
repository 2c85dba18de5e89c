package response

import "testing"

func TestTracesAreNotShown(t *testing.T) {
	for in, want := range map[string]string{
		`{"message":"no","stack":["at A","at B"],"n":9007199254740993}`:                 `{"message":"no","n":9007199254740993}`,
		`{"error":{"StackTrace":"x","code":1.50},"errors":[{"trace":{"a":1},"f":"b"}]}`: `{"error":{"code":1.50},"errors":[{"f":"b"}]}`,
		`{"traceId":"4f","a":"trace"}`:                                                  `{"traceId":"4f","a":"trace"}`,
		`["stack","trace"]`:                                                             `["stack","trace"]`,
		`"stack"`:                                                                       `"stack"`,
		`{"a":1,"a":2}`:                                                                 `{"a":1,"a":2}`,
	} {
		if got := problem([]byte(in)); got != want {
			t.Errorf("%s\n got %s\nwant %s", in, got, want)
		}
	}
}
