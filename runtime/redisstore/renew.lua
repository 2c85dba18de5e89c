-- Makes a lease last from now on; one that is not known, after the store lost its
-- data, is known again. KEYS: the leases. ARGV: the lease, and how long it lasts in
-- microseconds.
local t = redis.call('TIME')
local now = (t[1] - 1735689600) * 1000000 + t[2]
redis.call('ZADD', KEYS[1], now + tonumber(ARGV[2]), ARGV[1])
redis.call('PEXPIRE', KEYS[1], math.max(math.ceil(ARGV[2] / 1000), redis.call('PTTL', KEYS[1])))
return 0
