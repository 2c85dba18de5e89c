# The order system as a few well-named tools. Half of it has an OpenAPI
# document; the older half is described here, by hand.

server "orders" {
  title        = "Orders"
  instructions = "Search before you cancel. Amounts are EUR. Order numbers are exact: repeat every digit."
}

variable "service" {
  type        = string
  description = "Where the order system is."
  default     = "http://127.0.0.1:8481"
}

variable "password" {
  type      = string
  sensitive = true
  env       = "ORDERS_PASSWORD"
}

# The form endpoints, described by hand.

api "legacy" {
  base_url = "${var.service}/legacy"
  auth     = basic("mcpc", var.password)
  timeout  = "10s"
}

tool "search_orders" {
  api         = api.legacy
  description = "Find the orders of one customer, oldest first."
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

  request "POST" "/search" {
    form = {
      CUSTNO = args.customer
      STAT   = { open = "10", shipped = "40", cancelled = "90" }[args.status]
      MAXROW = 50
    }
  }
}

tool "cancel_order" {
  api         = api.legacy
  description = "Cancel one open order. Cannot be undone."
  destructive = true

  input "order_id" { type = integer }
  input "reason" {
    type       = string
    max_length = 200
  }

  request "POST" "/cancel" {
    form = {
      ORDNO  = args.order_id
      REASON = args.reason
    }
  }
}

tool "add_note" {
  api         = api.legacy
  description = "Put a note on an order; replaces the note that was there."

  input "order_id" { type = integer }
  input "text" { type = string }

  request "POST" "/notes" {
    json = {
      order = args.order_id
      text  = "[assistant] ${args.text}"
    }
  }
}

tool "get_customer" {
  api         = api.legacy
  description = "The name of a customer."
  read_only   = true

  input "number" { type = string }

  request "GET" "/customer" {
    query = { no = args.number }
  }
}

# The newer half: operations of its document, chosen and renamed.

api "shop" {
  openapi  = "openapi.yaml"
  base_url = var.service

  expose {
    operations = ["getOrder", "createOrder", "getLabel", "getStock"]
    name       = "${snakecase(operation.id)}"
  }
}

tool "monthly_report" {
  operation   = api.shop["getReport"]
  description = "Orders of a month. Takes a few seconds."
  input "month" { description = "Year and month, e.g. 2026-11" }
}

# What must stay true; `mcpc test` checks it without the order system.

test "the status is sent as its code" {
  call   = tool.search_orders
  args   = { customer = "C-10442", status = "shipped" }
  reply  = "<ORDERS><ORDER STAT=\"40\"><ORDNO>9007199254740993</ORDNO></ORDER></ORDERS>"
  expect = request.form.STAT == "40" && request.headers.authorization == "Basic ${base64encode("mcpc:secret-password")}"
}

test "order numbers keep their digits" {
  call   = tool.get_order
  args   = { id = 9007199254740993 }
  reply  = { id = 9007199254740993, customer = "C-10442", status = "open", total = 12.50, lines = [] }
  expect = request.path == "/api/orders/9007199254740993" && result.id == 9007199254740993
}

test "an order that does not exist" {
  call = tool.cancel_order
  args = { order_id = 1, reason = "late" }
  reply "POST" "/cancel" { status = 404 }
  error  = "http-404"
  expect = request.form == { ORDNO = "1", REASON = "late" }
}
