test "find_orders keeps what matters" {
  call   = tool.find_orders
  args   = { status = "open" }
  reply  = file("testdata/orders.json")
  expect = request.query.status == "open" && length(result) == 2 && result[0].id == "O-1042"
}

test "an order that does not exist" {
  call = tool.get_order
  args = { id = "O-1" }
  reply {
    status = 404
    body   = { message = "no such order" }
  }
  error = "http-404"
}

test "add_note sends the text" {
  call   = tool.add_note
  args   = { id = "O-1042", text = "Call before delivery" }
  reply  = { id = 7 }
  expect = request.path == "/api/orders/O-1042/notes" && request.json.text == "Call before delivery"
}
