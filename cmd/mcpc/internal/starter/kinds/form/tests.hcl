test "umlauts of Latin-1 arrive" {
  call      = tool.get_customer
  args      = { number = 42 }
  recording = "testdata/customer.json"
  expect    = request.form.KNR == "00000042" && result == { name = "Jürgen Müller", city = "Köln" }
}

test "an unknown number" {
  call  = tool.get_customer
  args  = { number = 1 }
  reply = "STATUS=NOTFOUND"
  error = true
}

test "umlauts of Latin-1 are sent" {
  call   = tool.rename_customer
  args   = { number = 42, name = "Jörg" }
  reply  = "STATUS=OK"
  expect = contains(request.body, "NAME=J%F6rg")
}
