package main

import "testing"

func TestShow(t *testing.T) {
	t.Chdir("../..")
	err := example().Check(
		"CUSTNO=C-10442&STAT=10&MAXROW=50", // the form as the service got it
		`"order_id":"4711"`,                // renamed
		`"QTY":200`,                        // a number
		"No orders matched.",
		"ERP says: customer C-0 is locked",
		"too &lt;late&gt; &amp; wrong", // escaped for its place
		"asked     Cancel order 4711? – yes",
		"SOAP fault from POST /soap/orders.asmx (HTTP 500 Internal Server Error): Client: no",
	)
	if err != nil {
		t.Fatal(err)
	}
}
