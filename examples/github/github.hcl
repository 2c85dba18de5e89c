server "github" {
  title = "GitHub (curated)"
  listen "http" { addr = ":8080" }
}

variable "org" { type = string }
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
  cache    = { ttl = "30s", etag = true, scope = "caller" }
  limit    = { rate = "15/s", burst = 30 }

  pagination "link_header" { # applies where the operation has page/per_page
    size_param = "per_page"
    max_pages  = 3
    max_items  = 100
  }

  expose {
    operations = ["issues/*", "repos/get", "search/issues-and-pull-requests"]
    exclude    = ["issues/*-lock", "issues/remove-*"]
    methods    = ["GET"]
    name       = "gh_${snakecase(operation.id)}"
  }

  override "*" {                      # bulk, in order; later and narrower wins
    input "owner" { value = var.org } # fixed, and hidden from the model
    input "per_page" { default = 30 }
    response { drop = ["**.*_url", "**.node_id", "**.reactions"] }
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
  response {
    root   = "items"
    fields = ["number", "title", "state", "user.login", "labels[].name", "html_url"]
    as     = "table" # compact text for the model; structuredContent stays JSON
  }
}

tool "gh_create_issue" {
  operation = api.gh["issues/create"]
  input "body.assignees" { hide = true }
  input "body.title" { max_length = 120 }
  response {
    jq = "{number, url: .html_url, labels: [.labels[].name]}"
  }
  native = "CreateIssue" # generated mode: a Go method may replace this tool
}
