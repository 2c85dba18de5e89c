# A CGI program from the nineties: it takes forms in Latin-1 and answers with
# key=value pairs, or with a page.

server "members" {
  instructions = "The member register of a sports club. Find a member before you change one."
}

variable "club_pin" {
  type      = string
  sensitive = true
  env       = "CLUB_PIN"
}

api "register" {
  base_url = "https://club.example/cgi-bin"
  headers  = { "X-Club-Pin" = var.club_pin }
  timeout  = "15s"
}

tool "find_member" {
  description = "Find a member by name. Returns number, name, city and whether the fee is paid."
  read_only   = true

  input "name" {
    type        = string
    description = "Family name, exactly as registered, e.g. Müller"
    min_length  = 2
  }

  request "POST" "/member.cgi" {
    content_type = "application/x-www-form-urlencoded; charset=iso-8859-1"
    form = {
      action = "find"
      name   = args.name
    }
  }

  response "form" {
    charset = "iso-8859-1"
    types   = { paid = bool }
    rename  = { nr = "number" }
    fields  = ["number", "name", "city", "paid"]

    error_when {
      condition = response.body.status == "ERR"
      message   = "The register says: ${response.body.text}"
    }
  }
}

tool "move_member" {
  description = "Change the city of a member. The old one is forgotten."
  destructive = true
  idempotent  = true

  input "number" {
    type        = string
    description = "Member number, e.g. M-17"
    pattern     = "^M-[0-9]+$"
  }
  input "city" {
    type        = string
    description = "The new city"
    max_length  = 40
  }

  request "POST" "/member.cgi" {
    content_type = "application/x-www-form-urlencoded; charset=iso-8859-1"
    form = {
      action = "move"
      nr     = args.number
      city   = args.city
    }
  }

  response "form" {
    charset = "iso-8859-1"

    error_when {
      condition = response.body.status == "ERR"
      message   = "The register says: ${response.body.text}"
    }
  }
}

tool "training_plan" {
  description = "The training plan of a day, as text."
  read_only   = true

  input "day" {
    type        = enum("mo", "tu", "we", "th", "fr")
    description = "Day of the week"
  }

  request "GET" "/plan.cgi" {
    query = { day = args.day }
  }

  response "html" {
    main = "#plan"
  }
}

test "a name with an umlaut is sent in Latin-1" {
  call = tool.find_member
  args = { name = "Müller" }

  reply {
    headers = { "Content-Type" = "text/plain" }
    body    = "status=OK&nr=M-17&name=M%FCller&city=K%F6ln&paid=true"
  }

  expect = request.body == "action=find&name=M%FCller" && result.city == "Köln" && result.paid
}
