package judges

import (
	"net/http"
	"path/filepath"
	"testing"
	"time"
)

// Prism validates every request against the same document that mcpc serves:
// parameters, their styles, bodies, credentials. 422 is its word for a request
// that does not fit, 401 for missing credentials, 404 and 405 for a wrong path.
func TestPrism(t *testing.T) {
	node := node(t)
	prism, err := filepath.Abs("node_modules/@stoplight/prism-cli/dist/index.js")
	if err != nil {
		t.Fatal(err)
	}
	need(t, prism)
	for _, tt := range []struct {
		doc string
		env []string // credentials, one per scheme
		// known names tools whose calls Prism refuses for a reason that is not
		// ours; one that is accepted after all fails the test.
		known map[string]string
	}{
		{doc: "petstore-3.0.yaml", env: []string{"MCPC_AUTH_PETSTORE_AUTH=t", "MCPC_AUTH_API_KEY=k"}},
		{doc: "petstore-2.0.json", env: []string{"MCPC_AUTH_PETSTORE_AUTH=t", "MCPC_AUTH_API_KEY=k"}},
		{doc: "train-travel.yaml", env: []string{"MCPC_AUTH_OAUTH2=t"}},
		{doc: "oai-uspto.yaml"},
		{doc: "readme-parameters-style-3.1.yaml"},
		{doc: "nws-weather.json", env: []string{"MCPC_AUTH_USERAGENT=judges"}},
		{doc: "asana.yaml", env: []string{"MCPC_AUTH_PERSONALACCESSTOKEN=t", "MCPC_AUTH_OAUTH2=t"}},
		{doc: "adyen-checkout-v72.json", env: []string{"MCPC_AUTH_APIKEYAUTH=k", "MCPC_AUTH_BASICAUTH=u:p"}},
	} {
		t.Run(tt.doc, func(t *testing.T) {
			doc, err := filepath.Abs(document(t, tt.doc))
			if err != nil {
				t.Fatal(err)
			}
			address := freeAddress(t)
			start(t, 2*time.Minute, listens(address), nil, node, prism, "mock", "-h", "127.0.0.1", "-p", port(address), "--errors", doc)
			tap := newTap(t, "http://"+address)
			c := newClient(serve(t, tt.env, doc, "--base-url", tap.url))
			v := verdict{accept: func(e exchange) bool {
				return e.status != http.StatusUnprocessableEntity && e.status != http.StatusUnauthorized &&
					e.status != http.StatusNotFound && e.status != http.StatusMethodNotAllowed && e.status != http.StatusUnsupportedMediaType
			}}
			v.callAll(t, c, tap)
			if v.sent == 0 {
				t.Error("no call reached Prism")
			}
			v.report(t)
		})
	}
}
