test "add_scan sends the file" {
  call   = tool.add_scan
  args   = { scan = "data:application/pdf;base64,JVBERi0xLjQK", note = "Invoice" }
  reply  = { id = 1 }
  expect = contains(request.body, "%PDF-1.4") && contains(request.body, "Invoice")
}

test "find_scans keeps what matters" {
  call   = tool.find_scans
  args   = { word = "invoice" }
  reply  = file("testdata/scans.json")
  expect = result == [{ id = 1, note = "Invoice", pages = 2 }]
}
