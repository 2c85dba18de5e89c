server "my-server" {
  instructions = "Scans are files of the folder this server was given: name them as file:NAME."
}

variable "service" {
  type        = string
  description = "The service beside this server."
  default     = "http://127.0.0.1:8100"
}

api "archive" {
  base_url = var.service
  timeout  = "60s"
}

tool "add_scan" {
  description = "Put a scan into the archive."

  input "scan" {
    type        = file
    description = "The file, as file:NAME"
  }
  input "note" {
    type        = string
    description = "What it is, to find it by"
    max_length  = 200
    default     = ""
  }

  request "POST" "/scans" {
    multipart = {
      note = args.note
      scan = part(args.scan, { filename = "scan.pdf", type = "application/pdf" })
    }
  }
}

tool "find_scans" {
  description = "Find scans by a word of their notes."

  input "word" {
    type        = string
    description = "One word, e.g. invoice"
  }

  request "GET" "/scans" {
    query = { q = args.word }
  }

  response {
    root   = "scans"
    fields = ["id", "note", "pages"]
    as     = "table"
    empty  = "No scan has this word."
  }
}
