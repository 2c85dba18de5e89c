# Reports from CSV exports: a tool that answers with a table, the export itself
# as a resource, and a prompt that reads it.

server "reports" {
  title        = "Sales reports"
  instructions = "Amounts are EUR. A month is written 2026-11."
}

api "exports" {
  base_url = "https://reports.internal.example"
  cache    = { ttl = "5m", etag = true }
}

tool "sales_by_region" {
  description = "Sales of a month by region and article, as a table."
  read_only   = true

  input "month" {
    type        = string
    description = "Month, e.g. 2026-11"
    pattern     = "^20[0-9]{2}-(0[1-9]|1[0-2])$"
  }

  request "GET" "/export/sales-{month}.csv" {}

  response "csv" {
    charset   = "windows-1252"
    delimiter = ";"
    types     = { Menge = integer }
    rename    = { Region = "region", Artikel = "article", Menge = "quantity", Umsatz = "revenue" }
    fields    = ["region", "article", "quantity", "revenue"]
    max_items = 100
    as        = "table"
    empty     = "No sales in that month."
  }
}

resource "reports://sales/{month}" {
  name        = "sales"
  title       = "Sales of a month"
  description = "The export of a month, complete, as CSV."
  mime_type   = "text/csv"

  input "month" {
    type    = string
    pattern = "^20[0-9]{2}-(0[1-9]|1[0-2])$"
  }

  request "GET" "/export/sales-{month}.csv" {}

  response "text" {
    charset = "windows-1252"
  }
}

prompt "review_month" {
  title       = "Review a month"
  description = "Compare the regions of a month and name what stands out."

  input "month" {
    type        = string
    description = "Month, e.g. 2026-11"
    pattern     = "^20[0-9]{2}-(0[1-9]|1[0-2])$"
  }

  message "user" {
    text = "Call sales_by_region for ${args.month}. Compare the regions, and name the three articles that stand out, with their revenue in EUR."
  }
}

test "an export becomes a list with our names" {
  call  = tool.sales_by_region
  args  = { month = "2026-11" }
  reply = "Region;Artikel;Menge;Umsatz\r\nNord;Mutter M8;800;96,00\r\n"

  expect = request.path == "/export/sales-2026-11.csv" && result[0].quantity == 800
}
