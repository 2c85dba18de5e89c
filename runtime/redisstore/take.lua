-- Takes a call through a limit, all of it or nothing (GCRA).
-- KEYS: one for each bucket, then the leases when there are places.
-- ARGV: how long the call may wait, places, lease, how long that lasts; then for
-- each bucket what it costs, what has to be there, and what there is room for.
-- Times are in microseconds; those that are kept count from 2025, so that fractions
-- of them have room in a number.
-- Answers {1 taken, 0 refused, -1 no place; the bucket that matters, 0 for none; the
-- delay}.
local t = redis.call('TIME')
local now = (t[1] - 1735689600) * 1000000 + t[2]
local places = tonumber(ARGV[2])
local leases = KEYS[#KEYS]
if places > 0 then
  redis.call('ZREMRANGEBYSCORE', leases, '-inf', now)
  if redis.call('ZCARD', leases) >= places then
    return {-1, 0, 0}
  end
end
local delay, of, full = 0, 0, {}
for i = 1, (#ARGV - 4) / 3 do
  local cost, need, room = tonumber(ARGV[3 * i + 2]), tonumber(ARGV[3 * i + 3]), tonumber(ARGV[3 * i + 4])
  local at = math.max(tonumber(redis.call('GET', KEYS[i]) or 0), now)
  -- No call leaves a bucket this empty: it was written by a clock that has been set
  -- back since, or by another server's. A minute is for calls that wait for less. (What
  -- costs nothing here is charged afterwards, and may owe any time.)
  if cost > 0 and at > now + room + ARGV[1] + 60000000 then
    at = now + room
  end
  local wait = at + need - now - room
  if wait > delay and wait > 0.5 then
    delay, of = wait, i
  end
  full[i] = at + cost
end
if delay > tonumber(ARGV[1]) then
  return {0, of, math.ceil(delay)}
end
for i = 1, #full do
  if tonumber(ARGV[3 * i + 2]) > 0 then
    redis.call('SET', KEYS[i], string.format('%.3f', full[i]), 'PX', math.ceil((full[i] - now) / 1000))
  end
end
if places > 0 then
  redis.call('ZADD', leases, now + tonumber(ARGV[4]), ARGV[3])
  redis.call('PEXPIRE', leases, math.ceil(ARGV[4] / 1000))
end
return {1, of, math.ceil(delay)}
