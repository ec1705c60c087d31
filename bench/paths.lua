-- wrk: requests for paths taken at random from a file, one a line; the figures as one line of JSON at the end.
-- Arguments after `--`: file, method, Accept header.

local requests, seed = {}, 0

function setup(thread)
  seed = seed + 1
  thread:set("seed", seed)
end

function init(arguments)
  math.randomseed(seed * 7919)
  local headers = { ["Accept"] = arguments[3] }
  for path in io.lines(arguments[1]) do
    requests[#requests + 1] = wrk.format(arguments[2], path, headers)
  end
end

function request()
  return requests[math.random(#requests)]
end

function done(summary, latency)
  local errors = summary.errors
  io.write(string.format(
    '{"count": %d, "bytes": %d, "seconds": %.6f, "p50": %.3f, "p99": %.3f, "errors": %d}\n',
    summary.requests, summary.bytes, summary.duration / 1e6, latency:percentile(50) / 1e3, latency:percentile(99) / 1e3,
    errors.connect + errors.read + errors.write + errors.status + errors.timeout))
end
