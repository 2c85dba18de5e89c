package judges

import (
	"encoding/json"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// Prism validates every request against the same document that mcpc serves:
// path, parameters and their styles, bodies, credentials. What it finds wrong
// it says in a header; the status it answers with may be the document's own.
func TestPrism(t *testing.T) {
	node := node(t)
	prism, err := filepath.Abs("node_modules/@stoplight/prism-cli/dist/index.js")
	if err != nil {
		t.Fatal(err)
	}
	need(t, prism)
	for _, tt := range []struct {
		doc   string
		env   []string          // credentials, one per scheme
		known map[string]string // see verdict
	}{
		{doc: "petstore-3.0.yaml", env: []string{"MCPC_AUTH_PETSTORE_AUTH=t", "MCPC_AUTH_API_KEY=k"}},
		{doc: "petstore-2.0.json", env: []string{"MCPC_AUTH_PETSTORE_AUTH=t", "MCPC_AUTH_API_KEY=k"}, known: map[string]string{
			"placeOrder":                noConsumes,
			"createUser":                noConsumes,
			"createUsersWithArrayInput": noConsumes,
			"createUsersWithListInput":  noConsumes,
			"updateUser":                noConsumes,
		}},
		{doc: "train-travel.yaml", env: []string{"MCPC_AUTH_OAUTH2=t"}},
		{doc: "oai-uspto.yaml"},
		{doc: "asana.yaml", env: []string{"MCPC_AUTH_PERSONALACCESSTOKEN=t", "MCPC_AUTH_OAUTH2=t"}},
		{doc: "adyen-checkout-v72.json", env: []string{"MCPC_AUTH_APIKEYAUTH=k", "MCPC_AUTH_BASICAUTH=u:p"}, known: map[string]string{
			"post-paymentMethods-balance": pruned,
			"post-payments":               pruned,
		}},
		{doc: "twilio-api-v2010.json", env: []string{"MCPC_AUTH_ACCOUNTSID_AUTHTOKEN=u:p"}, known: map[string]string{
			"CreateCall":          formList,
			"CreateCallRecording": formList,
			"UpdateConnectApp":    formList,
			"CreateMessage":       formList,
			"CreateParticipant":   formList,
			"CreateSipDomain":     badExample,
			"CreateStream":        badExample,
			"UpdateSipDomain":     badExample,
		}},
		{doc: "box.json", env: []string{"MCPC_AUTH_OAUTH2SECURITY=t"}, known: map[string]string{
			"post_oauth2_revoke":                  "the document requires a field that it does not declare; Prism drops it",
			"post_files_id_content":               jsonPart,
			"post_files_content":                  jsonPart,
			"put_folders_id_remove_shared_link":   nullObject,
			"put_web_links_id_remove_shared_link": nullObject,
		}},
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
			v := verdict{known: tt.known, accept: fits}
			v.callAll(t, c, tap, sampler{filled: true})
			if v.sent == 0 {
				t.Error("no call reached Prism")
			}
			v.report(t)
		})
	}
}

const (
	noConsumes = "the Swagger 2.0 document names no media type for this body; Prism then accepts none"
	formList   = "a list in a form, sent as its name repeated, which is the default; Prism decodes only what an encoding object describes"
	jsonPart   = "a part of a multipart body is JSON; Prism does not decode parts"
	badExample = "the example of the document is no URI, which the same document wants"
	nullObject = "the example is null for a nullable object; Prism wants an object"
)

// pruned is the reason of calls whose arguments the generator had to make up.
const pruned = "the schema is pruned for its size, so the generator does not know what belongs there"

// fits reports whether Prism found nothing wrong with a request. Violations
// have a place and a severity; what it makes up as an answer may itself violate
// the document, which is not our concern.
func fits(e exchange) bool {
	var violations []struct {
		Location []any
		Severity string
	}
	if text := e.header.Get("sl-violations"); text != "" {
		if err := json.Unmarshal([]byte(text), &violations); err != nil {
			return false
		}
	}
	for _, v := range violations {
		if v.Severity == "Error" && len(v.Location) > 0 && v.Location[0] == "request" {
			return false
		}
	}
	for _, problem := range []string{"UNAUTHORIZED", "UNPROCESSABLE_ENTITY", "INVALID_CONTENT_TYPE", "NO_PATH_MATCHED", "NO_METHOD_MATCHED", "NO_SERVER"} {
		if strings.Contains(e.answer, "prism/errors#"+problem) {
			return false
		}
	}
	return e.status != http.StatusBadGateway // Prism is gone
}
