# From an order to its invoice: one tool of several calls, so that the model
# cannot stop half-way.

server "invoicing" {
  title        = "Invoicing"
  instructions = "invoice_order bills an order completely. It can be repeated: an order has one invoice."
}

api "shop" {
  base_url = "https://shop.internal.example/api"
  timeout  = "10s"
}

tool "get_order" {
  description = "An order with its lines."
  read_only   = true

  input "order" {
    type        = integer
    description = "Order number, e.g. 4711"
  }

  request "GET" "/orders/{order}" {}
}

tool "get_price" {
  internal    = true
  description = "The price of an article today, in EUR."
  read_only   = true

  input "sku" {
    type        = string
    description = "Article, e.g. BOLT-M8"
  }

  request "GET" "/prices/{sku}" {}
}

tool "create_invoice" {
  internal    = true
  description = "Write the invoice of an order."
  idempotent  = true

  input "order" {
    type        = integer
    description = "Order number"
  }
  input "lines" {
    type        = list(object({ sku = string, quantity = integer, price = number }))
    description = "What is billed"
  }

  request "PUT" "/orders/{order}/invoice" {
    json = { lines = args.lines }
  }
}

tool "invoice_order" {
  description = "Bill an order at today's prices and return the number and total of the invoice, in EUR."
  idempotent  = true
  timeout     = "30s"

  input "order" {
    type        = integer
    description = "Order number, e.g. 4711"
  }

  step "order" {
    call = tool.get_order
    args = { order = args.order }
  }
  step "prices" {
    for_each = step.order.lines
    parallel = 4
    max      = 200
    call     = tool.get_price
    args     = { sku = each.value.sku }
  }
  step "invoice" {
    call = tool.create_invoice
    args = {
      order = args.order
      lines = [for i, line in step.order.lines : {
        sku      = line.sku
        quantity = line.quantity
        price    = step.prices[i].price
      }]
    }
  }

  output = {
    invoice = step.invoice.number
    total   = step.invoice.total
    lines   = length(step.order.lines)
  }
}

test "an order is billed at the prices of its articles" {
  call = tool.invoice_order
  args = { order = 1 }

  reply "GET" "/api/orders/1" {
    body = jsonencode({ lines = [{ sku = "A", quantity = 2 }, { sku = "B", quantity = 1 }] })
  }
  reply "GET" "/api/prices/A" { body = jsonencode({ price = 1.50 }) }
  reply "GET" "/api/prices/B" { body = jsonencode({ price = 7 }) }
  reply "PUT" "/api/orders/1/invoice" {
    body = jsonencode({ number = "R-1", total = 10.00 })
  }

  expect = request.json.lines[0].price == 1.5 && result.invoice == "R-1" && result.lines == 2
}

test "an article without a price stops before the invoice" {
  call  = tool.invoice_order
  args  = { order = 1 }
  error = true

  reply "GET" "/api/orders/1" {
    body = jsonencode({ lines = [{ sku = "A", quantity = 2 }] })
  }
  reply "GET" "/api/prices/A" { status = 404 }

  expect = request.method == "GET"
}
