-- Keep a new session, unless a cut-off would revoke it at once.
-- KEYS: the session, its subject's index, the marks.
-- ARGV: created, ends, seconds to keep it, sid, the items that can revoke it (JSON), then its fields and values.
local latest = 0
for _, item in ipairs(cjson.decode(ARGV[5])) do
  local mark = tonumber(redis.call('ZSCORE', KEYS[3], item) or 0)
  latest = math.max(latest, -mark)
end
if math.floor(tonumber(ARGV[1])) <= latest then
  return string.format('%.0f', latest)
end
redis.call('HSET', KEYS[1], unpack(ARGV, 6))
redis.call('EXPIRE', KEYS[1], ARGV[3])
redis.call('ZREMRANGEBYSCORE', KEYS[2], '-inf', '(' .. ARGV[1])
redis.call('ZADD', KEYS[2], ARGV[2], ARGV[4])
local last = tonumber(redis.call('ZRANGE', KEYS[2], -1, -1, 'WITHSCORES')[2])
redis.call('EXPIRE', KEYS[2], math.ceil(last - tonumber(ARGV[1])))
return false
