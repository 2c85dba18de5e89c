test "one answer of three services" {
  call = tool.customer_overview
  args = { customer = "C-7" }

  reply "GET" "/customers/C-7" {
    body = { id = "C-7", name = "Müller" }
  }
  reply "GET" "/orders?customer=C-7&status=open" {
    body = file("testdata/orders.json")
  }
  reply "GET" "/shipments/O-1042" {
    body = { state = "on its way" }
  }
  reply "GET" "/shipments/O-1043" {
    status = 404
    body   = { message = "not shipped" }
  }

  expect {
    condition = result.customer.name == "Müller" && length(result.orders) == 2
    message   = "got ${jsonencode(result)}"
  }
  expect {
    condition = result.shipments[0].state == "on its way" && result.shipments[1] == null
    message   = "an order that is not shipped yet must not break the overview"
  }
}

test "every service is told who calls" {
  call   = tool.track_order
  args   = { order = "O-1" }
  reply  = { state = "delivered" }
  expect = request.headers["x-client"] == "mcp"
}
