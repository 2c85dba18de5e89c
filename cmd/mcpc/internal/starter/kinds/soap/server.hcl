server "my-server" {
  instructions = "Search before you cancel. Order numbers are exact: repeat every digit."
}

variable "service" {
  type        = string
  description = "Where the back office is."
  default     = "https://erp.example.com"
}

variable "password" {
  type      = string
  sensitive = true
  env       = "ERP_PASSWORD"
}

api "erp" {
  base_url = var.service
  auth     = basic("svc-mcp", var.password)
  timeout  = "20s"
}

tool "find_orders" {
  description = "Find the orders of one customer, newest first."
  read_only   = true

  input "customer" {
    type        = string
    description = "Customer number, e.g. C-10442"
    pattern     = "^C-[0-9]+$"
  }

  request "POST" "/xml/orders" {
    xml = "<query><customer>${args.customer}</customer><max>50</max></query>"
  }

  response "xml" {
    root   = "ORDERS.ORDER"
    lists  = ["ORDER"]
    types  = { TOTAL = number }
    rename = { "@NO" = "number", TOTAL = "total", STATE = "state" }
    as     = "table"
    empty  = "This customer has no orders."

    error_when { # HTTP 200 with an error inside
      xml     = "ERROR"
      message = "The back office says: ${response.body.ERROR.TEXT}"
    }
  }
}

tool "cancel_order" {
  description = "Cancel one open order. Cannot be undone."
  destructive = true

  input "number" {
    type        = string
    description = "Order number, e.g. 4711"
  }
  input "reason" {
    type        = string
    description = "Why, in a sentence"
    max_length  = 200
  }

  request "POST" "/soap/orders.asmx" {
    soap {
      action = "urn:erp:CancelOrder"
      xml    = <<-XML
        <CancelOrder xmlns="urn:erp">
          <Number>${args.number}</Number>
          <Reason>${args.reason}</Reason>
        </CancelOrder>
      XML
    }
  }

  response "soap" { root = "CancelOrderResponse" }
}
