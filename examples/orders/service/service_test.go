package service_test

import (
	"image/png"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mcpc-dev/mcpc/examples/orders/service"
)

func send(h http.Handler, method, target, contentType, body string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, target, strings.NewReader(body))
	if contentType != "" {
		r.Header.Set("Content-Type", contentType)
	}
	if strings.HasPrefix(target, "/legacy") {
		r.SetBasicAuth(service.User, service.Password)
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

func TestAnswers(t *testing.T) {
	const form = "application/x-www-form-urlencoded"
	const orderJSON = `{"id":9007199254740993,"customer":"C-10442","name":"Müller & Söhne","status":"open","total":94.00,` +
		`"lines":[{"sku":"BOLT-M8","quantity":200,"price":0.35},{"sku":"NUT-M8","quantity":200,"price":0.12}]`
	tests := []struct {
		name, method, target, contentType, body string
		status                                  int
		answer                                  string // a part of it
	}{
		{"the id and the decimals keep every digit", "GET", "/api/orders/9007199254740993", "", "", 200, orderJSON},
		{"its neighbour, which a float cannot tell apart", "GET", "/api/orders/9007199254740992", "", "", 404, "no such order"},
		{"list", "GET", "/api/orders?status=open&status=shipped&limit=1", "", "", 200, `{"count":3,"orders":[` + orderJSON},
		{"bad limit", "GET", "/api/orders?limit=x", "", "", 400, "bad limit"},
		{"create", "POST", "/api/orders", "application/json", `{"customer":"C-10777","lines":[{"sku":"NUT-M8","quantity":5}]}`, 201, `"id":9007199254740999`},
		{"create for nobody", "POST", "/api/orders", "application/json", `{"customer":"C-1"}`, 422, "unknown customer"},
		{"create what is not sold", "POST", "/api/orders", "application/json", `{"customer":"C-10777","lines":[{"sku":"X","quantity":5}]}`, 422, "bad line"},
		{"warehouse", "GET", "/api/stock/NUT-M8", "", "", 503, "stocktaking"},
		{"form", "POST", "/legacy/search", form, "CUSTNO=C-10442&STAT=10", 200, "<NAME>M\xfcller &amp; S\xf6hne</NAME>"},
		{"form without form", "POST", "/legacy/search", "application/json", "{}", 415, "ERR 02"},
		{"query", "GET", "/legacy/customer?no=C-10777", "", "", 200, "<NAME>Caf\xe9 \xc5ngstr\xf6m</NAME>"},
		{"cancel what is shipped", "POST", "/legacy/cancel", form, "ORDNO=9007199254740995", 409, "ERR 17"},
		{"cancel", "POST", "/legacy/cancel", form, "ORDNO=9007199254740993", 200, "OK 9007199254740993"},
		{"note", "POST", "/legacy/notes", "application/json", `{"order":9007199254740993,"text":"hi"}`, 200, `"note":"hi"`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := send(service.New(), tt.method, tt.target, tt.contentType, tt.body)
			if w.Code != tt.status || !strings.Contains(w.Body.String(), tt.answer) {
				t.Errorf("%d %s\nwant %d and %s", w.Code, w.Body, tt.status, tt.answer)
			}
		})
	}
}

func TestPasswordIsNeeded(t *testing.T) {
	w := httptest.NewRecorder()
	service.New().ServeHTTP(w, httptest.NewRequest("GET", "/legacy/customer?no=C-10777", nil))
	if w.Code != http.StatusUnauthorized {
		t.Errorf("status %d without a password", w.Code)
	}
}

func TestLabelIsPicture(t *testing.T) {
	w := send(service.New(), "GET", "/api/orders/9007199254740993/label", "", "")
	img, err := png.Decode(w.Body)
	if err != nil {
		t.Fatal(err)
	}
	if b := img.Bounds(); b.Dx() != 256 || b.Dy() != 48 {
		t.Errorf("the label is %v", b)
	}
}

func TestReportTakesItsTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		w := send(service.New(), "GET", "/api/reports/2026-11", "", "")
		if took := time.Since(start); took != service.ReportTime || !strings.Contains(w.Body.String(), `"orders":3`) {
			t.Errorf("after %v: %s", took, w.Body)
		}
	})
}
