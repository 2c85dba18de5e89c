server "my-server" {
  instructions = "Start with customer_overview; the other tools have the details."
}

# One identity for all services: each has its own address, the token is the same.

variable "domain" {
  type    = string
  default = "example.com"
}

variable "token" {
  type      = string
  sensitive = true
  env       = "SERVICES_TOKEN"
}

locals {
  client  = "mcp"
  headers = { "X-Client" = local.client }
}

api "customers" {
  base_url = "https://customers.${var.domain}"
  auth     = bearer(var.token)
  headers  = local.headers
}

api "orders" {
  base_url = "https://orders.${var.domain}"
  auth     = bearer(var.token)
  headers  = local.headers
}

api "shipping" {
  base_url = "https://shipping.${var.domain}"
  auth     = bearer(var.token)
  headers  = local.headers
}

tool "get_customer" {
  api         = api.customers
  description = "Name and address of a customer."

  input "id" {
    type        = string
    description = "Customer number, e.g. C-7"
  }

  request "GET" "/customers/{id}" {}
}

tool "orders_of_customer" {
  api         = api.orders
  description = "The open orders of a customer."

  input "customer" {
    type        = string
    description = "Customer number, e.g. C-7"
  }

  request "GET" "/orders" {
    query = { customer = args.customer, status = "open" }
  }
}

tool "track_order" {
  api         = api.shipping
  description = "Where an order is."

  input "order" {
    type        = string
    description = "Order number, e.g. O-1042"
  }

  request "GET" "/shipments/{order}" {}
}

tool "customer_overview" {
  description = "A customer, the open orders, and where they are."
  read_only   = true

  input "customer" {
    type        = string
    description = "Customer number, e.g. C-7"
  }

  step "customer" {
    call = tool.get_customer
    args = { id = args.customer }
  }
  step "orders" {
    call = tool.orders_of_customer
    args = { customer = args.customer }
  }
  step "shipments" {
    for_each = step.orders
    call     = tool.track_order
    args     = { order = each.value.id }
    parallel = 4
    on_error = "null"
  }

  output = {
    customer  = step.customer
    orders    = step.orders
    shipments = step.shipments
  }
}
