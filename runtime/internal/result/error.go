package result

import (
	"fmt"
	"math"
	"strings"
	"time"
	"unicode/utf8"
)

// Retry says whether the same call, made again, may succeed. A positive value
// is the time to wait before.
type Retry time.Duration

// Whether to call again.
const (
	RetryNo    Retry = 0  // the same call fails the same way
	RetryMay   Retry = -1 // nothing was changed by the failed call, or once more changes nothing
	RetryCheck Retry = -2 // the call may have been carried out; look first
	// RetryUnknown says nothing: only the upstream knows.
	RetryUnknown Retry = -3
)

// RetryAfter is a retry that may help after d. No time at all is [RetryMay].
func RetryAfter(d time.Duration) Retry {
	if d <= 0 {
		return RetryMay
	}
	return Retry(d)
}

func (r Retry) word() string {
	switch {
	case r > 0:
		return "after"
	case r == RetryMay:
		return "may-help"
	case r == RetryCheck:
		return "check-first"
	case r == RetryUnknown:
		return "unknown"
	}
	return "no"
}

// seconds is the time to wait, rounded up; 0 for none.
func (r Retry) seconds() int64 {
	if r <= 0 {
		return 0
	}
	return int64(math.Ceil(time.Duration(r).Seconds()))
}

// String is the sentence a model reads; "" for [RetryUnknown].
func (r Retry) String() string {
	switch {
	case r == 1 || r.seconds() == 1:
		return "A retry may help after 1 second."
	case r > 0:
		return fmt.Sprintf("A retry may help after %d seconds.", r.seconds())
	case r == RetryMay:
		return "A retry may help."
	case r == RetryCheck:
		return "It is not known whether the call was carried out: check before calling again."
	case r == RetryUnknown:
		return ""
	}
	return "Retrying the same call will not help."
}

// MaxErrorText bounds the text of an error, in bytes.
const MaxErrorText = 8 << 10

// Error is the one way to tell a model that a call failed. code is a stable
// word. message says what failed, in one or more lines; next says what to do,
// "" when there is nothing; retry is added as a sentence. The caller keeps
// secrets and internal addresses out of all of them.
func Error(code, message, next string, retry Retry) *Result {
	var b strings.Builder
	message = strings.TrimSpace(message)
	next = strings.TrimSpace(next)
	b.WriteString(Shorten(message, MaxErrorText-min(len(next), MaxErrorText/4)-256))
	b.WriteByte('\n')
	if next != "" {
		b.WriteString(Shorten(next, MaxErrorText/4))
		b.WriteByte('\n')
	}
	b.WriteString(retry.String())
	r := Text(strings.TrimSuffix(b.String(), "\n"))
	r.IsError, r.Code, r.Retry = true, code, retry
	return r
}

// Shorten returns s, or as much of its beginning as n bytes hold with a mark
// that something is missing. Characters stay whole.
func Shorten(s string, n int) string {
	const mark = " … (shortened)"
	if len(s) <= n {
		return s
	}
	n = max(n-len(mark), 0)
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n] + mark
}
