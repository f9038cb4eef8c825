-- A wrk script: each request has a user drawn uniformly from the file that USERS names.
local users = {}
for line in io.lines(os.getenv("USERS")) do users[#users + 1] = line end
math.randomseed(7)
wrk.method = "POST"
wrk.headers["Content-Type"] = "application/json"
request = function()
  return wrk.format(nil, nil, nil, '{"user_id": "' .. users[math.random(#users)] .. '"}')
end
