-- Ends a call. KEYS: one for each bucket that is charged or refunded, then the leases
-- when the call has one. ARGV: the lease, '' for none; then what each bucket is
-- charged, in microseconds, negative to refund.
local t = redis.call('TIME')
local now = (t[1] - 1735689600) * 1000000 + t[2]
for i = 2, #ARGV do
  local full = math.max(tonumber(redis.call('GET', KEYS[i - 1]) or 0), now) + tonumber(ARGV[i])
  if full > now then
    redis.call('SET', KEYS[i - 1], string.format('%.3f', full), 'PX', math.ceil((full - now) / 1000))
  else
    redis.call('DEL', KEYS[i - 1])
  end
end
if ARGV[1] ~= '' then
  redis.call('ZREM', KEYS[#KEYS], ARGV[1])
end
return 0
