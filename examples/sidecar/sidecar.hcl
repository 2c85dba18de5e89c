# A sidecar on a person's machine: the client starts it on stdio, and files of one
# folder can be filed in the archive by name.

server "archive" {
  instructions = "Files of the outbox are named file:NAME. List what is filed before you file something twice."
}

api "archive" {
  base_url = "http://127.0.0.1:8570"
  timeout  = "30s"
}

tool "file_document" {
  description = "File a document in the archive and return its number."

  input "document" {
    type        = file
    description = "The document, e.g. file:contract.txt"
  }
  input "title" {
    type        = string
    description = "Title under which it is found again"
    max_length  = 80
  }
  input "tags" {
    type        = list(string)
    description = "Tags, e.g. [\"contract\", \"2026\"]"
    default     = []
    max_items   = 5
  }

  request "POST" "/documents" {
    multipart = {
      title    = args.title
      tag      = args.tags
      document = args.document
    }
  }
}

tool "list_documents" {
  description = "What is filed: number, title, size and tags, newest first."
  read_only   = true

  request "GET" "/documents" {}

  response "json" {
    root  = "documents"
    as    = "table"
    empty = "Nothing is filed yet."
  }
}
