# What the conformance suites look for by name: the tools are the operations of
# conformance.yaml, resources and prompts are described here. The upstream is
# stub/main.go.

api "stub" {
  openapi = "conformance.yaml"
  expose {}
}

resource "test://static-text" {
  description = "A text."
  mime_type   = "text/plain"

  request "GET" "/text" {}
}

resource "test://static-binary" {
  description = "One red pixel."
  mime_type   = "image/png"

  request "GET" "/image" {}
}

resource "test://example-resource" {
  description = "What a prompt embeds."

  request "GET" "/text" {}
}

resource "test://template/{id}/data" {
  description = "Data of an id."
  mime_type   = "application/json"

  request "GET" "/data/{id}" {}
}

prompt "test_simple_prompt" {
  description = "A prompt without arguments."

  message "user" { text = "This is a simple prompt for testing." }
}

prompt "test_prompt_with_arguments" {
  description = "A prompt with arguments."

  input "arg1" {
    type        = string
    description = "First test argument"
  }
  input "arg2" {
    type        = string
    description = "Second test argument"
  }

  message "user" { text = "Prompt with arguments: arg1='${args.arg1}', arg2='${args.arg2}'" }
}

prompt "test_prompt_with_embedded_resource" {
  description = "A prompt with a resource of this server."

  input "resourceUri" {
    type        = string
    description = "URI of the resource to embed"
  }

  message "user" { resource = args.resourceUri }
  message "user" { text = "Please process the embedded resource above." }
}

prompt "test_prompt_with_image" {
  description = "A prompt with an image."

  message "user" { resource = "test://static-binary" }
  message "user" { text = "Please analyze the image above." }
}
