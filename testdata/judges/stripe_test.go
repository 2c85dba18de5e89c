package judges

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// stripe-mock decodes forms and deepObject parameters as Stripe does and
// validates them against Stripe's own document: 400 is its word for a request
// that was written wrongly.
func TestStripeMock(t *testing.T) { bothServers(t, testStripeMock) }

func testStripeMock(t *testing.T, serve serveFunc) {
	mock := tool(t, "stripe-mock")
	doc := document(t, "stripe.json")
	plain, tls := freeAddress(t), freeAddress(t)
	// Both addresses are given: with one, the other listens on every interface.
	start(t, time.Minute, listens(plain), nil, mock, "-http-addr", plain, "-https-addr", tls)
	tap := newTap(t, "http://"+plain)
	c := newClient(serve(t, []string{"MCPC_AUTH_BEARERAUTH=sk_test_123"}, doc, "--base-url", tap.url))

	v := verdict{accept: func(e exchange) bool { return e.status < 400 }, known: map[string]string{
		"PostBillingPortalConfigurations":              pruned,
		"PostBillingPortalConfigurationsConfiguration": pruned,
		"PostPaymentIntents":                           pruned,
		"PostSubscriptions":                            pruned,
		"PostSubscriptionsSubscriptionExposedId":       pruned,
	}}
	v.callAll(t, c, tap, sampler{
		leave:  []string{"expand"}, // the mock cannot expand
		always: []string{"body"},   // it wants the content type of a form even where all fields are optional
		filled: true,
	})
	if v.sent < 1000 {
		t.Errorf("%d calls reached stripe-mock; most of twice 594 operations should", v.sent)
	}
	v.report(t)
}

// Calls written out, because a generator makes no decisions: nested forms,
// lists of objects, deepObject ranges, an empty string that unsets.
func TestStripeByHand(t *testing.T) { bothServers(t, testStripeByHand) }

func testStripeByHand(t *testing.T, serve serveFunc) {
	mock := tool(t, "stripe-mock")
	doc := document(t, "stripe.json")
	plain, tls := freeAddress(t), freeAddress(t)
	start(t, time.Minute, listens(plain), nil, mock, "-http-addr", plain, "-https-addr", tls)
	tap := newTap(t, "http://"+plain)
	c := newClient(serve(t, []string{"MCPC_AUTH_BEARERAUTH=sk_test_123"}, doc, "--base-url", tap.url))
	for _, tt := range []struct{ tool, arguments, wire string }{
		{"GetCharges", `{"created":{"gte":1700000000,"lt":1800000000},"limit":3,"expand":["data.customer","data.invoice"]}`, "created%5Bgte%5D=1700000000"},
		{"PostCustomers", `{"body":{"email":"a@example.com","metadata":{"order id":"9007199254740993","ä":"&="},"address":{"city":"Köln","line1":"1 & 2"}}}`, "metadata%5Border%20id%5D=9007199254740993"},
		{"PostCheckoutSessions", `{"body":{"mode":"payment","success_url":"https://example.com/ok?a=b","line_items":[{"price":"price_1","quantity":2},{"price_data":{"currency":"eur","unit_amount":1250,"product_data":{"name":"Plate"}},"quantity":1}]}}`, "line_items%5B1%5D%5Bprice_data%5D%5Bproduct_data%5D%5Bname%5D=Plate"},
		{"PostSubscriptions", `{"body":{"customer":"cus_1","items":[{"price":"price_1"}],"default_source":"src_1","trial_end":"now","expand":["latest_invoice.payment_intent"]}}`, "trial_end=now"},
		{"PostInvoicesInvoice", `{"invoice":"in_1","body":{"description":"","metadata":""}}`, "metadata="},
	} {
		tap.take()
		r := c.call(t, tt.tool, tt.arguments)
		seen := tap.take()
		if len(seen) != 1 {
			t.Errorf("%s %s: %d requests, %s", tt.tool, tt.arguments, len(seen), r.text())
			continue
		}
		if e := seen[0]; e.status >= 400 || r.IsError || !strings.Contains(strings.ReplaceAll(e.request, "+", "%20"), tt.wire) {
			t.Errorf("%s %s\n%s\nwant it to hold %s\n%d %s", tt.tool, tt.arguments, e.request, tt.wire, e.status, e.answer)
		}
	}
}

// verdict collects what a judge said of many generated calls.
type verdict struct {
	accept func(exchange) bool
	// known names tools whose generated calls the judge refuses although mcpc
	// is right, with the reason; one that is accepted every time fails.
	known   map[string]string
	excused map[string]bool
	sent    int
	refused []string // by mcpc, before anything was sent
	wrong   []string
}

// callAll calls every tool twice: with what is required and with everything.
func (v *verdict) callAll(t *testing.T, c *client, tap *tap, s sampler) {
	t.Helper()
	for _, d := range c.tools(t) {
		for _, full := range []bool{false, true} {
			s.full = full
			args := s.arguments(t, d.InputSchema)
			tap.take()
			r := c.call(t, d.Name, args)
			seen := tap.take()
			if len(seen) == 0 {
				v.refused = append(v.refused, fmt.Sprintf("%s %.300s: %.300s", d.Name, args, r.text()))
				continue
			}
			v.sent++
			if e := seen[len(seen)-1]; !v.accept(e) {
				if v.known[d.Name] != "" {
					if v.excused == nil {
						v.excused = map[string]bool{}
					}
					v.excused[d.Name] = true
					continue
				}
				v.wrong = append(v.wrong, fmt.Sprintf("%s %.600s\n    %.900s\n    %d %s %.600s", d.Name, args, e.request, e.status, e.header.Get("sl-violations"), e.answer))
			}
		}
	}
}

// report fails the test for what the judge refused, and when more than a
// twentieth of the calls never got that far.
func (v *verdict) report(t *testing.T) {
	t.Helper()
	t.Logf("%d calls sent, %d not accepted by the judge, %d generated arguments refused before sending", v.sent, len(v.wrong), len(v.refused))
	for i, w := range v.wrong {
		if i == 20 {
			t.Errorf("… and %d more", len(v.wrong)-i)
			break
		}
		t.Errorf("not accepted: %s", w)
	}
	for name, why := range v.known {
		if !v.excused[name] {
			t.Errorf("stale: the judge accepts %s, which is listed as refused: %s", name, why)
		}
	}
	if len(v.refused)*20 > v.sent {
		for i, r := range v.refused {
			if i == 20 {
				break
			}
			t.Errorf("refused: %s", r)
		}
		t.Errorf("%d of %d generated arguments were refused: the generator or a schema is wrong", len(v.refused), v.sent+len(v.refused))
	}
}
