# A service that is watched: a log, an audit log, metrics for Prometheus, and traces
# and metrics for an OpenTelemetry collector.

server "tickets" {
  title = "Tickets"
}

observe {
  log         = { level = "info", file = "${var.records}/calls.log" }
  audit       = { file = "${var.records}/audit.log" }
  admin       = "127.0.0.1:9090"
  correlation = true

  # What is not written here, OTEL_* variables say: the endpoint of another
  # collector, or attributes of this instance.
  otlp = {
    endpoint   = var.collector
    sample     = 0.1
    interval   = "30s"
    attributes = { "deployment.environment.name" = "demo" }
  }
}

variable "records" {
  description = "Folder of the logs."
  type        = string
  default     = "/tmp"
}

variable "collector" {
  description = "The OpenTelemetry collector."
  type        = string
  default     = "http://127.0.0.1:4318"
}

api "tickets" {
  base_url = "http://127.0.0.1:8560/tickets"
  timeout  = "5s"
}

tool "get_ticket" {
  api         = api.tickets
  description = "A support ticket by its number."
  read_only   = true

  input "number" {
    type        = integer
    description = "Number of the ticket, e.g. 7"
  }

  request "GET" "/{number}" {}
}

tool "close_ticket" {
  api         = api.tickets
  description = "Close a support ticket."
  destructive = false
  idempotent  = true

  input "number" {
    type        = integer
    description = "Number of the ticket, e.g. 7"
  }

  request "PUT" "/{number}/state" {
    json = { state = "closed" }
  }
}
