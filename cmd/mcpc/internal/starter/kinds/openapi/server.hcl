server "my-server" {
  instructions = "Find the pet before you change it."
}

variable "token" {
  type      = string
  sensitive = true
  env       = "SERVICE_TOKEN"
}

# The document says what there is; this file says what the model sees of it.

api "pets" {
  openapi = "openapi.yaml"
  auth    = bearer(var.token)

  expose {
    operations = ["*"]
    methods    = ["GET"]
    exclude    = ["listAuditEvents"]
    name       = "${snakecase(operation.id)}"
  }

  override "*" {
    input "tenant" { value = "main" }
  }
}

tool "rename_pet" {
  operation   = api.pets["updatePet"]
  description = "Give a pet another name."

  input "tenant" { value = "main" }
  input "body.status" { hide = true }
  input "body.name" {
    description = "The new name"
    max_length  = 40
  }
}
