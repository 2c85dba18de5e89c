test "the tenant is fixed" {
  call   = tool.list_pets
  args   = { status = "sold" }
  reply  = file("testdata/pets.json")
  expect = request.path == "/v1/main/pets" && request.query.status == "sold"
}

test "rename_pet changes the name and nothing else" {
  call   = tool.rename_pet
  args   = { id = 7, body = { name = "Rex" } }
  reply  = { id = 7, name = "Rex", status = "sold" }
  expect = request.method == "PATCH" && request.json == { name = "Rex" }
}
