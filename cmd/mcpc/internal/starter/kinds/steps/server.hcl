server "my-server" {
  instructions = "order_to_invoice does the whole way; it can be called again for an order that has an invoice."
}

variable "service" {
  type        = string
  description = "Where the service is."
  default     = "https://shop.example.com/api"
}

variable "token" {
  type      = string
  sensitive = true
  env       = "SERVICE_TOKEN"
}

api "shop" {
  base_url = var.service
  auth     = bearer(var.token)
}

# The parts, which the model does not see.

tool "get_order" {
  internal = true

  input "id" { type = string }

  request "GET" "/orders/{id}" {}
}

tool "get_item" {
  internal = true

  input "sku" { type = string }

  request "GET" "/items/{sku}" {}
}

tool "create_invoice" {
  internal = true

  input "order" { type = string }
  input "customer" { type = string }
  input "lines" {
    type = list(object({ sku = string, title = string, price = number }))
  }

  request "POST" "/invoices" {
    json = { order = args.order, customer = args.customer, lines = args.lines }
  }
}

# The whole.

tool "order_to_invoice" {
  description = "Write the invoice of an order: reads the order and its items, then creates the invoice."
  read_only   = false

  input "order" {
    type        = string
    description = "Order number, e.g. O-1042"
    pattern     = "^O-[0-9]+$"
  }

  step "order" {
    call = tool.get_order
    args = { id = args.order }
  }
  step "items" {
    for_each = step.order.lines
    call     = tool.get_item
    args     = { sku = each.value.sku }
    parallel = 4
    max      = 50
    jq       = "{sku, title, price}"
  }
  step "invoice" {
    when = step.order.invoice == null
    call = tool.create_invoice
    args = {
      order    = args.order
      customer = step.order.customer
      lines    = step.items
    }
  }

  output = {
    order   = args.order
    invoice = step.order.invoice == null ? step.invoice.number : step.order.invoice
    lines   = length(step.items)
  }
}
