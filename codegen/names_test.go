package codegen

import (
	"go/token"
	"slices"
	"testing"
)

func TestGoName(t *testing.T) {
	for text, want := range map[string]string{
		"order_id":          "OrderID",
		"getHTTPServer":     "GetHTTPServer",
		"get_http_server":   "GetHTTPServer",
		"HTTPServer":        "HTTPServer",
		"userIDs":           "UserIDs",
		"user_ids":          "UserIDs",
		"URLs":              "URLs",
		"apiVersion":        "APIVersion",
		"APIKeys":           "APIKeys",
		"GET /orders/{id}":  "GetOrdersID",
		"repos/list-for-me": "ReposListForMe",
		"X-Request-ID":      "XRequestID",
		"ALL_CAPS":          "AllCaps",
		"oauth2_token":      "OAuth2Token",
		"OAuthToken":        "OAuthToken",
		"ipv6":              "IPv6",
		"sha256":            "SHA256",
		"v1beta1":           "V1beta1",
		"V1Pod":             "V1Pod",
		"2fa":               "N2fa",
		"+1":                "Plus1",
		"-1":                "Minus1",
		"--":                "",
		"":                  "",
		"_id":               "ID",
		"a":                 "A",
		"aB":                "AB",
		"type":              "Type",
		"日本":                "",
		"été":               "T",
		"id日本":              "ID",
		"users":             "Users",
		"is_acl":            "IsACL",
		"s":                 "S",
		"ids":               "IDs",
	} {
		if got := goName(text); got != want || got != "" && !token.IsIdentifier(got) {
			t.Errorf("%q: %s, not %s", text, got, want)
		}
	}
}

func TestWords(t *testing.T) {
	for text, want := range map[string][]string{
		"userIDsOfAPI": {"user", "IDs", "Of", "API"},
		"HTTPServer2":  {"HTTP", "Server2"},
		"a.b-c d":      {"a", "b", "c", "d"},
		"_":            nil,
	} {
		if got := words(text); !slices.Equal(got, want) {
			t.Errorf("%q: %q", text, got)
		}
	}
}

// A name depends on the text and on those it meets, not on an order.
func TestUnique(t *testing.T) {
	texts := []string{"user_id", "userId", "UserID", "USER-ID", "name", "", "--"}
	want := map[string]string{
		"UserID": "UserID", "userId": "UserID" + hashed("userId"), "user_id": "UserID" + hashed("user_id"), "USER-ID": "UserID" + hashed("USER-ID"),
		"name": "Name", "": hashed(""), "--": hashed("--"),
	}
	for range len(texts) {
		texts = append(texts[1:], texts[0])
		got := unique(texts, goName)
		for _, text := range texts {
			if got[text] != want[text] {
				t.Errorf("%q: %s", text, got[text])
			}
		}
	}
}
