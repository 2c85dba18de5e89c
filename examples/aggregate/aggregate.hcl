# Three services of one domain, of three generations, as one server: one token,
# one set of headers, one way to wait and try again.

server "customers" {
  title        = "Customers"
  instructions = "Begin with customer_overview; it asks all three systems at once."
}

# One line of JSON on stderr for each call that failed; its correlation id goes to
# all three services and back to the client.
observe {
  log         = { level = "warn" }
  correlation = true
}

variable "domain_token" {
  type      = string
  sensitive = true
  env       = "DOMAIN_TOKEN"
}

locals {
  timeout = "10s"
  headers = { "X-Request-Source" = "mcp" }
}

api "crm" {
  base_url = "https://crm.internal.example/v2"
  auth     = bearer(var.domain_token)
  headers  = local.headers
  timeout  = local.timeout
}

api "billing" {
  base_url = "https://billing.internal.example"
  auth     = bearer(var.domain_token)
  headers  = local.headers
  timeout  = local.timeout
}

api "tickets" {
  base_url = "https://tickets.internal.example"
  auth     = bearer(var.domain_token)
  headers  = local.headers
  timeout  = local.timeout
}

tool "get_customer" {
  api         = api.crm
  description = "A customer's master data: name, city, since when."
  read_only   = true

  input "customer" {
    type        = string
    description = "Customer number, e.g. C-10442"
    pattern     = "^C-[0-9]+$"
  }

  request "GET" "/customers/{customer}" {}

  response {
    fields = ["name", "city", "since"]

    error "404" {
      message = "There is no customer ${args.customer}."
      hint    = "Ask for the number again."
    }
  }
}

tool "open_invoices" {
  api         = api.billing
  description = "The invoices of a customer that are not paid, with amounts in EUR."
  read_only   = true

  input "customer" {
    type        = string
    description = "Customer number, e.g. C-10442"
    pattern     = "^C-[0-9]+$"
  }

  request "GET" "/invoices.xml" {
    query = { customer = args.customer, state = "open" }
  }

  response "xml" {
    root   = "INVOICES.INVOICE"
    lists  = ["INVOICE"]
    types  = { AMOUNT = number }
    rename = { NO = "number", AMOUNT = "amount", DUE = "due" }
    fields = ["number", "amount", "due"]
    empty  = "No open invoices."
  }
}

tool "recent_tickets" {
  api         = api.tickets
  description = "The last support tickets of a customer, newest first."
  read_only   = true

  input "customer" {
    type        = string
    description = "Customer number, e.g. C-10442"
    pattern     = "^C-[0-9]+$"
  }

  request "GET" "/export.csv" {
    query = { customer = args.customer }
  }

  response "csv" {
    delimiter = ";"
    types     = { id = integer }
    max_items = 5
  }
}

tool "customer_overview" {
  description = "Everything about a customer at once: master data, open invoices, recent tickets."
  read_only   = true
  timeout     = "15s"

  input "customer" {
    type        = string
    description = "Customer number, e.g. C-10442"
    pattern     = "^C-[0-9]+$"
  }

  step "master" {
    call = tool.get_customer
    args = { customer = args.customer }
  }
  step "invoices" {
    call     = tool.open_invoices
    args     = { customer = args.customer }
    on_error = "null"
  }
  step "tickets" {
    call     = tool.recent_tickets
    args     = { customer = args.customer }
    on_error = "null"
  }

  output = {
    customer = step.master
    invoices = step.invoices
    tickets  = step.tickets
  }
}
