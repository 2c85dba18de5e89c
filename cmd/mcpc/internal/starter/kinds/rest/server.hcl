server "my-server" {
  instructions = "Search before you change. Amounts are EUR."
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
  timeout  = "20s"
}

tool "find_orders" {
  description = "Find orders by status, newest first; at most 50."

  input "status" {
    type        = enum("open", "shipped", "cancelled")
    description = "Only orders in this state"
    default     = "open"
  }
  input "limit" {
    type        = integer
    description = "How many at most"
    minimum     = 1
    maximum     = 50
    default     = 20
  }

  request "GET" "/orders" {
    query = { status = args.status, limit = args.limit }
  }

  response {
    root   = "orders"
    fields = ["id", "status", "total"]
    as     = "table"
    empty  = "No orders have this status."
  }
}

tool "get_order" {
  description = "One order with its lines."

  input "id" {
    type        = string
    description = "Order number, e.g. O-1042"
    pattern     = "^O-[0-9]+$"
  }

  request "GET" "/orders/{id}" {}
}

tool "add_note" {
  description = "Add a note to an order. Customers do not see it."

  input "id" {
    type        = string
    description = "Order number, e.g. O-1042"
    pattern     = "^O-[0-9]+$"
  }
  input "text" {
    type        = string
    description = "The note, in the words of who asked for it"
    min_length  = 1
    max_length  = 500
  }

  request "POST" "/orders/{id}/notes" {
    json = { text = args.text }
  }
}
