server "my-server" {
  instructions = "Figures are net, in EUR. A month is written 2026-11."
}

variable "service" {
  type        = string
  description = "Where the exports are."
  default     = "https://reports.example.com"
}

variable "token" {
  type      = string
  sensitive = true
  env       = "REPORTS_TOKEN"
}

api "reports" {
  base_url = var.service
  auth     = bearer(var.token)
  timeout  = "60s"

  response "csv" {
    delimiter = ";"
    types     = { quantity = integer, amount = number }
  }
}

tool "sales" {
  description = "The sales of a month, line by line."
  read_only   = true

  input "month" {
    type        = string
    description = "Year and month, e.g. 2026-11"
    pattern     = "^[0-9]{4}-[0-9]{2}$"
  }

  request "GET" "/exports/sales-{month}.csv" {}

  response {
    max_items = 200
    as        = "table"
    empty     = "Nothing was sold in this month."
  }
}

tool "sales_by_region" {
  description = "The sales of a month, summed by region, largest first."
  read_only   = true

  input "month" {
    type        = string
    description = "Year and month, e.g. 2026-11"
    pattern     = "^[0-9]{4}-[0-9]{2}$"
  }

  request "GET" "/exports/sales-{month}.csv" {}

  response {
    jq = "group_by(.region) | map({region: .[0].region, amount: (map(.amount) | add)}) | sort_by(-.amount)"
    as = "table"
  }
}
