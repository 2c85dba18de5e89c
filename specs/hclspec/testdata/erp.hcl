server "orders" {
  instructions = "Search before you cancel. Amounts are EUR."
}

variable "erp_password" {
  type      = string
  sensitive = true
  env       = "ERP_PASSWORD"
}

api "erp" {
  base_url = "https://erp.internal.example/api.asp"
  auth     = basic("svc-mcp", var.erp_password)
  timeout  = "20s"
  retry {
    attempts = 3 # read_only and idempotent tools only, unless the tool says otherwise
    on       = [429, 502, 503, 504]
  }
}

tool "search_orders" {
  description = "Find orders by customer and status. Returns at most 50, newest first."
  read_only   = true

  input "customer" {
    type        = string
    description = "Customer number, e.g. C-10442"
    pattern     = "^C-[0-9]+$"
  }
  input "status" {
    type    = enum("open", "shipped", "cancelled")
    default = "open"
  }

  request "POST" "/orders/search" {
    form = {
      CUSTNO = args.customer
      STAT   = { open = "10", shipped = "40", cancelled = "90" }[args.status]
      MAXROW = 50
    }
  }

  response "xml" {
    charset = "iso-8859-1"
    root    = "ORDERS.ORDER"    # always a list
    lists   = ["ORDER", "LINE"] # arrays even when one element came back
    types   = { QTY = integer, TOTAL = number }
    rename  = { ORDNO = "order_id", "@STAT" = "status" }
    fields  = ["order_id", "status", "TOTAL", "LINE[].SKU", "LINE[].QTY"]
    empty   = "No orders matched."
    error_when { # HTTP 200 with an error inside
      xml     = "ERROR"
      message = "ERP says: ${response.body.ERROR.TEXT}"
    }
  }
}

tool "cancel_order" {
  description = "Cancel one open order. Cannot be undone."
  destructive = true

  input "order_id" { type = string }
  input "reason" {
    type       = string
    max_length = 200
  }

  request "POST" "/orders/{order_id}/cancel" {
    json = { why = "MCP: ${args.reason}" }
  }

  response {
    error "404" { hint = "Search for it first." }
  }
}
