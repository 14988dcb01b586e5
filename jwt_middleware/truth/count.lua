-- Count under KEYS[1] in windows of ARGV[1] seconds: ARGV[3] more, unless that makes more than ARGV[2].
-- The value is the window's number, the count of the window before it, and its own.
local seconds, limit, amount = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local time = redis.call('TIME')  -- one clock for all workers
local now = time[1] + time[2] / 1000000
local window = math.floor(now / seconds)
local left = (window + 1) * seconds - now

local kept, before, inside = string.match(redis.call('GET', KEYS[1]) or '', '^(%d+) (%d+) (%d+)$')
local previous, current = 0, 0
if tonumber(kept) == window then
  previous, current = tonumber(before), tonumber(inside)
elseif tonumber(kept) == window - 1 then
  previous = tonumber(inside)
end

local room = math.floor(previous * left / seconds) + current + amount <= limit
if room and amount > 0 then
  current = current + amount
  local value = string.format('%.0f %.0f %.0f', window, previous, current)
  redis.call('SET', KEYS[1], value, 'PX', math.ceil((left + seconds) * 1000))
end
return {room and 1 or 0, previous, current, math.ceil(left * 1000)}
