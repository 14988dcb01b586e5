-- Forget sessions and revoke what they issued.
-- KEYS: the marks, then either one session, or the index of a subject whose sessions' keys begin with ARGV[3].
-- ARGV: the item to revoke, its mark.
redis.call('ZADD', KEYS[1], string.sub(ARGV[2], 1, 1) == '-' and 'LT' or 'GT', ARGV[2], ARGV[1])
if ARGV[3] then
  for _, sid in ipairs(redis.call('ZRANGE', KEYS[2], 0, -1)) do
    redis.call('DEL', ARGV[3] .. sid)
  end
end
redis.call('DEL', KEYS[2])
