-- Return the sessions of a subject that nothing has revoked; forget the names of those that are gone.
-- KEYS: the subject's index, the marks. ARGV: what the keys of sessions begin with.
local function lives(fields)
  local session = {}
  for i = 1, #fields, 2 do
    session[fields[i]] = fields[i + 1]
  end
  for _, item in ipairs(cjson.decode(session.revoked_by or '[]')) do
    local mark = tonumber(redis.call('ZSCORE', KEYS[2], item) or 0)
    if mark > 0 or math.floor(tonumber(session.created)) <= -mark then
      return false
    end
  end
  return true
end

local found = {}
for _, sid in ipairs(redis.call('ZREVRANGE', KEYS[1], 0, 999)) do
  local fields = redis.call('HGETALL', ARGV[1] .. sid)
  if #fields == 0 then
    redis.call('ZREM', KEYS[1], sid)
  elseif lives(fields) then
    found[#found + 1] = fields
  end
end
return found
