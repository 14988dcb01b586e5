-- Keep marks in the sorted set KEYS[1], then forget a bounded number of those nobody can need any more.
-- ARGV[1]: for how many seconds a cut-off matters ('' for ever). Then, for each item: its mark, its name.
for i = 2, #ARGV, 2 do
  -- Away from zero only: an ending is never shortened, a cut-off never falls.
  local farther = string.sub(ARGV[i], 1, 1) == '-' and 'LT' or 'GT'
  redis.call('ZADD', KEYS[1], farther, ARGV[i], ARGV[i + 1])
end

local function forget(above, below)
  local gone = redis.call('ZRANGEBYSCORE', KEYS[1], above, below, 'LIMIT', 0, 100)
  if #gone > 0 then
    redis.call('ZREM', KEYS[1], unpack(gone))
  end
end

local now = redis.call('TIME')[1]
forget('(0', '(' .. now)
if ARGV[1] ~= '' then
  forget(string.format('(%.0f', ARGV[1] - now), '(0')
end
