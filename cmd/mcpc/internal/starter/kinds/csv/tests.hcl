test "figures are numbers" {
  call   = tool.sales
  args   = { month = "2026-11" }
  reply  = file("testdata/sales.csv")
  expect = request.path == "/exports/sales-2026-11.csv" && length(result) == 3 && result[0].quantity == 2
}

test "regions are summed" {
  call   = tool.sales_by_region
  args   = { month = "2026-11" }
  reply  = file("testdata/sales.csv")
  expect = result[0].region == "North" && result[0].amount == 110.5
}
