test "find_orders reads the list" {
  call   = tool.find_orders
  args   = { customer = "C-10442" }
  reply  = file("testdata/orders.xml")
  expect = length(result) == 2 && result[0].number == "4711" && result[0].total == 94
}

test "an error inside a good answer" {
  call  = tool.find_orders
  args  = { customer = "C-1" }
  reply = "<ORDERS><ERROR><TEXT>unknown customer</TEXT></ERROR></ORDERS>"
  error = true
}

test "values are escaped" {
  call   = tool.cancel_order
  args   = { number = "4711", reason = "late & <lost>" }
  reply  = file("testdata/cancelled.xml")
  expect = contains(request.body, "<Reason>late &amp; &lt;lost&gt;</Reason>")
}
