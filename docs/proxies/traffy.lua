-- Asks Traffy whether a request can pass, for HAProxy 2.6 or newer. haproxy.cfg loads it.

local VERIFY = "http://127.0.0.1:8000/verify"
local TIMEOUT = 1500 -- milliseconds; HAProxy tries up to four times

-- The fields with credentials, and those that identify the client. The body is not sent.
local SENT = { "host", "authorization", "cookie", "user-agent", "x-forwarded-for", "x-forwarded-proto" }
-- The fields that the application receives.
local IDENTITY = { "x-auth-subject", "x-auth-session", "x-auth-time", "x-auth-methods", "x-auth-strategy" }
-- The fields of a refusal that the client receives.
local PASSED_ON = { "www-authenticate", "retry-after", "content-type", "cache-control", "x-request-id" }

-- The values of a header field are numbered from 0.
local function values(headers, name)
  local list, found = {}, headers[name]
  for index = 0, found and #found or -1 do
    list[#list + 1] = found[index]
  end
  return list
end

local function refuse(txn, status, response)
  local reply = txn:reply({ status = status })
  for _, name in ipairs(PASSED_ON) do
    for _, value in ipairs(response and values(response.headers, name) or {}) do
      reply:add_header(name, value)
    end
  end
  if not response then reply:add_header("retry-after", "5") end
  reply:set_body(response and response.body or "")
  txn:done(reply)
end

core.register_action("traffy-verify", { "http-req" }, function(txn)
  local sent = {}
  local headers = txn.http:req_get_headers()
  for _, name in ipairs(SENT) do
    local list = values(headers, name)
    if #list > 0 then sent[name] = list end
  end

  local asked, response = pcall(function()
    return core.httpclient():get({ url = VERIFY, headers = sent, timeout = TIMEOUT })
  end)
  local status = asked and response and response.status or 0

  -- Only a 204 with one subject passes. All else is refused: a script error, silence, a redirect, a page.
  if status == 204 and #values(response.headers, "x-auth-subject") == 1 then
    for _, name in ipairs(IDENTITY) do
      local list = values(response.headers, name)
      if #list == 1 then txn.http:req_set_header(name, list[1]) end
    end
    return txn:set_var("txn.traffy_passed", true)
  end
  if status >= 400 and status <= 599 then return refuse(txn, status, response) end
  refuse(txn, 503, nil)
end)
