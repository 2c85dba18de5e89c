# The tools of the order system that is to be replaced.

server "orders" {
  title        = "Orders"
  instructions = "Amounts are EUR. Order numbers are exact: repeat every digit."
}

variable "service" {
  type        = string
  description = "Where the old system is."
  default     = "http://127.0.0.1:8481"
}

api "erp" {
  openapi  = "../orders/openapi.yaml"
  base_url = var.service

  expose {
    operations = ["listOrders", "getOrder", "getLabel"]
    name       = snakecase(operation.id)
  }
}

# native is the name of the Go method; without it, this one would be CreateOrder.
tool "create_order" {
  operation = api.erp["createOrder"]
  native    = "PlaceOrder"
}
