server "github" {
  title = "GitHub (curated)"
  listen "http" { addr = ":8080" }
}

variable "org" {
  type    = string
  default = "acme"
}
variable "github_token" {
  type      = string
  sensitive = true
  env       = "GITHUB_TOKEN"
}

api "gh" {
  openapi  = "specs/api.github.com.yaml"
  base_url = "https://api.github.com"
  auth     = bearer(var.github_token)
  headers  = { "X-GitHub-Api-Version" = "2022-11-28" }

  expose {
    operations = ["issues/*", "repos/get", "search/issues-and-pull-requests"]
    exclude    = ["issues/*-lock", "issues/remove-*"]
    methods    = ["GET"]
    name       = "gh_${snakecase(operation.id)}"
  }

  override "*" {                      # bulk, in order; later and narrower wins
    input "owner" { value = var.org } # fixed, and hidden from the model
    input "per_page" { default = 30 }
  }
}

tool "gh_search_issues" {
  operation   = api.gh["search/issues-and-pull-requests"]
  description = "Search issues and PRs in the organisation. Use GitHub search syntax in q."
  input "q" {
    description = "e.g. is:open label:bug"
    wire        = "${args.q} org:${var.org}" # what is sent
  }
  input "sort" { hide = true }
}

tool "gh_create_issue" {
  operation = api.gh["issues/create"]
  input "body.assignees" { hide = true }
  input "body.title" { max_length = 120 }
}
