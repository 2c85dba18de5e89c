test "an order becomes an invoice" {
  call      = tool.order_to_invoice
  args      = { order = "O-1042" }
  recording = "testdata/order.json"
  expect    = result == { order = "O-1042", invoice = "I-88", lines = 2 }
}

test "an order with an invoice gets no second one" {
  call = tool.order_to_invoice
  args = { order = "O-1041" }

  reply "GET" "/orders/O-1041" {
    body = { customer = "C-7", lines = [], invoice = "I-80" }
  }

  expect = result.invoice == "I-80" && length(requests) == 1
}
