-- Judge one use of a refresh token and renew it.
-- KEYS: the session, the marks.
-- ARGV: generation, now, grace, idle, outlives, then the scopes asked for.
local fields = redis.call('HGETALL', KEYS[1])
if #fields == 0 then
  return { 'unknown' }
end
local session = {}
for i = 1, #fields, 2 do
  session[fields[i]] = fields[i + 1]
end

local function forget(outcome)
  redis.call('DEL', KEYS[1])
  return { outcome, fields }
end

local now, items = tonumber(ARGV[2]), cjson.decode(session.revoked_by)
for _, item in ipairs(items) do
  local mark = tonumber(redis.call('ZSCORE', KEYS[2], item) or 0)
  if mark > 0 or math.floor(tonumber(session.created)) <= -mark then
    return forget('revoked')
  end
end
if now >= tonumber(session.ends) or now - tonumber(session.used) >= tonumber(ARGV[4]) then
  return forget('expired')
end

local behind = tonumber(session.generation) - tonumber(ARGV[1])
if behind > 0 and (behind ~= 1 or now - tonumber(session.rotated) > tonumber(ARGV[3])) then
  redis.call('ZADD', KEYS[2], 'GT', string.format('%.0f', now + tonumber(ARGV[5])), items[1])
  return forget('reused')
end
for i = 6, #ARGV do
  if not string.find(' ' .. session.scope .. ' ', ' ' .. ARGV[i] .. ' ', 1, true) then
    return { 'too_much', fields }
  end
end
if behind == 1 then
  return { 'repeated', fields }
end
redis.call('HSET', KEYS[1], 'generation', tonumber(ARGV[1]) + 1, 'rotated', ARGV[2], 'used', ARGV[2])
redis.call('EXPIRE', KEYS[1], math.ceil(math.min(tonumber(session.ends) - now, tonumber(ARGV[4]))))
return { 'rotated', redis.call('HGETALL', KEYS[1]) }
