-- Return the sessions of a subject, the youngest end first; forget the names of those that are gone.
-- KEYS: the subject's index. ARGV: what the keys of sessions begin with.
local found = {}
for _, sid in ipairs(redis.call('ZREVRANGE', KEYS[1], 0, 999)) do
  local fields = redis.call('HGETALL', ARGV[1] .. sid)
  if #fields == 0 then
    redis.call('ZREM', KEYS[1], sid)
  else
    found[#found + 1] = fields
  end
end
return found
