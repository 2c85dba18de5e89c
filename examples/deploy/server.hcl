# What the unit serves; yours takes its place.
variable "erp_url" {
  type    = string
  default = "https://erp.example.com/api"
}

server "orders" {}

# For Prometheus and people of this machine.
observe {
  admin       = "127.0.0.1:9090"
  correlation = true
  log         = {}
}

api "erp" {
  base_url = var.erp_url
  auth     = basic("svc-mcp", file("/run/credentials/mcpc.service/erp-password")) # where LoadCredential= puts it
  breaker  = { failures = 5, window = "30s", open = "15s" }
}

tool "get_order" {
  description = "One order, with its lines and where it is."
  read_only   = true
  input "id" {
    type        = string
    description = "Number of the order, as on the invoice."
  }
  request "GET" "/orders/{id}" {}
}
