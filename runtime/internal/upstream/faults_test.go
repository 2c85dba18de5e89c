package upstream

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/mcpc-dev/mcpc/internal/faulty"
	"github.com/mcpc-dev/mcpc/runtime/internal/principal"
	"github.com/mcpc-dev/mcpc/runtime/internal/result"
	"github.com/mcpc-dev/mcpc/runtime/plan"
)

// The failure suite: what is promised in runtime/RESILIENCE.md, shown with an
// upstream on loopback that fails, and printed with figures by
//
//	go test ./runtime/internal/upstream -run TestFailureSuite -v

// outcome is how a call ended: the code of a failure, or the status.
func outcome(a *Answer, err error) (string, *Failure) {
	if f, ok := errors.AsType[*Failure](err); ok {
		return f.Kind, f
	}
	s := fmt.Sprintf("http-%d", a.Status)
	if a.Truncated {
		s += " cut"
	}
	return s, nil
}

func TestFailureSuite(t *testing.T) {
	const (
		attempts = 3
		// A machine that is busy with other things is late. What is printed is what
		// was measured; this is what cannot be an accident.
		slack = 3 * time.Second
	)
	may, check, no := result.RetryMay, result.RetryCheck, result.RetryNo
	want := map[string]struct {
		code     string
		get      int // requests for a GET
		getRetry result.Retry
		retry    result.Retry // of a POST
		counts   bool         // for the breaker
	}{
		"no answer":                     {KindTimeout, 1, may, check, true},
		"slow headers":                  {KindTimeout, 1, may, check, true},
		"slow body":                     {KindTimeout, 1, may, check, true},
		"reset before the answer":       {KindConnection, attempts, may, check, true},
		"reset within the body":         {KindConnection, attempts, may, check, true},
		"closed before the answer":      {KindConnection, attempts, may, check, true},
		"half closed":                   {KindConnection, attempts, may, check, true},
		"truncated body":                {KindConnection, attempts, may, check, true},
		"chunks without an end":         {KindConnection, attempts, may, check, true},
		"gzip that ends early":          {KindConnection, attempts, may, check, true},
		"broken chunks":                 {KindProtocol, 1, no, check, true},
		"not HTTP":                      {KindProtocol, 1, no, check, true},
		"a length that is none":         {KindProtocol, 1, no, check, true},
		"two lengths":                   {KindProtocol, 1, no, check, true},
		"a header that is none":         {KindProtocol, 1, no, check, true},
		"header bomb":                   {KindTooLarge, 1, no, check, false},
		"many headers":                  {KindTooLarge, 1, no, check, false},
		"endless 100 Continue":          {KindTooLarge, 1, no, check, false},
		"500":                           {"http-500", 1, 0, 0, true},
		"503":                           {"http-503", attempts, 0, 0, true},
		"429 for an hour":               {"http-429", 1, 0, 0, false},
		"404":                           {"http-404", 1, 0, 0, false},
		"too large":                     {"http-200 cut", 1, 0, 0, false},
		"a redirect away":               {KindRedirect, 1, no, no, false},
		"redirects for ever":            {KindRedirect, maxRedirects + 1, no, no, false},
		"an encoding that is not known": {KindEncoding, 1, no, no, false},
	}
	t.Logf("%-30s %-13s %-14s %-16s %-8s %s", "fault", "code", "GET: requests", "POST: requests", "breaker", "GETs at once: requests, longest")
	seen := map[string]bool{}
	for _, fault := range faulty.Faults() {
		w, ok := want[fault.Name]
		if !ok {
			t.Errorf("nothing is said about %q", fault.Name)
			continue
		}
		seen[fault.Name] = true
		t.Run(fault.Name, func(t *testing.T) {
			timeout, calls := 10*time.Second, 40
			if w.code == KindTooLarge {
				calls = 10 // 256 KiB of headers each
			}
			if w.code == KindTimeout {
				timeout = 250 * time.Millisecond
			}
			// A busy machine may take that long to connect: of those that time out none
			// may arrive, but never more than are said.
			asSaid := func(n, want int) bool { return n == want || n < want && w.code == KindTimeout }
			u := plan.Upstream{Timeout: timeout, MaxResponse: 10 << 10, Retry: plan.Retry{Attempts: attempts, On: []int{429, 503}}}
			ask := func(c *Client, method string, s *faulty.Server) (string, *Failure, time.Duration) {
				start := time.Now()
				a, err := c.Do(t.Context(), principal.Principal{}, newRequest(t, method, s.URL+"/a", map[string]string{"POST": "x"}[method]), nil)
				code, f := outcome(a, err)
				return code, f, time.Since(start)
			}
			client := func(u plan.Upstream) (*Client, *faulty.Server) {
				s := faulty.Start(t, fault)
				u.BaseURL = s.URL
				c := newClient(t, u, Options{})
				c.backoff = func(int) time.Duration { return time.Millisecond }
				return c, s
			}

			// One read: the code, the advice, how often it was sent and how long it took.
			c, reads := client(u)
			code, f, took := ask(c, "GET", reads)
			if code != w.code || !asSaid(reads.Requests(), w.get) || took > timeout+slack {
				t.Errorf("GET: %s after %d requests in %v, want %s after %d", code, reads.Requests(), took, w.code, w.get)
			}
			if f != nil {
				failure(t, f, w.code)
				if f.Retry != w.getRetry || f.Message == "" || f.Next == "" && f.Kind != KindTimeout {
					t.Errorf("GET: %+v", f)
				}
			}
			// One change: never sent twice.
			c, changes := client(u)
			code, f, _ = ask(c, "POST", changes)
			once := 1
			if w.code == KindRedirect {
				once = w.get // 307 asks for the same request elsewhere: nothing was done
			}
			if code != w.code || !asSaid(changes.Requests(), once) || f != nil && f.Retry != w.retry {
				t.Errorf("POST: %s after %d requests, %+v", code, changes.Requests(), f)
			}
			// The breaker counts faults of the upstream, and nothing else.
			broken := u
			broken.Retry.Attempts, broken.Breaker = 1, &plan.Breaker{Failures: 2, Window: time.Hour, Open: time.Hour}
			c, s := client(broken)
			for range 2 {
				ask(c, "POST", s)
			}
			code, _, took = ask(c, "POST", s)
			if opened := code == KindBreaker; opened != w.counts || opened && took > slack {
				t.Errorf("after two failures: %s in %v", code, took)
			}
			// Many at once: retries stay within their budget, time within its limit.
			c, burst := client(u)
			var wait sync.WaitGroup
			var longest atomic.Int64
			for range calls {
				wait.Go(func() {
					_, _, took := ask(c, "GET", burst)
					for l := longest.Load(); int64(took) > l && !longest.CompareAndSwap(l, int64(took)); l = longest.Load() {
					}
				})
			}
			wait.Wait()
			if w.code != KindRedirect {
				if sent := burst.Requests(); sent > calls+maxBudget/perRetry+sent/perRetry {
					t.Errorf("%d requests for %d calls", sent, calls)
				}
			}
			if time.Duration(longest.Load()) > timeout+slack {
				t.Errorf("a call took %v", time.Duration(longest.Load()))
			}
			t.Logf("%-30s %-13s %-14d %-16d %-8v %d: %d, %v", fault.Name, code0(w.code), reads.Requests(), changes.Requests(), map[bool]string{true: "counts", false: "-"}[w.counts], calls, burst.Requests(), time.Duration(longest.Load()).Round(time.Millisecond))
		})
	}
	for name := range want {
		if !seen[name] {
			t.Errorf("there is no fault %q", name)
		}
	}
}

func code0(s string) string { s, _, _ = strings.Cut(s, " "); return s }

// Each failure has a code of runtime/ERRORS.md, and its advice is one that the
// table has.
func TestFailureSuiteCodes(t *testing.T) {
	var words []string
	for _, c := range result.Codes() {
		words = append(words, c.Word)
	}
	for _, kind := range []string{KindTimeout, KindCanceled, KindConnect, KindDNS, KindTLS, KindAddress, KindConnection, KindProtocol, KindTooLarge, KindRedirect, KindEncoding, KindNoBaseURL, KindCredential, KindLimit, KindBreaker, KindBusy} {
		if !slices.Contains(words, kind) {
			t.Errorf("%s is not in ERRORS.md", kind)
		}
	}
}
