server "my-server" {
  instructions = "The service is old: one customer at a time."
}

variable "service" {
  type        = string
  description = "Where the service is."
  default     = "https://old.example.com/cgi-bin"
}

variable "key" {
  type      = string
  sensitive = true
  env       = "SERVICE_KEY"
}

api "cgi" {
  base_url = var.service
  auth     = api_key("header", "X-Key", var.key)
  timeout  = "30s"
}

tool "get_customer" {
  description = "Name and address of a customer."
  read_only   = true

  input "number" {
    type        = integer
    description = "Customer number"
  }

  request "POST" "/customer.pl" {
    form = { ACTION = "SHOW", KNR = format("%08d", args.number) }
  }

  response "form" {
    charset = "iso-8859-1"
    rename  = { NAME = "name", ORT = "city" }
    fields  = ["name", "city"]

    error_when {
      condition = response.body.STATUS == "NOTFOUND"
      message   = "There is no customer with this number."
      retry     = "no"
    }
  }
}

tool "rename_customer" {
  description = "Change the name of a customer."

  input "number" {
    type        = integer
    description = "Customer number"
  }
  input "name" {
    type        = string
    description = "The whole new name"
    max_length  = 60
  }

  request "POST" "/customer.pl" {
    content_type = "application/x-www-form-urlencoded; charset=iso-8859-1"
    form         = { ACTION = "SAVE", KNR = format("%08d", args.number), NAME = args.name }
  }

  response "form" { charset = "iso-8859-1" }
}
